//! Looking up: what an address is.

use std::sync::Arc;

use ground_store::{Query, Row, Value};
use wire_message::{Address, Domain, DomainName};

use crate::{Directory, DirectoryError};

/// The number of an account; it never changes and is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub i64);

/// Somebody who has a mailbox here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// Its address, in lower case.
    pub address: Address,
    /// Octets its mailbox may hold; `None` for no bound.
    pub quota: Option<u64>,
}

/// How an address was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// By itself.
    Exact,
    /// Without its tag: `jo+lists@` is `jo@`.
    Subaddress,
    /// Nobody is called postmaster, so it is the first account (RFC 5321 s4.5.1).
    FirstAccount,
}

/// What an address is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A mailbox here.
    Mailbox {
        /// Whose.
        account: Account,
        /// How it was found.
        via: Via,
    },
    /// Another name for these.
    Alias {
        /// One address or more, sorted, without repetition.
        targets: Vec<Address>,
        /// How it was found.
        via: Via,
    },
    /// Nobody by that name, but the domain sends such mail to this address.
    CatchAll {
        /// The address.
        target: Address,
    },
    /// The domain is ours and has nobody by that name.
    NoSuchUser,
    /// The postmaster of a domain of ours, and there is no account at all that could be: the operator should hear of it.
    NoPostmaster,
    /// The domain is not ours.
    NotLocal,
}

/// What was asked; answers are kept by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Question {
    Domain(String),
    Address { exact: String, base: Option<String> },
}

/// One read gives one snapshot: the version with every row that the answer depends on.
/// Columns: what, key, text, number, quota. `$1` domain, `$2` the address, `$3` without its tag or NULL, `$4` whether the
/// first account is wanted.
const LOOKUP: &str = r"
SELECT 'version', '', '', n, CAST(NULL AS BIGINT) FROM directory_version WHERE id = 1
UNION ALL SELECT 'domain', name, catch_all, CAST(NULL AS BIGINT), CAST(NULL AS BIGINT) FROM domain WHERE name = $1
UNION ALL SELECT 'account', address, '', id, quota FROM account WHERE address IN ($2, $3)
UNION ALL SELECT 'alias', address, target, CAST(NULL AS BIGINT), CAST(NULL AS BIGINT) FROM alias
    WHERE address IN ($2, $3)
UNION ALL SELECT * FROM (SELECT 'first', address, '', id, quota FROM account
    WHERE $4 = 1 AND address LIKE '%@' || replace($1, '_', '\_') ESCAPE '\' ORDER BY id LIMIT 1) AS own
UNION ALL SELECT * FROM (SELECT 'any', address, '', id, quota FROM account
    WHERE $4 = 1 ORDER BY id LIMIT 1) AS whoever";

impl Directory {
    /// What `address` is. `separator` parts a mailbox from a detail (the setting `subaddress_separator`); empty: no details.
    ///
    /// # Errors
    /// When the store cannot be asked, or holds what cannot be read. Never because somebody does not exist.
    pub async fn resolve(
        &self,
        address: &Address,
        separator: &str,
    ) -> Result<Arc<Found>, DirectoryError> {
        let Domain::Name(domain) = address.domain() else {
            return Ok(Arc::new(Found::NotLocal));
        };
        let question = Question::Address {
            exact: address.key(),
            base: base(address, separator).map(|base| base.key()),
        };
        let wanted = if is_postmaster(address) {
            Postmaster::Wanted
        } else {
            Postmaster::Other
        };
        self.answer(question, domain, wanted).await
    }

    /// Whether mail for `domain` ends here. An address literal never does: the server has a name.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub async fn is_local(&self, domain: &Domain) -> Result<bool, DirectoryError> {
        let Domain::Name(domain) = domain else {
            return Ok(false);
        };
        let question = Question::Domain(domain.ascii().to_owned());
        let found = self.answer(question, domain, Postmaster::Other).await?;
        Ok(*found != Found::NotLocal)
    }

    /// What the postmaster of this server is, for mail to a bare `<postmaster>` or to the one of a host name that is no
    /// domain here (RFC 5321 s4.5.1): the postmaster of the domain that was added first.
    ///
    /// # Errors
    /// When the store cannot be asked, or holds what cannot be read.
    pub async fn postmaster(&self, separator: &str) -> Result<Arc<Found>, DirectoryError> {
        let query = Query {
            text: "SELECT name FROM domain ORDER BY created_at, name LIMIT 1".into(),
            values: Vec::new(),
        };
        let rows = self.rooms.store.read(query).await?;
        let Some(row) = rows.first() else {
            return Ok(Arc::new(Found::NoPostmaster));
        };
        let domain = read_domain(row.text(0)?)?;
        let address = Address::new("postmaster", Domain::Name(domain)).map_err(unreadable)?;
        self.resolve(&address, separator).await
    }

    async fn answer(
        &self,
        question: Question,
        domain: &DomainName,
        postmaster: Postmaster,
    ) -> Result<Arc<Found>, DirectoryError> {
        let version = self.current_version().await?;
        if let Some(found) = self.rooms.cache.get(version, &question) {
            return Ok(found);
        }
        let before = self.rooms.world.clock.instant();
        let query = Query {
            text: LOOKUP.into(),
            values: parameters(&question, domain, postmaster),
        };
        let rows = Rows::sort(&self.rooms.store.read(query).await?)?;
        let version = rows.version;
        let found = Arc::new(rows.found(&question)?);
        self.rooms.version.note(version, before);
        self.rooms.cache.put(version, question, found.clone());
        Ok(found)
    }
}

