//! The words of a request and of its answer.

mod operator;

use std::fmt;

use bytes::Bytes;
use path_ledger::{EventFilter, Filter, MessageId, Owner};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use operator::{OperatorChange, OperatorView};

/// A question, who asks it, and the octets that go with it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// Who asks: stands in the history of what is done.
    pub by: String,
    /// What is asked.
    pub question: Question,
    /// The message of [`Question::Send`].
    #[serde(skip)]
    pub content: Bytes,
}

/// What is asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Question {
    /// One line for each next hop.
    Queue,
    /// One row for each recipient.
    List {
        /// Which ones.
        filter: Filter,
    },
    /// The stories of an id, Message-ID or address.
    Trace {
        /// What to look for.
        query: String,
    },
    /// Why recipients are where they are, and what comes next: of an id, Message-ID or address.
    Explain {
        /// What to look for.
        query: String,
    },
    /// How many recipients there are, by state, ever accepted and ever ended.
    Totals,
    /// How old what waits is, by next hop.
    Ages,
    /// How many come and go a second, by next hop.
    Flows,
    /// How long recipients took to their end, as this node has counted it.
    Times,
    /// A page of what happened, newest first.
    Events {
        /// Which ones.
        filter: EventFilter,
    },
    /// Whether the book adds up.
    Audit,
    /// What should not be.
    Alarms,
    /// Whether this node takes mail and nothing stands still.
    Health,
    /// Everything that is measured, as OpenMetrics text.
    Metrics,
    /// Something is done to recipients.
    Act {
        /// What.
        verb: Verb,
        /// To whom.
        filter: Filter,
        /// Why.
        reason: String,
        /// Only show to whom.
        dry_run: bool,
        /// By this name it can be asked meanwhile how far it is ([`Question::Progress`]).
        name: Option<String>,
    },
    /// Exactly which recipients a filter means: kept for a while, so that an act reaches those and no others.
    Preview {
        /// Which ones.
        filter: Filter,
    },
    /// Something is done, in the background, to the recipients of a preview.
    Begin {
        /// Its name.
        preview: String,
        /// What.
        verb: Verb,
        /// Why.
        reason: String,
    },
    /// How far an act is that was begun.
    Progress {
        /// Its name.
        act: String,
    },
    /// Every connector, with the mail that waits for it.
    Connectors,
    /// The way that mail for a domain takes now.
    Route {
        /// The domain.
        domain: String,
    },
    /// The body of a message, as it was accepted.
    Body {
        /// The message's id.
        id: MessageId,
    },
    /// The status link of a message, by its id or a recipient's.
    Link {
        /// The id.
        id: MessageId,
    },
    /// What became of the message of a status link. Only the page asks this, for whoever holds the link.
    Follow {
        /// What the link says after the place of the page.
        token: String,
    },
    /// What an account sent. Only the page asks this, for whoever has logged in as the account.
    OwnMail {
        /// Whose.
        owner: Owner,
        /// Of a page: those that are older than this one; none: the newest.
        before: Option<MessageId>,
        /// An id or Message-ID among its own, instead of a page.
        query: Option<String>,
    },
    /// The directory is changed.
    Change {
        /// How.
        change: DirectoryChange,
    },
    /// Who is in the directory?
    Look {
        /// At whom.
        at: DirectoryView,
    },
    /// Operators or tokens are changed.
    OperatorChange {
        /// How.
        change: OperatorChange,
    },
    /// Who may use the administration?
    OperatorLook {
        /// At whom.
        at: OperatorView,
    },
    /// The mails of an account.
    MailList {
        /// Its address.
        address: String,
    },
    /// One mail of an account.
    MailShow {
        /// The account's address.
        address: String,
        /// The message's id, or its UID in the folder INBOX.
        mail: String,
    },
    /// A program sends a message.
    Send {
        /// The envelope's sender; empty for the null sender.
        sender: String,
        /// Its recipients.
        recipients: Vec<String>,
        /// `NOTIFY` as in RFC 3461 s4.1, when given.
        notify: Option<String>,
        /// `RET` as in RFC 3461 s4.3, when given.
        ret: Option<String>,
        /// `ENVID` as in RFC 3461 s4.4, when given.
        envid: Option<String>,
    },
    /// A next hop is stopped for a while: mail for it waits.
    PauseHop {
        /// Which: `mailbox`, `via:CONNECTOR` or `mx:DOMAIN`.
        hop: String,
        /// Until this moment (RFC 3339), or for this time from now (`2h`).
        until: String,
        /// Why.
        reason: String,
    },
    /// A pause ends before its time.
    ResumeHop {
        /// Which.
        hop: String,
        /// Why.
        reason: String,
    },
    /// Every node.
    Nodes,
    /// A node is told to take no new work, or to take it again.
    Drain {
        /// Its name.
        name: String,
        /// Whether it takes none.
        draining: bool,
        /// Why.
        reason: String,
    },
    /// A running server tests itself, end to end.
    Selftest,
    /// The settings are read again.
    Reload,
    /// What the configuration file says, and what holds.
    Settings,
    /// What a text would come to as the configuration file. Nothing is changed.
    SettingsTry {
        /// The text, `(kept)` for each secret that stays; none: the file as it is.
        text: Option<String>,
    },
    /// The configuration file gets another text, which holds at once.
    SettingsSave {
        /// The text, `(kept)` for each secret that stays.
        text: String,
        /// The version it was made from.
        version: String,
        /// Why.
        reason: String,
    },
    /// The clock of a server under test moves on.
    ClockAdvance {
        /// By how much.
        millis: u64,
    },
    /// The wall clock of a server under test is stepped, and no time passes.
    ClockStep {
        /// By how much, forward or back.
        millis: i64,
    },
}

