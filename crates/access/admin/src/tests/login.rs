//! Logging in and out, and those who should not be able to.

use std::time::Duration;

use ground_directory::operator::Change;

use super::*;

async fn house() -> House {
    let house = House::open().await;
    house.operator("jo", "view,act").await;
    house
}

#[tokio::test]
async fn a_session_is_kept_where_no_script_reads_it_and_no_other_site_sends_it() {
    let house = house().await;
    let seen = house
        .enter("192.0.2.7:1", "jo", PASSWORD, "&next=/queues")
        .await;
    assert_eq!(seen.status, StatusCode::SEE_OTHER);
    assert_eq!(seen.location(), "/queues");
    let cookie = seen.cookie();
    for part in ["postrider=", "; HttpOnly", "; SameSite=Strict", "; Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
}

#[tokio::test]
async fn a_link_to_the_login_leads_nobody_elsewhere() {
    let house = house().await;
    for next in [
        "//evil.test",
        "https://evil.test/",
        "/\\evil.test",
        "",
        "javascript:1",
        "/%0d%0aX:1",
    ] {
        let seen = house
            .enter("192.0.2.7:1", "jo", PASSWORD, &format!("&next={next}"))
            .await;
        assert_eq!(seen.location(), "/", "{next}");
    }
}

#[tokio::test]
async fn what_was_wrong_is_not_told() {
    let house = house().await;
    let mut told = Vec::new();
    for (name, password) in [("jo", "wrong"), ("nobody", PASSWORD), ("nobody", "wrong")] {
        let seen = house.enter("192.0.2.7:1", name, password, "").await;
        assert_eq!(seen.status, StatusCode::FORBIDDEN);
        assert!(!seen.headers.contains_key(header::SET_COOKIE));
        told.push(seen.text.replace(name, "NAME"));
    }
    assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:?}");
}

#[tokio::test]
async fn a_session_that_was_ended_opens_nothing_any_more() {
    let house = house().await;
    let who = house.log_in("jo").await;
    let other = house.log_in("jo").await;
    let As::Session { word, .. } = &who else {
        panic!("a session");
    };
    let seen = house.form(&who, "/logout", &format!("word={word}")).await;
    assert_eq!(seen.location(), "/login");
    assert!(seen.cookie().contains("Max-Age=0"));
    assert_eq!(house.get(&who, "/").await.status, StatusCode::SEE_OTHER);
    let api = house.get(&who, "/api/v1/queue").await;
    assert_eq!(api.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.get(&other, "/").await.status, StatusCode::OK);
    house
        .make(Change::RevokeSessions {
            name: "jo".parse().unwrap(),
        })
        .await;
    assert_eq!(house.get(&other, "/").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn rights_that_are_taken_away_are_gone_at_once() {
    let house = house().await;
    let who = house.log_in("jo").await;
    house
        .make(Change::SetRights {
            name: "jo".parse().unwrap(),
            rights: "content".parse().unwrap(),
        })
        .await;
    assert_eq!(house.get(&who, "/").await.status, StatusCode::FORBIDDEN);
}

/// A page of somebody else's can make a browser send a form, but not know the word that stands in ours.
#[tokio::test]
async fn a_form_that_no_page_of_ours_made_does_nothing() {
    let house = house().await;
    let who = house.log_in("jo").await;
    let other = house.log_in("jo").await;
    let (As::Session { cookie, .. }, As::Session { word: others, .. }) = (&who, &other) else {
        panic!("sessions");
    };
    for word in ["", "0000", others] {
        let forged = As::Session {
            cookie: cookie.clone(),
            word: word.to_owned(),
        };
        let before = house.questions();
        for (path, form) in [
            ("/acts/preview", "verb=hold&all=1&query="),
            ("/acts", "verb=hold&preview=x"),
            ("/queues/pause", "hop=x&what=pause&until=2h&reason=x"),
            ("/nodes", "node=one&what=drain"),
            ("/directory", "what=domain_add&name=x.test"),
            ("/operators", "what=add&name=x&right=view"),
            ("/logout", ""),
        ] {
            let seen = house
                .form(&forged, path, &format!("{form}&word={word}"))
                .await;
            assert_eq!(seen.status, StatusCode::FORBIDDEN, "{path} {word:?}");
        }
        let body = Some(("application/json", r#"{"filter":{"all":true}}"#));
        let seen = house
            .ask(&forged, "POST", "/api/v1/recipients/hold", body)
            .await;
        assert_eq!(seen.status, StatusCode::FORBIDDEN, "{word:?}");
        assert_eq!(house.questions(), before, "{word:?}");
    }
    assert_eq!(house.get(&who, "/").await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn who_guesses_has_to_wait_and_locks_nobody_else_out() {
    let house = house().await;
    let limit = Settings::default().logins.client_failures;
    for _ in 0..limit {
        let seen = house.enter("192.0.2.66:1", "jo", "guess", "").await;
        assert_eq!(seen.status, StatusCode::FORBIDDEN);
    }
    // Even the right one is not looked at.
    let seen = house.enter("192.0.2.66:2", "jo", PASSWORD, "").await;
    assert_eq!(seen.status, StatusCode::TOO_MANY_REQUESTS, "{}", seen.text);
    let seen = house.enter("192.0.2.7:1", "jo", PASSWORD, "").await;
    assert_eq!(seen.status, StatusCode::SEE_OTHER);
    house.world.clock.sleep(Duration::from_secs(61)).await;
    let seen = house.enter("192.0.2.66:3", "jo", PASSWORD, "").await;
    assert_eq!(seen.status, StatusCode::SEE_OTHER);
}
