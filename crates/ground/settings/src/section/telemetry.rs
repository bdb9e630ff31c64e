//! Metrics pushed to an OpenTelemetry collector.

use std::net::IpAddr;
use std::time::Duration;

use crate::define::{Check, any, default, given, range, section};
use crate::form::{hours, minutes, seconds};
use crate::problem::Fault;
use crate::read::Agreement;
use crate::{Secret, Secured, WebAddress};

section! {
    /// Metrics pushed to an OpenTelemetry collector (docs/metrics.md), by OTLP/HTTP as JSON. Nothing is pushed until it is
    /// said where to.
    pub struct Telemetry = "telemetry", agree;

    /// The collector: `v1/metrics` below this address takes the pushes.
    otlp: Option<WebAddress> = default(None), any();

    /// The field `Authorization` of each push, such as "Bearer TOKEN". It goes to another machine by `https://` only.
    authorization: Option<Secret> = default(None), given(field());

    /// Between two pushes.
    every: Duration = default(minutes(1)), range(seconds(1), hours(1));

    /// How long a push may take. One that fails is not made up for: the next one says it all.
    timeout: Duration = default(seconds(10)), range(seconds(1), minutes(1));
}

/// Whether what is sent there stays on this machine.
fn is_here(host: &str) -> bool {
    let address = host.parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// What can stand in a field (RFC 9110 s5.5); the secret is not shown.
fn field() -> Check<Secret> {
    Check::new("one line of printable ASCII", |secret: &Secret| {
        let text = secret.reveal().as_bytes();
        if text.iter().all(|byte| (b' '..=b'~').contains(byte)) {
            return Ok(());
        }
        Err(Fault::new(
            "it cannot stand in a field of HTTP",
            "write one line of printable ASCII such as \"Bearer TOKEN\"",
        ))
    })
}

fn agree(telemetry: &Telemetry, agreement: &mut Agreement<'_>) {
    let Some(otlp) = &telemetry.otlp else {
        if telemetry.authorization.is_some() {
            agreement.complain(
                &["authorization", "otlp"],
                "there is nobody to send it to",
                "say where the collector is with otlp, or remove authorization",
            );
        }
        return;
    };
    if telemetry.authorization.is_some() && otlp.secured == Secured::Plain && !is_here(&otlp.host) {
        agreement.complain(
            &["authorization", "otlp"],
            "secrets never cross the wire in the clear",
            "write https:// in otlp, or remove authorization",
        );
    }
    if otlp.path.contains('?') {
        agreement.complain(
            &["otlp"],
            "v1/metrics cannot be put below an address with a question mark",
            "write the collector's address alone, such as \"http://127.0.0.1:4318\"",
        );
    }
}
