//! A question as a request of the API, and the answer read back: what the command line says over the control socket.

use axum::http::{Method as Verbal, Request as HttpRequest, header};
use bytes::Bytes;
use path_ledger::{EventFilter, Filter};
use serde_json::{Map, Value, json};

use crate::api::{Gives, Method, PROBLEM, ROOT, Route, routes};
use crate::web::BY;
use crate::{
    Answer, DirectoryChange, DirectoryView, Mover, OperatorChange, OperatorView, Password,
    Question, Request, Verb,
};

/// A question in the words of a route.
struct Written {
    route: &'static str,
    path: Vec<(&'static str, String)>,
    query: Vec<(String, String)>,
    body: Option<Value>,
}

/// A request, and how its answer is read.
pub struct Sent {
    /// What is sent to a server, whatever its name is.
    pub request: HttpRequest<Bytes>,
    gives: Gives,
}

/// Writes a question as the API takes it from whoever owns the socket.
///
/// # Errors
/// In words: a defect of ours.
pub fn written(request: &Request) -> Result<Sent, String> {
    let written = write(&request.question);
    let route = routes().find(|route| route.name == written.route);
    let route = route.ok_or_else(|| format!("there is no route {}", written.route))?;
    let (media, body) = match (&written.body, &request.question) {
        (Some(body), _) => ("application/json", body.to_string().into()),
        (None, Question::Send { .. }) => ("message/rfc822", request.content.clone()),
        (None, _) => ("", Bytes::new()),
    };
    let method = match route.method {
        Method::Get => Verbal::GET,
        Method::Post => Verbal::POST,
        Method::Put => Verbal::PUT,
        Method::Delete => Verbal::DELETE,
    };
    let mut sent = HttpRequest::builder()
        .method(method)
        .uri(uri(route, &written))
        .header(header::HOST, "postrider")
        .header(BY, encoded(&request.by));
    if !media.is_empty() {
        sent = sent.header(header::CONTENT_TYPE, media);
    }
    let request = sent.body(body).map_err(|error| error.to_string())?;
    let gives = route.gives;
    Ok(Sent { request, gives })
}

impl Sent {
    /// The answer in what came back.
    ///
    /// # Errors
    /// In words: it is no answer of this API.
    pub fn read(&self, status: u16, media: &str, content: Bytes) -> Result<Answer, String> {
        let unread = |error: serde_json::Error| format!("status {status}: {error}");
        if media == PROBLEM {
            let problem: Value = serde_json::from_slice(&content).map_err(unread)?;
            let text = |name| problem.get(name).cloned().unwrap_or_default();
            return Ok(Answer::Refused {
                whose: serde_json::from_value(text("whose_move")).unwrap_or(Mover::Operator),
                why: text("detail").as_str().unwrap_or_default().to_owned(),
            });
        }
        if status != 200 {
            return Err(format!("status {status}, and nothing that says why"));
        }
        match self.gives {
            Gives::Octets(_) => Ok(Answer::Octets { content }),
            Gives::One(_) => {
                let fact = serde_json::from_slice(&content).map_err(unread)?;
                Ok(Answer::One { fact })
            }
            Gives::Rows(_) => {
                let mut object: Map<String, Value> =
                    serde_json::from_slice(&content).map_err(unread)?;
                match object.remove("rows") {
                    Some(Value::Array(rows)) => Ok(Answer::Rows { rows }),
                    _ => Err("there are no rows".to_owned()),
                }
            }
        }
    }
}

/// As one segment of a path, or one field of a head.
fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

fn uri(route: &Route, written: &Written) -> String {
    let mut path = route.path.to_owned();
    for (name, value) in &written.path {
        path = path.replace(&format!("{{{name}}}"), &encoded(value));
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in &written.query {
        query.append_pair(name, value);
    }
    let query = query.finish();
    match query.is_empty() {
        true => format!("{ROOT}{path}"),
        false => format!("{ROOT}{path}?{query}"),
    }
}

impl Written {
    fn of(route: &'static str) -> Self {
        Self {
            route,
            path: Vec::new(),
            query: Vec::new(),
            body: None,
        }
    }

    fn at(mut self, name: &'static str, value: &str) -> Self {
        self.path.push((name, value.to_owned()));
        self
    }

    fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.query.push((name.to_owned(), value.to_string()));
        self
    }

    fn maybe(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    fn saying(self, body: Value) -> Self {
        Self {
            body: Some(body),
            ..self
        }
    }
}

fn write(question: &Question) -> Written {
    match question {
        Question::Queue => Written::of("queue"),
        Question::List { filter } => listed(filter),
        Question::Trace { query } => Written::of("trace").with("query", query),
        Question::Explain { query } => Written::of("explain").with("query", query),
        Question::Totals => Written::of("totals"),
        Question::Ages => Written::of("ages"),
        Question::Times => Written::of("times"),
        Question::Flows => Written::of("flows"),
        Question::Events { filter } => events(filter),
        Question::Audit => Written::of("audit"),
        Question::Alarms => Written::of("alarms"),
        Question::Health => Written::of("health"),
        Question::Metrics => Written::of("metrics"),
        Question::Act {
            verb,
            filter,
            reason,
            dry_run,
            name,
        } => Written::of("act")
            .at("verb", verb.ledgers().word())
            .saying(json!({
                "filter": object(filter), "reason": reason, "dry_run": dry_run, "to": to(verb), "name": name,
            })),
        Question::Preview { filter } => {
            Written::of("preview").saying(json!({ "filter": object(filter) }))
        }
        Question::Begin {
            preview,
            verb,
            reason,
        } => Written::of("begin").saying(json!({
            "preview": preview, "verb": verb.ledgers(), "to": to(verb), "reason": reason,
        })),
        Question::Connectors => Written::of("connectors"),
        Question::Route { domain } => Written::of("route").at("domain", domain),
        Question::Progress { act } => Written::of("progress").at("act", act),
        Question::PauseHop { hop, until, reason } => Written::of("hopPause")
            .at("hop", hop)
            .saying(json!({ "until": until, "reason": reason })),
        Question::ResumeHop { hop, reason } => because("hopResume", reason).at("hop", hop),
        Question::Body { id } => Written::of("body").at("id", &id.to_string()),
        Question::Link { id } => Written::of("link").at("id", &id.to_string()),
        // Nobody but a page asks these, for somebody who is no operator; no route is called so.
        Question::Follow { .. } => Written::of("follow"),
        Question::OwnMail { .. } => Written::of("ownMail"),
        Question::Change { change } => changed(change),
        Question::Look { at } => looked(at),
        Question::OperatorChange { change } => operator_changed(change),
        Question::OperatorLook { at } => operator_looked(at),
        Question::MailList { address } => Written::of("mailList").at("address", address),
        Question::MailShow { address, mail } => {
            let written = Written::of("mailShow").at("address", address);
            written.at("mail", mail)
        }
        Question::Send { .. } => sent(question),
        Question::Nodes => Written::of("nodes"),
        Question::Drain {
            name,
            draining,
            reason,
        } => because(if *draining { "drain" } else { "resume" }, reason).at("node", name),
        Question::Selftest => Written::of("selftest"),
        Question::Reload => Written::of("reload"),
        Question::Settings => Written::of("settings"),
        Question::SettingsTry { text } => {
            Written::of("settingsTry").saying(json!({ "text": text }))
        }
        Question::SettingsSave {
            text,
            version,
            reason,
        } => Written::of("settingsSave").saying(json!({
            "text": text, "version": version, "reason": reason,
        })),
        Question::ClockAdvance { millis } => {
            Written::of("clockAdvance").saying(json!({ "millis": millis }))
        }
        Question::ClockStep { millis } => {
            Written::of("clockStep").saying(json!({ "millis": millis }))
        }
    }
}

fn because(route: &'static str, reason: &str) -> Written {
    Written::of(route).saying(json!({ "reason": reason }))
}

fn listed(filter: &Filter) -> Written {
    let mut written = Written::of("list");
    written.query = conditions(filter);
    written
}

fn events(filter: &EventFilter) -> Written {
    let mut written = Written::of("events");
    for kind in &filter.kinds {
        written = written.with("kind", kind.word());
    }
    written
        .maybe("doer", filter.doer.map(|doer| doer.word()))
        .maybe("actor", filter.actor.as_ref())
        .maybe("of", filter.of)
        .maybe("since", filter.since)
        .maybe("until", filter.until)
        .maybe("limit", filter.limit)
        .maybe("before", filter.before)
}

fn sent(question: &Question) -> Written {
    let mut written = Written::of("send");
    if let Question::Send {
        sender,
        recipients,
        notify,
        ret,
        envid,
    } = question
    {
        written = written.with("sender", sender);
        for recipient in recipients {
            written = written.with("recipient", recipient);
        }
        written = written
            .maybe("notify", notify.as_ref())
            .maybe("ret", ret.as_ref())
            .maybe("envid", envid.as_ref());
    }
    written
}

/// The conditions of a filter by the names of the API.
fn conditions(filter: &Filter) -> Vec<(String, String)> {
    let conditions = filter.conditions().into_iter();
    conditions
        .map(|(name, value)| (name.replace('-', "_"), value))
        .collect()
}

/// The same as the object that bodies have.
fn object(filter: &Filter) -> Value {
    let mut object = Map::new();
    let mut ids = Vec::new();
    for (name, value) in conditions(filter) {
        match name.as_str() {
            "id" => ids.push(Value::String(value)),
            "limit" => drop(object.insert(name, json!(filter.limit))),
            _ => drop(object.insert(name, value.into())),
        }
    }
    object.remove("after");
    let any = !ids.is_empty() || object.keys().any(|name| name != "limit");
    object.insert("all".to_owned(), (!any).into());
    object.insert("id".to_owned(), ids.into());
    Value::Object(object)
}

fn to(verb: &Verb) -> Option<&String> {
    match verb {
        Verb::Reroute { to } => to.as_ref(),
        Verb::Retry | Verb::Hold | Verb::Release | Verb::Return | Verb::Discard | Verb::Export => {
            None
        }
    }
}

fn secret(password: Option<&Password>) -> Option<&str> {
    password.map(|Password(text)| text.as_str())
}

fn looked(at: &DirectoryView) -> Written {
    let page = |route, after: &str| match after {
        "" => Written::of(route),
        after => Written::of(route).with("after", after),
    };
    match at {
        DirectoryView::DomainList { after } => page("domainList", after),
        DirectoryView::DomainShow { name } => Written::of("domainShow").at("domain", name),
        DirectoryView::AccountList { after } => page("accountList", after),
        DirectoryView::AccountShow { address } => Written::of("accountShow").at("address", address),
        DirectoryView::AliasList { after } => page("aliasList", after),
        DirectoryView::AliasShow { address } => Written::of("aliasShow").at("address", address),
    }
}

fn changed(change: &DirectoryChange) -> Written {
    match change {
        DirectoryChange::DomainAdd { name } => {
            Written::of("domainAdd").saying(json!({ "name": name }))
        }
        DirectoryChange::DomainRemove { name } => Written::of("domainRemove").at("domain", name),
        DirectoryChange::DomainCatchAll { name, target } => Written::of("domainCatchAll")
            .at("domain", name)
            .saying(json!({ "target": target })),
        DirectoryChange::AccountAdd {
            address,
            password,
            quota,
        } => Written::of("accountAdd").saying(json!({
            "address": address, "password": secret(password.as_ref()), "quota": quota,
        })),
        DirectoryChange::AccountPassword { address, password } => Written::of("accountPassword")
            .at("address", address)
            .saying(json!({ "password": secret(password.as_ref()) })),
        DirectoryChange::AccountRemove { address, with_mail } => Written::of("accountRemove")
            .at("address", address)
            .with("with_mail", with_mail),
        DirectoryChange::AliasAdd { address, targets } => {
            Written::of("aliasAdd").saying(json!({ "address": address, "targets": targets }))
        }
        DirectoryChange::AliasRemove { address, targets } => targets.iter().fold(
            Written::of("aliasRemove").at("address", address),
            |written, target| written.with("target", target),
        ),
    }
}

fn operator_looked(at: &OperatorView) -> Written {
    let page = |route, after: &str| match after {
        "" => Written::of(route),
        after => Written::of(route).with("after", after),
    };
    match at {
        OperatorView::List { after } => page("operatorList", after),
        OperatorView::Show { name } => Written::of("operatorShow").at("name", name),
        OperatorView::Sessions { name } => Written::of("operatorSessions").at("name", name),
        OperatorView::TokenList { after } => page("tokenList", after),
    }
}

fn operator_changed(change: &OperatorChange) -> Written {
    match change {
        OperatorChange::Add {
            name,
            password,
            rights,
        } => Written::of("operatorAdd").saying(json!({
            "name": name, "password": secret(password.as_ref()), "rights": rights,
        })),
        OperatorChange::Remove { name } => Written::of("operatorRemove").at("name", name),
        OperatorChange::Password { name, password } => Written::of("operatorPassword")
            .at("name", name)
            .saying(json!({ "password": secret(password.as_ref()) })),
        OperatorChange::Rights { name, rights } => Written::of("operatorRights")
            .at("name", name)
            .saying(json!({ "rights": rights })),
        OperatorChange::TotpOffer { name } => Written::of("totpOffer").at("name", name),
        OperatorChange::TotpConfirm { name, code } => Written::of("totpConfirm")
            .at("name", name)
            .saying(json!({ "code": code })),
        OperatorChange::TotpRemove { name } => Written::of("totpRemove").at("name", name),
        OperatorChange::SessionsRevoke { name } => Written::of("sessionsRevoke").at("name", name),
        OperatorChange::TokenAdd {
            name,
            rights,
            lifetime,
        } => Written::of("tokenAdd").saying(json!({
            "name": name, "rights": rights, "lifetime_seconds": lifetime.map(|millis| millis / 1000),
        })),
        OperatorChange::TokenRemove { name } => Written::of("tokenRemove").at("name", name),
    }
}
