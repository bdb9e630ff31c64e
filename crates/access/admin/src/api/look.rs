//! Looking at mail: queues, recipients, stories, the audit, alarms.

use ground_directory::operator::Right;
use path_ledger::{Doer, EventFilter, EventKind, Filter, State};

use super::problem::Problem;
use super::route::{Asked, Body, Form, Gives, Method, Parameter, Route};
use super::schema;
use crate::Question;

/// The conditions of a listing: what `--state`, `--next-hop` and so on are on the command line.
pub(super) const FILTER: &[Parameter] = &[
    Parameter::repeated("id", "One of these messages or recipients, in any state.").form(Form::Id),
    Parameter::query("state", "In this state; without it: in transit.")
        .form(Form::Word(State::VOCABULARY.words)),
    Parameter::query(
        "next_hop",
        "For this next hop: its key, or the part after the colon.",
    ),
    Parameter::query("sender", "From this address; empty for the null sender."),
    Parameter::query(
        "recipient",
        "To this address, or to what an alias or catch-all of this address became.",
    ),
    Parameter::query("domain", "To an address of this domain."),
    Parameter::query("older_than", "Accepted longer ago than this: 30m, 2h, 4d."),
    Parameter::query(
        "due_before",
        "Something must happen to it before this: RFC 3339, or a time from now as 2h.",
    )
    .form(Form::Moment),
    Parameter::query(
        "reply_contains",
        "The last reply has this in it, in any case.",
    ),
    Parameter::query(
        "reason_contains",
        "The reason of its hold, or the cause of its end, has this in it, in any case.",
    ),
    Parameter::query("node", "In flight on this node, or else accepted by it."),
    Parameter::query(
        "limit",
        "Rows of a page; 100 when not given, at most 50000.",
    )
    .form(Form::Number),
    Parameter::query("after", "The page after this recipient's id.").form(Form::Id),
];

/// The filter that was meant.
pub(crate) fn filter<'a>(
    values: impl IntoIterator<Item = (&'a str, &'a str)>,
    now: wire_message::Time,
) -> Result<Filter, Problem> {
    let mut filter = Filter::default();
    for (name, value) in values {
        let set = filter.set(&name.replace('_', "-"), value, now);
        set.map_err(|error| Problem::asker(error.to_string()))?;
    }
    Ok(filter)
}

impl Asked<'_> {
    fn filter(&self) -> Result<Filter, Problem> {
        let pairs = self.values.iter();
        filter(
            pairs.map(|(name, value)| (name.as_str(), value.as_str())),
            self.now,
        )
    }
}

/// The conditions of a page of events.
const EVENTS: &[Parameter] = &[
    Parameter::repeated("kind", "One of these kinds.")
        .form(Form::Word(EventKind::VOCABULARY.words)),
    Parameter::query("doer", "Whose doing it was.").form(Form::Word(Doer::VOCABULARY.words)),
    Parameter::query("actor", "Done by whoever or whatever has this name."),
    Parameter::query(
        "of",
        "Of this message and its recipients, or of this recipient.",
    )
    .form(Form::Id),
    Parameter::query("since", "Written at this moment or later: RFC 3339.").form(Form::Moment),
    Parameter::query("until", "Written before this moment: RFC 3339.").form(Form::Moment),
    Parameter::query("limit", "Events of a page.").form(Form::Number),
    Parameter::query("before", "The page before this event's id, which is older.").form(Form::Id),
];

impl Asked<'_> {
    fn events(&self) -> Result<EventFilter, Problem> {
        let word = |text: &String| {
            let kind = EventKind::from_word(text);
            kind.ok_or_else(|| Problem::asker(format!("{text:?} is no kind of event")))
        };
        let doer = |text: &str| {
            let doer = Doer::from_word(text);
            doer.ok_or_else(|| Problem::asker(format!("{text:?} does nothing: person or program")))
        };
        Ok(EventFilter {
            kinds: self
                .all("kind")
                .iter()
                .map(word)
                .collect::<Result<_, _>>()?,
            doer: self.maybe("doer").map(doer).transpose()?,
            actor: self.maybe("actor").map(str::to_owned),
            of: self.maybe_parsed("of", "an id")?,
            since: self.maybe_parsed("since", "a moment (RFC 3339)")?,
            until: self.maybe_parsed("until", "a moment (RFC 3339)")?,
            limit: self.maybe_parsed("limit", "a number")?,
            before: self.maybe_parsed("before", "an event's id")?,
        })
    }
}

const QUERY: Parameter = Parameter::needed(
    "query",
    "An id of a message or recipient, a Message-ID, or the address of a sender or recipient.",
);

