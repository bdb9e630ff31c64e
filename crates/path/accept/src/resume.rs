//! Recipients that wait for the directory: reports, which are born without a way, and mail that was accepted while the
//! directory could not be asked.

use std::time::Duration;

use path_categorize::{Asker, Decision, categorize};
use path_ledger::{Birth, LedgerError, NewRecipient, RouteResult, Routed, Unrouted};
use tokio_util::sync::CancellationToken;

use crate::Intake;
use crate::admit::{Leaf, Placed, Wanted, place};

/// Recipients taken up at a time.
const BATCH: u32 = 200;

/// When the directory is asked again about a recipient it could not place.
const ASK_AGAIN: Duration = Duration::from_secs(30);

/// What a pass over the waiting came to.
enum Pass {
    /// There may be more.
    More,
    /// Nothing more can be done now.
    Done,
}

/// Gives recipients that wait for the directory their way, until `stop`: at once when one was stored, by polling otherwise.
pub async fn resume(intake: Intake, stop: CancellationToken) {
    let clock = &intake.world().clock;
    loop {
        let pass = intake.place_waiting().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "recipients that wait for their way could not be placed");
            Pass::Done
        });
        if let Pass::More = pass
            && !stop.is_cancelled()
        {
            continue;
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = intake.ledger().wakeups().next_categorizing() => {}
            // What a lost hint can delay a report by.
            () = clock.sleep(intake.settings().queue.poll_interval) => {}
        }
    }
}

impl Intake {
    async fn place_waiting(&self) -> Result<Pass, LedgerError> {
        let due = self.ledger().categorizing_due(BATCH).await?;
        let full = due.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
        for unrouted in &due {
            let decision = self.who_is(unrouted).await;
            // One that could not be asked about says enough about the directory; the rest keeps its turn.
            let silent = matches!(decision, Decision::Later { .. });
            let routed = self.way_of(unrouted, decision);
            self.route_or_postpone(unrouted, routed).await?;
            if silent {
                return Ok(Pass::Done);
            }
        }
        Ok(if full { Pass::More } else { Pass::Done })
    }

    /// Records the way. One that the book does not take is put off, so that it stands in nobody's way; a store that cannot
    /// write that either ends the pass.
    async fn route_or_postpone(
        &self,
        unrouted: &Unrouted,
        routed: Routed,
    ) -> Result<(), LedgerError> {
        let id = unrouted.recipient.id;
        let result = match self.ledger().route(unrouted, routed, Vec::new()).await {
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

    fn way_of(&self, unrouted: &Unrouted, decision: Decision) -> Routed {
        let recipient = &unrouted.recipient;
        let wanted = Wanted {
            address: recipient.address.clone(),
            orcpt: recipient.orcpt.clone(),
            notify: recipient.notify,
            decision,
        };
        match place(&self.settings(), wanted) {
            Placed::Itself(leaf) => Routed::Queued { next_hop: leaf.hop },
            Placed::Replaced { cause, children } => Routed::Expanded {
                cause,
                children: children.into_iter().map(child).collect(),
            },
            Placed::Later { reason } => Routed::Later {
                retry_at: self.ledger().now() + ASK_AGAIN,
                reason,
            },
        }
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
