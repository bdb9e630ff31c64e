//! Into mailboxes here. The copy is stored with the settlement: both or neither, exactly once.
//!
//! Who the recipient is is asked again at each attempt: a name may have moved since the message was accepted. A mailbox gets
//! no copy of the content but a reference to it, so content that memory does not have is read through first: nobody finds
//! mail in a mailbox that cannot be read.

use access_mailbox::{Delivery, Firmness, Mailboxes, Obstacle, deliver_unit};
use ground_directory::{Account, Directory, DirectoryError, Found};
use ground_settings::Settings;
use ground_store::{StoreError, Unit};
use path_ledger::{Job, JobRecipient, Ledger, OpenBody};
use wire_message::{Address, Class, EnhancedStatus};
use wire_smtp::client::Step;
use wire_smtp::reply::Reply;

use crate::smtp::unreadable;
use crate::{Afterwards, Dsn, Facts, Fate, Report};

/// Names followed from one to the next: a name that has become an alias or catch-all since the mail was accepted.
const NAMES_FOLLOWED: usize = 8;

/// The way to the mailboxes. Cheap to clone.
#[derive(Clone)]
pub struct Door {
    ledger: Ledger,
    directory: Directory,
    mailboxes: Mailboxes,
}

/// Whether obstacles are looked for beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// No: the settlement meets a conflict if there is one, and nothing is read for nothing.
    Straight,
    /// Yes: after such a conflict.
    LookFirst,
}

/// An attempt, and what is to be stored with its settlement.
#[derive(Debug)]
pub struct Put {
    /// What becomes of each recipient, once it is settled.
    pub report: Report,
    /// For each recipient the writes that go in front of its step; empty ones for those that are not accepted.
    pub units: Vec<Unit>,
}

impl Door {
    /// The way to the mailboxes in the ledger's store.
    #[must_use]
    pub fn new(directory: Directory, ledger: &Ledger) -> Self {
        Self {
            ledger: ledger.clone(),
            directory,
            mailboxes: Mailboxes::open(ledger.store().clone()),
        }
    }

    /// Prepares the copies of one job.
    pub async fn attempt(&self, job: &Job, settings: &Settings, care: Care) -> Put {
        let started_at = self.ledger.now();
        let (mut fates, mut units) = (Vec::new(), Vec::new());
        let readable = self.read_through(job).await;
        for recipient in &job.recipients {
            let (fate, unit) = match &readable {
                Ok(()) => self.put(job, recipient, settings, care).await,
                Err(fate) => (fate.clone(), Unit::new()),
            };
            fates.push(fate);
            units.push(unit);
        }
        let failed = fates
            .iter()
            .find(|fate| !matches!(fate, Fate::Accepted { .. }));
        let facts = Facts {
            started_at,
            ended_at: self.ledger.now(),
            peer: String::new(),
            address: String::new(),
            tls: String::new(),
            last_command: String::new(),
            reply: failed
                .or(fates.first())
                .map(Fate::words)
                .unwrap_or_default(),
            bytes: job.size,
            transcript: String::new(),
        };
        let report = Report {
            fates,
            facts,
            dsn: Dsn::Passed,
            afterwards: Afterwards::Open,
        };
        Put { report, units }
    }

    /// Whether the content is as it was stored.
    async fn read_through(&self, job: &Job) -> Result<(), Fate> {
        let trouble = |error| unreadable(&error);
        let mut reader = match self.ledger.body(&job.body).await.map_err(trouble)? {
            OpenBody::Ready(_) => return Ok(()),
            OpenBody::Stored(reader) => reader,
        };
        while reader
            .next()
            .await
            .map_err(|error| trouble(error.into()))?
            .is_some()
        {}
        Ok(())
    }

