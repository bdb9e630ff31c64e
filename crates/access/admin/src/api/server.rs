//! The server itself: its nodes, its settings, its test.

use ground_directory::operator::Right;
use schemars::JsonSchema;
use serde::Deserialize;

use super::problem::Problem;
use super::route::{Asked, Body, Gives, Method, Parameter, Route};
use super::schema;
use crate::Question;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Why {
    /// Why; it stands in the history.
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Advance {
    /// By how much.
    millis: u64,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Step {
    /// By how much, forward or back.
    millis: i64,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Try {
    /// The text of a configuration file (TOML), `(kept)` for each secret that stays as it is; without it, the file as it is.
    text: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Save {
    /// The text of the configuration file (TOML), `(kept)` for each secret that stays as it is.
    text: String,
    /// The version of the text it was made from.
    version: String,
    /// Why; it stands in the history.
    #[serde(default)]
    reason: String,
}

fn drain(asked: &Asked<'_>, draining: bool) -> Result<Question, Problem> {
    let Why { reason } = asked.json()?;
    Ok(Question::Drain {
        name: asked.text("node")?,
        draining,
        reason,
    })
}

const NODE: &[Parameter] = &[Parameter::path("node", "The node's name.")];

const fn post(
    path: &'static str,
    name: &'static str,
    summary: &'static str,
    read: fn(&Asked<'_>) -> Result<Question, Problem>,
) -> Route {
    Route {
        method: Method::Post,
        path,
        name,
        summary,
        parameters: &[],
        body: Body::None,
        gives: Gives::One(schema::any),
        right: Right::Administer,
        read,
    }
}

pub(super) const ROUTES: &[Route] = &[
    Route {
        parameters: NODE,
        body: Body::Json(schema::of::<Why>),
        ..post(
            "/nodes/{node}/drain",
            "drain",
            "A node is told to take no new work.",
            |asked| drain(asked, true),
        )
    },
    Route {
        parameters: NODE,
        body: Body::Json(schema::of::<Why>),
        ..post(
            "/nodes/{node}/resume",
            "resume",
            "A node is told to take work again.",
            |asked| drain(asked, false),
        )
    },
    Route {
        gives: Gives::Rows(schema::any),
        ..post(
            "/selftest",
            "selftest",
            "The server tests itself end to end: every listener, and a message through it.",
            |_| Ok(Question::Selftest),
        )
    },
    Route {
        body: Body::Json(schema::of::<Advance>),
        ..post(
            "/clock/advance",
            "clockAdvance",
            "The clock of a server under test moves on.",
            |asked| {
                let Advance { millis } = asked.json()?;
                Ok(Question::ClockAdvance { millis })
            },
        )
    },
    Route {
        body: Body::Json(schema::of::<Step>),
        ..post(
            "/clock/step",
            "clockStep",
            "The wall clock of a server under test is stepped, and no time passes.",
            |asked| {
                let Step { millis } = asked.json()?;
                Ok(Question::ClockStep { millis })
            },
        )
    },
    Route {
        method: Method::Get,
        gives: Gives::One(schema::settings),
        ..post(
            "/settings",
            "settings",
            "The configuration file of this node, without its secrets, and what of it does not hold yet.",
            |_| Ok(Question::Settings),
        )
    },
    Route {
        body: Body::Json(schema::of::<Try>),
        gives: Gives::One(schema::trial),
        ..post(
            "/settings/try",
            "settingsTry",
            "What a text would come to as the configuration file: what is wrong with it, what it changes, whose mail goes another way. Nothing is changed.",
            |asked| {
                let Try { text } = asked.json()?;
                Ok(Question::SettingsTry { text })
            },
        )
    },
    Route {
        method: Method::Put,
        body: Body::Json(schema::of::<Save>),
        ..post(
            "/settings",
            "settingsSave",
            "The configuration file gets another text, which holds at once; or nothing is changed.",
            |asked| {
                let Save {
                    text,
                    version,
                    reason,
                } = asked.json()?;
                Ok(Question::SettingsSave {
                    text,
                    version,
                    reason,
                })
            },
        )
    },
    post("/reload", "reload", "The settings are read again.", |_| {
        Ok(Question::Reload)
    }),
];