/// Whether the question is about a postmaster, who is always somebody.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Postmaster {
    Wanted,
    Other,
}

fn is_postmaster(address: &Address) -> bool {
    address.local().eq_ignore_ascii_case("postmaster")
}

fn parameters(question: &Question, domain: &DomainName, postmaster: Postmaster) -> Vec<Value> {
    let text = |text: &str| Value::Text(text.into());
    let (exact, base) = match question {
        Question::Domain(_) => (Value::Null, Value::Null),
        Question::Address { exact, base } => {
            (text(exact), base.as_deref().map_or(Value::Null, text))
        }
    };
    let first = Value::Int(i64::from(postmaster == Postmaster::Wanted));
    vec![text(domain.ascii()), exact, base, first]
}

/// The address without its tag, when it has one. A separator at the very start separates nothing.
fn base(address: &Address, separator: &str) -> Option<Address> {
    if separator.is_empty() {
        return None;
    }
    let (base, _tag) = address.local().split_once(separator)?;
    if base.is_empty() {
        return None;
    }
    Address::new(base, address.domain().clone()).ok()
}

/// The rows of one snapshot, by what they are.
struct Rows {
    version: i64,
    domain: Option<Option<Address>>,
    accounts: Vec<(String, Account)>,
    aliases: Vec<(String, Address)>,
    first: Option<Account>,
    any: Option<Account>,
}

impl Rows {
    fn sort(rows: &[Row]) -> Result<Self, DirectoryError> {
        let mut sorted = Self {
            version: 0,
            domain: None,
            accounts: Vec::new(),
            aliases: Vec::new(),
            first: None,
            any: None,
        };
        for row in rows {
            let key = row.text(1)?;
            match row.text(0)? {
                "version" => sorted.version = row.int(3)?,
                "domain" => {
                    sorted.domain = Some(row.optional_text(2)?.map(read_address).transpose()?);
                }
                "account" => sorted.accounts.push((key.to_owned(), read_account(row)?)),
                "alias" => {
                    let target = read_address(row.text(2)?)?;
                    sorted.aliases.push((key.to_owned(), target));
                }
                "first" => sorted.first = Some(read_account(row)?),
                "any" => sorted.any = Some(read_account(row)?),
                other => {
                    return Err(DirectoryError::Damaged(format!("a row of kind {other}")));
                }
            }
        }
        Ok(sorted)
    }

    fn found(mut self, question: &Question) -> Result<Found, DirectoryError> {
        let Some(catch_all) = self.domain.take() else {
            return Ok(Found::NotLocal);
        };
        let Question::Address { exact, base } = question else {
            return Ok(Found::NoSuchUser);
        };
        if let Some(found) = self.named(exact, Via::Exact) {
            return Ok(found);
        }
        if let Some(found) = base
            .as_deref()
            .and_then(|base| self.named(base, Via::Subaddress))
        {
            return Ok(found);
        }
        if let Some(target) = catch_all {
            return Ok(Found::CatchAll { target });
        }
        Ok(self.nobody_or_postmaster(exact))
    }

    /// The account or alias of exactly this key.
    fn named(&mut self, key: &str, via: Via) -> Option<Found> {
        let at = self.accounts.iter().position(|(address, _)| address == key);
        if let Some(at) = at {
            let (_, account) = self.accounts.swap_remove(at);
            return Some(Found::Mailbox { account, via });
        }
        let mut targets: Vec<Address> = self
            .aliases
            .iter()
            .filter(|(address, _)| address == key)
            .map(|(_, target)| target.clone())
            .collect();
        targets.sort();
        (!targets.is_empty()).then_some(Found::Alias { targets, via })
    }

    fn nobody_or_postmaster(self, exact: &str) -> Found {
        if !exact.starts_with("postmaster@") {
            return Found::NoSuchUser;
        }
        match self.first.or(self.any) {
            Some(account) => Found::Mailbox {
                account,
                via: Via::FirstAccount,
            },
            None => Found::NoPostmaster,
        }
    }
}

fn read_account(row: &Row) -> Result<Account, DirectoryError> {
    let quota = row.optional_int(4)?;
    Ok(Account {
        id: AccountId(row.int(3)?),
        address: read_address(row.text(1)?)?,
        quota: quota.map(|octets| u64::try_from(octets).unwrap_or(0)),
    })
}

pub(crate) fn read_address(text: &str) -> Result<Address, DirectoryError> {
    Address::parse(text)
        .map_err(|error| DirectoryError::Damaged(format!("the address {text:?}: {error}")))
}

pub(crate) fn read_domain(text: &str) -> Result<DomainName, DirectoryError> {
    DomainName::parse(text)
        .map_err(|error| DirectoryError::Damaged(format!("the domain {text:?}: {error}")))
}

fn unreadable(error: wire_message::address::AddressError) -> DirectoryError {
    DirectoryError::Damaged(error.to_string())
}
