//! Promises about changes of operators, on a store of the engine that the run is about and a simulated world.

use ground_store::StoreError;

use super::*;
use crate::tests::{House, house};
use crate::{MayLogIn, NewPassword, Page};

/// A house and its operators: `jo`, who may do everything.
pub(super) struct Office {
    pub(super) house: House,
    pub(super) operators: Operators,
}

pub(super) const PASSWORD: &str = "correct horse";

pub(super) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn rights(text: &str) -> Rights {
    text.parse().unwrap()
}

pub(super) async fn office() -> Office {
    let house = house().await;
    let operators = house.directory.operators(Options::default());
    let office = Office { house, operators };
    office.make(add("jo", PASSWORD)).await;
    office
}

pub(super) fn add(who: &str, password: &str) -> Change {
    Change::Add {
        name: name(who),
        password: NewPassword::Set(password.to_owned()),
        rights: Rights::ALL,
    }
}

impl Office {
    pub(super) async fn make(&self, change: Change) {
        let made = self.operators.apply(&change, Unit::new()).await;
        made.unwrap_or_else(|error| panic!("{change}: {error}"));
    }

    /// Time passes for ages and ends; no wait notices.
    pub(super) fn pass(&self, time: Duration) {
        let millis = i64::try_from(time.as_millis()).unwrap();
        self.house.simulation.clock.step(millis);
    }

    async fn refused(&self, change: &Change) -> String {
        let refused = self.operators.apply(change, Unit::new()).await;
        refused.unwrap_err().to_string()
    }

    /// The operator has a code generator from now on: its secret.
    pub(super) async fn with_totp(&self, who: &str) -> TotpSecret {
        let secret = self.operators.new_totp_secret().unwrap();
        let name = name(who);
        self.make(Change::OfferTotp {
            name: name.clone(),
            secret: secret.clone(),
        })
        .await;
        let code = self.code(&secret);
        self.make(Change::ConfirmTotp { name, code }).await;
        secret
    }

    /// What the code generator shows now.
    pub(super) fn code(&self, secret: &TotpSecret) -> String {
        totp_code(secret.text(), self.operators.now()).unwrap()
    }

