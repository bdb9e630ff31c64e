//! What the directory refuses or cannot do, and whose move it is.

use ground_store::StoreError;
use thiserror::Error;

use crate::operator;

/// A question without an answer, or a change that was not made. Nothing is stored when a change fails.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// The operator's move: name an existing domain, or add it first.
    #[error("the domain {domain} is not here; add it with: postrider domain add {domain}")]
    NoSuchDomain {
        /// The domain that was named.
        domain: String,
    },
    /// The operator's move: it is there already, nothing to do.
    #[error("the domain {domain} is here already")]
    DomainExists {
        /// The domain that was named.
        domain: String,
    },
    /// The operator's move: remove these first.
    #[error("the domain {domain} still has {}; remove them first", still(*.accounts, *.aliases, named))]
    DomainInUse {
        /// The domain that was to go.
        domain: String,
        /// Accounts in it.
        accounts: u64,
        /// Aliases in it.
        aliases: u64,
        /// Some of their addresses.
        named: Vec<String>,
    },
    /// The operator's move: name an existing account.
    #[error("there is no account {address}; see: postrider account list")]
    NoSuchAccount {
        /// The address that was named.
        address: String,
    },
    /// The operator's move: it is there already.
    #[error("the account {address} is here already; to change it, set its password or quota")]
    AccountExists {
        /// The address that was named.
        address: String,
    },
    /// The operator's move: an address is an account or an alias, never both.
    #[error("{address} is an alias already; remove the alias first")]
    AddressIsAlias {
        /// The address that was named.
        address: String,
    },
    /// The operator's move: an address is an account or an alias, never both.
    #[error(
        "{address} is an account already; remove the account first, or choose another address for the alias"
    )]
    AddressIsAccount {
        /// The address that was named.
        address: String,
    },
    /// The operator's move: its mail goes with it, or must be taken out first.
    #[error(
        "the account {address} still has mail (messages: {messages}, folders: {folders}); to remove that too: postrider account remove {address} --with-mail"
    )]
    AccountHasMail {
        /// The account that was to go.
        address: String,
        /// Its folders.
        folders: u64,
        /// The messages in them.
        messages: u64,
    },
    /// The operator's move: name an existing alias.
    #[error("there is no such alias {alias}; see: postrider alias list")]
    NoSuchAlias {
        /// The address, and the target when one was named.
        alias: String,
    },
    /// The operator's move: leave out targets, or nest aliases.
    #[error(
        "the alias {address} would have more than {limit} targets; spread them over several aliases"
    )]
    TooManyTargets {
        /// The alias.
        address: String,
        /// The limit.
        limit: usize,
    },
    /// The operator's move: an alias without targets, or one that points only at itself, takes no mail.
    #[error("the alias {address} needs a target other than itself")]
    NoTarget {
        /// The alias.
        address: String,
    },
    /// The operator's move: name an existing operator.
    #[error("there is no operator {name}; see: postrider operator list")]
    NoSuchOperator {
        /// The name.
        name: operator::Name,
    },
    /// The operator's move: it is there already.
    #[error("the operator {name} is here already; to change it, set its password or rights")]
    OperatorExists {
        /// The name.
        name: operator::Name,
    },
    /// The operator's move: ask for a code generator first.
    #[error(
        "no code generator waits to be confirmed for {name}; begin with: postrider operator totp {name}"
    )]
    NothingOffered {
        /// The operator.
        name: operator::Name,
    },
    /// The operator's move: another code, or clocks that agree.
    #[error(
        "the code is not right; wait for the next one, and see that the clocks of this server and of the code generator agree"
    )]
    WrongCode,
    /// The operator's move: name an existing token.
    #[error("there is no token {name}; see: postrider token list")]
    NoSuchToken {
        /// The name.
        name: operator::Name,
    },
    /// The operator's move: another name, or remove the old one.
    #[error("the token {name} is here already; remove it first, or choose another name")]
    TokenExists {
        /// The name.
        name: operator::Name,
    },
    /// The operator's move: a password that can be typed and checked.
    #[error("the password {0}")]
    BadPassword(&'static str),
    /// The operator's move: a local account has a domain name, not an address literal.
    #[error(
        "{address} has an address literal for a domain; an account or alias needs a domain name"
    )]
    LiteralDomain {
        /// The address that was named.
        address: String,
    },
    /// Time's move: too many passwords are being checked.
    #[error("too many passwords are waiting to be checked; try again in a moment")]
    Busy,
    /// The operator's move: the system has no randomness to make a secret of.
    #[error("no secret could be made: {0}")]
    NoChance(String),
    /// Ours: the hashing of a password failed.
    #[error("the password could not be hashed: {0}")]
    Hashing(String),
    /// The operator's move: a row is not what it should be.
    #[error("the directory is damaged: {0}; see: postrider inspect")]
    Damaged(String),
    /// The store's answer, with its own mover.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn counted(count: u64, one: &str, many: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {many}"),
    }
}

fn still(accounts: u64, aliases: u64, named: &[String]) -> String {
    let mut parts = Vec::new();
    if accounts > 0 {
        parts.push(counted(accounts, "account", "accounts"));
    }
    if aliases > 0 {
        parts.push(counted(aliases, "alias", "aliases"));
    }
    let more = accounts
        .saturating_add(aliases)
        .saturating_sub(named.len() as u64);
    let tail = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{} ({}{tail})", parts.join(" and "), named.join(", "))
}
