//! Changing: each change is data, checked by its own unit, so that two operators at once cannot break a rule.

use std::fmt;

use ground_store::{Sql, StoreError, Unit, Value};
use wire_message::{Address, Domain, DomainName};

use crate::{Directory, DirectoryError, version};

mod account;
mod alias;
mod domain;

/// Targets of one alias at most; what an expansion may reach in all is the categorizer's limit, and no larger.
pub const ALIAS_TARGETS_MAX: usize = 1000;

/// How an account logs in.
#[derive(Clone, PartialEq, Eq)]
pub enum NewPassword {
    /// With this password.
    Set(String),
    /// Not at all: it takes mail only.
    NoLogin,
}

/// Never shows the password.
impl fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NewPassword::Set(_) => "Set(..)",
            NewPassword::NoLogin => "NoLogin",
        })
    }
}

/// One change of the directory. Displayed, it is the sentence that stands in the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Takes a domain in.
    AddDomain {
        /// Its name.
        name: DomainName,
    },
    /// Lets a domain go that has no accounts and no aliases any more.
    RemoveDomain {
        /// Its name.
        name: DomainName,
    },
    /// Sends mail for unknown names of a domain to an address, or refuses it again.
    SetCatchAll {
        /// The domain.
        name: DomainName,
        /// The address; `None` refuses unknown names.
        target: Option<Address>,
    },
    /// Makes an account in a domain that is here.
    AddAccount {
        /// Its address.
        address: Address,
        /// How it logs in.
        password: NewPassword,
        /// Octets its mailbox may hold; `None` for no bound.
        quota: Option<u64>,
    },
    /// Removes an account that has no mail any more.
    RemoveAccount {
        /// Its address.
        address: Address,
    },
    /// Changes how an account logs in.
    SetPassword {
        /// Its address.
        address: Address,
        /// How it logs in from now on.
        password: NewPassword,
    },
    /// Changes how much an account's mailbox may hold.
    SetQuota {
        /// Its address.
        address: Address,
        /// Octets; `None` for no bound.
        quota: Option<u64>,
    },
    /// Lets an address stand for others; adds to the targets it has. A target that is there already is no error.
    AddAlias {
        /// The address, in a domain that is here.
        address: Address,
        /// The targets, anywhere.
        targets: Vec<Address>,
    },
    /// Removes targets of an alias; with none named, all of them. Without targets the alias is gone.
    RemoveAlias {
        /// The address.
        address: Address,
        /// The targets to remove; each must be there.
        targets: Vec<Address>,
    },
}

/// The writes of a change, after the statement that moves the version.
struct Plan {
    unit: Unit,
}

impl Plan {
    fn new() -> Self {
        let mut unit = Unit::new();
        unit.write_exactly(1, version::MOVE, Vec::new());
        Self { unit }
    }

    fn exactly_one(mut self, sql: Sql, values: Vec<Value>) -> Self {
        self.unit.write_exactly(1, sql, values);
        self
    }

    fn and(mut self, sql: Sql, values: Vec<Value>) -> Self {
        self.unit.write(sql, values);
        self
    }
}