    async fn shown(&self, who: &str) -> ListedOperator {
        self.operators.show(&name(who)).await.unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn operators_are_listed_with_what_they_may_and_how_they_log_in() {
    let office = office().await;
    office
        .make(Change::Add {
            name: name("Ada"),
            password: NewPassword::NoLogin,
            rights: rights("act,view"),
        })
        .await;
    let listed = office.operators.list(&Page::default()).await.unwrap();
    let names: Vec<_> = listed.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["ada", "jo"]);
    let ada = office.shown("ada").await;
    assert_eq!(ada, listed[0]);
    assert_eq!((ada.rights, ada.login), (rights("view,act"), MayLogIn::No));
    assert_eq!(
        (ada.totp, ada.created_at),
        (Totp::Off, office.operators.now())
    );
    assert_eq!(office.shown("jo").await.login, MayLogIn::Yes);
    office
        .make(Change::SetRights {
            name: name("ada"),
            rights: rights("content"),
        })
        .await;
    assert_eq!(office.shown("ada").await.rights, rights("content"));
}

#[tokio::test(start_paused = true)]
async fn a_code_generator_counts_once_it_has_shown_a_right_code() {
    let office = office().await;
    let secret = office.operators.new_totp_secret().unwrap();
    let confirm = |code: &str| Change::ConfirmTotp {
        name: name("jo"),
        code: code.to_owned(),
    };
    let too_early = office.refused(&confirm("000000")).await;
    assert!(
        too_early.contains("postrider operator totp jo"),
        "{too_early}"
    );
    office
        .make(Change::OfferTotp {
            name: name("jo"),
            secret: secret.clone(),
        })
        .await;
    let wrong = office.refused(&confirm("000000")).await;
    assert!(wrong.contains("clocks"), "{wrong}");
    assert_eq!(office.shown("jo").await.totp, Totp::Offered);
    office.make(confirm(&office.code(&secret))).await;
    assert_eq!(office.shown("jo").await.totp, Totp::On);
    // Another one is offered: the first counts until that is confirmed.
    let secret = office.operators.new_totp_secret().unwrap();
    office
        .make(Change::OfferTotp {
            name: name("jo"),
            secret,
        })
        .await;
    assert_eq!(office.shown("jo").await.totp, Totp::On);
    office.make(Change::RemoveTotp { name: name("jo") }).await;
    assert_eq!(office.shown("jo").await.totp, Totp::Off);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_cannot_be_says_what_stands_in_its_way() {
    let office = office().await;
    let nobody = || name("nobody");
    let secret = office.operators.new_totp_secret().unwrap();
    let password = || NewPassword::NoLogin;
    let code = "000000".to_owned();
    for (change, words) in [
        (add("JO", "x"), "the operator jo is here already"),
        (add("ada", ""), "the password is empty"),
        (Change::Remove { name: nobody() }, "no operator nobody"),
        (
            Change::SetPassword {
                name: nobody(),
                password: password(),
            },
            "no operator nobody",
        ),
        (
            Change::SetRights {
                name: nobody(),
                rights: Rights::ALL,
            },
            "no operator nobody",
        ),
        (
            Change::OfferTotp {
                name: nobody(),
                secret,
            },
            "no operator nobody",
        ),
        (
            Change::ConfirmTotp {
                name: nobody(),
                code,
            },
            "no operator nobody",
        ),
        (Change::RemoveTotp { name: nobody() }, "no operator nobody"),
        (
            Change::RevokeSessions { name: nobody() },
            "no operator nobody",
        ),
        (Change::RemoveToken { name: nobody() }, "no token nobody"),
    ] {
        let refused = office.refused(&change).await;
        assert!(refused.contains(words), "{change}: {refused}");
    }
    assert!(office.operators.show(&nobody()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_goes_along_with_a_change_happens_with_it_or_not_at_all() {
    let office = office().await;
    let mut also = Unit::new();
    let insert =
        Sql::new("INSERT INTO domain (name, catch_all, created_at) VALUES ('here.test', NULL, 1)");
    also.write_exactly(1, insert, Vec::new());
    let made = async |change: Change| office.operators.apply(&change, also.clone()).await;
    let domains = async || {
        office
            .house
            .directory
            .domains(&Page::default())
            .await
            .unwrap()
            .len()
    };
    made(Change::Remove { name: name("ada") })
        .await
        .unwrap_err();
    assert_eq!(domains().await, 0);
    made(add("ada", "x")).await.unwrap();
    assert_eq!(domains().await, 1);
    // A conflict of what goes along is not taken for one of the change.
    const NEVER: Sql = Sql::new("UPDATE domain SET name = name WHERE name = ''");
    let mut never = Unit::new();
    never.write_exactly(1, NEVER, Vec::new());
    let remove = Change::Remove { name: name("ada") };
    let refused = office.operators.apply(&remove, never).await;
    assert!(
        matches!(refused, Err(DirectoryError::Store(StoreError::Conflict(_)))),
        "{refused:?}"
    );
    office.shown("ada").await;
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_told_by_what_is_made_of_it() {
    let office = office().await;
    let (token, secret) = (
        office.operators.new_api_token().unwrap(),
        office.operators.new_totp_secret().unwrap(),
    );
    let secrets = [PASSWORD, token.text(), secret.text()].map(str::to_owned);
    for change in [
        add("ada", PASSWORD),
        Change::OfferTotp {
            name: name("jo"),
            secret,
        },
        Change::AddToken {
            name: name("deploy"),
            token,
            rights: rights("view"),
            by: "jo".to_owned(),
            expires_at: None,
        },
    ] {
        let told = format!("{change} {change:?}");
        for secret in &secrets {
            assert!(!told.contains(secret), "{told}");
        }
    }
}
