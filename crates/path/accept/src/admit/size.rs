//! Size: what is too big is refused as early as it can be known (RFC 1870 s6).

use ground_settings::Limits;
use wire_smtp::reply::Reply;

/// Refuses `octets` above the limit: those announced at MAIL, or those that came so far.
pub(crate) fn check(octets: u64, limits: &Limits) -> Result<(), Reply> {
    let most = limits.message_size.bytes();
    if octets <= most {
        return Ok(());
    }
    let text = format!("5.3.4 The message is too big; the limit is {most} octets");
    Err(Reply::plain(552, text))
}
