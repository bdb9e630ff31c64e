//! The settings as they are shown, and what others would come to. What is shown of them; the binary reads and tries them.

use std::fmt;

use ground_settings::Fault;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a node was told, and what it goes by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettingsView {
    /// The node whose they are: each node of several has a file of its own.
    pub node: String,
    /// The configuration file.
    pub file: String,
    /// What it says at this moment; each secret stands as `(kept)`. None when it cannot be read.
    pub text: Option<String>,
    /// Why it cannot be read.
    pub trouble: Option<String>,
    /// What it says, in one word: a change says which text it was made from.
    pub version: String,
    /// What the file says otherwise than what holds: it was changed, and not read again.
    pub unread: Vec<Differing>,
    /// What holds from the next start only.
    pub waits_for_restart: Vec<String>,
}

/// A setting that is otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Differing {
    /// Such as `queue.lifetime`.
    pub setting: String,
    /// What holds; none when a whole section is new.
    pub before: Option<String>,
    /// What would hold; none when a whole section is gone.
    pub after: Option<String>,
}

/// What a text would come to if it were the configuration file. Nothing is changed by asking.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trial {
    /// What is wrong with it; while there is anything, it cannot be taken.
    pub problems: Vec<Wrong>,
    /// What it says otherwise than what holds.
    pub differences: Vec<Differing>,
    /// What of that would hold from the next start only.
    pub waits_for_restart: Vec<String>,
    /// Next hops whose mail would go another way, or none.
    pub rerouted: Vec<Rerouted>,
    /// Recipients that wait for those.
    pub recipients: u64,
}

/// Something wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Wrong {
    /// From 1; 0 when it stands on no line.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// The setting.
    pub setting: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

/// A next hop whose mail would go another way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rerouted {
    /// Which.
    pub next_hop: String,
    /// Recipients that wait for it.
    pub recipients: u64,
    /// The way now.
    pub before: String,
    /// The way then.
    pub after: String,
    /// Whether there would be any way: without one its mail waits, with an alarm, until it is rerouted or returned.
    pub lost: bool,
}

impl Wrong {
    /// Something that stands on no line.
    #[must_use]
    pub fn of(fault: &Fault) -> Self {
        Self {
            line: 0,
            column: 0,
            setting: String::new(),
            what: fault.what.clone(),
            remedy: fault.remedy.clone(),
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}, column {}: ", self.line, self.column)?;
        }
        if !self.setting.is_empty() {
            write!(f, "{}: ", self.setting)?;
        }
        write!(f, "{} ({})", self.what, self.remedy)
    }
}

impl fmt::Display for Differing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, "{}: {before} -> {after}", self.setting),
            (None, Some(after)) => write!(f, "{} is new: {after}", self.setting),
            (Some(before), None) => write!(f, "{} is gone: {before}", self.setting),
            (None, None) => f.write_str(&self.setting),
        }
    }
}
