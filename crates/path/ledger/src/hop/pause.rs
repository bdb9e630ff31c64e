//! A person stops a next hop for a while.
//!
//! Whatever is for it waits, what comes later too; attempts that are under way end as they would. Notices and lifetimes do not
//! wait. A pause ends at its time by itself, or before by a person; each pause and each end by a person is an event.

use std::time::Duration;

use ground_store::{Sql, Unit};
use wire_message::Time;

use super::HopKey;
use crate::event::{Doer, EventKind};
use crate::{Ledger, LedgerError};

/// A pause ends within this time from when it is made: longer than mail waits by any usual lifetime, and one that was
/// forgotten does not send mail back for ever.
pub const PAUSE_MAX: Duration = Duration::from_secs(7 * 86_400);

/// What became of a wish to pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paused {
    /// It is paused.
    Yes,
    /// It is not: that moment has passed.
    NotInThePast,
    /// It is not: that is longer than [`PAUSE_MAX`].
    NotForSoLong,
}

/// What became of a wish to end a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resumed {
    /// It is ended.
    Yes,
    /// There was none.
    WasNotPaused,
}

const PAUSE: Sql = Sql::new(
    "INSERT INTO next_hop (key, state, retry_at, failures, changed_at, last_reply, last_peer, paused_by, paused_until, reason) \
     VALUES ($1, 'paused', 0, 0, $2, '', '', $3, $4, $5) \
     ON CONFLICT (key) DO UPDATE SET state = 'paused', changed_at = $2, paused_by = $3, paused_until = $4, reason = $5",
);

const RESUME: Sql = Sql::new(
    "UPDATE next_hop SET state = 'up', retry_at = 0, changed_at = $2, paused_by = NULL, paused_until = NULL, reason = NULL \
     WHERE key = $1 AND state = 'paused' AND paused_until > $2",
);

impl Ledger {
    /// A person stops a next hop until a moment, or says so anew: a pause without an end cannot be made. What waits for it
    /// and what comes waits; attempts that are under way end as they would. Notices and lifetimes do not wait.
    ///
    /// # Errors
    /// The store's.
    pub async fn hop_pause(
        &self,
        key: &HopKey,
        by: &str,
        until: Time,
        reason: &str,
    ) -> Result<Paused, LedgerError> {
        let now = self.now();
        if until <= now {
            return Ok(Paused::NotInThePast);
        }
        if until > now + PAUSE_MAX {
            return Ok(Paused::NotForSoLong);
        }
        let detail = format!("{key} until {until}: {reason}");
        let mut unit = self.record_unit(EventKind::HopPaused, Doer::Person, by, &detail);
        let [now, until] = [now, until].map(|moment| moment.as_millis().into());
        let values = vec![key.value(), now, by.into(), until, reason.into()];
        unit.write_exactly(1, PAUSE, values);
        self.store().write(unit).await?;
        Ok(Paused::Yes)
    }

    /// A person ends a pause before its time, and what waits flows. Whether there was one.
    ///
    /// # Errors
    /// The store's.
    pub async fn hop_resume(
        &self,
        key: &HopKey,
        by: &str,
        reason: &str,
    ) -> Result<Resumed, LedgerError> {
        let mut unit = Unit::new();
        unit.write_exactly(1, RESUME, vec![key.value(), self.now().as_millis().into()]);
        let detail = match reason.is_empty() {
            true => key.to_string(),
            false => format!("{key}: {reason}"),
        };
        unit.join(self.record_unit(EventKind::HopResumed, Doer::Person, by, &detail));
        match self.write_guarded(unit).await? {
            crate::Guarded::Done => {
                self.wake_for(key);
                Ok(Resumed::Yes)
            }
            crate::Guarded::Escaped => Ok(Resumed::WasNotPaused),
        }
    }
}
