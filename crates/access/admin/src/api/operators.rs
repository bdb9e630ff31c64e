//! Who may use the administration: operators, their sessions, and tokens of programs.

use ground_directory::operator::Right;
use schemars::JsonSchema;
use serde::Deserialize;

use super::problem::Problem;
use super::route::{Asked, Body, Gives, Method, Parameter, Route};
use super::schema;
use crate::{OperatorChange, OperatorView, Password, Question};

const AFTER: &[Parameter] = &[Parameter::query("after", "The page after this one.")];
const NAME: &[Parameter] = &[Parameter::path("name", "The operator's name.")];

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewOperator {
    /// Its name.
    name: String,
    /// How it logs in; `null`: not yet.
    password: Option<String>,
    /// What it may do, as `view,act`.
    rights: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    /// The new one; `null`: it logs in no more.
    password: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewRights {
    /// What it may do from now on, as `view,act`.
    rights: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Code {
    /// What the code generator shows.
    code: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewToken {
    /// Its name.
    name: String,
    /// What the program may do, as `view,act`.
    rights: String,
    /// Seconds for which it is let in; `null`: until the token is removed.
    lifetime_seconds: Option<u32>,
}

const fn look(
    path: &'static str,
    name: &'static str,
    summary: &'static str,
    parameters: &'static [Parameter],
    gives: Gives,
    read: fn(&Asked<'_>) -> Result<Question, Problem>,
) -> Route {
    Route {
        method: Method::Get,
        path,
        name,
        summary,
        parameters,
        body: Body::None,
        gives,
        right: Right::Administer,
        read,
    }
}

const fn change(
    method: Method,
    path: &'static str,
    name: &'static str,
    summary: &'static str,
    read: fn(&Asked<'_>) -> Result<Question, Problem>,
) -> Route {
    Route {
        method,
        path,
        name,
        summary,
        parameters: NAME,
        body: Body::None,
        gives: Gives::One(schema::told),
        right: Right::Administer,
        read,
    }
}

fn at(view: OperatorView) -> Result<Question, Problem> {
    Ok(Question::OperatorLook { at: view })
}

fn changed(change: OperatorChange) -> Result<Question, Problem> {
    Ok(Question::OperatorChange { change })
}

pub(super) const ROUTES: &[Route] = &[
    look(
        "/operators",
        "operatorList",
        "A page of the operators, by name.",
        AFTER,
        Gives::Rows(schema::operator),
        |asked| {
            at(OperatorView::List {
                after: asked.after(),
            })
        },
    ),
    look(
        "/operators/{name}",
        "operatorShow",
        "One operator.",
        NAME,
        Gives::One(schema::operator),
        |asked| {
            at(OperatorView::Show {
                name: asked.text("name")?,
            })
        },
    ),
    look(
        "/operators/{name}/sessions",
        "operatorSessions",
        "Where an operator is logged in, the last used first.",
        NAME,
        Gives::Rows(schema::session),
        |asked| {
            at(OperatorView::Sessions {
                name: asked.text("name")?,
            })
        },
    ),
    Route {
        parameters: &[],
        body: Body::Json(schema::of::<NewOperator>),
        ..change(
            Method::Post,
            "/operators",
            "operatorAdd",
            "An operator is made.",
            |asked| {
                let operator: NewOperator = asked.json()?;
                changed(OperatorChange::Add {
                    name: operator.name,
                    password: operator.password.map(Password),
                    rights: operator.rights,
                })
            },
        )
    },
    change(
        Method::Delete,
        "/operators/{name}",
        "operatorRemove",
        "An operator goes, and its sessions end.",
        |asked| {
            changed(OperatorChange::Remove {
                name: asked.text("name")?,
            })
        },
    ),
    Route {
        body: Body::Json(schema::of::<NewPassword>),
        ..change(
            Method::Put,
            "/operators/{name}/password",
            "operatorPassword",
            "An operator gets a password, or logs in no more; its sessions end.",
            |asked| {
                let NewPassword { password } = asked.json()?;
                changed(OperatorChange::Password {
                    name: asked.text("name")?,
                    password: password.map(Password),
                })
            },
        )
    },
    Route {
        body: Body::Json(schema::of::<NewRights>),
        ..change(
            Method::Put,
            "/operators/{name}/rights",
            "operatorRights",
            "An operator gets other rights, which count from its next request on.",
            |asked| {
                let NewRights { rights } = asked.json()?;
                changed(OperatorChange::Rights {
                    name: asked.text("name")?,
                    rights,
                })
            },
        )
    },
    change(
        Method::Post,
        "/operators/{name}/totp",
        "totpOffer",
        "An operator is shown a secret for a code generator (RFC 6238).",
        |asked| {
            changed(OperatorChange::TotpOffer {
                name: asked.text("name")?,
            })
        },
    ),
    Route {
        body: Body::Json(schema::of::<Code>),
        ..change(
            Method::Put,
            "/operators/{name}/totp",
            "totpConfirm",
            "The code generator has the secret: its first code; codes are asked from now on.",
            |asked| {
                let Code { code } = asked.json()?;
                changed(OperatorChange::TotpConfirm {
                    name: asked.text("name")?,
                    code,
                })
            },
        )
    },
    change(
        Method::Delete,
        "/operators/{name}/totp",
        "totpRemove",
        "An operator is asked for no code any more.",
        |asked| {
            changed(OperatorChange::TotpRemove {
                name: asked.text("name")?,
            })
        },
    ),
    change(
        Method::Delete,
        "/operators/{name}/sessions",
        "sessionsRevoke",
        "All sessions of an operator end.",
        |asked| {
            changed(OperatorChange::SessionsRevoke {
                name: asked.text("name")?,
            })
        },
    ),
    look(
        "/tokens",
        "tokenList",
        "A page of the tokens of programs, by name.",
        AFTER,
        Gives::Rows(schema::token),
        |asked| {
            at(OperatorView::TokenList {
                after: asked.after(),
            })
        },
    ),
    Route {
        parameters: &[],
        body: Body::Json(schema::of::<NewToken>),
        ..change(
            Method::Post,
            "/tokens",
            "tokenAdd",
            "A program is let in; its token is told this once.",
            |asked| {
                let token: NewToken = asked.json()?;
                changed(OperatorChange::TokenAdd {
                    name: token.name,
                    rights: token.rights,
                    lifetime: token
                        .lifetime_seconds
                        .map(|seconds| u64::from(seconds) * 1000),
                })
            },
        )
    },
    change(
        Method::Delete,
        "/tokens/{name}",
        "tokenRemove",
        "A program is let in no more.",
        |asked| {
            changed(OperatorChange::TokenRemove {
                name: asked.text("name")?,
            })
        },
    ),
];
