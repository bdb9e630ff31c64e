//! What the viewer asks, and what it is answered.

use path_ledger::{Filter, RecipientId};
use serde::de::DeserializeOwned;

use crate::control::{Answer, Answerer, Question, Verb};

/// A question of the viewer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    Totals,
    Alarms,
    Queue,
    List(Filter),
    Explain(RecipientId),
    Preview(Filter),
    Begin {
        preview: String,
        verb: Verb,
        reason: String,
    },
    Progress(String),
    Pause {
        hop: String,
        until: String,
        reason: String,
    },
    Resume {
        hop: String,
        reason: String,
    },
}

/// What came of it: an answer, or why there is none.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) asked: Asked,
    /// Who answered, if somebody did.
    pub(super) by: Option<Answerer>,
    pub(super) answer: Result<Answer, String>,
}

impl Asked {
    pub(super) fn question(&self) -> Question {
        match self.clone() {
            Self::Totals => Question::Totals,
            Self::Alarms => Question::Alarms,
            Self::Queue => Question::Queue,
            Self::List(filter) => Question::List { filter },
            Self::Explain(id) => Question::Explain {
                query: id.to_string(),
            },
            Self::Preview(filter) => Question::Preview { filter },
            Self::Begin {
                preview,
                verb,
                reason,
            } => Question::Begin {
                preview,
                verb,
                reason,
            },
            Self::Progress(act) => Question::Progress { act },
            Self::Pause { hop, until, reason } => Question::PauseHop { hop, until, reason },
            Self::Resume { hop, reason } => Question::ResumeHop { hop, reason },
        }
    }
}

impl Answered {
    /// It was not even asked: what was asked before has not been answered.
    pub(super) fn too_many(asked: Asked) -> Self {
        Self {
            asked,
            by: None,
            answer: Err("there is no answer yet to what was asked before".to_owned()),
        }
    }
}

/// A list of what we know how to read.
pub(super) fn rows<T: DeserializeOwned>(answer: Result<Answer, String>) -> Result<Vec<T>, String> {
    match answer? {
        Answer::Rows { rows } => rows
            .into_iter()
            .map(|row| serde_json::from_value(row).map_err(|error| error.to_string()))
            .collect(),
        Answer::One { .. } | Answer::Octets { .. } | Answer::Refused { .. } => Err(other()),
    }
}

/// One object that we know how to read.
pub(super) fn one<T: DeserializeOwned>(answer: Result<Answer, String>) -> Result<T, String> {
    match answer? {
        Answer::One { fact } => serde_json::from_value(fact).map_err(|error| error.to_string()),
        Answer::Rows { .. } | Answer::Octets { .. } | Answer::Refused { .. } => Err(other()),
    }
}

fn other() -> String {
    "the answer is not of the kind that was asked for; is the server of another version?".to_owned()
}
