//! Who is told when something should not be.

use std::time::Duration;

use crate::WebAddress;
use crate::define::{any, default, given, range, section};
use crate::form::{days, hours, minutes, seconds};
use crate::read::Agreement;

section! {
    /// Who is told when something should not be (docs/alarms.md). The log and `postrider alarms` always are.
    pub struct Alarms = "alarms", agree;

    /// Gets a POST of JSON when an alarm begins, again while it stands, and when it ends.
    webhook: Option<WebAddress> = default(None), any();

    /// How long the webhook may take to answer; it is tried again for an hour.
    webhook_timeout: Duration = default(seconds(10)), range(seconds(1), minutes(5));

    /// How often the webhook hears of an alarm that stands.
    repeat: Duration = default(hours(4)), range(minutes(1), days(7));

    /// An address that gets a mail when an alarm begins and when it ends. Never alone: a mail server that stands still cannot
    /// mail that it does, so this needs a webhook too.
    mail: Option<String> = default(None), given(any());
}

fn agree(alarms: &Alarms, agreement: &mut Agreement<'_>) {
    let Some(mail) = &alarms.mail else { return };
    if alarms.webhook.is_none() {
        agreement.complain(
            &["mail", "webhook"],
            "mail alone cannot tell that mail stands still",
            "add a webhook, or remove mail and watch `postrider health`",
        );
    }
    let parts = mail.rsplit_once('@');
    if parts.is_none_or(|(local, domain)| local.is_empty() || domain.is_empty()) {
        agreement.complain(
            &["mail"],
            format!("{mail:?} is not a mail address"),
            "write one such as \"ops@example.org\"",
        );
    }
}
