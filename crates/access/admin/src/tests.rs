//! The doors of the administration, asked as browsers and programs ask; the binary behind them is played.

mod api;
mod client;
mod login;
mod mine;
mod pages;
mod rights;
mod status;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{Request as HttpRequest, StatusCode, header};
use ground_directory::operator::{Change, Operators, Options, Rights};
use ground_directory::{Directory, NewPassword, PasswordCost};
use ground_settings::Settings;
use ground_store::{Store, Unit};
use ground_world::{Simulation, World};
use path_ledger::{Ledger, LedgerOptions};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::senders;
use crate::web::Way;
use crate::{Answer, DirectoryView, Mover, OperatorView, Question, Request, Web, WebParts};

const PASSWORD: &str = "correct horse";

/// What everybody who sends mail may try to have run.
const HOSTILE: &str = r#""><script>alert(1)</script><img src=x onerror=alert(2)>'{{ 7*7 }}"#;

const ID: &str = "0CP59ZDEA0800";

/// The doors, and what was asked behind them.
struct House {
    world: World,
    simulation: Simulation,
    directory: Directory,
    /// The book; what those are told who are no operators comes from it, and all else is played.
    ledger: Ledger,
    router: Router,
    operators: Operators,
    asked: Arc<Mutex<Vec<Request>>>,
}

/// An answer as a client sees it.
struct Seen {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    text: String,
}

/// Who asks.
#[derive(Clone, Debug)]
enum As {
    Nobody,
    Token(String),
    Session { cookie: String, word: String },
}

impl House {
    async fn open() -> Self {
        let (world, simulation) = World::simulated(1);
        let options = ground_store::Options::default();
        let store = Store::open("sqlite:/data/book.db", options, &world)
            .await
            .unwrap();
        let cost = PasswordCost {
            memory_kib: 8,
            passes: 1,
        };
        let options = ground_directory::Options { verifiers: 2, cost };
        let directory = Directory::open(store.clone(), world.clone(), &options);
        let operators = directory.operators(Options::default());
        let settings = Settings::default();
        let options = LedgerOptions::from_settings("node1", &settings);
        let ledger = Ledger::open(store, world.clone(), options).await.unwrap();
        let asked = Arc::<Mutex<Vec<Request>>>::default();
        let heard = asked.clone();
        let (_, settings) = watch::channel(Arc::new(settings));
        let book = ledger.clone();
        let web = Web::new(WebParts {
            desk: Arc::new(move |request: Request| {
                heard.lock().unwrap().push(request.clone());
                let book = book.clone();
                Box::pin(async move { of_the_book(&book, &request.question).await })
            }),
            operators: operators.clone(),
            holders: directory.holders(Options::default()),
            world: world.clone(),
            settings,
        });
        Self {
            world,
            simulation,
            directory,
            ledger,
            router: web.router(),
            operators,
            asked,
        }
    }

    async fn make(&self, change: Change) {
        self.operators.apply(&change, Unit::new()).await.unwrap();
    }

    async fn operator(&self, name: &str, rights: &str) {
        self.make(Change::Add {
            name: name.parse().unwrap(),
            password: NewPassword::Set(PASSWORD.to_owned()),
            rights: rights.parse().unwrap(),
        })
        .await;
    }

    /// A program with these rights.
    async fn token(&self, rights: Rights) -> As {
        let token = self.operators.new_api_token().unwrap();
        let name = rights.to_string().replace(',', ".");
        self.make(Change::AddToken {
            name: name.parse().unwrap(),
            token: token.clone(),
            rights,
            by: "test".to_owned(),
            expires_at: None,
        })
        .await;
        As::Token(token.text().to_owned())
    }

    async fn ask(&self, who: &As, method: &str, path: &str, body: Option<(&str, &str)>) -> Seen {
        self.ask_from("192.0.2.7:1", who, method, path, body).await
    }

