//! Who may do what: each right with each route and each page, cell by cell.

use ground_directory::operator::Right;

use crate::api::{Method, ROOT, routes};

use super::*;

/// A path and a body that the route understands.
fn plausible(
    route: &crate::api::Route,
) -> (&'static str, String, Option<(&'static str, &'static str)>) {
    let path = route.path.replace("{id}", ID).replace("{verb}", "hold");
    let path = path.replace("{mail}", "1").replace(['{', '}'], "");
    let query = match route.name {
        "trace" | "explain" => "?query=x",
        _ => "",
    };
    let body = match route.name {
        "act" => r#"{"filter":{"all":true}}"#,
        "domainAdd" => r#"{"name":"x.test"}"#,
        "accountAdd" => r#"{"address":"a@x.test"}"#,
        "operatorAdd" => r#"{"name":"x","rights":"view"}"#,
        "operatorRights" => r#"{"rights":"view"}"#,
        "totpConfirm" => r#"{"code":"1"}"#,
        "tokenAdd" => r#"{"name":"x","rights":"view"}"#,
        "settingsSave" => r#"{"text":"","version":"x"}"#,
        "clockAdvance" | "clockStep" => r#"{"millis":1}"#,
        "hopPause" => r#"{"until":"2h","reason":"x"}"#,
        "aliasAdd" => r#"{"address":"a@x.test","targets":["b@x.test"]}"#,
        "preview" => r#"{"filter":{"all":true}}"#,
        "begin" => r#"{"preview":"x","verb":"hold"}"#,
        _ => "{}",
    };
    let (method, body) = match route.method {
        Method::Get => ("GET", None),
        Method::Post => ("POST", Some(("application/json", body))),
        Method::Put => ("PUT", Some(("application/json", body))),
        Method::Delete => ("DELETE", None),
    };
    let body = body.filter(|_| route.takes_json());
    (method, format!("{ROOT}{path}{query}"), body)
}

#[tokio::test]
async fn each_route_is_open_to_its_right_and_to_no_other() {
    let house = House::open().await;
    for right in Right::ALL.iter().copied() {
        let program = house.token(Rights::only(right)).await;
        for route in routes() {
            let (method, path, body) = plausible(route);
            let before = house.questions();
            let seen = house.ask(&program, method, &path, body).await;
            let may = route.right == right;
            let told = format!("{right:?} {method} {path}: {} {}", seen.status, seen.text);
            assert_eq!(seen.status == StatusCode::OK, may, "{told}");
            assert_eq!(seen.status == StatusCode::FORBIDDEN, !may, "{told}");
            assert_eq!(house.questions() > before, may, "{told}");
        }
    }
}

#[tokio::test]
async fn nobody_reaches_anything_but_the_health_and_the_description() {
    let house = House::open().await;
    for who in [
        As::Nobody,
        As::Token("prt_0000".to_owned()),
        As::Session {
            cookie: "postrider=0000".to_owned(),
            word: String::new(),
        },
    ] {
        for route in routes() {
            let (method, path, body) = plausible(route);
            let seen = house.ask(&who, method, &path, body).await;
            assert_eq!(seen.status, StatusCode::UNAUTHORIZED, "{method} {path}");
        }
        for page in PAGES.iter().chain(OF_ADMINISTRATORS) {
            let seen = house.get(&who, page).await;
            assert_eq!(seen.status, StatusCode::SEE_OTHER, "{page}");
            assert!(seen.location().starts_with("/login?next=%2F"), "{page}");
        }
    }
    assert_eq!(house.questions(), 0);
    assert_eq!(
        house.get(&As::Nobody, "/healthz").await.status,
        StatusCode::OK
    );
}

