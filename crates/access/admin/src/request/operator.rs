//! The words of requests about who may use the administration: operators, and tokens of programs.

use serde::{Deserialize, Serialize};

use super::Password;

/// A change of operators or tokens.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum OperatorChange {
    /// An operator is made.
    Add {
        /// Its name.
        name: String,
        /// How it logs in; none: not yet.
        password: Option<Password>,
        /// What it may do, as `view,act`.
        rights: String,
    },
    /// An operator goes.
    Remove {
        /// Its name.
        name: String,
    },
    /// An operator gets a password.
    Password {
        /// Its name.
        name: String,
        /// The new one; none: it logs in no more.
        password: Option<Password>,
    },
    /// An operator gets other rights.
    Rights {
        /// Its name.
        name: String,
        /// What it may do from now on.
        rights: String,
    },
    /// An operator is shown a secret for a code generator. The answer has it, as `uri` and as `secret`.
    TotpOffer {
        /// Its name.
        name: String,
    },
    /// The code generator has it: the operator logs in with codes from now on.
    TotpConfirm {
        /// Its name.
        name: String,
        /// What the code generator shows.
        code: String,
    },
    /// An operator logs in without a code.
    TotpRemove {
        /// Its name.
        name: String,
    },
    /// All sessions of an operator end.
    SessionsRevoke {
        /// Its name.
        name: String,
    },
    /// A program is let in. The answer has its `token`, which is told this once.
    TokenAdd {
        /// The token's name.
        name: String,
        /// What the program may do.
        rights: String,
        /// Milliseconds for which it is let in; none: until the token is removed.
        lifetime: Option<u64>,
    },
    /// A program is let in no more.
    TokenRemove {
        /// The token's name.
        name: String,
    },
}

/// A look at operators or tokens.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "look", rename_all = "snake_case")]
pub enum OperatorView {
    /// A page of the operators, by name.
    List {
        /// Those after this one; empty: from the first.
        after: String,
    },
    /// One operator.
    Show {
        /// Its name.
        name: String,
    },
    /// The sessions of an operator, the last used first.
    Sessions {
        /// Its name.
        name: String,
    },
    /// A page of the tokens, by name.
    TokenList {
        /// Those after this one; empty: from the first.
        after: String,
    },
}
