//! What comes back, as JSON Schema (draft 2020-12): made from the types that are written.

use path_ledger::{
    AgeLine, Audit, FlowLine, Listed, ListedEvent, MessageId, NodeStatus, QueueLine, RecipientId,
    Story, Totals,
};
use path_watch::Alarm;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::explain::Explanation;
use crate::{ActStatus, ConnectorLine, Previewed, RouteFound, SettingsView, TimesLine, Trial};

/// Of a type, with all that it is made of inside.
pub(crate) fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

macro_rules! of {
    ($($name:ident = $type:ty;)*) => {
        $(pub(super) fn $name() -> Value { of::<$type>() })*
    };
}

of! {
    queue_line = QueueLine;
    listed = Listed;
    story = Story;
    audit = Audit;
    alarm = Alarm;
    node = NodeStatus;
    event = ListedEvent;
    totals = Totals;
    age_line = AgeLine;
    flow_line = FlowLine;
    times_line = TimesLine;
    previewed = Previewed;
    act_status = ActStatus;
    connector = ConnectorLine;
    route = RouteFound;
    settings = SettingsView;
    trial = Trial;
    operator = Operator;
    session = Session;
    token = Token;
    told = Told;
    explanations = Explanations;
    acted = Acted;
    domain = Domain;
    account = Account;
    link = Link;
    alias = Alias;
    changed = Changed;
    health = Health;
}

/// Anything that is an object.
pub(super) fn any() -> Value {
    json!({ "type": "object" })
}

pub(super) use any as mail;
pub(super) use any as sent;

/// A message with each of its recipients explained.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "what is written by hand, described")]
struct Explanations {
    id: MessageId,
    /// Empty for the null sender.
    sender: String,
    subject: String,
    recipients: Vec<Explanation>,
}

/// What was done; with `dry_run` the rows that would be touched.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "what is written by hand, described")]
struct Acted {
    act: path_ledger::Verb,
    /// How many recipients.
    done: u64,
    /// Not as the preview showed them any more, or not in a state that allows it; untouched.
    escaped: Vec<RecipientId>,
    /// The filter meant more than fit one act: the same can be asked again.
    more: bool,
    /// The messages of the recipients meant.
    messages: Vec<MessageId>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "what is written by hand, described")]
struct Domain {
    name: String,
    /// Takes mail for unknown names.
    catch_all: Option<String>,
    created_at: String,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "what is written by hand, described")]
struct Account {
    address: String,
    /// Whether it has a password.
    may_log_in: bool,
    /// Octets its mailbox may hold.
    quota: Option<u64>,
    created_at: String,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "what is written by hand, described")]
struct Link {
    id: MessageId,
    /// Below the root of the listener for HTTP.
    path: String,
    /// The whole address; null when no `web_address` is set.
    address: Option<String>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "what is written by hand, described")]
struct Alias {
    address: String,
    targets: Vec<String>,
    created_at: String,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "what is written by hand, described")]
struct Changed {
    /// In words.
    done: String,
    /// What becomes of the mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    mail: Option<String>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "what is written by hand, described")]
struct Health {
    healthy: bool,
    node: String,
    reasons: Vec<String>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "what is written by hand, described")]
struct Operator {
    name: String,
    /// As `view,act`.
    rights: String,
    /// Whether it has a password.
    may_log_in: bool,
    created_at: String,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "what is written by hand, described")]
struct Session {
    /// From where it began.
    peer: String,
    /// What the browser called itself.
    agent: String,
    created_at: String,
    seen_at: String,
    ends_at: String,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "what is written by hand, described")]
struct Token {
    name: String,
    /// As `view,act`.
    rights: String,
    created_at: String,
    expires_at: Option<String>,
}

/// What was done, and what is told this once.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "what is written by hand, described")]
struct Told {
    /// In words.
    done: String,
    /// Of a new token: what the program sends.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// Of an offered code generator: its `otpauth:` address.
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<String>,
    /// Of an offered code generator: its secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}
