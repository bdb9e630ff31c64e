//! Content: bodies of messages, mailboxes, and sending.

use ground_directory::operator::Right;

use super::problem::Problem;
use super::route::{Asked, Body, Form, Gives, Method, Parameter, Route};
use super::schema;
use crate::Question;

const ADDRESS: Parameter = Parameter::path("address", "The account's address.");

const fn content(
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
        right: Right::Content,
        read,
    }
}

pub(super) const ROUTES: &[Route] = &[
    content(
        "/messages/{id}/body",
        "body",
        "A message as it was accepted.",
        &[Parameter::path("id", "The message's id.").form(Form::Id)],
        Gives::Octets("message/rfc822"),
        |asked| {
            Ok(Question::Body {
                id: asked.parsed("id", "an id")?,
            })
        },
    ),
    content(
        "/accounts/{address}/mail",
        "mailList",
        "The mails in the folder INBOX of an account.",
        &[ADDRESS],
        Gives::Rows(schema::mail),
        |asked| {
            Ok(Question::MailList {
                address: asked.text("address")?,
            })
        },
    ),
    content(
        "/accounts/{address}/mail/{mail}",
        "mailShow",
        "One mail of an account.",
        &[
            ADDRESS,
            Parameter::path(
                "mail",
                "The message's id, or the mail's UID in the folder INBOX.",
            ),
        ],
        Gives::Octets("message/rfc822"),
        |asked| {
            Ok(Question::MailShow {
                address: asked.text("address")?,
                mail: asked.text("mail")?,
            })
        },
    ),
    Route {
        method: Method::Post,
        path: "/messages",
        name: "send",
        summary: "A message is accepted as from a program on this machine.",
        parameters: &[
            Parameter::query(
                "sender",
                "The envelope's sender; empty or missing for the null sender.",
            ),
            Parameter::repeated("recipient", "A recipient of the envelope."),
            Parameter::query("notify", "NOTIFY as in RFC 3461 s4.1."),
            Parameter::query("ret", "RET as in RFC 3461 s4.3."),
            Parameter::query("envid", "ENVID as in RFC 3461 s4.4."),
        ],
        body: Body::Message,
        gives: Gives::One(schema::sent),
        right: Right::Administer,
        read: |asked| {
            let maybe = |name| asked.maybe(name).map(str::to_owned);
            Ok(Question::Send {
                sender: maybe("sender").unwrap_or_default(),
                recipients: asked.all("recipient"),
                notify: maybe("notify"),
                ret: maybe("ret"),
                envid: maybe("envid"),
            })
        },
    },
];
