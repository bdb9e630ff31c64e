//! A session: a socket, wire-smtp's machine, and the decisions it asks for.
//!
//! ```text
//!   PROXY header? -> TLS? -> greeting -> ( read -> poll the machine, decide -> one flush ) ... -> close
//! ```
//!
//! `io` owns the waiting, `features` what is offered, `proxy` the load balancer's header, `login` AUTH, `mail` the
//! transaction. Replies of one read go out in one write (RFC 2920 s3.2).

mod features;
mod io;
mod login;
mod mail;
mod proxy;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use ground_settings::{Limits, Listener, ListenerTls, Settings};
use ground_world::net::Stream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wire_smtp::reply::Reply;
use wire_smtp::server::{Channel, Event, Server as Machine};

use crate::admit::Draft;
use crate::gate::Seat;
use crate::server::Hall;
pub(crate) use io::Ended;
pub(crate) use proxy::proxied;

/// One session.
pub(crate) struct Session {
    hall: Arc<Hall>,
    listener: Arc<Listener>,
    /// Cancelled when the server stops or the listener is gone.
    leave: CancellationToken,
    settings: Arc<Settings>,
    limits: Limits,
    machine: Machine,
    peer: Option<SocketAddr>,
    /// Version and cipher.
    tls: Option<String>,
    /// Who logged in.
    login: Option<String>,
    refused_logins: u32,
    draft: Option<Draft>,
    started: Instant,
    handshake: Handshake,
    farewell: Farewell,
}

/// Whether the client was told to shake hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Handshake {
    No,
    Next,
}

/// Who ends the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Farewell {
    /// The client, with QUIT.
    Theirs,
    /// We, perhaps while the client still sends.
    Ours,
}

/// What those hear for whom there is no room (RFC 5321 s3.8).
pub(crate) fn crowded(settings: &Settings) -> BytesMut {
    let mut words = BytesMut::new();
    too_many(settings).write(&mut words);
    words
}

fn too_many(settings: &Settings) -> Reply {
    let hostname = settings.server.hostname.as_str();
    Reply::plain(
        421,
        format!("4.3.2 {hostname} Too many sessions; try again later"),
    )
}

impl Session {
    pub(crate) fn new(
        hall: Arc<Hall>,
        listener: Arc<Listener>,
        settings: Arc<Settings>,
        leave: CancellationToken,
    ) -> Session {
        let tls = hall.tls.is_some();
        let channel = match listener.tls() {
            ListenerTls::Implicit => Channel::Tls,
            ListenerTls::Off | ListenerTls::Starttls => Channel::Clear,
        };
        let offered = features::offered(&listener, &settings, tls);
        Session {
            limits: listener.limits(&settings.limits),
            machine: Machine::new(Arc::new(offered), channel),
            started: hall.intake.world().clock.instant(),
            hall,
            listener,
            leave,
            settings,
            peer: None,
            tls: None,
            login: None,
            refused_logins: 0,
            draft: None,
            handshake: Handshake::No,
            farewell: Farewell::Ours,
        }
    }

    /// To the end of the connection.
    pub(crate) async fn run(mut self, stream: Stream, seat: Seat) {
        let ended = self.talk(stream, seat).await;
        let peer = self.peer.map(tracing::field::display);
        let counters = self.machine.counters();
        match ended {
            Ok(()) => {
                tracing::debug!(listener = %self.listener.name, peer, ?counters, "session over")
            }
            Err(why) => {
                tracing::debug!(listener = %self.listener.name, peer, ?counters, %why, "session broken off");
            }
        }
    }

    async fn talk(&mut self, stream: Stream, mut seat: Seat) -> Result<(), Ended> {
        let mut stream = self.meet(stream, &mut seat).await?;
        loop {
            self.answer().await;
            self.flush(&mut stream).await?;
            if self.machine.is_closed() {
                return self.hang_up(stream).await;
            }
            if self.handshake == Handshake::Next {
                stream = self.secure(stream).await?;
                self.handshake = Handshake::No;
                self.machine.tls_established();
                continue;
            }
            self.hear(&mut stream).await?;
        }
    }

    /// Finds out who is there, and greets.
    async fn meet(&mut self, mut stream: Stream, seat: &mut Seat) -> Result<Stream, Ended> {
        self.peer = stream.peer_addr();
        let mut early = BytesMut::new();
        if self.listener.proxy_protocol {
            self.introduce(&mut stream, &mut early).await?;
        }
        let crowd = self
            .peer
            .map(|peer| seat.name_peer(peer.ip(), &self.limits));
        if self.machine.channel() == Channel::Tls {
            stream = self.secure(stream).await?;
        }
        if let Some(Err(why)) = crowd {
            tracing::warn!(peer = ?self.peer, ?why, "too many sessions; turned one away");
            self.machine.close(&too_many(&self.settings));
            return Ok(stream);
        }
        self.machine.input().extend_from_slice(&early);
        self.machine
            .greet_with(&features::greeting(&self.listener, &self.settings));
        Ok(stream)
    }

    /// Does all that the input asks for.
    async fn answer(&mut self) {
        while let Some(event) = self.machine.poll() {
            self.decide(event).await;
            self.keep_limits();
        }
    }

    async fn decide(&mut self, event: Event) {
        match event {
            Event::Hello(_) => {
                self.draft = None;
                self.machine.accept();
            }
            Event::StartTls => {
                self.draft = None;
                self.handshake = Handshake::Next;
                self.machine.accept();
            }
            Event::Auth { credentials, .. } => self.on_login(credentials).await,
            Event::Mail(mail) => self.on_mail(mail).await,
            Event::Rcpt(rcpt) => self.on_rcpt(rcpt).await,
            Event::DataBegin(_) => self.on_begin().await,
            Event::Body(octets) => self.on_body(octets).await,
            Event::BodyEnd => self.on_end().await,
            Event::BodyRefused(why) => {
                tracing::debug!(peer = ?self.peer, ?why, "content refused");
                self.draft = None;
            }
            Event::Reset => self.draft = None,
            Event::Quit => {
                self.draft = None;
                self.farewell = Farewell::Theirs;
            }
            Event::Vrfy(_) | Event::Help(_) => self.machine.accept(),
            Event::Expn(_) => {
                let words = "5.7.0 The members of lists are not told to anybody";
                self.machine.refuse(Reply::plain(502, words));
            }
            Event::Noop => {}
            Event::ProtocolError(reply) => {
                tracing::debug!(peer = ?self.peer, %reply, "command refused");
            }
        }
    }

    fn keep_limits(&mut self) {
        if self.machine.is_closed() {
            return;
        }
        let counters = self.machine.counters();
        let words = if counters.errors >= self.limits.max_errors {
            "4.7.0 Too many errors in one session"
        } else if counters.commands > self.limits.max_commands {
            "4.7.0 Too many commands in one session"
        } else {
            return;
        };
        self.draft = None;
        self.machine.close(&Reply::plain(421, words));
    }
}
