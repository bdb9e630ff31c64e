//! The directory's promises, on a store of the engine that the run is about and a simulated world.

use std::time::Duration;

use ground_store::contract::fresh;
use ground_store::{Query, Sql, Unit};
use ground_world::Simulation;
use wire_message::{Address, Domain, DomainName};

use super::*;

pub(crate) struct House {
    pub(crate) world: World,
    pub(crate) simulation: Simulation,
    pub(crate) store: Store,
    pub(crate) directory: Directory,
}

/// Cheap hashes, or the tests would do little else.
pub(crate) const CHEAP: PasswordCost = PasswordCost {
    memory_kib: 8,
    passes: 1,
};

pub(crate) async fn house() -> House {
    let (world, simulation) = World::simulated(1);
    let store = fresh(&world).await.unwrap();
    let directory = another(&store, &world);
    House {
        world,
        simulation,
        store,
        directory,
    }
}

/// Another node on the same store.
fn another(store: &Store, world: &World) -> Directory {
    let options = Options {
        verifiers: 2,
        cost: CHEAP,
    };
    Directory::open(store.clone(), world.clone(), &options)
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

pub(crate) fn account(text: &str) -> Change {
    Change::AddAccount {
        address: address(text),
        password: NewPassword::NoLogin,
        quota: None,
    }
}

fn alias(from: &str, targets: &[&str]) -> Change {
    Change::AddAlias {
        address: address(from),
        targets: targets.iter().map(|text| address(text)).collect(),
    }
}

pub(crate) fn domain(text: &str) -> Change {
    Change::AddDomain { name: name(text) }
}

fn catch_all(domain: &str, target: Option<&str>) -> Change {
    Change::SetCatchAll {
        name: name(domain),
        target: target.map(address),
    }
}

impl House {
    pub(crate) async fn make(&self, changes: impl IntoIterator<Item = Change>) {
        for change in changes {
            let made = self.directory.apply(&change, Unit::new()).await;
            made.unwrap_or_else(|error| panic!("{change}: {error}"));
        }
    }

    async fn refused(&self, change: Change) -> String {
        let before = self.version().await;
        let refused = self.directory.apply(&change, Unit::new()).await;
        assert_eq!(
            self.version().await,
            before,
            "a refused change stores nothing"
        );
        refused.unwrap_err().to_string()
    }

    async fn version(&self) -> i64 {
        let query = Query::new("SELECT n FROM directory_version", Vec::new());
        self.store.read(query).await.unwrap()[0].int(0).unwrap()
    }
}

/// What was found, in short.
async fn resolve(directory: &Directory, text: &str) -> String {
    let found = directory.resolve(&address(text), "+").await.unwrap();
    match &*found {
        Found::Mailbox { account, via } => format!("mailbox {} {via:?}", account.address),
        Found::Alias { targets, via } => format!("alias {targets:?} {via:?}"),
        Found::CatchAll { target } => format!("catch-all {target}"),
        Found::NoSuchUser => "nobody".to_owned(),
        Found::NoPostmaster => "no postmaster".to_owned(),
        Found::NotLocal => "not local".to_owned(),
    }
}

async fn resolves(house: &House, table: &[(&str, &str)]) {
    // Twice: from the store, then from the cache.
    for _ in 0..2 {
        for (asked, wanted) in table {
            assert_eq!(&resolve(&house.directory, asked).await, wanted, "{asked}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_is_a_mailbox_an_alias_caught_nobody_or_not_local() {
    let house = house().await;
    house
        .make([
            domain("here.test"),
            domain("caught.test"),
            account("Jo@here.test"),
            account("jo+real@here.test"),
            alias("team@here.test", &["jo@here.test", "ada@far.test"]),
            catch_all("caught.test", Some("jo@here.test")),
        ])
        .await;
    let team = "alias [Address(ada@far.test), Address(jo@here.test)]";
    resolves(
        &house,
        &[
            ("jo@here.test", "mailbox jo@here.test Exact"),
            ("JO@HERE.test", "mailbox jo@here.test Exact"),
            ("jo+lists@here.test", "mailbox jo@here.test Subaddress"),
            ("jo+real@here.test", "mailbox jo+real@here.test Exact"),
            ("jo+real+x@here.test", "mailbox jo@here.test Subaddress"),
            ("+jo@here.test", "nobody"),
            ("team@here.test", &format!("{team} Exact")),
            ("team+x@here.test", &format!("{team} Subaddress")),
            ("ada@here.test", "nobody"),
            ("ada@caught.test", "catch-all jo@here.test"),
            ("ada@far.test", "not local"),
            ("ada@sub.here.test", "not local"),
            ("ada@[192.0.2.1]", "not local"),
        ],
    )
    .await;
    let without = house
        .directory
        .resolve(&address("jo+lists@here.test"), "")
        .await;
    assert_eq!(*without.unwrap(), Found::NoSuchUser);
    for (text, local) in [
        ("here.test", true),
        ("HERE.test", true),
        ("far.test", false),
        ("[192.0.2.1]", false),
    ] {
        let domain = Domain::parse(text).unwrap();
        assert_eq!(
            house.directory.is_local(&domain).await.unwrap(),
            local,
            "{text}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_postmaster_of_a_local_domain_is_always_somebody() {
    let house = house().await;
    assert_eq!(
        *house.directory.postmaster("+").await.unwrap(),
        Found::NoPostmaster
    );
    house.make([domain("a_b.test"), domain("axb.test")]).await;
    resolves(&house, &[("postmaster@a_b.test", "no postmaster")]).await;
    house
        .make([
            account("x@axb.test"),
            account("jo@a_b.test"),
            account("ada@a_b.test"),
        ])
        .await;
    resolves(
        &house,
        &[("Postmaster@a_b.test", "mailbox jo@a_b.test FirstAccount")],
    )
    .await;
    // The domain's own first, else the server's.
    house
        .make([Change::RemoveAccount {
            address: address("jo@a_b.test"),
        }])
        .await;
    resolves(
        &house,
        &[("postmaster@a_b.test", "mailbox ada@a_b.test FirstAccount")],
    )
    .await;
    house
        .make([Change::RemoveAccount {
            address: address("ada@a_b.test"),
        }])
        .await;
    resolves(
        &house,
        &[("postmaster@a_b.test", "mailbox x@axb.test FirstAccount")],
    )
    .await;
    house
        .make([catch_all("a_b.test", Some("boss@far.test"))])
        .await;
    resolves(
        &house,
        &[("postmaster@a_b.test", "catch-all boss@far.test")],
    )
    .await;
    house
        .make([alias("postmaster@a_b.test", &["x@axb.test"])])
        .await;
    let named = "alias [Address(x@axb.test)] Exact";
    resolves(
        &house,
        &[
            ("postmaster@a_b.test", named),
            ("postmaster@far.test", "not local"),
        ],
    )
    .await;
    let site = house.directory.postmaster("+").await.unwrap();
    assert!(matches!(&*site, Found::Alias { .. }), "{site:?}");
}

#[tokio::test(start_paused = true)]
async fn own_changes_are_seen_at_once_and_others_within_a_second() {
    let house = house().await;
    let other = another(&house.store, &house.world);
    house.make([domain("here.test")]).await;
    assert_eq!(resolve(&house.directory, "jo@here.test").await, "nobody");
    assert_eq!(resolve(&other, "jo@here.test").await, "nobody");
    house.make([account("jo@here.test")]).await;
    let found = "mailbox jo@here.test Exact";
    assert_eq!(resolve(&house.directory, "jo@here.test").await, found);
    assert_eq!(
        resolve(&other, "jo@here.test").await,
        "nobody",
        "still cached"
    );
    house.world.clock.sleep(VERSION_RECHECK).await;
    assert_eq!(resolve(&other, "jo@here.test").await, found);
}

#[tokio::test(start_paused = true)]
async fn an_answer_from_the_cache_asks_the_store_nothing_but_the_version() {
    let house = house().await;
    house
        .make([domain("here.test"), account("jo@here.test")])
        .await;
    resolve(&house.directory, "jo@here.test").await;
    // Behind the directory's back, without a new version: only the cache can answer so.
    let mut unit = Unit::new();
    unit.write_exactly(1, Sql::new("DELETE FROM account"), Vec::new());
    house.store.write(unit).await.unwrap();
    house.world.clock.sleep(Duration::from_secs(60)).await;
    assert_eq!(
        resolve(&house.directory, "jo@here.test").await,
        "mailbox jo@here.test Exact"
    );
    house.make([account("ada@here.test")]).await;
    assert_eq!(resolve(&house.directory, "jo@here.test").await, "nobody");
}

#[tokio::test(start_paused = true)]
async fn a_change_that_cannot_be_says_what_stands_in_its_way() {
    let house = house().await;
    house
        .make([
            domain("here.test"),
            account("jo@here.test"),
            alias("team@here.test", &["jo@here.test", "ada@far.test"]),
        ])
        .await;
    let remove = |text| Change::RemoveAccount {
        address: address(text),
    };
    let unalias = |from, targets: &[&str]| Change::RemoveAlias {
        address: address(from),
        targets: targets.iter().map(|text| address(text)).collect(),
    };
    for (change, words) in [
        (domain("HERE.test"), "the domain here.test is here already"),
        (
            Change::RemoveDomain {
                name: name("far.test"),
            },
            "the domain far.test is not here",
        ),
        (
            Change::RemoveDomain {
                name: name("here.test"),
            },
            "still has 1 account and 1 alias (jo@here.test, team@here.test)",
        ),
        (
            catch_all("far.test", None),
            "the domain far.test is not here",
        ),
        (account("ada@far.test"), "postrider domain add far.test"),
        (
            account("JO@here.test"),
            "the account JO@here.test is here already",
        ),
        (
            account("team@here.test"),
            "team@here.test is an alias already",
        ),
        (account("x@[192.0.2.1]"), "address literal"),
        (remove("ada@here.test"), "there is no account ada@here.test"),
        (
            remove("team@here.test"),
            "there is no account team@here.test",
        ),
        (
            alias("jo@here.test", &["a@far.test"]),
            "jo@here.test is an account already",
        ),
        (
            alias("x@far.test", &["a@far.test"]),
            "the domain far.test is not here",
        ),
        (alias("x@here.test", &[]), "needs a target"),
        (alias("x@here.test", &["X@here.test"]), "needs a target"),
        (unalias("x@here.test", &[]), "no such alias x@here.test"),
        (
            unalias("team@here.test", &["x@far.test"]),
            "team@here.test for x@far.test",
        ),
        (
            Change::SetQuota {
                address: address("ada@here.test"),
                quota: None,
            },
            "there is no account ada@here.test",
        ),
    ] {
        let told = change.to_string();
        let refused = house.refused(change).await;
        assert!(refused.contains(words), "{told}: {refused}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_alias_has_a_bound_however_it_grows() {
    let house = house().await;
    house.make([domain("here.test")]).await;
    let target = |n: usize| format!("a{n}@far.test");
    let some = |range: std::ops::Range<usize>| {
        let targets: Vec<String> = range.map(target).collect();
        alias(
            "all@here.test",
            &targets.iter().map(String::as_str).collect::<Vec<_>>(),
        )
    };
    house.make([some(0..600), some(400..1000)]).await;
    let refused = house.refused(some(999..1001)).await;
    assert!(refused.contains("more than 1000 targets"), "{refused}");
    let shown = house
        .directory
        .show_alias(&address("all@here.test"))
        .await
        .unwrap();
    assert_eq!(shown.targets.len(), ALIAS_TARGETS_MAX);
    house
        .make([Change::RemoveAlias {
            address: address("all@here.test"),
            targets: Vec::new(),
        }])
        .await;
    resolves(&house, &[("all@here.test", "nobody")]).await;
}

#[tokio::test(start_paused = true)]
async fn what_goes_along_with_a_change_happens_with_it_or_not_at_all() {
    let house = house().await;
    let mut along = Unit::new();
    let insert = Sql::new(
        "INSERT INTO alias (address, target, created_at) VALUES ('x@y.test', 'z@y.test', 1)",
    );
    along.write_exactly(1, insert, Vec::new());
    let far = account("jo@far.test");
    house
        .directory
        .apply(&far, along.clone())
        .await
        .unwrap_err();
    assert!(
        house
            .directory
            .aliases(&Page::default())
            .await
            .unwrap()
            .is_empty()
    );
    house
        .directory
        .apply(&domain("here.test"), along)
        .await
        .unwrap();
    assert_eq!(
        house
            .directory
            .aliases(&Page::default())
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn the_number_of_a_removed_account_never_names_another() {
    let house = house().await;
    house.make([domain("here.test")]).await;
    let mut numbers = std::collections::BTreeSet::new();
    for who in ["jo@here.test", "ada@here.test", "jo@here.test"] {
        house.make([account(who)]).await;
        let shown = house.directory.show_account(&address(who)).await;
        assert!(numbers.insert(shown.unwrap().id), "{numbers:?}");
        let address = address(who);
        house.make([Change::RemoveAccount { address }]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn listings_come_in_order_and_in_pages() {
    let house = house().await;
    house
        .make([
            domain("b.test"),
            domain("a.test"),
            account("z@a.test"),
            account("b@a.test"),
            alias("t@b.test", &["y@far.test", "x@far.test"]),
            alias("s@b.test", &["y@far.test"]),
            catch_all("b.test", Some("z@a.test")),
            Change::SetQuota {
                address: address("z@a.test"),
                quota: Some(5),
            },
        ])
        .await;
    let page = Page {
        after: "a.test".to_owned(),
        limit: 10,
    };
    let domains = house.directory.domains(&page).await.unwrap();
    assert_eq!(domains.len(), 1);
    assert_eq!(domains[0].catch_all, Some(address("z@a.test")));
    let page = Page {
        after: String::new(),
        limit: 1,
    };
    let accounts = house.directory.accounts(&page).await.unwrap();
    assert_eq!(accounts[0].address, address("b@a.test"));
    assert_eq!(accounts[0].login, MayLogIn::No);
    let shown = house
        .directory
        .show_account(&address("Z@a.test"))
        .await
        .unwrap();
    assert_eq!(
        (shown.quota, shown.created_at),
        (Some(5), house.world.clock.now())
    );
    let aliases = house.directory.aliases(&Page::default()).await.unwrap();
    let told: Vec<_> = aliases
        .iter()
        .map(|alias| (alias.address.to_string(), alias.targets.len()))
        .collect();
    assert_eq!(
        told,
        [("s@b.test".to_owned(), 1), ("t@b.test".to_owned(), 2)]
    );
    let missing = house
        .directory
        .show_domain(&name("c.test"))
        .await
        .unwrap_err();
    assert!(missing.to_string().contains("postrider domain add c.test"));
}
