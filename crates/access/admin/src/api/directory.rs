//! Who exists: domains, accounts and aliases.

use ground_directory::operator::Right;
use schemars::JsonSchema;
use serde::Deserialize;

use super::problem::Problem;
use super::route::{Asked, Body, Form, Gives, Method, Parameter, Route};
use super::schema;
use crate::{DirectoryChange, DirectoryView, Password, Question};

const AFTER: Parameter = Parameter::query("after", "The page after this one.");
const DOMAIN: Parameter = Parameter::path("domain", "A domain.");
const ADDRESS: Parameter = Parameter::path("address", "An address.");

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewDomain {
    /// Its name.
    name: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CatchAll {
    /// Where mail for unknown names goes; `null` refuses it.
    target: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    /// Its address.
    address: String,
    /// How it logs in; `null`: it takes mail only.
    password: Option<String>,
    /// Octets its mailbox may hold; `null`: any number.
    quota: Option<u64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    /// The new one; `null`: it takes mail only.
    password: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewAlias {
    /// The address.
    address: String,
    /// What it stands for; these are added to those it has.
    targets: Vec<String>,
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
        right: Right::View,
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
        parameters: &[],
        body: Body::None,
        gives: Gives::One(schema::changed),
        right: Right::Administer,
        read,
    }
}

fn at(view: DirectoryView) -> Result<Question, Problem> {
    Ok(Question::Look { at: view })
}

fn changed(change: DirectoryChange) -> Result<Question, Problem> {
    Ok(Question::Change { change })
}

impl Asked<'_> {
    pub(super) fn after(&self) -> String {
        self.maybe("after").unwrap_or_default().to_owned()
    }
}

pub(super) const ROUTES: &[Route] = &[
    look(
        "/domains",
        "domainList",
        "A page of the domains, by name.",
        &[AFTER],
        Gives::Rows(schema::domain),
        |asked| {
            at(DirectoryView::DomainList {
                after: asked.after(),
            })
        },
    ),
    look(
        "/domains/{domain}",
        "domainShow",
        "One domain.",
        &[DOMAIN],
        Gives::One(schema::domain),
        |asked| {
            at(DirectoryView::DomainShow {
                name: asked.text("domain")?,
            })
        },
    ),
    Route {
        body: Body::Json(schema::of::<NewDomain>),
        ..change(
            Method::Post,
            "/domains",
            "domainAdd",
            "A domain is taken in.",
            |asked| {
                let NewDomain { name } = asked.json()?;
                changed(DirectoryChange::DomainAdd { name })
            },
        )
    },
    Route {
        parameters: &[DOMAIN],
        ..change(
            Method::Delete,
            "/domains/{domain}",
            "domainRemove",
            "A domain without accounts and aliases is let go.",
            |asked| {
                changed(DirectoryChange::DomainRemove {
                    name: asked.text("domain")?,
                })
            },
        )
    },
    Route {
        parameters: &[DOMAIN],
        body: Body::Json(schema::of::<CatchAll>),
        ..change(
            Method::Put,
            "/domains/{domain}/catch-all",
            "domainCatchAll",
            "Mail for unknown names of a domain goes somewhere, or is refused.",
            |asked| {
                let CatchAll { target } = asked.json()?;
                changed(DirectoryChange::DomainCatchAll {
                    name: asked.text("domain")?,
                    target,
                })
            },
        )
    },
    look(
        "/accounts",
        "accountList",
        "A page of the accounts, by address.",
        &[AFTER],
        Gives::Rows(schema::account),
        |asked| {
            at(DirectoryView::AccountList {
                after: asked.after(),
            })
        },
    ),
    look(
        "/accounts/{address}",
        "accountShow",
        "One account.",
        &[ADDRESS],
        Gives::One(schema::account),
        |asked| {
            at(DirectoryView::AccountShow {
                address: asked.text("address")?,
            })
        },
    ),
    Route {
        body: Body::Json(schema::of::<NewAccount>),
        ..change(
            Method::Post,
            "/accounts",
            "accountAdd",
            "An account is made in a domain that is here.",
            |asked| {
                let account: NewAccount = asked.json()?;
                changed(DirectoryChange::AccountAdd {
                    address: account.address,
                    password: account.password.map(Password),
                    quota: account.quota,
                })
            },
        )
    },
    Route {
        parameters: &[ADDRESS],
        body: Body::Json(schema::of::<NewPassword>),
        ..change(
            Method::Put,
            "/accounts/{address}/password",
            "accountPassword",
            "An account gets a password, or takes mail only.",
            |asked| {
                let NewPassword { password } = asked.json()?;
                changed(DirectoryChange::AccountPassword {
                    address: asked.text("address")?,
                    password: password.map(Password),
                })
            },
        )
    },
    Route {
        parameters: &[
            ADDRESS,
            Parameter::query(
                "with_mail",
                "Its mail goes with it; otherwise one that has mail stays.",
            )
            .form(Form::Flag),
        ],
        ..change(
            Method::Delete,
            "/accounts/{address}",
            "accountRemove",
            "An account goes.",
            |asked| {
                let with_mail = match asked.maybe("with_mail") {
                    None => false,
                    Some(_) => asked.parsed("with_mail", "true or false")?,
                };
                changed(DirectoryChange::AccountRemove {
                    address: asked.text("address")?,
                    with_mail,
                })
            },
        )
    },
    look(
        "/aliases",
        "aliasList",
        "A page of the aliases, by address.",
        &[AFTER],
        Gives::Rows(schema::alias),
        |asked| {
            at(DirectoryView::AliasList {
                after: asked.after(),
            })
        },
    ),
    look(
        "/aliases/{address}",
        "aliasShow",
        "One alias.",
        &[ADDRESS],
        Gives::One(schema::alias),
        |asked| {
            at(DirectoryView::AliasShow {
                address: asked.text("address")?,
            })
        },
    ),
    Route {
        body: Body::Json(schema::of::<NewAlias>),
        ..change(
            Method::Post,
            "/aliases",
            "aliasAdd",
            "An address stands for others.",
            |asked| {
                let NewAlias { address, targets } = asked.json()?;
                changed(DirectoryChange::AliasAdd { address, targets })
            },
        )
    },
    Route {
        parameters: &[
            ADDRESS,
            Parameter::repeated("target", "Only this target goes; without any, the alias."),
        ],
        ..change(
            Method::Delete,
            "/aliases/{address}",
            "aliasRemove",
            "Targets of an alias go, or all of it.",
            |asked| {
                changed(DirectoryChange::AliasRemove {
                    address: asked.text("address")?,
                    targets: asked.all("target"),
                })
            },
        )
    },
];
