//! Promises about logins and sessions.

use std::time::Duration;

use ground_store::Query;

use super::*;
use crate::NewPassword;
use crate::operator::tests::{Office, PASSWORD, add, name, office};
use crate::operator::{Change, Options, Right};

fn attempt<'a>(name: &'a str, password: &'a str, code: Option<&'a str>) -> Attempt<'a> {
    Attempt {
        name,
        password: password.as_bytes(),
        code,
        peer: "192.0.2.7".parse().unwrap(),
        agent: "Lynx/2.8\r\n",
    }
}

impl Office {
    async fn tries(&self, name: &str, password: &str, code: Option<&str>) -> Login {
        let answer = self.operators.log_in(attempt(name, password, code)).await;
        answer.unwrap()
    }

    /// A session of `jo`.
    async fn logged_in(&self) -> Token {
        let login = self.tries("jo", PASSWORD, None).await;
        let Login::Granted(token, _) = login else {
            panic!("{login:?}")
        };
        token
    }

    async fn knows(&self, token: &Token) -> bool {
        self.operators
            .session(token.text())
            .await
            .unwrap()
            .is_some()
    }
}

fn granted(login: &Login) -> bool {
    matches!(login, Login::Granted(..))
}

#[tokio::test(start_paused = true)]
async fn only_the_right_password_of_an_operator_begins_a_session() {
    let office = office().await;
    office
        .make(Change::Add {
            name: name("none"),
            password: NewPassword::NoLogin,
            rights: Rights::ALL,
        })
        .await;
    for (who, password, refusal) in [
        ("ada", PASSWORD, Refusal::NoSuchOperator),
        ("not a name", PASSWORD, Refusal::NoSuchOperator),
        ("none", "", Refusal::MayNotLogIn),
        ("jo", "", Refusal::WrongPassword),
        ("jo", "correct horse ", Refusal::WrongPassword),
    ] {
        assert_eq!(
            office.tries(who, password, None).await,
            Login::Refused(refusal),
            "{who}"
        );
    }
    let Login::Granted(token, admitted) = office.tries("Jo", PASSWORD, None).await else {
        panic!("the right password")
    };
    assert_eq!(admitted.name, name("jo"));
    let known = office.operators.session(token.text()).await.unwrap();
    assert_eq!(known, Some(admitted));
    for unknown in ["", "x", &token.text()[1..]] {
        assert_eq!(office.operators.session(unknown).await.unwrap(), None);
    }
    let [listed] = office
        .operators
        .sessions(&name("jo"))
        .await
        .unwrap()
        .try_into()
        .unwrap();
    assert_eq!(
        (listed.peer.as_str(), listed.agent.as_str()),
        ("192.0.2.7", "Lynx/2.8")
    );
}

#[tokio::test(start_paused = true)]
async fn a_code_is_asked_for_after_the_right_password_only_and_works_once() {
    let office = office().await;
    let secret = office.with_totp("jo").await;
    let refused = async |password, code: Option<&str>, why| {
        let answer = office.tries("jo", password, code).await;
        assert_eq!(answer, Login::Refused(why), "{code:?}");
    };
    refused("wrong", None, Refusal::WrongPassword).await;
    for none in [None, Some(""), Some(" ")] {
        assert_eq!(office.tries("jo", PASSWORD, none).await, Login::CodeNeeded);
    }
    // The one that confirmed the generator is used.
    refused(PASSWORD, Some(&office.code(&secret)), Refusal::UsedCode).await;
    office.pass(Duration::from_secs(30));
    let code = office.code(&secret);
    refused("wrong", Some(&code), Refusal::WrongPassword).await;
    refused(PASSWORD, Some("000000"), Refusal::WrongCode).await;
    assert!(granted(&office.tries("jo", PASSWORD, Some(&code)).await));
    refused(PASSWORD, Some(&code), Refusal::UsedCode).await;
    office.make(Change::RemoveTotp { name: name("jo") }).await;
    assert!(granted(&office.tries("jo", PASSWORD, None).await));
}

#[tokio::test(start_paused = true)]
async fn of_two_logins_with_one_code_at_the_same_moment_one_is_let_in() {
    let office = office().await;
    let secret = office.with_totp("jo").await;
    office.pass(Duration::from_secs(30));
    let code = office.code(&secret);
    let once = || office.tries("jo", PASSWORD, Some(&code));
    let (one, other) = tokio::join!(once(), once());
    assert!(granted(&one) != granted(&other), "{one:?} {other:?}");
}

