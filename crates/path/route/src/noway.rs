//! Why there is no way to a next hop, and whose move it is.

use thiserror::Error;
use wire_message::{Class, EnhancedStatus};
use wire_smtp::reply::Reply;

/// No way to a next hop.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoWay {
    /// The domain takes no mail at all (RFC 7505). Final; the sender's move.
    #[error("{domain} says that it takes no mail (null MX)")]
    NullMx {
        /// The domain.
        domain: String,
    },
    /// The domain does not exist, seen twice. Final; the sender's move.
    #[error("the domain {domain} does not exist")]
    NoSuchDomain {
        /// The domain.
        domain: String,
    },
    /// The DNS says the domain does not exist, and only a second look makes that final. Time's move.
    #[error("the DNS says that {domain} does not exist; a second look will decide")]
    NoSuchDomainYet {
        /// The domain.
        domain: String,
    },
    /// The best servers of the domain are this server, which does not know the domain (RFC 5321 s5.1). Final; the move is
    /// that of whoever runs the domain, or ours: a missing `postrider domain add`.
    #[error("the best server for {domain} is this one, and {domain} is no domain here")]
    Ourselves {
        /// The domain.
        domain: String,
    },
    /// The name exists, but nothing it names has an address. Temporary: zones are repaired.
    #[error("no server of {domain} has an address: {detail}")]
    NoAddress {
        /// The domain or host.
        domain: String,
        /// What was found instead.
        detail: String,
    },
    /// The DNS did not answer. Temporary; time's move.
    #[error("the DNS could not be asked about {name}: {detail}")]
    Dns {
        /// The name.
        name: String,
        /// What went wrong.
        detail: String,
    },
    /// The connector is not in the settings any more. Temporary; the operator's move.
    #[error(
        "there is no connector {name} in the settings any more; put it back, or reroute its mail with: postrider reroute --next-hop via:{name}"
    )]
    NoConnector {
        /// Its name.
        name: String,
    },
    /// Mail for mailboxes here leaves by no server: a defect of the caller.
    #[error("mail for mailboxes here takes no way out")]
    Mailbox,
    /// The key is none that routing writes. Temporary; the operator's move.
    #[error("{key:?} is no next hop; reroute its mail with: postrider reroute")]
    UnknownHop {
        /// The key.
        key: String,
    },
}

impl NoWay {
    /// Whether trying again is useless. What is not final never returns mail before its lifetime ends.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.status().class() == Class::Permanent
    }

    /// Whether the cause is ours, so that an operator must hear of it at once.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        match self {
            NoWay::NoConnector { .. } | NoWay::Mailbox | NoWay::UnknownHop { .. } => true,
            NoWay::NullMx { .. }
            | NoWay::NoSuchDomain { .. }
            | NoWay::NoSuchDomainYet { .. }
            | NoWay::Ourselves { .. }
            | NoWay::NoAddress { .. }
            | NoWay::Dns { .. } => false,
        }
    }

    /// The status for reports.
    #[must_use]
    pub fn status(&self) -> EnhancedStatus {
        let (class, subject, detail) = match self {
            NoWay::NullMx { .. } => (Class::Permanent, 1, 10),
            NoWay::NoSuchDomain { .. } => (Class::Permanent, 1, 2),
            NoWay::Ourselves { .. } => (Class::Permanent, 4, 6),
            NoWay::NoSuchDomainYet { .. } => (Class::Temporary, 1, 2),
            NoWay::NoAddress { .. } => (Class::Temporary, 4, 4),
            NoWay::Dns { .. } => (Class::Temporary, 4, 3),
            NoWay::NoConnector { .. } | NoWay::Mailbox | NoWay::UnknownHop { .. } => {
                (Class::Temporary, 3, 5)
            }
        };
        EnhancedStatus::new(class, subject, detail)
    }

    /// What the ledger keeps as the reply: ours, since no server was asked.
    #[must_use]
    pub fn reply(&self) -> Reply {
        let code = match self {
            // RFC 7505 s4.2.
            NoWay::NullMx { .. } => 556,
            NoWay::NoSuchDomain { .. } => 550,
            NoWay::Ourselves { .. } => 554,
            NoWay::NoSuchDomainYet { .. }
            | NoWay::NoAddress { .. }
            | NoWay::Dns { .. }
            | NoWay::NoConnector { .. }
            | NoWay::Mailbox
            | NoWay::UnknownHop { .. } => 451,
        };
        Reply::new(code, self.status(), &self.to_string())
    }
}
