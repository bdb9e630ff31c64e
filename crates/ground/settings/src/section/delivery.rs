//! Handing over to mailboxes here.

use crate::define::{Check, always, default, section};
use crate::form::quoted;
use crate::problem::Fault;

section! {
    /// Handing over to mailboxes here.
    pub struct Delivery = "delivery", always;

    /// What separates a mailbox from a detail in an address: with "+", `ada+lists@...` reaches `ada@...`. Empty: no subaddresses.
    subaddress_separator: String = default("+".to_owned()), separator();
}

fn separator() -> Check<String> {
    let bounds = "one of + - = _ # ! or empty";
    Check::new(bounds, move |text: &String| {
        if ["", "+", "-", "=", "_", "#", "!"].contains(&text.as_str()) {
            return Ok(());
        }
        let what = format!("{} cannot separate a subaddress", quoted(text));
        Err(Fault::new(what, format!("write {bounds}")))
    })
}
