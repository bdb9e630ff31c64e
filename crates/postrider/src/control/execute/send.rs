//! A program on this machine sends a message.

use bytes::Bytes;
use path_accept::{Refused, Submission};
use serde_json::json;
use wire_message::{Address, ForwardPath, ReversePath};
use wire_smtp::command::{Command, Dialect, MailParams, RcptParams};

use super::Answered;
use super::directory::read;
use crate::control::{Answer, Mover};
use crate::rooms::Rooms;

/// What the sender wants to be told, as parameters of RFC 3461.
pub(super) struct Wish {
    pub(super) notify: Option<String>,
    pub(super) ret: Option<String>,
    pub(super) envid: Option<String>,
}

pub(super) async fn send(
    rooms: &Rooms,
    by: &str,
    sender: &str,
    recipients: &[String],
    wish: &Wish,
    content: Bytes,
) -> Answered {
    let recipients = recipients
        .iter()
        .map(|to| rcpt(rooms, to, wish))
        .collect::<Result<_, _>>()?;
    let submission = Submission {
        user: by.to_owned(),
        mail: mail(rooms, sender, wish)?,
        recipients,
        content,
    };
    match rooms.intake.submit(submission).await {
        Ok(id) => Ok(Answer::One {
            fact: json!({ "id": id }),
        }),
        Err(refused) => Err(told(&refused)),
    }
}

fn told(refused: &Refused) -> Answer {
    let temporary = match refused {
        Refused::Message { reply } => reply.code() < 500,
        Refused::Recipients { recipients } => {
            recipients.iter().all(|(_, reply)| reply.code() < 500)
        }
    };
    let why = match refused {
        Refused::Message { reply } => reply.to_string(),
        Refused::Recipients { recipients } => {
            let line = |(to, reply): &(String, wire_smtp::reply::Reply)| format!("{to}: {reply}");
            recipients.iter().map(line).collect::<Vec<_>>().join("\n")
        }
    };
    let whose = if temporary { Mover::Time } else { Mover::Asker };
    Answer::Refused { whose, why }
}

/// The parameters are read by the same reader as those of a session: one grammar, one set of limits.
fn mail(rooms: &Rooms, sender: &str, wish: &Wish) -> Result<MailParams, Answer> {
    let mut line = "MAIL FROM:<> BODY=8BITMIME".to_owned();
    for (name, value) in [("RET", &wish.ret), ("ENVID", &wish.envid)] {
        if let Some(value) = value {
            line.push_str(&format!(" {name}={value}"));
        }
    }
    let Ok(Command::Mail(mut params)) = Command::parse(line.as_bytes(), Dialect::Smtp) else {
        return Err(Answer::asker(
            "RET is FULL or HDRS, and ENVID is xtext (RFC 3461 s4)",
        ));
    };
    if !sender.is_empty() {
        params.from = ReversePath::Address(complete(rooms, sender)?);
    }
    params.smtputf8 = !params.from.is_ascii();
    Ok(params)
}

fn rcpt(rooms: &Rooms, to: &str, wish: &Wish) -> Result<RcptParams, Answer> {
    let mut line = "RCPT TO:<postmaster>".to_owned();
    if let Some(notify) = &wish.notify {
        line.push_str(&format!(" NOTIFY={notify}"));
    }
    let Ok(Command::Rcpt(params)) = Command::parse(line.as_bytes(), Dialect::Smtp) else {
        return Err(Answer::asker(
            "NOTIFY is NEVER, or a list of SUCCESS, FAILURE and DELAY (RFC 3461 s4.1)",
        ));
    };
    Ok(RcptParams {
        notify: params.notify,
        ..RcptParams::new(ForwardPath::Address(complete(rooms, to)?))
    })
}

/// An address; a name alone is somebody of this host.
fn complete(rooms: &Rooms, text: &str) -> Result<Address, Answer> {
    if text.contains('@') {
        return read(text);
    }
    let hostname = rooms.settings.borrow().server.hostname.to_string();
    read(&format!("{text}@{hostname}"))
}