    async fn put(
        &self,
        job: &Job,
        recipient: &JobRecipient,
        settings: &Settings,
        care: Care,
    ) -> (Fate, Unit) {
        let separator = &settings.delivery.subaddress_separator;
        let account = match self.account(&recipient.address, separator).await {
            Ok(account) => account,
            Err(fate) => return (fate, Unit::new()),
        };
        let delivery = delivery(job, recipient, &account);
        let obstacle = match care {
            Care::Straight => Ok(None),
            Care::LookFirst => self.mailboxes.obstacle(&delivery).await,
        };
        match obstacle {
            Ok(None) => (delivered(), deliver_unit(&delivery)),
            Ok(Some(obstacle)) => (blocked(&obstacle), Unit::new()),
            Err(error) => (cannot_ask(&error), Unit::new()),
        }
    }

    /// Whose mailbox `address` is now.
    async fn account(&self, address: &Address, separator: &str) -> Result<Account, Fate> {
        let mut address = address.clone();
        for _ in 0..NAMES_FOLLOWED {
            let found = self.directory.resolve(&address, separator).await;
            let found = found.map_err(|error| directory_trouble(&error))?;
            address = match &*found {
                Found::Mailbox { account, .. } => return Ok(account.clone()),
                Found::CatchAll { target } => target.clone(),
                Found::Alias { targets, .. } => match targets.as_slice() {
                    [only] => only.clone(),
                    _ => return Err(renamed(&address)),
                },
                Found::NoSuchUser | Found::NoPostmaster => {
                    return Err(refused(
                        550,
                        1,
                        1,
                        &format!("nobody here is called {address}"),
                    ));
                }
                Found::NotLocal => {
                    let text = format!("{} is no domain of this server any more", address.domain());
                    return Err(refused(550, 1, 2, &text));
                }
            };
        }
        Err(renamed(&address))
    }
}

fn delivery(job: &Job, recipient: &JobRecipient, account: &Account) -> Delivery {
    Delivery {
        account: account.id,
        body: job.body.id(),
        body_size: job.body.size(),
        // RFC 5321 s4.4: the last server keeps the return path; the reverse path prints with its brackets.
        prefix: format!(
            "Return-Path: {}\r\nDelivered-To: {}\r\n",
            job.envelope.sender, recipient.address
        ),
        recipient: recipient.id,
        message: job.message,
        received_at: job.envelope.received_at,
    }
}

fn delivered() -> Fate {
    Fate::Accepted {
        reply: Reply::plain(250, "2.1.5 in the mailbox"),
    }
}

fn blocked(obstacle: &Obstacle) -> Fate {
    match obstacle {
        Obstacle::AlreadyDelivered => delivered(),
        Obstacle::BodyGone => Fate::Damaged {
            why: obstacle.to_string(),
        },
        // An account that went between two looks: the next attempt asks the directory again.
        Obstacle::NoSuchAccount | Obstacle::OverQuota { .. } | Obstacle::NoUidLeft => {
            match obstacle.status(Firmness::Temporary) {
                Some((code, status)) => Fate::Refused {
                    step: Step::Rcpt,
                    reply: Reply::new(code, status, &obstacle.to_string()),
                },
                None => delivered(),
            }
        }
    }
}

fn refused(code: u16, subject: u16, detail: u16, text: &str) -> Fate {
    let status = EnhancedStatus::new(Class::Permanent, subject, detail);
    Fate::Refused {
        step: Step::Rcpt,
        reply: Reply::new(code, status, text),
    }
}

/// The operator's: a name that stood for one mailbox when the mail was accepted stands for several now.
fn renamed(address: &Address) -> Fate {
    let text =
        format!("{address} is no single mailbox any more; send it on with: postrider reroute");
    own(3, 5, &text)
}

fn directory_trouble(error: &DirectoryError) -> Fate {
    own(3, 0, &format!("the directory cannot be asked: {error}"))
}

fn cannot_ask(error: &StoreError) -> Fate {
    own(3, 0, &format!("the mailbox cannot be looked at: {error}"))
}

fn own(subject: u16, detail: u16, text: &str) -> Fate {
    let status = EnhancedStatus::new(Class::Temporary, subject, detail);
    Fate::Ours {
        reply: Reply::new(451, status, text),
    }
}

#[cfg(test)]
mod tests;
