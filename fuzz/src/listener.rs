//! Listeners of every kind, chosen by bits.

use wire_smtp::command::{Dialect, Mechanism};
use wire_smtp::server::Features;

/// A dialect for every octet; `0`, `1` and `2` are SMTP, submission and LMTP.
pub fn dialect(choice: u8) -> Dialect {
    match choice % 3 {
        0 => Dialect::Smtp,
        1 => Dialect::Submission,
        _ => Dialect::Lmtp,
    }
}

/// What a listener offers and demands. With no bits set, what [`Features::new`] says.
pub fn features(dialect: Dialect, bits: u8, more: u8) -> Features {
    let on = |bits: u8, bit: u8| bits & (1 << bit) != 0;
    let mut features = Features::new(dialect, "mx.test");
    features.starttls = on(bits, 0);
    features.require_tls = on(bits, 1);
    if on(bits, 2) {
        features.auth = vec![Mechanism::Plain, Mechanism::Login];
    }
    features.auth_in_clear = on(bits, 3);
    features.require_auth = on(bits, 4);
    if on(bits, 5) {
        features.max_size = 48;
        features.max_recipients = 2;
        features.max_text_line = 16;
    }
    features.chunking = !on(more, 0);
    features.binary_mime = !on(more, 1);
    features.smtputf8 = !on(more, 2);
    features.dsn = !on(more, 3);
    features
}