impl Directory {
    /// Makes `change` and everything of `also` in one unit, or nothing at all. This node sees it at once.
    ///
    /// `also` is for rows of other floors that belong to it: the event that records who did it and why, the mailbox that
    /// goes with its account.
    ///
    /// # Errors
    /// What stands in the way, with what to do about it; nothing is stored then. A conflict inside `also` comes as
    /// [`StoreError::Conflict`].
    pub async fn apply(&self, change: &Change, also: Unit) -> Result<(), DirectoryError> {
        let plan = self.plan(change).await?;
        // What goes along is written first: a mailbox is emptied before its account may go.
        let mut unit = also;
        unit.join(plan.unit);
        match self.rooms.store.write(unit).await {
            Ok(done) => {
                self.note_own_change(&done);
                Ok(())
            }
            Err(conflict @ StoreError::Conflict(_)) => {
                Err(self.obstacle(change).await?.unwrap_or(conflict.into()))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn plan(&self, change: &Change) -> Result<Plan, DirectoryError> {
        let now = self.rooms.world.clock.now().as_millis();
        Ok(match change {
            Change::AddDomain { name } => domain::add(name, now),
            Change::RemoveDomain { name } => domain::remove(name),
            Change::SetCatchAll { name, target } => domain::set_catch_all(name, target.as_ref()),
            Change::AddAccount {
                address,
                password,
                quota,
            } => {
                let domain = home(address)?;
                let hash = self.stored(password).await?;
                account::add(address, domain, hash, *quota, now)
            }
            Change::RemoveAccount { address } => account::remove(address),
            Change::SetPassword { address, password } => {
                let hash = self.stored(password).await?;
                account::set_password(address, hash)
            }
            Change::SetQuota { address, quota } => account::set_quota(address, *quota),
            Change::AddAlias { address, targets } => {
                alias::add(address, home(address)?, targets, now)?
            }
            Change::RemoveAlias { address, targets } => alias::remove(address, targets),
        })
    }

    /// Why the unit of `change` met a conflict; `None` when nothing of the directory stands in its way (any more).
    async fn obstacle(&self, change: &Change) -> Result<Option<DirectoryError>, DirectoryError> {
        match change {
            Change::AddDomain { name }
            | Change::RemoveDomain { name }
            | Change::SetCatchAll { name, .. } => self.domain_obstacle(change, name).await,
            Change::AddAccount { address, .. }
            | Change::RemoveAccount { address }
            | Change::SetPassword { address, .. }
            | Change::SetQuota { address, .. } => self.account_obstacle(change, address).await,
            Change::AddAlias { address, .. } => self.alias_obstacle(address).await,
            Change::RemoveAlias { address, targets } => self.missing_alias(address, targets).await,
        }
    }

    /// Looks at the newest version, so that the next lookup does not answer from before the change.
    fn note_own_change(&self, done: &ground_store::Done) {
        let now = self.rooms.world.clock.instant();
        let moved = done.returned.iter().flatten().next_back();
        if let Some(Ok(n)) = moved.map(|row| row.int(0)) {
            self.rooms.version.note(n, now);
        }
    }

    pub(crate) async fn stored(&self, password: &NewPassword) -> Result<String, DirectoryError> {
        match password {
            NewPassword::Set(password) => self.hash(password).await,
            NewPassword::NoLogin => Ok(String::new()),
        }
    }
}

/// The domain name of a local address.
fn home(address: &Address) -> Result<&DomainName, DirectoryError> {
    match address.domain() {
        Domain::Name(name) => Ok(name),
        Domain::Literal(_) => Err(DirectoryError::LiteralDomain {
            address: address.to_string(),
        }),
    }
}

fn text(text: impl AsRef<str>) -> Value {
    Value::Text(text.as_ref().into())
}

fn quota_value(quota: Option<u64>) -> Value {
    quota.map_or(Value::Null, |octets| {
        Value::Int(i64::try_from(octets).unwrap_or(i64::MAX))
    })
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::AddDomain { name } => write!(f, "domain {name} added"),
            Change::RemoveDomain { name } => write!(f, "domain {name} removed"),
            Change::SetCatchAll { name, target } => match target {
                Some(target) => write!(f, "catch-all of {name} set to {target}"),
                None => write!(f, "catch-all of {name} removed"),
            },
            Change::AddAccount { address, .. } => write!(f, "account {address} added"),
            Change::RemoveAccount { address } => write!(f, "account {address} removed"),
            Change::SetPassword { address, .. } => write!(f, "password of {address} changed"),
            Change::SetQuota { address, quota } => match quota {
                Some(octets) => write!(f, "quota of {address} set to {octets} octets"),
                None => write!(f, "quota of {address} removed"),
            },
            Change::AddAlias { address, targets } => {
                write!(f, "alias {address} added for {}", Targets(targets))
            }
            Change::RemoveAlias { address, targets } if targets.is_empty() => {
                write!(f, "alias {address} removed")
            }
            Change::RemoveAlias { address, targets } => {
                write!(f, "alias {address} removed for {}", Targets(targets))
            }
        }
    }
}

/// Targets as they stand in the history: some of them, and how many more.
struct Targets<'a>(&'a [Address]);

impl fmt::Display for Targets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 10;
        for (at, target) in self.0.iter().take(SHOWN).enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{target}")?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