const fn get(
    path: &'static str,
    name: &'static str,
    summary: &'static str,
    gives: Gives,
    read: fn(&Asked<'_>) -> Result<Question, Problem>,
) -> Route {
    Route {
        method: Method::Get,
        path,
        name,
        summary,
        parameters: &[],
        body: Body::None,
        gives,
        right: Right::View,
        read,
    }
}

pub(super) const ROUTES: &[Route] = &[
    get(
        "/queue",
        "queue",
        "One row for each next hop with something in transit, and for each that is down or paused.",
        Gives::Rows(schema::queue_line),
        |_| Ok(Question::Queue),
    ),
    Route {
        parameters: FILTER,
        ..get(
            "/recipients",
            "list",
            "A page of recipients: in transit hop by hop, oldest first; history by age.",
            Gives::Rows(schema::listed),
            |asked| {
                Ok(Question::List {
                    filter: asked.filter()?,
                })
            },
        )
    },
    Route {
        parameters: &[QUERY],
        ..get(
            "/stories",
            "trace",
            "The whole stories of an id, Message-ID or address, newest first.",
            Gives::Rows(schema::story),
            |asked| {
                Ok(Question::Trace {
                    query: asked.text("query")?,
                })
            },
        )
    },
    Route {
        parameters: &[QUERY],
        ..get(
            "/explanations",
            "explain",
            "Why recipients are where they are, and what comes next.",
            Gives::Rows(schema::explanations),
            |asked| {
                Ok(Question::Explain {
                    query: asked.text("query")?,
                })
            },
        )
    },
    // It opens the message's state to whoever gets the address, who needs no login then: more than a look.
    Route {
        right: Right::Act,
        parameters: &[Parameter::path("id", "The id of a message or recipient.").form(Form::Id)],
        ..get(
            "/messages/{id}/link",
            "link",
            "The status link of a message: whoever has it sees, without a login, what its sender would be told of it.",
            Gives::One(schema::link),
            |asked| {
                Ok(Question::Link {
                    id: asked.parsed("id", "an id")?,
                })
            },
        )
    },
    get(
        "/totals",
        "totals",
        "How many recipients there are, by state, ever accepted and ever ended.",
        Gives::One(schema::totals),
        |_| Ok(Question::Totals),
    ),
    get(
        "/ages",
        "ages",
        "How old what waits is: all together first, then by next hop.",
        Gives::Rows(schema::age_line),
        |_| Ok(Question::Ages),
    ),
    get(
        "/flows",
        "flows",
        "How many come and go a second, by next hop, as the last ten seconds have it.",
        Gives::Rows(schema::flow_line),
        |_| Ok(Question::Flows),
    ),
    get(
        "/times",
        "times",
        "How long recipients took from acceptance to each final state, by classes, as this node has counted it since it started.",
        Gives::Rows(schema::times_line),
        |_| Ok(Question::Times),
    ),
    Route {
        parameters: EVENTS,
        ..get(
            "/events",
            "events",
            "A page of what happened besides acceptances and attempts, newest first.",
            Gives::Rows(schema::event),
            |asked| {
                Ok(Question::Events {
                    filter: asked.events()?,
                })
            },
        )
    },
    get(
        "/audit",
        "audit",
        "Whether the book adds up; counted by a scan of all that is in transit.",
        Gives::One(schema::audit),
        |_| Ok(Question::Audit),
    ),
    get(
        "/alarms",
        "alarms",
        "What should not be, since when, of which messages, and what to do.",
        Gives::Rows(schema::alarm),
        |_| Ok(Question::Alarms),
    ),
    get(
        "/health",
        "health",
        "Whether this node takes mail and nothing stands still, with the reasons.",
        Gives::One(schema::health),
        |_| Ok(Question::Health),
    ),
    get(
        "/metrics",
        "metrics",
        "Everything that is measured, as OpenMetrics text.",
        Gives::Octets("application/openmetrics-text; version=1.0.0; charset=utf-8"),
        |_| Ok(Question::Metrics),
    ),
    get(
        "/connectors",
        "connectors",
        "The ways out, in the order of the file, with the mail that waits for each.",
        Gives::Rows(schema::connector),
        |_| Ok(Question::Connectors),
    ),
    Route {
        parameters: &[Parameter::path(
            "domain",
            "The domain of a recipient that is not here.",
        )],
        ..get(
            "/routes/{domain}",
            "route",
            "The way that mail for a domain takes by the settings of this moment, and why.",
            Gives::One(schema::route),
            |asked| {
                Ok(Question::Route {
                    domain: asked.text("domain")?,
                })
            },
        )
    },
    get(
        "/nodes",
        "nodes",
        "The nodes that share the store.",
        Gives::Rows(schema::node),
        |_| Ok(Question::Nodes),
    ),
];
