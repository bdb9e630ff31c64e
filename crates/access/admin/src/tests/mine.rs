//! The page of an account's own mail: each sees what he sent, and is nobody else.

use std::time::Duration;

use ground_directory::Change as Directing;
use path_ledger::{HopKey, MessageId};
use wire_message::Address;

use super::status::{message, queued};
use super::*;

impl House {
    async fn direct(&self, change: Directing) {
        let made = self.directory.apply(&change, Unit::new()).await;
        made.unwrap_or_else(|error| panic!("{change}: {error}"));
    }

    async fn account(&self, name: &str) {
        self.direct(Directing::AddAccount {
            address: Address::parse(name).unwrap(),
            password: NewPassword::Set(PASSWORD.to_owned()),
            quota: None,
        })
        .await;
    }

    async fn come_in(&self, peer: &str, login: &str, password: &str) -> Seen {
        let login = login.replace('@', "%40");
        let form = format!("login={login}&password={}", password.replace(' ', "+"));
        let form = Some(("application/x-www-form-urlencoded", form.as_str()));
        self.ask_from(peer, &As::Nobody, "POST", "/mine/login", form)
            .await
    }

    /// Logs in as an account, and reads the word of the session from its page.
    async fn own(&self, login: &str) -> As {
        let entered = self.come_in("192.0.2.7:1", login, PASSWORD).await;
        assert_eq!(entered.status, StatusCode::SEE_OTHER, "{}", entered.text);
        assert_eq!(entered.location(), "/mine");
        let cookie = entered.cookie().split(';').next().unwrap().to_owned();
        let session = As::Session {
            cookie: cookie.clone(),
            word: String::new(),
        };
        let page = self.get(&session, "/mine").await;
        let (_, rest) = page.text.split_once("name=\"word\" value=\"").unwrap();
        let word = rest.split('"').next().unwrap().to_owned();
        As::Session { cookie, word }
    }

    async fn sent(&self, auth: &str, to: &str) -> MessageId {
        let to = vec![(to, queued(HopKey::mx("there.test")))];
        self.accept(message(self, auth, to)).await
    }
}

async fn house() -> House {
    let house = House::open().await;
    let name = "here.test".parse().unwrap();
    house.direct(Directing::AddDomain { name }).await;
    for name in ["ann@here.test", "bob@here.test"] {
        house.account(name).await;
    }
    house
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test(start_paused = true)]
async fn each_sees_what_he_sent_and_nobody_elses_by_whatever_he_asks() {
    let house = house().await;
    let hers = house.sent("ann@here.test", "to-ann-wrote@there.test").await;
    let his = house.sent("bob@here.test", "to-bob-wrote@there.test").await;
    // Its sender is hers, and nobody had logged in.
    let nobodys = house.sent("", "to-nobody-wrote@there.test").await;
    let ann = house.own("ann@here.test").await;
    let page = house.get(&ann, "/mine").await.text;
    assert!(page.contains("to-ann-wrote@there.test"), "{page}");
    assert!(page.contains(&hers.to_string()), "{page}");
    assert!(page.contains("secret-subject"), "{page}");
    assert!(!page.contains("<script"), "{page}");
    let recipient = house.ledger.story(his).await.unwrap().unwrap().recipients[0].id;
    let before = MessageId::from_key(i64::MAX);
    for path in [
        "/mine".to_owned(),
        format!("/mine?before={before}"),
        format!("/mine?q={his}"),
        format!("/mine?q={nobodys}"),
        format!("/mine?q={recipient}"),
        format!("/mine?q={}", encoded(&format!("<{his}@here.test>"))),
        format!("/mine?q={}", encoded(&format!("{nobodys}@here.test"))),
        "/mine?q=bob%40here.test".to_owned(),
        "/mine?q=to-bob-wrote%40there.test".to_owned(),
        "/mine?q=%25".to_owned(),
        "/mine?q=bob%40here.test&account=bob%40here.test&owner=bob%40here.test".to_owned(),
    ] {
        let page = house.get(&ann, &path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        for foreign in ["<h3>to-bob-wrote", "<h3>to-nobody-wrote"] {
            assert!(!page.text.contains(foreign), "{path}: {}", page.text);
        }
    }
    for found in [
        hers.to_string(),
        hers.to_string().to_lowercase(),
        format!("<{hers}@here.test>"),
        format!("{hers}@HERE.test"),
    ] {
        let path = format!("/mine?q={}", encoded(&found));
        let page = house.get(&ann, &path).await.text;
        assert!(
            page.contains("<h3>to-ann-wrote@there.test"),
            "{found}: {page}"
        );
    }
    let bob = house.own("bob@here.test").await;
    let page = house.get(&bob, "/mine").await.text;
    assert!(page.contains("to-bob-wrote@there.test") && !page.contains("to-ann-wrote"));
}

#[tokio::test(start_paused = true)]
async fn pages_are_read_by_key_newest_first() {
    let house = house().await;
    let count = senders::OWN_PAGE + 3;
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(house.sent("ann@here.test", "r@there.test").await);
    }
    let ann = house.own("ann@here.test").await;
    let first = house.get(&ann, "/mine").await.text;
    let at = |id: &MessageId| first.find(&id.to_string());
    assert!(at(&all[count as usize - 1]) < at(&all[count as usize - 2]));
    let (_, rest) = first.split_once("href=\"/mine?before=").unwrap();
    let before = rest.split('"').next().unwrap();
    assert_eq!(before, all[3].to_string());
    let second = house
        .get(&ann, &format!("/mine?before={before}"))
        .await
        .text;
    for (number, id) in all.iter().enumerate() {
        let id = id.to_string();
        assert_eq!(second.contains(&id), number < 3, "{number}");
        assert_eq!(first.contains(&id), number >= 3, "{number}");
    }
    assert!(!second.contains("?before="), "{second}");
}

