//! Changes of domains.

use ground_store::{Query, Sql};
use wire_message::{Address, DomainName};

use super::{Change, Plan, text};
use crate::{Directory, DirectoryError};

/// Addresses named when a domain cannot go: enough to see what is meant.
const NAMED: usize = 10;

const ADD: Sql = Sql::new(
    "INSERT INTO domain (name, catch_all, created_at) VALUES ($1, NULL, $2) ON CONFLICT (name) DO NOTHING",
);

const REMOVE: Sql = Sql::new(
    r"DELETE FROM domain WHERE name = $1
      AND NOT EXISTS (SELECT 1 FROM account WHERE address LIKE '%@' || replace($1, '_', '\_') ESCAPE '\')
      AND NOT EXISTS (SELECT 1 FROM alias WHERE address LIKE '%@' || replace($1, '_', '\_') ESCAPE '\')",
);

const SET_CATCH_ALL: Sql = Sql::new("UPDATE domain SET catch_all = $2 WHERE name = $1");

/// Who is in a domain; columns: kind, address.
const INSIDE: &str = r"
SELECT 'account', address FROM account WHERE address LIKE '%@' || replace($1, '_', '\_') ESCAPE '\'
UNION ALL
SELECT DISTINCT 'alias', address FROM alias WHERE address LIKE '%@' || replace($1, '_', '\_') ESCAPE '\'
ORDER BY 1, 2";

pub(super) fn add(name: &DomainName, now: i64) -> Plan {
    Plan::new().exactly_one(ADD, vec![text(name.ascii()), now.into()])
}

pub(super) fn remove(name: &DomainName) -> Plan {
    Plan::new().exactly_one(REMOVE, vec![text(name.ascii())])
}

pub(super) fn set_catch_all(name: &DomainName, target: Option<&Address>) -> Plan {
    let target = target.map_or(ground_store::Value::Null, |target| text(target.key()));
    Plan::new().exactly_one(SET_CATCH_ALL, vec![text(name.ascii()), target])
}

impl Directory {
    /// Why a change of a domain was not made.
    pub(super) async fn domain_obstacle(
        &self,
        change: &Change,
        name: &DomainName,
    ) -> Result<Option<DirectoryError>, DirectoryError> {
        let domain = name.to_string();
        let here = self.has_domain(name).await?;
        if let Change::AddDomain { .. } = change {
            return Ok(here.then_some(DirectoryError::DomainExists { domain }));
        }
        if !here {
            return Ok(Some(DirectoryError::NoSuchDomain { domain }));
        }
        let query = Query {
            text: INSIDE.into(),
            values: vec![text(name.ascii())],
        };
        let (mut accounts, mut aliases, mut named) = (0, 0, Vec::new());
        for row in self.rooms.store.read(query).await? {
            match row.text(0)? {
                "account" => accounts += 1,
                _ => aliases += 1,
            }
            if named.len() < NAMED {
                named.push(row.text(1)?.to_owned());
            }
        }
        let occupied = accounts + aliases > 0;
        Ok(occupied.then_some(DirectoryError::DomainInUse {
            domain,
            accounts,
            aliases,
            named,
        }))
    }

    /// Whether the domain is here, read from the store and not from the cache.
    pub(super) async fn has_domain(&self, name: &DomainName) -> Result<bool, DirectoryError> {
        let query = Query {
            text: "SELECT 1 FROM domain WHERE name = $1".into(),
            values: vec![text(name.ascii())],
        };
        Ok(!self.rooms.store.read(query).await?.is_empty())
    }
}
