//! From the greeting to a session that is ready: EHLO and its fall-back, STARTTLS, AUTH.

use super::{Client, Closed, Event, NotReady, Phase, ProtocolFault, Step, What};
use crate::command::{AUTH_LINE, Credentials, Dialect, Mechanism, encode_base64};
use crate::reply::{Class, EhloResponse, Reply};

/// Which answer of the AUTH exchange is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AuthStep {
    /// To PLAIN with its initial response: the verdict, or 334 when it would not fit in one line.
    Plain,
    /// To LOGIN: the prompt for the user name.
    LoginUser,
    /// To the user name: the prompt for the password.
    LoginPassword,
    /// To the last message: the verdict.
    Verdict,
    /// To `*`.
    Cancelled,
}

/// What the exchange still has to say, in base64.
#[derive(Clone, Default)]
pub(super) struct Responses {
    user: String,
    last: String,
}

/// It holds a password.
impl std::fmt::Debug for Responses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Responses(***)")
    }
}

impl Client {
    /// STARTTLS. [`Event::StartTls`] or [`Event::StartTlsRefused`] follows.
    pub fn starttls(&mut self) -> Result<(), NotReady> {
        self.need_ready()?;
        self.command(What::StartTls, "STARTTLS");
        Ok(())
    }

    /// The handshake is done: what the peer said in the clear is forgotten and EHLO goes out again (RFC 3207 s4.2).
    pub fn tls_established(&mut self) {
        if self.phase != Phase::Handshake {
            return;
        }
        if !self.input.is_empty() {
            return self.end(Closed::Protocol(ProtocolFault::PlaintextBehindStartTls));
        }
        self.offer = EhloResponse::default();
        self.phase = Phase::Opening;
        self.send_hello();
    }

    /// AUTH. [`Event::Authenticated`] or [`Event::AuthRefused`] follows. That TLS protects it is the driver's care.
    pub fn authenticate(
        &mut self,
        mechanism: Mechanism,
        credentials: &Credentials,
    ) -> Result<(), NotReady> {
        self.need_ready()?;
        match mechanism {
            Mechanism::Plain => self.auth_plain(credentials.to_plain()),
            Mechanism::Login => {
                self.responses = Responses {
                    user: encode_base64(&credentials.user),
                    last: encode_base64(credentials.password.reveal()),
                };
                self.command(What::Auth(AuthStep::LoginUser), "AUTH LOGIN");
            }
        }
        Ok(())
    }

    fn auth_plain(&mut self, message: String) {
        let line = format!("AUTH PLAIN {message}");
        self.responses = Responses {
            user: String::new(),
            last: message,
        };
        let what = What::Auth(AuthStep::Plain);
        match line.len() + 2 > AUTH_LINE {
            true => self.command(what, "AUTH PLAIN"),
            false => self.secret_command(what, &line, "AUTH PLAIN ***"),
        }
    }

    pub(super) fn on_greeting(&mut self, reply: Reply) {
        match reply.class() {
            Class::Success => self.send_hello(),
            Class::Continue => self.wrong_class(What::Greeting, reply),
            Class::Transient | Class::Permanent => {
                self.end(Closed::Refused(Step::Greeting, reply));
            }
        }
    }

    fn send_hello(&mut self) {
        let verb = match self.config.dialect {
            Dialect::Lmtp => "LHLO",
            Dialect::Smtp | Dialect::Submission => "EHLO",
        };
        self.command(What::Ehlo, format!("{verb} {}", self.config.name));
    }

    pub(super) fn on_ehlo(&mut self, reply: Reply) {
        match reply.class() {
            Class::Success => {
                self.offer = EhloResponse::parse(&reply);
                self.ready();
            }
            Class::Continue => self.wrong_class(What::Ehlo, reply),
            // RFC 5321 s3.2, s4.1.4: a peer that does not know EHLO is greeted with HELO. LMTP has no older form.
            Class::Permanent if self.config.dialect != Dialect::Lmtp => {
                self.command(What::Helo, format!("HELO {}", self.config.name));
            }
            Class::Transient | Class::Permanent => self.end(Closed::Refused(Step::Hello, reply)),
        }
    }

    pub(super) fn on_helo(&mut self, reply: Reply) {
        match reply.class() {
            Class::Success => {
                let name = reply.text().split([' ', '\n']).next().unwrap_or_default();
                self.offer = EhloResponse {
                    name: name.to_owned(),
                    ..EhloResponse::default()
                };
                self.ready();
            }
            Class::Continue => self.wrong_class(What::Helo, reply),
            Class::Transient | Class::Permanent => self.end(Closed::Refused(Step::Hello, reply)),
        }
    }

    fn ready(&mut self) {
        self.phase = Phase::Open;
        self.events.push_back(Event::Ready);
    }

    pub(super) fn on_starttls(&mut self, reply: Reply) {
        match reply.class() {
            Class::Success if self.input.is_empty() => {
                self.phase = Phase::Handshake;
                self.events.push_back(Event::StartTls);
            }
            // Somebody in between added octets that would be read as if TLS had protected them (RFC 3207 s6).
            Class::Success => self.end(Closed::Protocol(ProtocolFault::PlaintextBehindStartTls)),
            Class::Continue => self.wrong_class(What::StartTls, reply),
            Class::Transient | Class::Permanent => {
                self.events.push_back(Event::StartTlsRefused(reply));
            }
        }
    }

    pub(super) fn on_auth(&mut self, step: AuthStep, reply: Reply) {
        match reply.class() {
            Class::Success => self.events.push_back(Event::Authenticated(reply)),
            Class::Transient | Class::Permanent => self.events.push_back(Event::AuthRefused(reply)),
            Class::Continue => return self.on_challenge(step, reply),
        }
        self.responses = Responses::default();
    }

    fn on_challenge(&mut self, step: AuthStep, reply: Reply) {
        match step {
            AuthStep::Plain | AuthStep::LoginPassword => {
                let last = std::mem::take(&mut self.responses.last);
                self.secret_command(What::Auth(AuthStep::Verdict), &last, "***");
            }
            AuthStep::LoginUser => {
                let user = std::mem::take(&mut self.responses.user);
                self.secret_command(What::Auth(AuthStep::LoginPassword), &user, "***");
            }
            // We have nothing more to say (RFC 4954 s4: "*" cancels).
            AuthStep::Verdict => self.command(What::Auth(AuthStep::Cancelled), "*"),
            AuthStep::Cancelled => self.wrong_class(What::Auth(step), reply),
        }
    }
}
