//! Standing: a node that may not work takes no mail either, and says why before anything is sent.

use path_ledger::Ledger;
use wire_smtp::reply::Reply;

use super::store::store_trouble;

/// Refuses new mail when this node is drained, or cannot reach the store for so long that it may be taken for dead. It
/// takes mail again by itself.
pub(crate) fn check(ledger: &Ledger) -> Result<(), Reply> {
    if ledger.is_draining() {
        let text =
            "4.3.2 This server takes no new mail at present (maintenance); try another, or later";
        return Err(Reply::plain(451, text));
    }
    if ledger.is_alive() {
        return Ok(());
    }
    let trouble = ledger.trouble();
    Err(trouble.as_ref().map_or_else(silent, store_trouble))
}

/// It was stopped in its tracks, and has not yet heard whether it still may.
fn silent() -> Reply {
    Reply::plain(451, "4.3.2 This server is not ready; try again later")
}