#[tokio::test(start_paused = true)]
async fn a_login_that_a_change_overtakes_begins_no_session() {
    let office = office().await;
    let changes = [
        Change::SetPassword {
            name: name("jo"),
            password: NewPassword::Set("new".to_owned()),
        },
        Change::Remove { name: name("jo") },
    ];
    for change in changes {
        let checked = office.operators.known("jo").await.unwrap().unwrap();
        office.make(change).await;
        let late = office
            .operators
            .begin(attempt("jo", "", None), checked, 0)
            .await;
        assert_eq!(late.unwrap(), Login::Refused(Refusal::Overtaken));
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_when_it_is_idle_used_up_or_logged_out() {
    let office = office().await;
    let Options { idle, absolute } = office.operators.options;
    let session = office.logged_in().await;
    office.pass(idle);
    assert!(!office.knows(&session).await);
    assert_eq!(office.operators.sessions(&name("jo")).await.unwrap(), []);
    let session = office.logged_in().await;
    let began = office.operators.now();
    let often = idle / 2;
    while office.operators.now().since(began) + often < absolute {
        office.pass(often);
        assert!(office.knows(&session).await);
    }
    office.pass(often);
    assert!(!office.knows(&session).await);
    let (session, other) = (office.logged_in().await, office.logged_in().await);
    office.operators.log_out(session.text()).await.unwrap();
    office.operators.log_out(session.text()).await.unwrap();
    assert_eq!(
        (office.knows(&session).await, office.knows(&other).await),
        (false, true)
    );
}

#[tokio::test(start_paused = true)]
async fn rights_that_change_count_from_the_next_request_on() {
    let office = office().await;
    let session = office.logged_in().await;
    let rights = Rights::only(Right::View);
    office
        .make(Change::SetRights {
            name: name("jo"),
            rights,
        })
        .await;
    let known = office.operators.session(session.text()).await.unwrap();
    assert_eq!(known.map(|known| known.rights), Some(rights));
}

#[tokio::test(start_paused = true)]
async fn what_changes_how_an_operator_logs_in_ends_its_sessions_and_no_others() {
    let office = office().await;
    office.make(add("ada", PASSWORD)).await;
    let others = office.tries("ada", PASSWORD, None).await;
    let Login::Granted(others, _) = others else {
        panic!("{others:?}")
    };
    let password = NewPassword::Set(PASSWORD.to_owned());
    let jo = || name("jo");
    for change in [
        Change::SetPassword {
            name: jo(),
            password,
        },
        Change::RevokeSessions { name: jo() },
        Change::RemoveTotp { name: jo() },
        Change::Remove { name: jo() },
    ] {
        let told = change.to_string();
        let session = office.logged_in().await;
        office.make(change).await;
        assert!(!office.knows(&session).await, "{told}");
        assert!(office.knows(&others).await, "{told}");
    }
    // Nor is a session of an earlier operator one of a later with that name.
    office.make(add("jo", PASSWORD)).await;
    let session = office.logged_in().await;
    office.with_totp("jo").await;
    assert!(!office.knows(&session).await);
    assert!(office.operators.sessions(&jo()).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_operator_has_so_many_sessions_and_the_least_used_ends() {
    let office = office().await;
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS_MAX {
        office.pass(Duration::from_secs(61));
        sessions.push(office.logged_in().await);
    }
    assert!(office.knows(&sessions[0]).await);
    sessions.push(office.logged_in().await);
    let mut known = Vec::new();
    for session in &sessions {
        known.push(office.knows(session).await);
    }
    assert_eq!(
        known.iter().filter(|known| **known).count(),
        SESSIONS_MAX as usize
    );
    assert!(!known[1], "the one that was not used for longest");
}

#[tokio::test(start_paused = true)]
async fn that_a_session_is_in_use_is_written_once_a_minute() {
    let office = office().await;
    let session = office.logged_in().await;
    let began = office.operators.now();
    for (second, seen) in [(0, 0), (59, 0), (60, 60), (119, 60), (120, 120)] {
        let at = Duration::from_secs(second);
        office.pass(at - office.operators.now().since(began));
        assert!(office.knows(&session).await);
        let listed = office.operators.sessions(&name("jo")).await.unwrap();
        assert_eq!(listed[0].seen_at.since(began).as_secs(), seen, "{second}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_takes_no_writes_still_knows_its_sessions() {
    let office = office().await;
    let session = office.logged_in().await;
    office.pass(Duration::from_secs(120));
    let faults = office.house.store.faults();
    faults.hold_writes();
    let before = office.operators.now();
    assert!(office.knows(&session).await);
    assert!(office.operators.now().since(before) < Duration::from_secs(3));
    faults.release_writes();
    faults.fail_next_write(StoreError::Full("no room".to_owned()));
    assert!(office.knows(&session).await);
}

#[tokio::test(start_paused = true)]
async fn the_store_holds_nothing_that_opens_a_session() {
    let office = office().await;
    let session = office.logged_in().await;
    let query = Query::new("SELECT token_hash, operator FROM web_session", Vec::new());
    let rows = office.house.store.read(query).await.unwrap();
    assert_ne!(rows[0].blob(0).unwrap().as_ref(), session.text().as_bytes());
    let query = Query::new("SELECT password FROM operator", Vec::new());
    let rows = office.house.store.read(query).await.unwrap();
    assert!(rows[0].text(0).unwrap().starts_with("$argon2id$"));
    assert_eq!(session.text().len(), 43, "256 bits in Base64");
    assert_ne!(session, office.logged_in().await);
}