#[tokio::test(start_paused = true)]
async fn of_many_recipients_some_are_listed_and_all_are_found() {
    let house = house().await;
    let names: Vec<_> = (0..7).map(|n| format!("r{n}@there.test")).collect();
    let to = names
        .iter()
        .map(|name| (name.as_str(), queued(HopKey::mx("there.test"))));
    let id = house
        .accept(message(&house, "ann@here.test", to.collect()))
        .await;
    let ann = house.own("ann@here.test").await;
    let page = house.get(&ann, "/mine").await.text;
    assert!(page.contains("r4@there.test") && !page.contains("r5@there.test"));
    assert!(page.contains("2 more recipients"), "{page}");
    let page = house.get(&ann, &format!("/mine?q={id}")).await.text;
    assert!(names.iter().all(|name| page.contains(name)), "{page}");
}

/// The same name, the same password, the same browser: still two people.
#[tokio::test(start_paused = true)]
async fn a_session_of_one_kind_is_none_of_the_other() {
    let house = house().await;
    house
        .operator("ann@here.test", "view,act,content,administer")
        .await;
    let operator = house.log_in("ann@here.test").await;
    let own = house.own("ann@here.test").await;
    let (
        As::Session {
            cookie: theirs,
            word,
        },
        As::Session {
            cookie: mine,
            word: own_word,
        },
    ) = (&operator, &own)
    else {
        panic!("sessions");
    };
    let token = |cookie: &str| cookie.split_once('=').unwrap().1.to_owned();
    let (theirs, mine) = (token(theirs), token(mine));
    let session = |name: &str, token: &str, word: &str| As::Session {
        cookie: format!("{name}={token}"),
        word: word.to_owned(),
    };
    for page in super::rights::PAGES.iter().chain(&["/operators"]) {
        for wrong in [
            own.clone(),
            session("postrider", &mine, own_word),
            session("__Host-postrider", &mine, own_word),
            As::Token(mine.clone()),
        ] {
            let seen = house.get(&wrong, page).await;
            assert_eq!(seen.status, StatusCode::SEE_OTHER, "{page} {wrong:?}");
            assert!(seen.location().starts_with("/login"), "{page}");
        }
    }
    for route in ["/api/v1/queue", "/api/v1/accounts"] {
        for wrong in [
            own.clone(),
            session("postrider", &mine, own_word),
            As::Token(mine.clone()),
        ] {
            let seen = house.get(&wrong, route).await;
            assert_eq!(seen.status, StatusCode::UNAUTHORIZED, "{route} {wrong:?}");
        }
    }
    let program = house.token(Rights::ALL).await;
    for wrong in [
        As::Nobody,
        operator.clone(),
        program,
        session("postrider-mine", &theirs, word),
        session("postrider-mine", "", ""),
    ] {
        let seen = house.get(&wrong, "/mine").await;
        assert_eq!(seen.status, StatusCode::SEE_OTHER, "{wrong:?}");
        assert_eq!(seen.location(), "/mine/login", "{wrong:?}");
    }
    // Nor does the word of one do for the forms of the other, or one logout end both.
    let seen = house
        .form(&own, "/mine/logout", &format!("word={word}"))
        .await;
    assert_eq!(seen.status, StatusCode::FORBIDDEN);
    let seen = house
        .form(&own, "/logout", &format!("word={own_word}"))
        .await;
    assert_eq!(seen.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.get(&own, "/mine").await.status, StatusCode::OK);
    let seen = house
        .form(&own, "/mine/logout", &format!("word={own_word}"))
        .await;
    assert_eq!(seen.location(), "/mine/login");
    assert_eq!(house.get(&own, "/mine").await.status, StatusCode::SEE_OTHER);
    assert_eq!(house.get(&operator, "/").await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn the_session_of_an_account_is_kept_as_safely_as_an_operators() {
    let house = house().await;
    let entered = house
        .come_in("192.0.2.7:1", "Ann@HERE.test", PASSWORD)
        .await;
    let cookie = entered.cookie();
    for part in [
        "postrider-mine=",
        "; HttpOnly",
        "; SameSite=Strict",
        "; Path=/",
    ] {
        assert!(cookie.contains(part), "{cookie}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_with_its_password_or_its_account() {
    let house = house().await;
    let (ann, bob) = (
        house.own("ann@here.test").await,
        house.own("bob@here.test").await,
    );
    let address = Address::parse("ann@here.test").unwrap();
    let password = NewPassword::Set("another".to_owned());
    house
        .direct(Directing::SetPassword { address, password })
        .await;
    let address = Address::parse("bob@here.test").unwrap();
    house.direct(Directing::RemoveAccount { address }).await;
    for who in [ann, bob] {
        assert_eq!(house.get(&who, "/mine").await.status, StatusCode::SEE_OTHER);
    }
}

#[tokio::test(start_paused = true)]
async fn all_sessions_of_an_account_end_from_any_of_them() {
    let house = house().await;
    let (one, two) = (
        house.own("ann@here.test").await,
        house.own("ann@here.test").await,
    );
    let bob = house.own("bob@here.test").await;
    let As::Session { word, .. } = &one else {
        panic!("a session");
    };
    let form = format!("word={word}&everywhere=1");
    assert_eq!(
        house.form(&one, "/mine/logout", &form).await.location(),
        "/mine/login"
    );
    for ended in [one, two] {
        assert_eq!(
            house.get(&ended, "/mine").await.status,
            StatusCode::SEE_OTHER
        );
    }
    assert_eq!(house.get(&bob, "/mine").await.status, StatusCode::OK);
}

/// A page of somebody else's can make a browser send a form, but not know the word that stands in ours.
#[tokio::test(start_paused = true)]
async fn a_form_that_no_page_of_the_session_made_does_nothing() {
    let house = house().await;
    let (ann, other) = (
        house.own("ann@here.test").await,
        house.own("ann@here.test").await,
    );
    let As::Session { word: others, .. } = &other else {
        panic!("a session");
    };
    for word in ["", "0000", others] {
        for form in [
            format!("word={word}"),
            format!("word={word}&everywhere=1"),
            String::new(),
        ] {
            let seen = house.form(&ann, "/mine/logout", &form).await;
            assert_eq!(seen.status, StatusCode::FORBIDDEN, "{form}");
        }
        assert_eq!(house.get(&ann, "/mine").await.status, StatusCode::OK);
        assert_eq!(house.get(&other, "/mine").await.status, StatusCode::OK);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_wrong_with_a_login_is_not_told() {
    let house = house().await;
    let mut told = Vec::new();
    for (login, password) in [
        ("ann@here.test", "wrong"),
        ("nobody@here.test", PASSWORD),
        ("ann@elsewhere.test", "wrong"),
    ] {
        let seen = house.come_in("192.0.2.7:1", login, password).await;
        assert_eq!(seen.status, StatusCode::FORBIDDEN);
        assert!(!seen.headers.contains_key(header::SET_COOKIE));
        told.push(seen.text.replace(login, "NAME"));
    }
    assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn who_guesses_at_an_account_has_to_wait_and_cannot_clear_it_by_his_own() {
    let house = house().await;
    house.operator("bob@here.test", "view").await;
    let limit = Settings::default().logins.client_failures;
    let guesser = "192.0.2.66:1";
    // He guesses at the operator of the same name as his own account, and logs in as himself between.
    for guess in 0..limit {
        let seen = house.enter(guesser, "bob@here.test", "guess", "").await;
        assert_eq!(seen.status, StatusCode::FORBIDDEN);
        if guess + 1 < limit {
            let seen = house.come_in(guesser, "bob@here.test", PASSWORD).await;
            assert_eq!(seen.status, StatusCode::SEE_OTHER);
        }
    }
    for _ in 0..2 {
        let seen = house.enter(guesser, "bob@here.test", PASSWORD, "").await;
        assert_eq!(seen.status, StatusCode::TOO_MANY_REQUESTS);
        let seen = house.come_in(guesser, "ann@here.test", PASSWORD).await;
        assert_eq!(seen.status, StatusCode::TOO_MANY_REQUESTS, "{}", seen.text);
    }
    house.own("ann@here.test").await;
    house.world.clock.sleep(Duration::from_secs(61)).await;
    let seen = house.come_in(guesser, "bob@here.test", PASSWORD).await;
    assert_eq!(seen.status, StatusCode::SEE_OTHER);
    let other = "192.0.2.67:1";
    for _ in 0..limit {
        let seen = house.come_in(other, "ann@here.test", "guess").await;
        assert_eq!(seen.status, StatusCode::FORBIDDEN);
    }
    let seen = house.come_in(other, "ann@here.test", PASSWORD).await;
    assert_eq!(seen.status, StatusCode::TOO_MANY_REQUESTS);
}
