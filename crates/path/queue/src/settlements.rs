//! Settlements under way. One that panics or hangs is in the book as an attempt that never ended.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};

use ground_world::supervise::{Failure, Pulse};
use path_ledger::HopKey;
use tokio::task::AbortHandle;

use crate::Shared;
use crate::crew::crashed;
use crate::hop::hold;
use crate::leases::Held;
use crate::post::{Dropped, Stage};

/// All of them.
#[derive(Default)]
pub(crate) struct Settlements {
    under_way: Mutex<UnderWay>,
}

#[derive(Default)]
struct UnderWay {
    next: u64,
    all: BTreeMap<u64, One>,
}

struct One {
    hop: HopKey,
    held: Held,
    pulse: Pulse,
    /// None before its task has begun.
    end: Option<AbortHandle>,
}

/// Settles for a next hop's job, beside everything else.
pub(crate) fn spawn(
    shared: &Arc<Shared>,
    (hop, held): (HopKey, Held),
    work: impl Future<Output = ()> + Send + 'static,
) {
    let limit = shared.settings().timeouts.settle;
    let pulse = Pulse::new(&shared.ledger.world().clock, limit);
    pulse.beat(Stage::Settling.word());
    let number = {
        let mut under_way = hold(&shared.settlements.under_way);
        under_way.next += 1;
        let number = under_way.next;
        let one = One {
            hop,
            held,
            pulse,
            end: None,
        };
        under_way.all.insert(number, one);
        number
    };
    let unsettled = Unsettled {
        shared: shared.clone(),
        number,
    };
    // On the heap: spawning moves what it is given several times, and this is some kilobytes.
    let work = Box::pin(async move {
        work.await;
        drop(unsettled);
    });
    let end = shared.settles.spawn(work).abort_handle();
    let mut under_way = hold(&shared.settlements.under_way);
    if let Some(one) = under_way.all.get_mut(&number) {
        one.end = Some(end);
    }
}

/// Ends those that take longer than they may. That is written beside the caller: a store that does not answer may have made
/// many of them hang, and would keep whoever waits for it.
pub(crate) fn end_hung(shared: &Arc<Shared>) {
    let hung: Vec<_> = {
        let mut under_way = hold(&shared.settlements.under_way);
        let hung = under_way.all.iter();
        let hung = hung.filter_map(|(number, one)| Some((*number, one.pulse.silence()?)));
        let hung: Vec<_> = hung.collect();
        let taken = hung
            .into_iter()
            .filter_map(|(number, silence)| Some((under_way.all.remove(&number)?, silence)));
        taken.collect()
    };
    for (one, (stage, words)) in hung {
        if let Some(end) = &one.end {
            end.abort();
        }
        let told = shared.clone();
        shared.settles.spawn(async move {
            lost(&told, one, Failure::Hung(stage), &words).await;
        });
    }
}

/// Takes a settlement off the list, however its task ends.
struct Unsettled {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Unsettled {
    fn drop(&mut self) {
        let mut under_way = hold(&self.shared.settlements.under_way);
        let Some(one) = under_way.all.remove(&self.number) else {
            return;
        };
        drop(under_way);
        if !std::thread::panicking() {
            return;
        }
        let shared = self.shared.clone();
        self.shared.settles.spawn(async move {
            lost(&shared, one, Failure::Ended, "its settlement panicked").await;
        });
    }
}

async fn lost(shared: &Shared, one: One, failure: Failure, words: &str) {
    let Dropped { recipients, about } = Dropped::of(Some(&one.held));
    let task = format!("settlement for {}", one.hop);
    shared.supervisor.note(&task, failure, words, &about);
    crashed(shared, &one.hop, &recipients, words).await;
}
