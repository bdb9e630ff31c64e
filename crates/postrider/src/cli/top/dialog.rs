//! What is being asked of the person: a text, or a yes. An act goes through these, in this order:
//!
//! ```text
//! [Way] ─▶ Previewing ─▶ Reason ─▶ Sure ─▶ Beginning ─▶ Progress          retry, hold, release, reroute, return, discard
//!          [Until]    ─▶ Reason ─▶ Sure ─▶ Beginning                      pause, resume a hop
//! ```

use access_admin::{ActState, ActStatus, Previewed};
use path_ledger::{Filter, HopState, QueueLine};

use super::asked::Asked;
use super::machine::Key;
use crate::control::Verb;

/// Letters of a text that is typed.
const TEXT_MAX: usize = 500;

/// How long a pause is when nobody says.
const PAUSE: &str = "1h";

const NOTHING: &str = "nothing was done";

#[derive(Debug)]
pub(super) enum Dialog {
    Typing {
        what: Typed,
        text: String,
    },
    Previewing {
        verb: Verb,
        filter: Filter,
    },
    Sure {
        deed: Deed,
        reason: String,
    },
    /// The server was told, and has not answered.
    Beginning,
    Progress {
        status: ActStatus,
        asked: bool,
    },
}

/// What a text is for.
#[derive(Debug)]
pub(super) enum Typed {
    /// Rows that have it are shown.
    Seek,
    /// The next hop that mail is given.
    Way { filter: Filter },
    /// The end of a pause.
    Until { line: QueueLine },
    /// Why something is done.
    Reason { deed: Deed },
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Deed {
    Act { verb: Verb, previewed: Previewed },
    Pause { line: QueueLine, until: String },
    Resume { line: QueueLine },
}

/// How a dialog goes on.
#[derive(Debug)]
pub(super) enum Turn {
    Stay(Dialog),
    Ask(Dialog, Box<Asked>),
    /// It is over, with this to be said.
    Over(&'static str),
    /// Rows with this are wanted.
    Sought(String),
}

impl Dialog {
    /// An act, before its preview.
    pub(super) fn act(verb: Verb, filter: Filter) -> Turn {
        if verb == (Verb::Reroute { to: None }) {
            return Turn::Stay(Self::typing(Typed::Way { filter }, ""));
        }
        let asked = Box::new(Asked::Preview(filter.clone()));
        Turn::Ask(Self::Previewing { verb, filter }, asked)
    }

    pub(super) fn pause(line: QueueLine) -> Self {
        if line.state == HopState::Paused {
            return Self::reason(Deed::Resume { line });
        }
        Self::typing(Typed::Until { line }, PAUSE)
    }

    pub(super) fn reason(deed: Deed) -> Self {
        Self::typing(Typed::Reason { deed }, "")
    }

    pub(super) fn typing(what: Typed, text: &str) -> Self {
        let text = text.to_owned();
        Self::Typing { what, text }
    }

    pub(super) fn key(self, key: Key) -> Turn {
        match (self, key) {
            (Self::Typing { what, text }, key) => typed(what, text, key),
            (Self::Sure { deed, reason }, Key::Char('y')) => {
                Turn::Ask(Self::Beginning, Box::new(deed.asked(reason)))
            }
            (Self::Sure { .. }, _) | (Self::Previewing { .. }, Key::Escape) => Turn::Over(NOTHING),
            (Self::Beginning, Key::Escape) => Turn::Over("it was asked for; the history will say"),
            (Self::Progress { status, .. }, _) if status.state != ActState::Running => {
                Turn::Over("")
            }
            (Self::Progress { .. }, Key::Escape) => Turn::Over("the act goes on in the server"),
            (stays @ (Self::Previewing { .. } | Self::Beginning | Self::Progress { .. }), _) => {
                Turn::Stay(stays)
            }
        }
    }
}

fn typed(what: Typed, mut text: String, key: Key) -> Turn {
    match key {
        Key::Enter => return entered(what, text),
        Key::Escape => {
            return match what {
                Typed::Seek => Turn::Over(""),
                Typed::Way { .. } | Typed::Until { .. } | Typed::Reason { .. } => {
                    Turn::Over(NOTHING)
                }
            };
        }
        Key::Char(letter) if text.len() < TEXT_MAX => text.push(letter),
        Key::Backspace => drop(text.pop()),
        Key::Char(_)
        | Key::Up
        | Key::Down
        | Key::PageUp
        | Key::PageDown
        | Key::Home
        | Key::End
        | Key::Interrupt => {}
    }
    Turn::Stay(Dialog::Typing { what, text })
}

fn entered(what: Typed, text: String) -> Turn {
    match what {
        Typed::Seek => Turn::Sought(text),
        Typed::Way { filter } => {
            let to = Some(text).filter(|to| !to.is_empty());
            let verb = Verb::Reroute { to };
            let asked = Box::new(Asked::Preview(filter.clone()));
            Turn::Ask(Dialog::Previewing { verb, filter }, asked)
        }
        Typed::Until { line } => {
            let until = text;
            Turn::Stay(Dialog::reason(Deed::Pause { line, until }))
        }
        Typed::Reason { deed } => {
            let reason = text;
            Turn::Stay(Dialog::Sure { deed, reason })
        }
    }
}

impl Deed {
    fn asked(self, reason: String) -> Asked {
        match self {
            Self::Act { verb, previewed } => Asked::Begin {
                preview: previewed.preview,
                verb,
                reason,
            },
            Self::Pause { line, until } => Asked::Pause {
                hop: line.next_hop,
                until,
                reason,
            },
            Self::Resume { line } => Asked::Resume {
                hop: line.next_hop,
                reason,
            },
        }
    }
}
