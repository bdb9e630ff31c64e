//! The selftest: a running server proves, end to end, that mail comes in, gets its way, is delivered and can be read.
//!
//! Each listener is spoken to as any client does. Then a message from nobody goes through the server's own intake to an
//! account that is made for it in the first domain here, is followed by its rows in the book, read, and removed with its
//! account. No mailbox of a person is touched; what was done stands in the history like any other mail, and is counted.

mod doors;

use std::time::Duration;

use ground_directory::{MayLogIn, Page};
use ground_settings::Endpoint;
use path_ledger::{Act, Filter, MessageId, State, Story, StoryRecipient};
use serde::Serialize;
use wire_message::{Address, Time};

use super::send::{Wish, send};
use super::{directory, explain, ledger, mail, rows};
use crate::control::{Answer, DirectoryChange, Mover};
use crate::rooms::Rooms;
use access_admin::explain::{Probe, Reason, Verdict};

/// The name of the probe's account: reserved, for what stands there is removed.
pub(crate) const PROBE: &str = "postrider-selftest";

/// How long the probe's message may take from its acceptance: longer than a lease is renewed, shorter than anybody waits.
const DEADLINE: Duration = Duration::from_secs(30);

/// Between two looks at its rows.
const A_LOOK: Duration = Duration::from_millis(5);

/// What was seen of one stage.
#[derive(Debug, Serialize)]
struct Seen {
    stage: Probe,
    meaning: &'static str,
    verdict: Verdict,
    /// How long it took.
    ms: Option<u64>,
    detail: String,
    /// Whose move it is, when it failed.
    whose: Option<Mover>,
}

/// Why a stage failed, and whose move it is.
struct Trouble {
    why: String,
    whose: Mover,
}

impl From<Answer> for Trouble {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Refused { whose, why } => Self { why, whose },
            Answer::Rows { .. } | Answer::One { .. } | Answer::Octets { .. } => Self {
                why: "an answer that was not expected".to_owned(),
                whose: Mover::Operator,
            },
        }
    }
}

type Done = Result<(Duration, String), Trouble>;

struct Test<'a> {
    rooms: &'a Rooms,
    by: &'a str,
    seen: Vec<Seen>,
}

/// Tests the server that listens at `doors`; one row a stage. Unix sockets are found from `folder`.
pub(crate) async fn selftest(
    rooms: &Rooms,
    by: &str,
    doors: &[(String, Endpoint)],
    folder: &std::path::Path,
) -> Answer {
    let mut test = Test {
        rooms,
        by,
        seen: Vec::new(),
    };
    for (name, at) in doors {
        let answered = doors::answers(rooms, name, at, folder).await;
        let answered = answered.map(|(took, said)| (took, format!("{name} at {at}: {said}")));
        test.note(Probe::Door, answered);
    }
    if let Err(trouble) = test.letter().await {
        tracing::warn!(why = trouble.why, "the selftest has failed");
    }
    rows(test.seen).unwrap_or_else(|refused| refused)
}

/// Milliseconds from one moment of the book to another.
fn between(from: Time, to: Time) -> Duration {
    to.since(from)
}