/// Exporting gives content away.
#[tokio::test]
async fn who_may_not_read_mail_may_not_export_it() {
    let house = House::open().await;
    let body = Some(("application/json", r#"{"filter":{"all":true}}"#));
    let path = format!("{ROOT}/recipients/export");
    for (rights, status) in [("act", 403), ("content", 403), ("act,content", 200)] {
        let program = house.token(rights.parse().unwrap()).await;
        let seen = house.ask(&program, "POST", &path, body).await;
        assert_eq!(seen.status.as_u16(), status, "{rights}: {}", seen.text);
    }
}

pub(super) const PAGES: &[&str] = &[
    "/",
    "/queues",
    "/messages",
    "/messages/0CP59ZDEA0800",
    "/tracking?q=x",
    "/alarms",
    "/audit",
    "/nodes",
    "/events",
    "/directory",
    "/held",
    "/damaged",
    "/dead-letters",
    "/connectors?domain=x.test",
    "/acts/0CP59ZDEA0800",
];

/// Pages that need more than looking.
pub(super) const OF_ADMINISTRATORS: &[&str] = &[
    "/operators",
    "/settings",
    "/settings/text",
    "/settings/section?section=queue",
    "/settings/section?section=connector&new=1",
];

/// What pages do: the form, the right it needs besides looking, and where.
const ACTS: &[(Right, &str, &str)] = &[
    (Right::Act, "/acts/preview", "verb=hold&all=1&query="),
    (Right::Act, "/acts", "verb=hold&preview=x"),
    (
        Right::Act,
        "/queues/pause",
        "hop=mx:x.test&what=pause&until=2h&reason=x",
    ),
    (Right::Administer, "/nodes", "node=one&what=drain"),
    (
        Right::Administer,
        "/directory",
        "what=domain_add&name=x.test",
    ),
    (
        Right::Administer,
        "/operators",
        "what=add&name=x&right=view",
    ),
    (
        Right::Administer,
        "/settings/section",
        "section=queue&lifetime=2d",
    ),
    (Right::Administer, "/settings/try", "text=x&version=x"),
    (Right::Administer, "/settings/save", "text=x&version=x"),
];

#[tokio::test]
async fn each_page_is_open_to_who_may_look_and_its_forms_to_who_may_act() {
    let house = House::open().await;
    for right in Right::ALL.iter().copied() {
        // Nobody acts on pages that he may not see.
        for (name, rights) in [
            (format!("{}-only", right.word()), Rights::only(right)),
            (
                format!("{}-seeing", right.word()),
                Rights::only(right).and(Right::View),
            ),
        ] {
            house.operator(&name, &rights.to_string()).await;
            let entered = house.enter("192.0.2.7:1", &name, PASSWORD, "").await;
            let cookie = entered.cookie().split(';').next().unwrap().to_owned();
            let looks = rights.contains(Right::View);
            let who = match looks {
                true => house.log_in(&name).await,
                false => As::Session {
                    cookie,
                    word: String::new(),
                },
            };
            for page in PAGES {
                let seen = house.get(&who, page).await;
                assert_eq!(
                    seen.status == StatusCode::OK,
                    looks,
                    "{name} {page} {}",
                    seen.text
                );
                assert_eq!(
                    seen.status == StatusCode::FORBIDDEN,
                    !looks,
                    "{name} {page}"
                );
            }
            let As::Session { word, .. } = &who else {
                panic!("a session");
            };
            for (needed, path, form) in ACTS {
                let seen = house.form(&who, path, &format!("{form}&word={word}")).await;
                let may = looks && rights.contains(*needed);
                let done = seen.status == StatusCode::OK || seen.status == StatusCode::SEE_OTHER;
                assert_eq!(done, may, "{name} {path} {} {}", seen.status, seen.text);
                assert_eq!(seen.status == StatusCode::FORBIDDEN, !may, "{name} {path}");
            }
            let seen = house.get(&who, &format!("/messages/{ID}/source")).await;
            let may = looks && rights.contains(Right::Content);
            assert_eq!(seen.status == StatusCode::OK, may, "{name}");
            for page in OF_ADMINISTRATORS {
                let seen = house.get(&who, page).await;
                let may = looks && rights.contains(Right::Administer);
                assert_eq!(
                    seen.status == StatusCode::OK,
                    may,
                    "{name} {page} {}",
                    seen.text
                );
            }
            // What one may not do is not offered either.
            if looks {
                let page = house.get(&who, "/messages").await.text;
                assert_eq!(
                    page.contains("/acts/preview") && page.contains("Preview"),
                    rights.contains(Right::Act)
                );
                let page = house.get(&who, &format!("/messages/{ID}")).await.text;
                assert_eq!(page.contains("/source"), rights.contains(Right::Content));
                assert_eq!(page.contains("/status/x"), rights.contains(Right::Act));
            }
        }
    }
}
