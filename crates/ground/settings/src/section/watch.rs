//! The sweeps that keep the promises, apart from delivery.

use std::time::Duration;

use crate::define::{always, default, range, section};
use crate::form::{days, hours, minutes, seconds};

section! {
    /// The sweeps that keep the promises, apart from delivery.
    pub struct Watch = "watch", always;

    /// How often deadlines are swept: delay notices, expiry, lost claims, alarms of held mail.
    sweep_interval: Duration = default(seconds(1)), range(Duration::from_millis(10), minutes(10));

    /// Rows one sweep settles in one transaction, so that it never blocks the writer for long.
    sweep_batch: u32 = default(500), range(1, 100_000).of("recipients");

    /// How often memory is compared with the ledger, and corrected by it.
    reconcile_interval: Duration = default(seconds(30)), range(Duration::from_millis(10), hours(1));

    /// How often the whole book is added up (`postrider audit`).
    audit_interval: Duration = default(hours(1)), range(seconds(1), days(7));

    /// How often history past its age is pruned.
    prune_interval: Duration = default(hours(1)), range(seconds(1), days(7));

    /// How late anything may be before it is an alarm: the stated slack of every promise about time.
    slack: Duration = default(minutes(5)), range(seconds(1), hours(24));
}
