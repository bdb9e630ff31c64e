//! Promises about the sessions of account holders.

use std::time::Duration;

use ground_store::Query;
use wire_message::Address;

use super::*;
use crate::operator::{self, Operators};
use crate::tests::{House, domain, house};
use crate::{Change, NewPassword};

const PASSWORD: &str = "correct horse";

/// Two accounts, and an operator of the same name and password as one of them.
struct Lobby {
    house: House,
    holders: Holders,
    operators: Operators,
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn attempt<'a>(login: &'a str, password: &'a str) -> Attempt<'a> {
    Attempt {
        login,
        password: password.as_bytes(),
        peer: "192.0.2.7".parse().unwrap(),
        agent: "Lynx/2.8\r\n",
    }
}

async fn lobby() -> Lobby {
    let house = house().await;
    let holders = house.directory.holders(Options::default());
    let operators = house.directory.operators(Options::default());
    let lobby = Lobby {
        house,
        holders,
        operators,
    };
    lobby.make(domain("here.test")).await;
    for name in ["ann@here.test", "bob@here.test"] {
        lobby.add(name).await;
    }
    let operator = operator::Change::Add {
        name: "ann@here.test".parse().unwrap(),
        password: NewPassword::Set(PASSWORD.to_owned()),
        rights: operator::Rights::ALL,
    };
    let made = lobby.operators.apply(&operator, Unit::new()).await;
    made.unwrap();
    lobby
}

impl Lobby {
    async fn make(&self, change: Change) {
        let made = self.house.directory.apply(&change, Unit::new()).await;
        made.unwrap_or_else(|error| panic!("{change}: {error}"));
    }

    async fn add(&self, name: &str) {
        self.make(Change::AddAccount {
            address: address(name),
            password: NewPassword::Set(PASSWORD.to_owned()),
            quota: None,
        })
        .await;
    }

    async fn logged_in(&self, name: &str) -> Token {
        let login = self.holders.log_in(attempt(name, PASSWORD)).await.unwrap();
        let Login::Granted(token, account) = login else {
            panic!("{login:?}")
        };
        assert_eq!(account.address.to_string(), name);
        token
    }

    async fn knows(&self, token: &Token) -> bool {
        let known = self.holders.session(token.text()).await.unwrap();
        known.is_some()
    }

    async fn password(&self, name: &str, password: NewPassword) {
        self.make(Change::SetPassword {
            address: address(name),
            password,
        })
        .await;
    }

