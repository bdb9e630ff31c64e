//! What we say about ourselves: the greeting and the answers to EHLO, HELO and LHLO (RFC 5321 s4.1.1.1, s4.3.1).

use super::{Channel, Server};
use crate::command::{Dialect, Hello, HelloVerb};
use crate::reply::Reply;

impl Server {
    /// The usual greeting.
    pub(super) fn greeting(&self) -> Reply {
        let protocol = match self.features.dialect {
            Dialect::Lmtp => "LMTP",
            Dialect::Smtp | Dialect::Submission => "ESMTP",
        };
        Reply::plain(220, format!("{} {protocol}", self.features.hostname))
    }

    /// The usual answer to a greeting.
    pub(super) fn hello_answer(&self, hello: &Hello) -> Reply {
        match hello.verb {
            HelloVerb::Helo => Reply::plain(250, self.features.hostname.clone()),
            HelloVerb::Ehlo | HelloVerb::Lhlo => Reply::plain(250, self.keywords()),
        }
    }

    fn keywords(&self) -> String {
        let features = &self.features;
        let clear = self.channel == Channel::Clear;
        let mut text = features.hostname.clone();
        let mut offer = |keyword: &str| {
            text.push('\n');
            text.push_str(keyword);
        };
        offer("PIPELINING");
        offer(&format!("SIZE {}", features.max_size));
        if features.starttls && clear {
            offer("STARTTLS");
        }
        if !features.auth.is_empty() && (!clear || features.auth_in_clear) && !self.authenticated {
            let names: Vec<_> = features.auth.iter().map(|m| m.as_str()).collect();
            offer(&format!("AUTH {}", names.join(" ")));
        }
        offer("ENHANCEDSTATUSCODES");
        offer("8BITMIME");
        if features.smtputf8 {
            offer("SMTPUTF8");
        }
        if features.dsn {
            offer("DSN");
        }
        if features.chunking {
            offer("CHUNKING");
        }
        if features.chunking && features.binary_mime {
            offer("BINARYMIME");
        }
        if features.max_recipients > 0 {
            offer(&format!("LIMITS RCPTMAX={}", features.max_recipients));
        }
        offer("HELP");
        text
    }
}
