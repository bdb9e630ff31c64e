//! Acts on many: a preview that is kept, and how far an act on it is. What is shown of them; the binary does them.

use path_ledger::{PreviewRow, RecipientId, State, Verb};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wire_message::Time;

/// Exactly which recipients a filter meant. An act on it reaches those of them that are still as they were, and no others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Previewed {
    /// Its name, until it is forgotten.
    pub preview: String,
    /// The filter, as the command line writes it.
    pub filter: String,
    /// How many recipients.
    pub count: u64,
    /// The filter meant more than one preview holds: act, and preview again.
    pub more: bool,
    /// How many by state and next hop, most first.
    pub groups: Vec<Group>,
    /// The first of them.
    pub rows: Vec<PreviewRow>,
}

/// Recipients of a preview that stand alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// Their state.
    pub state: State,
    /// Their next hop; empty before they are routed.
    pub next_hop: String,
    /// How many.
    pub count: u64,
}

path_ledger::words! {
    /// How far an act is.
    pub enum ActState {
        /// It is being done.
        Running = "running",
        /// It is done.
        Ended = "ended",
        /// It stopped half way; what was done stays done, and the rest was not touched.
        Failed = "failed",
    }
}

/// How far an act on many is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActStatus {
    /// Its name.
    pub act: String,
    /// What is done.
    pub verb: Verb,
    /// To whom, as the command line writes it.
    pub filter: String,
    /// Who does it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// How far it is.
    pub state: ActState,
    /// Recipients of the preview.
    pub count: u64,
    /// Done so far.
    pub done: u64,
    /// Not as the preview showed them any more, or not in a state that allows it; untouched.
    pub escaped: u64,
    /// Some of those.
    pub escapees: Vec<RecipientId>,
    /// What stopped it.
    pub trouble: Option<String>,
    /// When it began.
    #[serde(with = "path_ledger::rfc3339")]
    #[schemars(with = "path_ledger::rfc3339::Moment")]
    pub began_at: Time,
}

/// Recipients that escaped, named one by one in an [`ActStatus`]; more are only counted.
pub const ESCAPEES_NAMED: usize = 1000;
