//! The AUTH exchange: challenges out, responses in, until the credentials are whole (RFC 4954 s4).

use super::sequence::bad_sequence;
use super::{Channel, Event, Phase, Question, Server, Turn};
use crate::command::{AuthStart, CommandError, Credentials, Mechanism, Secret, decode_base64};
use crate::reply::Reply;

/// What the next line is.
#[derive(Debug)]
pub(super) enum Exchange {
    /// PLAIN's one message.
    Plain,
    /// LOGIN's user name.
    LoginUser,
    /// LOGIN's password, and the user name that came before.
    LoginPassword(String),
}

const USERNAME: &str = "334 VXNlcm5hbWU6\r\n";
const PASSWORD: &str = "334 UGFzc3dvcmQ6\r\n";

impl Server {
    pub(super) fn auth_in_order(&self, mechanism: Mechanism) -> Option<Reply> {
        let features = &self.features;
        if features.auth.is_empty() {
            return Some(Reply::plain(502, "5.5.1 AUTH is not offered"));
        }
        if self.channel == Channel::Clear && !features.auth_in_clear {
            let text = "5.7.11 Encryption required for authentication";
            return Some(Reply::plain(538, text));
        }
        if self.authenticated {
            return Some(bad_sequence("5.5.1 Already authenticated"));
        }
        if self.envelope.is_some() {
            return Some(bad_sequence("5.5.1 AUTH within a transaction"));
        }
        let known = features.auth.contains(&mechanism);
        (!known).then(|| CommandError::Mechanism.reply())
    }

    pub(super) fn on_auth(&mut self, start: AuthStart) -> Turn {
        let first = match start.mechanism {
            Mechanism::Plain => Exchange::Plain,
            Mechanism::Login => Exchange::LoginUser,
        };
        match start.initial {
            Some(response) => self.respond(first, &response),
            None => {
                self.say(match first {
                    Exchange::Plain => "334 \r\n",
                    Exchange::LoginUser | Exchange::LoginPassword(_) => USERNAME,
                });
                self.phase = Phase::Exchange(first);
                Turn::Again
            }
        }
    }

    pub(super) fn next_auth_line(&mut self) -> Turn {
        let Some(line) = self
            .lines
            .next(&mut self.input, self.features.max_command_line)
        else {
            return Turn::Wait;
        };
        let Phase::Exchange(exchange) = std::mem::replace(&mut self.phase, Phase::Commands) else {
            return Turn::Wait;
        };
        let line = match line {
            Ok(line) => line,
            Err(fault) => return self.protocol_error(CommandError::from(fault).reply()),
        };
        if line.as_ref() == b"*" {
            return self.protocol_error(Reply::plain(501, "5.7.0 Authentication cancelled"));
        }
        match decode_base64(&line) {
            Ok(response) => self.respond(exchange, &response),
            Err(error) => self.protocol_error(error.reply()),
        }
    }

    fn respond(&mut self, exchange: Exchange, response: &[u8]) -> Turn {
        match exchange {
            Exchange::Plain => match Credentials::from_plain(response) {
                Some(credentials) => self.credentials(Mechanism::Plain, credentials),
                None => self.unreadable(),
            },
            Exchange::LoginUser => match readable(response) {
                Some(user) => {
                    self.say(PASSWORD);
                    self.phase = Phase::Exchange(Exchange::LoginPassword(user));
                    Turn::Again
                }
                None => self.unreadable(),
            },
            Exchange::LoginPassword(user) => match readable(response) {
                Some(password) => {
                    let credentials = Credentials {
                        authorize: String::new(),
                        user,
                        password: Secret::new(password),
                    };
                    self.credentials(Mechanism::Login, credentials)
                }
                None => self.unreadable(),
            },
        }
    }

    fn credentials(&mut self, mechanism: Mechanism, credentials: Credentials) -> Turn {
        let event = Event::Auth {
            mechanism,
            credentials,
        };
        self.ask(Question::Auth, event)
    }

    fn unreadable(&mut self) -> Turn {
        self.protocol_error(Reply::plain(501, "5.5.2 Malformed authentication response"))
    }
}

/// A name or a password: text, not empty, without NUL.
fn readable(response: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(response).ok()?;
    (!text.is_empty() && !text.contains('\0')).then(|| text.to_owned())
}
