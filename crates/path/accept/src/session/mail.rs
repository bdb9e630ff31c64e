//! The transaction: the machine's questions become steps of the admission.

use std::sync::Arc;

use bytes::Bytes;
use ground_settings::{Listener, Protocol};
use path_categorize::Asker;
use path_ledger::Origin;
use wire_smtp::command::{Hello, MailParams, RcptParams};
use wire_smtp::reply::Reply;

use super::{Session, features};
use crate::admit::{Arrival, Draft, Senders};
use crate::receive::current;

impl Session {
    pub(super) async fn on_mail(&mut self, mail: MailParams) {
        self.refresh();
        let arrival = self.arrival();
        let intake = &self.hall.intake;
        let opened = intake.open(arrival, mail, self.settings.clone(), self.limits.clone());
        match opened.await {
            Ok(draft) => {
                self.draft = Some(draft);
                self.machine.accept();
            }
            Err(reply) => self.machine.refuse(reply),
        }
    }

    pub(super) async fn on_rcpt(&mut self, rcpt: RcptParams) {
        let answer = match &mut self.draft {
            Some(draft) => self.hall.intake.add(draft, rcpt).await,
            None => Err(no_transaction()),
        };
        self.say(answer);
    }

    pub(super) async fn on_begin(&mut self) {
        let answer = match &mut self.draft {
            Some(draft) => self.hall.intake.begin(draft).await,
            None => Err(no_transaction()),
        };
        self.say(answer);
    }

    pub(super) async fn on_body(&mut self, octets: Bytes) {
        let answer = match &mut self.draft {
            Some(draft) => self.hall.intake.take(draft, octets).await,
            None => Err(no_transaction()),
        };
        if let Err(reply) = answer {
            self.draft = None;
            self.machine.refuse_body(reply);
        }
    }

    pub(super) async fn on_end(&mut self) {
        let kept = match self.draft.take() {
            Some(draft) => self.keep(draft).await,
            None => Err(no_transaction()),
        };
        match kept {
            Ok(reply) => self.machine.accept_with(reply),
            Err(reply) => self.machine.refuse(reply),
        }
    }

    async fn keep(&self, draft: Draft) -> Result<Reply, Reply> {
        let id = self.hall.intake.accept(draft).await?;
        Ok(Reply::plain(250, format!("2.0.0 {id} accepted")))
    }

    fn say(&mut self, answer: Result<(), Reply>) {
        match answer {
            Ok(()) => self.machine.accept(),
            Err(reply) => self.machine.refuse(reply),
        }
    }

    /// Takes new settings up: between two transactions, never within one.
    fn refresh(&mut self) {
        let settings = self.hall.intake.settings();
        if Arc::ptr_eq(&settings, &self.settings) {
            return;
        }
        self.listener = as_it_began(&self.listener, current(&settings, &self.listener));
        self.limits = self.listener.limits(&settings.limits);
        let offered = features::offered(&self.listener, &settings, self.hall.tls.is_some());
        self.machine.change_features(Arc::new(offered));
        self.settings = settings;
    }

    fn arrival(&self) -> Arrival {
        let hello = self.machine.hello();
        let login = self.login.as_deref();
        let ip = self.peer.map(|peer| peer.ip().to_canonical());
        Arrival {
            origin: match self.listener.protocol {
                Protocol::Submission => Origin::Submission,
                Protocol::Lmtp => Origin::Lmtp,
                Protocol::Smtp | Protocol::Http => Origin::Smtp,
            },
            listener: self.listener.name.clone(),
            peer: self.peer,
            helo: hello.map(|hello| hello.name.clone()).unwrap_or_default(),
            greeting: hello.map(|hello: &Hello| features::greeted(hello.verb)),
            tls: self.tls.clone(),
            login: self.login.clone(),
            senders: Senders::of(login, self.listener.authenticated_sender),
            asker: Asker::client(ip, login, &self.listener.relay_from),
        }
    }
}

/// `now`, for a session that goes on: what it speaks and how it encrypts was agreed on when it began.
fn as_it_began(begun: &Listener, now: Arc<Listener>) -> Arc<Listener> {
    if now.protocol == begun.protocol && now.tls() == begun.tls() {
        return now;
    }
    let (protocol, tls) = (begun.protocol, Some(begun.tls()));
    let now = (*now).clone();
    Arc::new(Listener {
        protocol,
        tls,
        ..now
    })
}

/// Ours: the machine asks for content only inside a transaction.
fn no_transaction() -> Reply {
    Reply::plain(451, "4.3.0 There is no transaction; start again with MAIL")
}