/// A change of the directory.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum DirectoryChange {
    /// A domain is taken in.
    DomainAdd {
        /// Its name.
        name: String,
    },
    /// A domain is let go.
    DomainRemove {
        /// Its name.
        name: String,
    },
    /// Mail for unknown names of a domain goes somewhere, or is refused.
    DomainCatchAll {
        /// The domain.
        name: String,
        /// Where to; none refuses.
        target: Option<String>,
    },
    /// An account is made.
    AccountAdd {
        /// Its address.
        address: String,
        /// How it logs in; none: it takes mail only.
        password: Option<Password>,
        /// Octets its mailbox may hold.
        quota: Option<u64>,
    },
    /// An account gets a password.
    AccountPassword {
        /// Its address.
        address: String,
        /// The new one; none: it takes mail only.
        password: Option<Password>,
    },
    /// An account goes.
    AccountRemove {
        /// Its address.
        address: String,
        /// Its mail goes with it.
        with_mail: bool,
    },
    /// An address stands for others.
    AliasAdd {
        /// The address.
        address: String,
        /// The others.
        targets: Vec<String>,
    },
    /// Targets of an alias go; without any, the alias.
    AliasRemove {
        /// The address.
        address: String,
        /// The targets.
        targets: Vec<String>,
    },
}

/// A look into the directory.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "look", rename_all = "snake_case")]
pub enum DirectoryView {
    /// A page of the domains, by name.
    DomainList {
        /// Those after this one; empty: from the first.
        after: String,
    },
    /// One domain.
    DomainShow {
        /// Its name.
        name: String,
    },
    /// A page of the accounts, by address.
    AccountList {
        /// Those after this one; empty: from the first.
        after: String,
    },
    /// One account.
    AccountShow {
        /// Its address.
        address: String,
    },
    /// A page of the aliases, by address.
    AliasList {
        /// Those after this one; empty: from the first.
        after: String,
    },
    /// One alias.
    AliasShow {
        /// Its address.
        address: String,
    },
}

/// What can be done to recipients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum Verb {
    /// They are tried now.
    Retry,
    /// They are kept back.
    Hold,
    /// A hold ends.
    Release,
    /// They go back to their senders.
    Return,
    /// They are dropped.
    Discard,
    /// They go another way.
    Reroute {
        /// The next hop; none: as the routes say now.
        to: Option<String>,
    },
    /// Their messages are handed out, and stay.
    Export,
}

impl Verb {
    /// The same without what it needs.
    #[must_use]
    pub const fn ledgers(&self) -> path_ledger::Verb {
        match self {
            Verb::Retry => path_ledger::Verb::Retry,
            Verb::Hold => path_ledger::Verb::Hold,
            Verb::Release => path_ledger::Verb::Release,
            Verb::Return => path_ledger::Verb::Return,
            Verb::Discard => path_ledger::Verb::Discard,
            Verb::Reroute { .. } => path_ledger::Verb::Reroute,
            Verb::Export => path_ledger::Verb::Export,
        }
    }
}

/// A password on its way to the directory. Never shown.
#[derive(Clone, Serialize, Deserialize)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// A list: JSON Lines for scripts, a table for people.
    Rows {
        /// Each an object.
        rows: Vec<Value>,
    },
    /// One object.
    One {
        /// It.
        fact: Value,
    },
    /// Octets.
    Octets {
        /// They.
        #[serde(skip)]
        content: Bytes,
    },
    /// Nothing was done.
    Refused {
        /// Whose move it is.
        whose: Mover,
        /// Why.
        why: String,
    },
}

/// Whose move it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mover {
    /// Who asked.
    Asker,
    /// Who runs the server.
    Operator,
    /// Nobody's: the same may work later.
    Time,
}

impl Answer {
    /// A refusal that is the asker's to mend.
    pub fn asker(why: impl fmt::Display) -> Self {
        let why = why.to_string();
        Self::Refused {
            whose: Mover::Asker,
            why,
        }
    }

    /// The octets that go with it.
    pub fn content(&self) -> Bytes {
        match self {
            Self::Octets { content } => content.clone(),
            Self::Rows { .. } | Self::One { .. } | Self::Refused { .. } => Bytes::new(),
        }
    }

    /// The same with the octets that came with it.
    pub fn with_content(self, octets: Bytes) -> Self {
        match self {
            Self::Octets { .. } => Self::Octets { content: octets },
            Self::Rows { .. } | Self::One { .. } | Self::Refused { .. } => self,
        }
    }
}