impl Test<'_> {
    /// Keeps what was seen; a failure is handed on.
    fn note(&mut self, stage: Probe, done: Done) -> Option<Trouble> {
        let (verdict, ms, detail, whose) = match &done {
            Ok((took, detail)) => {
                let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
                (Verdict::Passed, Some(ms), detail.clone(), None)
            }
            Err(trouble) => (
                Verdict::Failed,
                None,
                trouble.why.clone(),
                Some(trouble.whose),
            ),
        };
        self.seen.push(Seen {
            stage,
            meaning: stage.meaning(),
            verdict,
            ms,
            detail,
            whose,
        });
        done.err()
    }

    fn skip(&mut self, stage: Probe, why: &str) {
        self.seen.push(Seen {
            stage,
            meaning: stage.meaning(),
            verdict: Verdict::Skipped,
            ms: None,
            detail: why.to_owned(),
            whose: None,
        });
    }

    fn must(&mut self, stage: Probe, done: Done) -> Result<(), Trouble> {
        match self.note(stage, done) {
            Some(trouble) => Err(trouble),
            None => Ok(()),
        }
    }

    /// A letter from nobody to the probe's account, from its acceptance to its removal.
    async fn letter(&mut self) -> Result<(), Trouble> {
        let Some(address) = self.address().await? else {
            self.skip(
                Probe::Account,
                "no domain is here, so there is no mailbox to deliver to: only the listeners were tested",
            );
            return Ok(());
        };
        let made = self.account(&address).await;
        self.must(Probe::Account, made)?;
        let followed = self.follow(&address).await;
        let cleaned = self.clean(&address).await;
        self.must(Probe::Cleaned, cleaned)?;
        followed
    }

    /// In the first domain here.
    async fn address(&self) -> Result<Option<Address>, Trouble> {
        let domains = self.rooms.directory.domains(&Page::default()).await;
        let domains = domains.map_err(directory::refused)?;
        let Some(first) = domains.first() else {
            return Ok(None);
        };
        Ok(Some(directory::read(&format!("{PROBE}@{}", first.name))?))
    }

    /// Makes the account, or takes one that a selftest before left behind; never one that somebody logs in to.
    async fn account(&self, address: &Address) -> Done {
        let (made, took) = self.timed(self.make(address)).await;
        made.map(|detail| (took, detail))
    }

    async fn make(&self, address: &Address) -> Result<String, Trouble> {
        let add = DirectoryChange::AccountAdd {
            address: address.to_string(),
            password: None,
            quota: None,
        };
        let Err(refused) = directory::change(self.rooms, self.by, add).await else {
            return Ok(address.to_string());
        };
        match self.rooms.directory.show_account(address).await {
            Ok(left) if left.login == MayLogIn::No => {
                Ok(format!("{address}, left by a selftest that did not end"))
            }
            Ok(_) => Err(Trouble {
                why: format!("{address} is somebody's account; this name is the selftest's"),
                whose: Mover::Operator,
            }),
            Err(_) => Err(refused.into()),
        }
    }

    async fn timed<T>(&self, work: impl Future<Output = T>) -> (T, Duration) {
        self.rooms.ledger.world().clock.timed(work).await
    }

    async fn follow(&mut self, address: &Address) -> Result<(), Trouble> {
        let mark = self.rooms.ledger.new_id().to_string();
        let (accepted, took) = self.timed(self.hand_in(address, &mark)).await;
        let accepted = accepted.and_then(|id| {
            id.parse::<MessageId>().map_err(|error| Trouble {
                why: error.to_string(),
                whose: Mover::Operator,
            })
        });
        let id = match accepted {
            Ok(id) => {
                self.note(Probe::Accepted, Ok((took, id.to_string())));
                id
            }
            Err(trouble) => return self.must(Probe::Accepted, Err(trouble)),
        };
        let way = self.way_of(id).await;
        if way.is_err() {
            self.give_up(id).await;
        }
        way?;
        let (read, took) = self.timed(self.read(address, id, &mark)).await;
        self.must(
            Probe::Readable,
            read.map(|()| (took, "it is what was sent".to_owned())),
        )
    }

    async fn hand_in(&self, address: &Address, mark: &str) -> Result<String, Trouble> {
        let content = format!(
            "From: {address}\r\nTo: {address}\r\nSubject: Selftest {mark}\r\nAuto-Submitted: auto-generated\r\n\r\n{mark}\r\n"
        );
        let wish = Wish {
            notify: None,
            ret: None,
            envid: None,
        };
        let to = [address.to_string()];
        match send(self.rooms, self.by, "", &to, &wish, content.into()).await? {
            Answer::One { fact } => {
                let id = fact.get("id").and_then(serde_json::Value::as_str);
                Ok(id.unwrap_or_default().to_owned())
            }
            other @ (Answer::Rows { .. } | Answer::Octets { .. } | Answer::Refused { .. }) => {
                Err(other.into())
            }
        }
    }

    /// Follows it by its rows until it is in the mailbox, and says what each stage took.
    async fn way_of(&mut self, id: MessageId) -> Result<(), Trouble> {
        let clock = self.rooms.ledger.world().clock.clone();
        let end = clock.instant() + DEADLINE;
        loop {
            let story = self.rooms.ledger.story(id).await.map_err(ledger)?;
            let Some(story) = story else {
                let why = format!("{id} is not in the book");
                let whose = Mover::Operator;
                return self.must(Probe::Routed, Err(Trouble { why, whose }));
            };
            let Some(recipient) = story.recipients.first() else {
                let why = format!("{id} has no recipient");
                let whose = Mover::Operator;
                return self.must(Probe::Routed, Err(Trouble { why, whose }));
            };
            let over = recipient.state.is_final() || recipient.state == State::Held;
            if over || clock.instant() >= end {
                return self.tell(&story, recipient).await;
            }
            clock.sleep(A_LOOK).await;
        }
    }

    async fn tell(&mut self, story: &Story, recipient: &StoryRecipient) -> Result<(), Trouble> {
        let trouble = match recipient.state == State::Delivered {
            true => None,
            false => Some(self.trouble(story, recipient).await?),
        };
        let stuck = |trouble: Option<Trouble>| {
            let trouble = trouble.unwrap_or_else(|| Trouble {
                why: "it went by without leaving a row".to_owned(),
                whose: Mover::Operator,
            });
            Err(trouble)
        };
        if recipient.next_hop.is_empty() {
            return self.must(Probe::Routed, stuck(trouble));
        }
        // Its rows were born with its way: what that took is part of the acceptance.
        let way = recipient.next_hop.clone();
        self.note(Probe::Routed, Ok((Duration::ZERO, way)));
        let Some(attempt) = recipient.attempts.first() else {
            return self.must(Probe::Claimed, stuck(trouble));
        };
        let waited = between(story.received_at, attempt.started_at);
        self.note(Probe::Claimed, Ok((waited, format!("by {}", attempt.node))));
        let took = recipient
            .finished_at
            .map(|end| between(attempt.started_at, end));
        match (took, trouble) {
            (Some(took), None) => {
                self.note(Probe::Delivered, Ok((took, attempt.reply.clone())));
                Ok(())
            }
            (_, trouble) => self.must(Probe::Delivered, stuck(trouble)),
        }
    }

    /// Why it is not delivered, as `explain` says.
    async fn trouble(&self, story: &Story, recipient: &StoryRecipient) -> Result<Trouble, Trouble> {
        let nodes = self.rooms.ledger.nodes().await.map_err(ledger)?;
        let explained = explain::of_recipient(self.rooms, story, recipient, &nodes).await?;
        Ok(Trouble {
            why: format!("{}: {}", explained.reason, explained.why),
            whose: whose(explained.reason),
        })
    }

    /// Whoever waits no longer for the probe drops it, by name and with a reason.
    async fn give_up(&self, id: MessageId) {
        let filter = Filter {
            ids: vec![id],
            ..Filter::default()
        };
        let dropped = match self.rooms.ledger.preview(&filter).await {
            Ok(preview) => {
                let reason = "the probe of a selftest that has failed";
                let act = self
                    .rooms
                    .ledger
                    .act(&preview, Act::Discard, self.by, reason);
                act.await.map(drop)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = dropped {
            tracing::warn!(%id, %error, "the probe of a selftest could not be dropped; its lifetime ends it");
        }
    }

    async fn read(&self, address: &Address, id: MessageId, mark: &str) -> Result<(), Trouble> {
        let shown = mail::show(self.rooms, &address.to_string(), &id.to_string()).await?;
        match shown {
            Answer::Octets { content }
                if content
                    .windows(mark.len())
                    .any(|part| part == mark.as_bytes()) =>
            {
                Ok(())
            }
            Answer::Octets { .. } => Err(Trouble {
                why: "what is in the mailbox is not what was sent".to_owned(),
                whose: Mover::Operator,
            }),
            other @ (Answer::Rows { .. } | Answer::One { .. } | Answer::Refused { .. }) => {
                Err(other.into())
            }
        }
    }

    async fn clean(&self, address: &Address) -> Done {
        let remove = DirectoryChange::AccountRemove {
            address: address.to_string(),
            with_mail: true,
        };
        let removing = directory::change(self.rooms, self.by, remove);
        let (removed, took) = self.timed(removing).await;
        removed?;
        Ok((took, format!("{address} and its mail are removed")))
    }
}

/// Whose move it is while a probe waits for this reason.
fn whose(reason: Reason) -> Mover {
    match reason {
        Reason::Directory
        | Reason::HopDown
        | Reason::Suspect
        | Reason::OwnTime
        | Reason::Due
        | Reason::Claimed
        | Reason::ClaimEnded
        | Reason::LifetimeEnded => Mover::Time,
        Reason::Damaged
        | Reason::HopPaused
        | Reason::NoSuchConnector
        | Reason::NoNode
        | Reason::NodesDrained
        | Reason::HeldDamaged
        | Reason::HeldPoison
        | Reason::Held
        | Reason::Finished => Mover::Operator,
    }
}
