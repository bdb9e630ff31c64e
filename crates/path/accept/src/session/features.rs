//! What a listener offers, from the settings.

use ground_settings::{Auth, Listener, ListenerTls, Protocol, Settings};
use wire_message::received::Greeting;
use wire_smtp::command::{Dialect, HelloVerb, LineLimit, Mechanism};
use wire_smtp::reply::Reply;
use wire_smtp::server::Features;

/// What the machine offers and demands on `listener`; `has_certificate` says whether TLS can be had at all.
pub(super) fn offered(listener: &Listener, settings: &Settings, has_certificate: bool) -> Features {
    let limits = listener.limits(&settings.limits);
    let login = listener.auth();
    let mut features = Features::new(dialect(listener), settings.server.hostname.as_str());
    features.max_size = limits.message_size.bytes();
    features.max_recipients = limits.max_recipients;
    let command = usize::try_from(limits.max_command_length).unwrap_or(usize::MAX);
    features.max_command_line = LineLimit::new(command);
    features.max_text_line = usize::try_from(limits.max_line_length).unwrap_or(usize::MAX);
    features.starttls = has_certificate && listener.tls() == ListenerTls::Starttls;
    features.require_auth = login == Auth::Required;
    features.auth = match login {
        Auth::Off => Vec::new(),
        Auth::Optional | Auth::Required => vec![Mechanism::Plain, Mechanism::Login],
    };
    features
}

/// The first line (RFC 5321 s4.2: the name comes first).
pub(super) fn greeting(listener: &Listener, settings: &Settings) -> Reply {
    let hostname = settings.server.hostname.as_str();
    let protocol = match dialect(listener) {
        Dialect::Lmtp => "LMTP",
        Dialect::Smtp | Dialect::Submission => "ESMTP",
    };
    let text = format!("{hostname} {protocol} {}", listener.greeting);
    Reply::plain(220, text.trim_end().to_owned())
}

pub(super) fn greeted(verb: HelloVerb) -> Greeting {
    match verb {
        HelloVerb::Helo => Greeting::Helo,
        HelloVerb::Ehlo => Greeting::Ehlo,
        HelloVerb::Lhlo => Greeting::Lhlo,
    }
}

fn dialect(listener: &Listener) -> Dialect {
    match listener.protocol {
        Protocol::Submission => Dialect::Submission,
        Protocol::Lmtp => Dialect::Lmtp,
        // Guests are not talked with here.
        Protocol::Smtp | Protocol::Http => Dialect::Smtp,
    }
}