    fn pass(&self, time: Duration) {
        let millis = i64::try_from(time.as_millis()).unwrap();
        self.house.simulation.clock.step(millis);
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_right_password_of_an_account_begins_a_session() {
    let lobby = lobby().await;
    lobby.password("bob@here.test", NewPassword::NoLogin).await;
    for (login, password) in [
        ("nobody@here.test", PASSWORD),
        ("not an address", PASSWORD),
        ("", ""),
        ("bob@here.test", ""),
        ("bob@here.test", PASSWORD),
        ("ann@here.test", "wrong"),
        ("ann@here.test", ""),
    ] {
        let login_ = lobby.holders.log_in(attempt(login, password)).await;
        assert_eq!(login_.unwrap(), Login::Refused, "{login}");
    }
    let token = lobby.logged_in("ann@here.test").await;
    let known = lobby.holders.session(token.text()).await.unwrap().unwrap();
    assert_eq!(known.address, "ann@here.test");
    assert_eq!(known.since, lobby.house.world.clock.now());
    for unknown in ["", "x", &token.text()[1..]] {
        assert_eq!(lobby.holders.session(unknown).await.unwrap(), None);
    }
}

/// Of the same name and password: still two kinds of people.
#[tokio::test(start_paused = true)]
async fn a_session_of_an_account_is_none_of_an_operator_nor_the_other_way_round() {
    let lobby = lobby().await;
    let own = lobby.logged_in("ann@here.test").await;
    let login = lobby.operators.log_in(operator::Attempt {
        name: "ann@here.test",
        password: PASSWORD.as_bytes(),
        code: None,
        peer: "192.0.2.7".parse().unwrap(),
        agent: "",
    });
    let operator::Login::Granted(operators, _) = login.await.unwrap() else {
        panic!("the right password")
    };
    assert_eq!(lobby.operators.session(own.text()).await.unwrap(), None);
    assert_eq!(lobby.operators.api_token(own.text()).await.unwrap(), None);
    assert_eq!(lobby.holders.session(operators.text()).await.unwrap(), None);
    // Nor does one end the other.
    lobby.operators.log_out(own.text()).await.unwrap();
    lobby.holders.log_out(operators.text()).await.unwrap();
    let all = lobby.holders.log_out_everywhere(operators.text()).await;
    all.unwrap();
    assert!(lobby.knows(&own).await);
    let session = lobby.operators.session(operators.text()).await;
    assert!(session.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_at_logout_alone_or_with_all_others() {
    let lobby = lobby().await;
    let one = lobby.logged_in("ann@here.test").await;
    let two = lobby.logged_in("ann@here.test").await;
    let three = lobby.logged_in("ann@here.test").await;
    let bobs = lobby.logged_in("bob@here.test").await;
    lobby.holders.log_out(one.text()).await.unwrap();
    lobby.holders.log_out(one.text()).await.unwrap();
    assert!(!lobby.knows(&one).await);
    assert!(lobby.knows(&two).await);
    let everywhere = lobby.holders.log_out_everywhere(two.text()).await;
    everywhere.unwrap();
    assert!(!lobby.knows(&two).await);
    assert!(!lobby.knows(&three).await);
    assert!(lobby.knows(&bobs).await);
}

#[tokio::test(start_paused = true)]
async fn another_password_or_no_account_ends_every_session_at_once() {
    let lobby = lobby().await;
    let bobs = lobby.logged_in("bob@here.test").await;
    for password in [NewPassword::Set("other".to_owned()), NewPassword::NoLogin] {
        let token = lobby.logged_in("ann@here.test").await;
        lobby.password("ann@here.test", password).await;
        assert!(!lobby.knows(&token).await);
        let again = NewPassword::Set(PASSWORD.to_owned());
        lobby.password("ann@here.test", again).await;
        assert!(!lobby.knows(&token).await);
    }
    let token = lobby.logged_in("ann@here.test").await;
    let ann = address("ann@here.test");
    lobby.make(Change::RemoveAccount { address: ann }).await;
    assert!(!lobby.knows(&token).await);
    // Whoever gets the address next is somebody else, since now.
    lobby.pass(Duration::from_secs(60));
    lobby.add("ann@here.test").await;
    assert!(!lobby.knows(&token).await);
    let token = lobby.logged_in("ann@here.test").await;
    let known = lobby.holders.session(token.text()).await.unwrap().unwrap();
    assert_eq!(known.since, lobby.house.world.clock.now());
    assert!(lobby.knows(&bobs).await);
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_when_it_is_idle_and_at_the_latest_after_its_time() {
    let lobby = lobby().await;
    let Options { idle, absolute } = Options::default();
    let token = lobby.logged_in("ann@here.test").await;
    lobby.pass(idle + Duration::from_secs(1));
    assert!(!lobby.knows(&token).await);
    let token = lobby.logged_in("ann@here.test").await;
    let step = idle / 2;
    let mut used = Duration::ZERO;
    while used + step < absolute {
        lobby.pass(step);
        used += step;
        assert!(lobby.knows(&token).await, "{used:?}");
    }
    lobby.pass(step);
    assert!(!lobby.knows(&token).await);
}

#[tokio::test(start_paused = true)]
async fn of_too_many_sessions_the_least_used_ends() {
    let lobby = lobby().await;
    let first = lobby.logged_in("ann@here.test").await;
    for _ in 0..SESSIONS_MAX {
        lobby.pass(Duration::from_secs(1));
        lobby.logged_in("ann@here.test").await;
    }
    assert!(!lobby.knows(&first).await);
    let query = Query::new("SELECT count(*) FROM account_session", Vec::new());
    let rows = lobby.house.store.read(query).await.unwrap();
    assert_eq!(rows[0].int(0).unwrap(), i64::from(SESSIONS_MAX));
}
