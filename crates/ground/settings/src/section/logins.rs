//! What becomes of those who guess passwords.

use std::time::Duration;

use crate::define::{default, range, section};
use crate::form::{days, hours, minutes, seconds};
use crate::read::Agreement;

section! {
    /// What becomes of those who guess passwords. Wrong passwords are counted in memory for each client address (one IPv4
    /// address, or one IPv6 /64 network) and for each account, whether it exists or not. Who has to wait is answered 454 4.7.0
    /// and no password is looked at. A right password clears the counts that it explains. A client address that gave no wrong
    /// password is always let try, so strangers lock nobody out.
    pub struct Logins = "logins", agree;

    /// Wrong passwords from one client address before it has to wait: more than a person mistypes.
    client_failures: u32 = default(10), range(1, 100_000).of("passwords");

    /// Wrong passwords for one account from all addresses before those who gave a wrong one have to wait: a guesser who comes from
    /// several addresses gets few tries from each.
    account_failures: u32 = default(20), range(1, 100_000).of("passwords");

    /// The first wait; each further wrong password doubles it.
    first_wait: Duration = default(minutes(1)), range(seconds(1), hours(24));

    /// The longest wait: some 30 guesses a day, and who has found the right password again has lost an hour.
    longest_wait: Duration = default(hours(1)), range(seconds(1), hours(24));

    /// Wrong passwords are forgotten this long after the last one.
    forget_after: Duration = default(days(1)), range(minutes(1), days(30));
}

fn agree(logins: &Logins, agreement: &mut Agreement<'_>) {
    if logins.first_wait > logins.longest_wait {
        agreement.complain(
            &["first_wait", "longest_wait"],
            "the first wait is longer than the longest",
            "lower first_wait, or raise longest_wait",
        );
    }
    if logins.longest_wait > logins.forget_after {
        agreement.complain(
            &["forget_after", "longest_wait"],
            "wrong passwords are forgotten before the longest wait is over",
            "raise forget_after, or lower longest_wait",
        );
    }
}
