//! What the command line writes, and what the routes read of it.

use std::collections::BTreeSet;
use std::time::Duration;

use path_ledger::{Doer, EventFilter, EventKind, Filter, State};

use crate::api::routes;
use crate::client::written;
use crate::{DirectoryChange, OperatorChange, Password, Verb};

use super::*;

fn full_filter() -> Filter {
    Filter {
        ids: vec![ID.parse().unwrap()],
        state: Some(State::Held),
        next_hop: Some("mx:far.test".to_owned()),
        sender: Some(String::new()),
        recipient: Some("\"a b\"+x@far.test".to_owned()),
        domain: Some("bücher.test".to_owned()),
        older_than: Some(Duration::from_secs(5400)),
        due_before: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        reply_contains: Some("a&b=c% \"é".to_owned()),
        reason_contains: Some("a&b=c% \"é".to_owned()),
        node: Some("n/1".to_owned()),
        limit: Some(7),
        after: None,
    }
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn looks() -> Vec<Question> {
    let after = Filter {
        after: Some(ID.parse().unwrap()),
        ..full_filter()
    };
    vec![
        Question::Queue,
        Question::List { filter: after },
        Question::List {
            filter: Filter::default(),
        },
        Question::Trace {
            query: text("<a b@c>"),
        },
        Question::Explain {
            query: text("jo+x@here.test"),
        },
        Question::Totals,
        Question::Ages,
        Question::Events {
            filter: EventFilter {
                kinds: vec![EventKind::Held, EventKind::Released],
                doer: Some(Doer::Person),
                actor: Some(text("jo")),
                of: Some(ID.parse().unwrap()),
                since: Some("2026-01-01T00:00:00Z".parse().unwrap()),
                until: Some("2026-02-01T00:00:00Z".parse().unwrap()),
                limit: Some(3),
                before: Some(ID.parse().unwrap()),
            },
        },
        Question::Audit,
        Question::Alarms,
        Question::Health,
        Question::Metrics,
        Question::Settings,
        Question::Flows,
        Question::Times,
        Question::Connectors,
        Question::Route {
            domain: text("far.test"),
        },
        Question::Progress { act: text(ID) },
        Question::Body {
            id: ID.parse().unwrap(),
        },
        Question::Link {
            id: ID.parse().unwrap(),
        },
        Question::MailList {
            address: text("jo@here.test"),
        },
        Question::MailShow {
            address: text("jo@here.test"),
            mail: text("1"),
        },
        Question::Nodes,
        Question::Look {
            at: DirectoryView::DomainList { after: text("a") },
        },
        Question::Look {
            at: DirectoryView::DomainShow {
                name: text("here.test"),
            },
        },
        Question::Look {
            at: DirectoryView::AccountList {
                after: String::new(),
            },
        },
        Question::Look {
            at: DirectoryView::AccountShow {
                address: text("a/b@here.test"),
            },
        },
        Question::Look {
            at: DirectoryView::AliasList { after: text("a") },
        },
        Question::Look {
            at: DirectoryView::AliasShow {
                address: text("a?b@here.test"),
            },
        },
        Question::OperatorLook {
            at: OperatorView::List { after: text("a") },
        },
        Question::OperatorLook {
            at: OperatorView::Show { name: text("jo") },
        },
        Question::OperatorLook {
            at: OperatorView::Sessions { name: text("jo") },
        },
        Question::OperatorLook {
            at: OperatorView::TokenList { after: text("a") },
        },
    ]
}

fn acts() -> Vec<Question> {
    let reroute = Verb::Reroute {
        to: Some(text("via:partner")),
    };
    let reason = text("they \"asked\"");
    vec![
        Question::Act {
            verb: reroute.clone(),
            filter: full_filter(),
            reason: reason.clone(),
            dry_run: true,
            name: Some(text("mine-1")),
        },
        Question::Act {
            verb: Verb::Export,
            filter: Filter::default(),
            reason: text(""),
            dry_run: false,
            name: None,
        },
        Question::Preview {
            filter: full_filter(),
        },
        Question::Begin {
            preview: text(ID),
            verb: reroute,
            reason: reason.clone(),
        },
        Question::PauseHop {
            hop: text("mx:far.test"),
            until: text("2h"),
            reason: reason.clone(),
        },
        Question::ResumeHop {
            hop: text("via:a b"),
            reason: reason.clone(),
        },
        Question::Drain {
            name: text("one"),
            draining: true,
            reason: reason.clone(),
        },
        Question::Drain {
            name: text("one"),
            draining: false,
            reason,
        },
        Question::Send {
            sender: text(""),
            recipients: vec![text("a@x.test"), text("b+c@x.test")],
            notify: Some(text("FAILURE,DELAY")),
            ret: Some(text("HDRS")),
            envid: Some(text("x+2By")),
        },
        Question::Selftest,
        Question::Reload,
        Question::SettingsTry { text: None },
        Question::SettingsTry {
            text: Some(text("a = \"b\"\n")),
        },
        Question::SettingsSave {
            text: text("a = 1\n"),
            version: text("0f"),
            reason: text("they \"asked\""),
        },
        Question::ClockAdvance { millis: 7 },
        Question::ClockStep { millis: -7 },
    ]
}

fn changes() -> Vec<Question> {
    let password = || Some(Password(text("correct \"horse\"")));
    let directory = [
        DirectoryChange::DomainAdd {
            name: text("here.test"),
        },
        DirectoryChange::DomainRemove {
            name: text("here.test"),
        },
        DirectoryChange::DomainCatchAll {
            name: text("here.test"),
            target: None,
        },
        DirectoryChange::AccountAdd {
            address: text("jo@here.test"),
            password: password(),
            quota: Some(7),
        },
        DirectoryChange::AccountPassword {
            address: text("jo@here.test"),
            password: None,
        },
        DirectoryChange::AccountRemove {
            address: text("jo@here.test"),
            with_mail: true,
        },
        DirectoryChange::AliasAdd {
            address: text("a@here.test"),
            targets: vec![text("b@x.test")],
        },
        DirectoryChange::AliasRemove {
            address: text("a@here.test"),
            targets: vec![text("b@x.test"), text("c@x.test")],
        },
    ];
    let operators = [
        OperatorChange::Add {
            name: text("jo"),
            password: password(),
            rights: text("view,act"),
        },
        OperatorChange::Remove { name: text("jo") },
        OperatorChange::Password {
            name: text("jo"),
            password: password(),
        },
        OperatorChange::Rights {
            name: text("jo"),
            rights: text("view"),
        },
        OperatorChange::TotpOffer { name: text("jo") },
        OperatorChange::TotpConfirm {
            name: text("jo"),
            code: text("123456"),
        },
        OperatorChange::TotpRemove { name: text("jo") },
        OperatorChange::SessionsRevoke { name: text("jo") },
        OperatorChange::TokenAdd {
            name: text("t"),
            rights: text("view"),
            lifetime: Some(5000),
        },
        OperatorChange::TokenRemove { name: text("t") },
    ];
    let directory = directory.map(|change| Question::Change { change });
    let operators = operators.map(|change| Question::OperatorChange { change });
    directory.into_iter().chain(operators).collect()
}

#[tokio::test]
async fn each_question_arrives_as_it_was_asked_by_a_route_of_its_own() {
    let house = House::open().await;
    let mut paths = BTreeSet::new();
    for question in [looks(), acts(), changes()].concat() {
        let asked = Request {
            by: text("jo äö"),
            question,
            content: "Subject: x\r\n\r\n".into(),
        };
        let sent = written(&asked).unwrap();
        let path = format!("{} {}", sent.request.method(), sent.request.uri());
        paths.insert(path.clone());
        let (head, body) = sent.request.clone().into_parts();
        let mut request = HttpRequest::from_parts(head, Body::from(body));
        request.extensions_mut().insert(Way::own());
        let mut router = house.router.clone();
        let answer = tower_service::Service::call(&mut router, request)
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let heard = house.last_asked();
        assert_eq!(heard.by, asked.by, "{path}");
        let words = |request: &Request| serde_json::to_value(&request.question).unwrap();
        assert_eq!(words(&heard), words(&asked), "{path}");
        if let Question::Send { .. } = heard.question {
            assert_eq!(heard.content, asked.content);
        }
    }
    // Two questions are by the route of another: a whole listing, and an export.
    assert_eq!(paths.len(), routes().count() + 2);
}

#[tokio::test]
async fn an_answer_comes_back_as_it_was_given() {
    let house = House::open().await;
    for question in [
        Question::Queue,
        Question::Totals,
        Question::Preview {
            filter: Filter::default(),
        },
        Question::Body {
            id: ID.parse().unwrap(),
        },
        Question::Trace {
            query: text("nothing"),
        },
    ] {
        let asked = Request {
            by: text("jo"),
            question,
            content: bytes::Bytes::new(),
        };
        let sent = written(&asked).unwrap();
        let (head, body) = sent.request.clone().into_parts();
        let mut request = HttpRequest::from_parts(head, Body::from(body));
        request.extensions_mut().insert(Way::own());
        let mut router = house.router.clone();
        let came = tower_service::Service::call(&mut router, request)
            .await
            .unwrap();
        let (head, body) = came.into_parts();
        let content = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let media = head.headers[header::CONTENT_TYPE].to_str().unwrap();
        let read = sent.read(head.status.as_u16(), media, content).unwrap();
        assert_eq!(read, answer(&asked.question));
    }
}
