//! The vocabulary: every statement there is. `grammar.rs` says how each is written.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use postrider::control::{DirectoryChange, Verb};

use crate::errand::Errand;
use crate::pattern::RowPattern;
use crate::peer::{Rule, Temper};
use crate::trouble::Trouble;

/// One thing that happens, or that must be so.
#[derive(Debug, Clone)]
pub(crate) enum Statement {
    /// The story cannot be told to the built binary, and why.
    SimulatedOnly(String),
    /// The story can be told to the built binary on PostgreSQL alone, and why.
    RealOnPostgresOnly(String),
    Settings(String),
    Directory(DirectoryChange),
    Dns(DnsLine),
    Peer {
        name: String,
        at: SocketAddr,
        rules: Vec<Rule>,
    },
    PeerRules {
        name: String,
        rules: Vec<Rule>,
    },
    PeerTemper {
        name: String,
        temper: Temper,
    },
    Node {
        name: String,
        what: NodeChange,
    },
    /// Something goes wrong inside a node, or is over.
    Mishap {
        node: String,
        trouble: Trouble,
    },
    /// A node's memory loses the jobs of what is found.
    Amnesia {
        node: String,
        of: String,
    },
    /// Whom clients, programs and operators meet from here on.
    On(String),
    Dialogue(Dialogue),
    Send(Letter),
    /// Somebody else brings a message meanwhile.
    Mail(Errand),
    Wait(Duration),
    At(Duration),
    /// The wall clock of the machine is stepped, by milliseconds.
    ClockSteps(i64),
    Disk(Room),
    /// A hand in the book, with no regard for what it means.
    Sql(String),
    Operate(Operation),
    Hop(HopAct),
    Look(Look),
}

/// What clients do and hear.
#[derive(Debug, Clone)]
pub(crate) enum Dialogue {
    Connect {
        client: String,
        from: Option<IpAddr>,
        to: String,
    },
    Turn(String),
    StartTls,
    Leave,
    Say {
        octets: Vec<u8>,
    },
    Hear {
        pattern: String,
    },
    HearEnd,
    HearNothing,
}

/// What must be seen.
#[derive(Debug, Clone)]
pub(crate) enum Look {
    Ask {
        question: Question,
        rows: Vec<RowPattern>,
    },
    Content {
        of: String,
        text: String,
    },
    Received {
        peer: String,
        count: usize,
        matching: Option<String>,
    },
    Connections {
        peer: String,
        count: usize,
    },
    Mailbox {
        address: String,
        count: usize,
        matching: Option<String>,
    },
    SqlRefused {
        sql: String,
        words: String,
    },
}

/// What happens to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NodeChange {
    Start,
    /// Sessions end decently.
    Stop,
    /// Everything in memory is gone, and what the disk was not told to keep.
    Crash,
    /// Everything in memory is gone, and a new epoch begins at once.
    Forget,
    /// It takes a new epoch, and crashes before it does anything with it.
    Stumble,
    /// It is stopped in its tracks (SIGSTOP), and its clock with it.
    Pause,
    /// It goes on, and finds that time has passed.
    Continue,
}

/// What the DNS says about a name, or whether it says anything.
#[derive(Debug, Clone)]
pub(crate) enum DnsLine {
    Mx {
        name: String,
        hosts: Vec<(u16, String)>,
    },
    Addresses {
        name: String,
        addresses: Vec<IpAddr>,
    },
    NxDomain(String),
    ServFail(String),
    Timeout(String),
    Heals(String),
    Down,
    Up,
}

/// How much room the disk has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    None,
    Plenty,
}

/// A message from a program on this machine.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    /// Empty for nobody.
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) size: usize,
    pub(crate) subject: String,
    /// The octets behind its header.
    pub(crate) body: Vec<u8>,
    /// When the sender wants to be told (RFC 3461 s4.1), for all recipients.
    pub(crate) notify: Option<String>,
    pub(crate) answer: Expected,
}

/// What must become of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expected {
    Accepted,
    /// In these words.
    Refused(String),
    /// Either will do.
    Whatever,
}

/// What is asked of the book.
#[derive(Debug, Clone)]
pub(crate) enum Question {
    Listed(Listing),
    /// A row for each attempt at what `trace` finds.
    Attempts(String),
    /// A row for each event of what `trace` finds.
    Events(String),
}

/// What a command lists.
#[derive(Debug, Clone)]
pub(crate) enum Listing {
    Queue,
    QueueList(Conditions),
    Audit,
    Alarms,
    Trace(String),
    Explain(String),
}

/// A filter as the command line writes it: names without their dashes, and values.
pub(crate) type Conditions = Vec<(String, String)>;

/// What an operator does to a next hop.
#[derive(Debug, Clone)]
pub(crate) struct HopAct {
    pub(crate) hop: String,
    pub(crate) change: HopChange,
    pub(crate) reason: String,
}

/// How a next hop changes.
#[derive(Debug, Clone)]
pub(crate) enum HopChange {
    /// Until a moment as the command line writes it.
    Pause {
        until: String,
    },
    Resume,
}

/// What an operator does.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) verb: Verb,
    pub(crate) filter: Conditions,
    pub(crate) reason: String,
    /// How many recipients it must treat; `None`: as many as there are, and a refusal will do.
    pub(crate) count: Option<u64>,
}
