//! Recipients that wait for the directory: reports, which are born without a way, and mail that was accepted while the
//! directory could not be asked.

use std::collections::BTreeSet;
use std::time::Duration;

use ground_world::supervise::Pulse;
use path_categorize::{Asker, Decision, categorize, reports_on_late_list};
use path_ledger::{Birth, LedgerError, NewMessage, NewRecipient, RouteResult, Routed, Unrouted};
use tokio_util::sync::CancellationToken;
use wire_message::Address;

use crate::Intake;
use crate::admit::{Leaf, Placed, Wanted, place};

/// Recipients taken up at a time.
const BATCH: u32 = 200;

/// When the directory is asked again about a recipient it could not place.
const ASK_AGAIN: Duration = Duration::from_secs(30);

/// Where a recipient goes, and the reports that are owed for it.
struct Way {
    routed: Routed,
    notices: Vec<NewMessage>,
}

/// What a pass over the waiting came to.
enum Pass {
    /// There may be more.
    More,
    /// Nothing more can be done now.
    Done,
}

/// It shows that it lives within this time: each recipient is some questions and a write, each with its own deadline.
pub const RESUME_PULSE: Duration = Duration::from_secs(90);

/// Gives recipients that wait for the directory their way, until `stop`: at once when one was stored, by polling otherwise.
pub async fn resume(intake: Intake, stop: CancellationToken, pulse: Pulse) {
    let clock = &intake.world().clock;
    loop {
        pulse.beat("placing");
        let pass = intake.place_waiting(&pulse).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "recipients that wait for their way could not be placed");
            Pass::Done
        });
        if let Pass::More = pass
            && !stop.is_cancelled()
        {
            continue;
        }
        let pause = intake.settings().queue.poll_interval;
        pulse.beat_within("waiting", pause + RESUME_PULSE);
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = intake.ledger().wakeups().next_categorizing() => {}
            // What a lost hint can delay a report by.
            () = clock.sleep(pause) => {}
        }
    }
}

impl Intake {
    async fn place_waiting(&self, pulse: &Pulse) -> Result<Pass, LedgerError> {
        let due = self.ledger().categorizing_due(BATCH).await?;
        let full = due.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
        for unrouted in &due {
            pulse.beat("placing");
            let decision = self.who_is(unrouted).await;
            // One that could not be asked about says enough about the directory; the rest keeps its turn.
            let silent = matches!(decision, Decision::Later { .. });
            let way = self.way_of(unrouted, decision).await?;
            self.route_or_postpone(unrouted, way).await?;
            if silent {
                return Ok(Pass::Done);
            }
        }
        Ok(if full { Pass::More } else { Pass::Done })
    }

    /// Records the way. One that the book does not take is put off, so that it stands in nobody's way; a store that cannot
    /// write that either ends the pass.
    async fn route_or_postpone(&self, unrouted: &Unrouted, way: Way) -> Result<(), LedgerError> {
        let id = unrouted.recipient.id;
        let Way { routed, notices } = way;
        let result = match self.ledger().route(unrouted, routed, notices).await {
            Ok(result) => result,
            Err(error) => {
                tracing::error!(recipient = %id, %error, "its way could not be recorded; it is put off");
                let later = Routed::Later {
                    retry_at: self.ledger().now() + ASK_AGAIN,
                    reason: format!("its way could not be recorded: {error}"),
                };
                self.ledger().route(unrouted, later, Vec::new()).await?
            }
        };
        if result == RouteResult::Escaped {
            tracing::debug!(recipient = %id, "somebody else moved it first");
        }
        Ok(())
    }

    async fn who_is(&self, unrouted: &Unrouted) -> Decision {
        let settings = self.settings();
        let address = &unrouted.recipient.address;
        categorize(&self.parts.directory, &settings, &Asker::Ourselves, address).await
    }

    async fn way_of(&self, unrouted: &Unrouted, decision: Decision) -> Result<Way, LedgerError> {
        let settings = self.settings();
        let recipient = &unrouted.recipient;
        let wanted = Wanted {
            address: recipient.address.clone(),
            orcpt: recipient.orcpt.clone(),
            notify: recipient.notify,
            decision,
        };
        let mut notices = Vec::new();
        let mut others = Others::of(self.ledger().others_of(recipient).await?);
        let routed = match place(&settings, wanted) {
            Placed::Itself(leaf) if others.have(&leaf) => Routed::Expanded {
                cause: format!("{} has the message by another recipient", leaf.address),
                children: Vec::new(),
            },
            Placed::Itself(leaf) => Routed::Queued { next_hop: leaf.hop },
            Placed::Rewritten { cause, to } => Routed::Expanded {
                cause,
                children: others.left_of(vec![to]),
            },
            Placed::Expanded { cause, children } => {
                notices = reports_on_late_list(self.ledger(), &settings, unrouted).await;
                Routed::Expanded {
                    cause,
                    children: others.left_of(children),
                }
            }
            Placed::Later { reason } => Routed::Later {
                retry_at: self.ledger().now() + ASK_AGAIN,
                reason,
            },
        };
        Ok(Way { routed, notices })
    }
}

/// Whom the message goes to already: two aliases of one person make one copy, however late one of them was found out.
struct Others(BTreeSet<String>);

impl Others {
    fn of(addresses: Vec<Address>) -> Self {
        Self(addresses.iter().map(Address::key).collect())
    }

    fn have(&self, leaf: &Leaf) -> bool {
        self.0.contains(&leaf.address.key())
    }

    fn left_of(&mut self, children: Vec<Leaf>) -> Vec<NewRecipient> {
        let new = |leaf: &Leaf| self.0.insert(leaf.address.key());
        children.into_iter().filter(new).map(child).collect()
    }
}

fn child(leaf: Leaf) -> NewRecipient {
    NewRecipient {
        address: leaf.address,
        orcpt: leaf.orcpt,
        notify: leaf.notify,
        parent: None,
        birth: Birth::Queued { next_hop: leaf.hop },
    }
}
