//! The API: what routes are declared as, and how they read what comes.

use std::collections::BTreeSet;

use crate::api::{ROOT, routes};

use super::*;

async fn house() -> (House, As) {
    let house = House::open().await;
    let all = house.token(Rights::ALL).await;
    (house, all)
}

#[test]
fn each_route_has_a_name_of_its_own_and_declares_what_stands_in_its_path() {
    let mut names = BTreeSet::new();
    for route in routes() {
        assert!(names.insert(route.name), "{}", route.name);
        assert!(route.summary.ends_with('.'), "{}", route.name);
        for piece in route.path.split('/').filter(|piece| piece.starts_with('{')) {
            let name = piece.trim_matches(['{', '}']);
            let declared = route.parameters.iter().any(|one| one.name == name);
            assert!(declared, "{} does not declare {name}", route.path);
        }
    }
}

#[tokio::test]
async fn the_description_names_routes_and_is_read_without_a_login() {
    let (house, _) = house().await;
    let seen = house
        .get(&As::Nobody, &format!("{ROOT}/openapi.json"))
        .await;
    let description = seen.json();
    assert_eq!(description["openapi"], "3.1.0");
    for route in routes() {
        let path = &description["paths"][format!("{ROOT}{}", route.path)];
        let names: Vec<&Value> = path
            .as_object()
            .unwrap()
            .values()
            .map(|one| &one["operationId"])
            .collect();
        assert!(names.contains(&&json!(route.name)), "{}", route.path);
    }
}

#[tokio::test]
async fn conditions_of_a_listing_mean_what_they_mean_on_the_command_line() {
    let (house, all) = house().await;
    let path = format!(
        "{ROOT}/recipients?state=held&next_hop=mx:far.test&sender=&older_than=2h&limit=7&id={ID}"
    );
    assert_eq!(house.get(&all, &path).await.status, StatusCode::OK);
    let Question::List { filter } = house.last_asked().question else {
        panic!("a listing was asked for");
    };
    let told = filter.to_string();
    for condition in [
        "--state held",
        "--next-hop mx:far.test",
        "--sender ",
        "--older-than 2h",
        "--limit 7",
        ID,
    ] {
        assert!(told.contains(condition), "{told}");
    }
}

#[tokio::test]
async fn what_cannot_be_understood_is_the_askers_move_and_asks_nothing() {
    let (house, all) = house().await;
    let act = format!("{ROOT}/recipients/hold");
    let json = |text| Some(("application/json", text));
    for (method, path, body, status) in [
        ("GET", format!("{ROOT}/recipients?state=lost"), None, 400),
        ("GET", format!("{ROOT}/recipients?colour=red"), None, 400),
        ("GET", format!("{ROOT}/stories"), None, 400),
        ("GET", format!("{ROOT}/messages/x/body"), None, 400),
        ("POST", act.clone(), json("{"), 400),
        ("POST", act.clone(), json("[]"), 400),
        ("POST", act.clone(), json("{}"), 400),
        (
            "POST",
            act.clone(),
            json(r#"{"filter":{"colour":"red"}}"#),
            400,
        ),
        (
            "POST",
            act.clone(),
            json(r#"{"filter":{"all":true},"to":"x"}"#),
            400,
        ),
        ("POST", act.clone(), Some(("text/plain", "{}")), 415),
        (
            "POST",
            format!("{ROOT}/recipients/eat"),
            json(r#"{"filter":{"all":true}}"#),
            400,
        ),
        ("POST", format!("{ROOT}/reload"), json("{}"), 400),
        ("GET", format!("{ROOT}/nothing"), None, 404),
        ("DELETE", format!("{ROOT}/queue"), None, 405),
    ] {
        let before = house.questions();
        let seen = house.ask(&all, method, &path, body).await;
        assert_eq!(
            seen.status.as_u16(),
            status,
            "{method} {path}: {}",
            seen.text
        );
        assert_eq!(house.questions(), before, "{method} {path}");
        if status != 405 {
            let problem = seen.json();
            assert_eq!(problem["status"], status);
            assert_eq!(problem["whose_move"], "asker");
        }
    }
    let long = format!("{{\"reason\":\"{}\"}}", "x".repeat(1 << 20));
    let seen = house.ask(&all, "POST", &act, json(long.as_str())).await;
    assert_eq!(seen.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn an_act_is_asked_in_the_name_of_whoever_sent_it() {
    let (house, all) = house().await;
    let body = r#"{"filter":{"next_hop":"mx:far.test"},"reason":"they asked","dry_run":true}"#;
    let body = Some(("application/json", body));
    let seen = house
        .ask(&all, "POST", &format!("{ROOT}/recipients/return"), body)
        .await;
    assert_eq!(seen.status, StatusCode::OK);
    let asked = house.last_asked();
    assert_eq!(asked.by, "view.act.content.administer");
    let Question::Act {
        verb,
        reason,
        dry_run,
        ..
    } = asked.question
    else {
        panic!("an act was asked for");
    };
    assert_eq!(
        (verb, reason.as_str(), dry_run),
        (crate::Verb::Return, "they asked", true)
    );
}

#[tokio::test]
async fn a_message_is_sent_as_it_came() {
    let (house, all) = house().await;
    let path = format!("{ROOT}/messages?sender=jo@here.test&recipient=a@x.test&recipient=b@x.test");
    let message = "Subject: x\r\n\r\n\u{0}y";
    let seen = house
        .ask(&all, "POST", &path, Some(("message/rfc822", message)))
        .await;
    assert_eq!(seen.status, StatusCode::OK);
    let asked = house.last_asked();
    assert_eq!(asked.content, message.as_bytes());
    let Question::Send { recipients, .. } = asked.question else {
        panic!("a message was sent");
    };
    assert_eq!(recipients, ["a@x.test", "b@x.test"]);
}
