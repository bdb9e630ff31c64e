//! Changes of aliases.

use std::collections::BTreeSet;

use ground_store::{Query, Sql};
use wire_message::{Address, DomainName};

use super::account::Standing;
use super::{ALIAS_TARGETS_MAX, Plan, text};
use crate::{Directory, DirectoryError};

/// Says that an alias may stand at `$1` in the domain `$2`, by changing one row: whoever adds nothing but known targets
/// changes no alias row, and must be told all the same when the address is not free.
const MAY_STAND: Sql = Sql::new(
    "UPDATE domain SET name = name
     WHERE name = $2 AND NOT EXISTS (SELECT 1 FROM account WHERE address = $1)",
);

const ADD: Sql = Sql::new(
    "INSERT INTO alias (address, target, created_at) VALUES ($1, $2, $3) ON CONFLICT (address, target) DO NOTHING",
);

/// Says that the alias `$1` has no more than `$3` targets, by changing one row.
const NOT_TOO_MANY: Sql = Sql::new(
    "UPDATE domain SET name = name WHERE name = $2 AND (SELECT count(*) FROM alias WHERE address = $1) <= $3",
);

const REMOVE: Sql = Sql::new("DELETE FROM alias WHERE address = $1 AND target = $2");

/// Removes an alias with all its targets.
const REMOVE_ALL: Sql = Sql::new("DELETE FROM alias WHERE address = $1");

/// Says that the alias `$1` is there, by changing one row.
const IS_THERE: Sql = Sql::new(
    "UPDATE directory_version SET n = n WHERE id = 1 AND EXISTS (SELECT 1 FROM alias WHERE address = $1)",
);

pub(super) fn add(
    address: &Address,
    domain: &DomainName,
    targets: &[Address],
    now: i64,
) -> Result<Plan, DirectoryError> {
    let key = address.key();
    let targets: BTreeSet<String> = targets.iter().map(Address::key).collect();
    if targets.is_empty() || (targets.len() == 1 && targets.contains(&key)) {
        return Err(DirectoryError::NoTarget {
            address: address.to_string(),
        });
    }
    let place = || vec![text(&key), text(domain.ascii())];
    let mut plan = Plan::new().exactly_one(MAY_STAND, place());
    for target in targets {
        let values = vec![text(&key), text(target), now.into()];
        plan.unit.write(ADD, values);
    }
    let mut bound = place();
    bound.push(i64::try_from(ALIAS_TARGETS_MAX).unwrap_or(i64::MAX).into());
    Ok(plan.exactly_one(NOT_TOO_MANY, bound))
}

pub(super) fn remove(address: &Address, targets: &[Address]) -> Plan {
    let key = address.key();
    let mut plan = Plan::new();
    if targets.is_empty() {
        plan = plan.exactly_one(IS_THERE, vec![text(&key)]);
        plan.unit.write(REMOVE_ALL, vec![text(&key)]);
        return plan;
    }
    let targets: BTreeSet<String> = targets.iter().map(Address::key).collect();
    for target in targets {
        plan = plan.exactly_one(REMOVE, vec![text(&key), text(target)]);
    }
    plan
}

impl Directory {
    /// Why an alias was not added.
    pub(super) async fn alias_obstacle(
        &self,
        address: &Address,
    ) -> Result<Option<DirectoryError>, DirectoryError> {
        let named = address.to_string();
        if let Some(missing) = self.missing_domain(address).await? {
            return Ok(Some(missing));
        }
        Ok(Some(match self.standing(address).await? {
            Standing::Account { .. } => DirectoryError::AddressIsAccount { address: named },
            // Nothing else is in the way of an alias but its size.
            Standing::Alias | Standing::Nothing => DirectoryError::TooManyTargets {
                address: named,
                limit: ALIAS_TARGETS_MAX,
            },
        }))
    }

    /// Which of the aliases that were to go is not there.
    pub(super) async fn missing_alias(
        &self,
        address: &Address,
        targets: &[Address],
    ) -> Result<Option<DirectoryError>, DirectoryError> {
        let query = Query {
            text: "SELECT target FROM alias WHERE address = $1".into(),
            values: vec![text(address.key())],
        };
        let mut there = BTreeSet::new();
        for row in self.rooms.store.read(query).await? {
            there.insert(row.text(0)?.to_owned());
        }
        if there.is_empty() {
            let alias = address.to_string();
            return Ok(Some(DirectoryError::NoSuchAlias { alias }));
        }
        let missing = targets.iter().find(|target| !there.contains(&target.key()));
        Ok(missing.map(|target| DirectoryError::NoSuchAlias {
            alias: format!("{address} for {target}"),
        }))
    }
}
