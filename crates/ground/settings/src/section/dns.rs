//! Whom we ask for names.

use std::net::SocketAddr;
use std::time::Duration;

use crate::define::{always, any, default, each, range, section};
use crate::form::{minutes, seconds};

section! {
    /// Whom we ask for names.
    pub struct Dns = "dns", always;

    /// Name servers, asked in this order. Empty: those of the system.
    servers: Vec<SocketAddr> = default(Vec::new()), each(any());

    /// How long one question waits for one server.
    timeout: Duration = default(seconds(5)), range(Duration::from_millis(100), minutes(1));

    /// How often a question is asked before it counts as unanswered.
    attempts: u32 = default(2), range(1, 10).of("times");
}