    async fn ask_from(
        &self,
        peer: &str,
        who: &As,
        method: &str,
        path: &str,
        body: Option<(&str, &str)>,
    ) -> Seen {
        let mut request = HttpRequest::builder().method(method).uri(path);
        match who {
            As::Nobody => {}
            As::Token(token) => {
                request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
            }
            As::Session { cookie, word } => {
                request = request
                    .header(header::COOKIE, cookie)
                    .header("x-postrider-word", word);
            }
        }
        let body = match body {
            Some((media, text)) => {
                request = request.header(header::CONTENT_TYPE, media);
                Body::from(text.to_owned())
            }
            None => Body::empty(),
        };
        let mut request = request.body(body).unwrap();
        let peer: SocketAddr = peer.parse().unwrap();
        request.extensions_mut().insert(Way::clear(peer));
        let mut router = self.router.clone();
        let response = tower_service::Service::call(&mut router, request)
            .await
            .unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        Seen {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    async fn get(&self, who: &As, path: &str) -> Seen {
        self.ask(who, "GET", path, None).await
    }

    async fn form(&self, who: &As, path: &str, form: &str) -> Seen {
        let form = Some(("application/x-www-form-urlencoded", form));
        self.ask(who, "POST", path, form).await
    }

    async fn enter(&self, peer: &str, name: &str, password: &str, rest: &str) -> Seen {
        let form = format!("name={name}&password={}{rest}", password.replace(' ', "+"));
        let form = Some(("application/x-www-form-urlencoded", form.as_str()));
        self.ask_from(peer, &As::Nobody, "POST", "/login", form)
            .await
    }

    /// Logs in, and reads the word of the session from a page.
    async fn log_in(&self, name: &str) -> As {
        let entered = self.enter("192.0.2.7:1", name, PASSWORD, "").await;
        assert_eq!(entered.status, StatusCode::SEE_OTHER, "{}", entered.text);
        let cookie = entered.cookie().split(';').next().unwrap().to_owned();
        let session = As::Session {
            cookie: cookie.clone(),
            word: String::new(),
        };
        let page = self.get(&session, "/alarms").await;
        let (_, rest) = page.text.split_once("name=\"word\" value=\"").unwrap();
        let word = rest.split('"').next().unwrap().to_owned();
        As::Session { cookie, word }
    }

    fn last_asked(&self) -> Request {
        self.asked.lock().unwrap().last().cloned().unwrap()
    }

    fn questions(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl Seen {
    fn cookie(&self) -> &str {
        self.headers[header::SET_COOKIE].to_str().unwrap()
    }

    fn location(&self) -> &str {
        self.headers[header::LOCATION].to_str().unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{}", self.text))
    }
}

/// What the binary says of the book, as it says it, and of all else in this play.
async fn of_the_book(ledger: &Ledger, question: &Question) -> Answer {
    if let Question::Follow { token } = question {
        return senders::follow(ledger, token).await.unwrap();
    }
    if let Question::OwnMail {
        owner,
        before,
        query,
    } = question
    {
        let mail = senders::own_mail(ledger, owner, *before, query.as_deref());
        return mail.await.unwrap();
    }
    answer(question)
}

/// What the binary says in this play: everything that strangers can choose is hostile.
fn answer(question: &Question) -> Answer {
    let rows = |rows: Vec<Value>| Answer::Rows { rows };
    let one = |fact: Value| Answer::One { fact };
    match question {
        Question::Totals => one(serde_json::to_value(path_ledger::Totals::default()).unwrap()),
        Question::Queue => rows(vec![queue_line()]),
        Question::List { .. } => rows(vec![listed()]),
        Question::Trace { query } if query == "nothing" => Answer::Refused {
            whose: Mover::Asker,
            why: format!("nothing is known of {query:?}{HOSTILE}"),
        },
        Question::Trace { .. } => rows(vec![story()]),
        Question::Explain { .. } => rows(vec![json!({
            "id": ID, "sender": HOSTILE, "subject": HOSTILE, "recipients": [explained()],
        })]),
        Question::Alarms => rows(vec![alarm()]),
        Question::Audit => one(json!({
            "accepted": 1, "delivered": 0, "relayed": 0, "expanded": 0, "returned": 0, "discarded": 0,
            "dead_letter": 0, "in_transit": 1, "difference": 0, "orphans": 0, "findings": [],
        })),
        Question::Link { .. } => one(json!({ "id": ID, "path": "/status/x", "address": HOSTILE })),
        Question::Follow { .. } | Question::OwnMail { .. } => unreachable!("of the book"),
        Question::Health => one(json!({ "healthy": true, "node": "one", "reasons": [] })),
        Question::Ages => rows(vec![
            json!({ "next_hop": HOSTILE, "recipients": 3, "by_age": [3, 0, 0, 0, 0, 0, 0, 0, 0] }),
        ]),
        Question::Times => rows(vec![
            json!({ "state": "delivered", "bounds": [0.01, 90.0], "recipients": [3, 2, 1] }),
        ]),
        Question::Flows => rows(vec![
            json!({ "next_hop": HOSTILE, "arrive": 3.0, "end": 0.5 }),
        ]),
        Question::Events { .. } => rows(vec![json!({
            "id": ID, "at": "2026-01-01T00:00:00Z", "message": ID, "recipient": null, "kind": "held", "doer": "person",
            "actor": HOSTILE, "detail": HOSTILE,
        })]),
        Question::Nodes => rows(vec![json!({
            "name": HOSTILE, "state": "up", "draining": false, "epoch": 1,
            "heartbeat_at": "2026-01-01T00:00:00Z", "in_flight": 0,
        })]),
        Question::Preview { .. } => one(json!({
            "preview": ID, "filter": HOSTILE, "count": 1, "more": false,
            "groups": [{ "state": "queued", "next_hop": HOSTILE, "count": 1 }],
            "rows": [{ "id": ID, "recipient_id": ID, "recipient": HOSTILE, "sender": HOSTILE, "state": "queued", "next_hop": HOSTILE }],
        })),
        Question::Begin { .. } | Question::Progress { .. } => one(json!({
            "act": ID, "verb": "hold", "filter": HOSTILE, "by": HOSTILE, "reason": HOSTILE, "state": "failed",
            "count": 2, "done": 1, "escaped": 1, "escapees": [ID], "trouble": HOSTILE, "began_at": "2026-01-01T00:00:00Z",
        })),
        Question::Metrics | Question::Body { .. } | Question::MailShow { .. } => Answer::Octets {
            content: HOSTILE.into(),
        },
        Question::Look { at } => look(at),
        Question::OperatorLook { at } => operator_look(at),
        Question::Connectors => rows(vec![json!({
            "name": HOSTILE, "address_space": [HOSTILE], "next_hop": HOSTILE, "cost": 10, "protocol": HOSTILE, "tls": HOSTILE,
            "username": HOSTILE, "waiting": 3, "hops": [HOSTILE],
        })]),
        Question::Route { .. } => one(json!({
            "domain": HOSTILE, "next_hop": HOSTILE, "connector": HOSTILE, "address_space": HOSTILE, "cost": 10, "reason": HOSTILE,
        })),
        Question::Settings => one(json!({
            "node": HOSTILE, "file": HOSTILE, "text": format!("greeting = '''{HOSTILE}'''\n"), "trouble": HOSTILE,
            "version": HOSTILE, "unread": [{ "setting": HOSTILE, "before": HOSTILE, "after": HOSTILE }],
            "waits_for_restart": [HOSTILE],
        })),
        Question::SettingsTry { .. } => one(json!({
            "problems": [],
            "differences": [{ "setting": HOSTILE, "before": HOSTILE, "after": HOSTILE }],
            "waits_for_restart": [HOSTILE],
            "rerouted": [{ "next_hop": HOSTILE, "recipients": 312, "before": HOSTILE, "after": HOSTILE, "lost": true }],
            "recipients": 312,
        })),
        Question::MailList { .. } | Question::Selftest => rows(Vec::new()),
        Question::Act { .. }
        | Question::Change { .. }
        | Question::OperatorChange { .. }
        | Question::Send { .. }
        | Question::Drain { .. }
        | Question::PauseHop { .. }
        | Question::ResumeHop { .. }
        | Question::Reload
        | Question::SettingsSave { .. }
        | Question::ClockAdvance { .. }
        | Question::ClockStep { .. } => one(json!({ "done": HOSTILE })),
    }
}

fn look(at: &DirectoryView) -> Answer {
    let one = match at {
        DirectoryView::DomainList { .. } | DirectoryView::DomainShow { .. } => {
            json!({ "name": HOSTILE, "catch_all": HOSTILE, "created_at": HOSTILE })
        }
        DirectoryView::AccountList { .. } | DirectoryView::AccountShow { .. } => {
            json!({ "address": HOSTILE, "may_log_in": true, "quota": 7, "created_at": HOSTILE })
        }
        DirectoryView::AliasList { .. } | DirectoryView::AliasShow { .. } => {
            json!({ "address": HOSTILE, "targets": [HOSTILE], "created_at": HOSTILE })
        }
    };
    Answer::Rows { rows: vec![one] }
}

fn operator_look(at: &OperatorView) -> Answer {
    let one = match at {
        OperatorView::List { .. } | OperatorView::Show { .. } => json!({
            "name": HOSTILE, "rights": HOSTILE, "may_log_in": true, "totp": HOSTILE, "created_at": HOSTILE,
        }),
        OperatorView::Sessions { .. } => json!({
            "peer": HOSTILE, "agent": HOSTILE, "created_at": HOSTILE, "seen_at": HOSTILE, "ends_at": HOSTILE,
        }),
        OperatorView::TokenList { .. } => json!({
            "name": HOSTILE, "rights": HOSTILE, "created_by": HOSTILE, "created_at": HOSTILE,
            "expires_at": HOSTILE, "seen_at": HOSTILE,
        }),
    };
    Answer::Rows { rows: vec![one] }
}

fn queue_line() -> Value {
    json!({
        "next_hop": HOSTILE, "state": "down", "queued": 3, "in_flight": 0, "held": 0, "categorizing": 0,
        "oldest": "2026-01-01T00:00:00Z", "next_try": null, "last_reply": HOSTILE, "failures": 2,
        "paused_by": HOSTILE, "paused_until": "2026-01-01T00:00:00Z", "pause_reason": HOSTILE,
    })
}

fn listed() -> Value {
    json!({
        "id": ID, "recipient_id": ID, "recipient": HOSTILE, "sender": HOSTILE, "state": "queued", "stage": "queue",
        "next_hop": HOSTILE, "attempts": 1, "received_at": "2026-01-01T00:00:00Z", "deadline_at": null,
        "expires_at": null, "notify_at": null, "next_try": null, "last_reply": HOSTILE, "reason": HOSTILE,
        "size": 10, "node": HOSTILE,
    })
}

fn alarm() -> Value {
    json!({
        "kind": "damaged", "since": "2026-01-01T00:00:00Z", "subject": HOSTILE, "messages": [ID], "all": 2,
        "detail": HOSTILE, "meaning": HOSTILE, "remedy": HOSTILE,
    })
}

fn story() -> Value {
    let attempt = json!({
        "damaged": null, "node": HOSTILE, "started_at": "2026-01-01T00:00:00Z", "ended_at": "2026-01-01T00:00:01Z",
        "next_hop": HOSTILE, "peer": HOSTILE, "address": HOSTILE, "tls": HOSTILE, "last_command": HOSTILE,
        "reply": HOSTILE, "bytes": 1, "outcome": "deferred", "transcript": HOSTILE,
    });
    let recipient = json!({
        "id": ID, "damaged": null, "parent": null, "address": HOSTILE, "state": "queued", "orcpt": HOSTILE,
        "next_hop": HOSTILE, "tries": 1, "suspicion": null, "claimed_by": null, "claimed_until": null,
        "retry_at": "2026-01-01T00:00:00Z", "notify_at": null, "deadline_at": null, "expires_at": null,
        "hold_reason": null, "held_by": null, "hold_alarm_at": null, "last_reply": HOSTILE, "last_peer": HOSTILE,
        "finished_at": null, "cause": null, "actor": null, "attempts": [attempt],
    });
    let event = json!({
        "at": "2026-01-01T00:00:00Z", "message": ID, "recipient": null, "kind": "held", "doer": "person", "actor": HOSTILE, "detail": HOSTILE,
    });
    json!({
        "id": ID, "damaged": HOSTILE, "received_at": "2026-01-01T00:00:00Z", "sender": HOSTILE, "size": 10,
        "origin": "smtp", "listener": HOSTILE, "peer": HOSTILE, "helo": HOSTILE, "tls": HOSTILE, "auth": HOSTILE,
        "envid": HOSTILE, "message_id": HOSTILE, "subject": HOSTILE, "cause": null, "body_kept": true,
        "recipients": [recipient], "events": [event], "reports": [],
    })
}

fn explained() -> Value {
    json!({
        "recipient_id": ID, "recipient": HOSTILE, "state": "queued", "meaning": HOSTILE,
        "since": "2026-01-01T00:00:00Z", "next_hop": HOSTILE, "reason": "own_time", "why": HOSTILE, "facts": {},
        "next": [{ "what": "try", "meaning": HOSTILE, "at": HOSTILE, "rule": "retry", "setting": HOSTILE }],
        "way": { "reason": HOSTILE, "rerouted": HOSTILE, "hop": "up", "connector": HOSTILE, "address_space": HOSTILE,
            "cost": 1, "server": HOSTILE, "protocol": HOSTILE, "tls": HOSTILE, "username": HOSTILE, "max_connections": 1,
            "max_messages_per_connection": 1, "retry": [HOSTILE], "delay_notice": [HOSTILE], "lifetime": HOSTILE },
        "steps": [{ "at": "2026-01-01T00:00:00Z", "step": HOSTILE, "meaning": HOSTILE, "detail": HOSTILE, "by": HOSTILE }],
    })
}
