//! Operators and tokens.

use ground_directory::MayLogIn;
use ground_directory::operator::{
    Change, ListedApiToken, ListedOperator, ListedSession, Name, Rights,
};
use path_ledger::{Doer, EventKind};
use serde_json::{Value, json};
use wire_message::Time;

use super::Answered;
use super::directory::{list, new_password, page_after, refused, shown};
use crate::control::{Answer, OperatorChange, OperatorView};
use crate::rooms::Rooms;

pub(super) async fn look(rooms: &Rooms, at: OperatorView) -> Answered {
    let operators = &rooms.operators;
    match at {
        OperatorView::List { after } => {
            let page = page_after(&after, |name| Ok(read(name)?.to_string()))?;
            let found = operators.list(&page).await.map_err(refused)?;
            list(found.iter().map(operator).collect())
        }
        OperatorView::Show { name } => {
            let found = operators.show(&read(&name)?).await;
            shown(operator(&found.map_err(refused)?))
        }
        OperatorView::Sessions { name } => {
            let found = operators.sessions(&read(&name)?).await;
            list(found.map_err(refused)?.iter().map(session).collect())
        }
        OperatorView::TokenList { after } => {
            let page = page_after(&after, |name| Ok(read(name)?.to_string()))?;
            let found = operators.api_tokens(&page).await.map_err(refused)?;
            list(found.iter().map(token).collect())
        }
    }
}

pub(super) async fn change(rooms: &Rooms, by: &str, change: OperatorChange) -> Answered {
    let change = wanted(rooms, by, change)?;
    // In the same transaction: there is no change without its record.
    let (kind, detail) = (EventKind::DirectoryChanged, change.to_string());
    let record = rooms.ledger.record_unit(kind, Doer::Person, by, &detail);
    let applied = rooms.operators.apply(&change, record).await;
    applied.map_err(refused)?;
    shown(done(rooms, &change))
}

/// What was done, and what is told this once.
fn done(rooms: &Rooms, change: &Change) -> Value {
    let done = change.to_string();
    if let Change::AddToken { token, .. } = change {
        return json!({ "done": done, "token": token.text() });
    }
    let Change::OfferTotp { name, secret } = change else {
        return json!({ "done": done });
    };
    let issuer = format!("Postrider {}", rooms.settings.borrow().server.hostname);
    json!({
        "done": done,
        "uri": secret.uri(&issuer, name),
        "secret": secret.text(),
        "next": format!("give the code it shows, now or with: postrider operator totp {name} --code CODE"),
    })
}

/// The operators' own words for a change.
fn wanted(rooms: &Rooms, by: &str, change: OperatorChange) -> Result<Change, Answer> {
    let change = match change {
        OperatorChange::Add {
            name,
            password,
            rights,
        } => Change::Add {
            name: read(&name)?,
            password: new_password(password),
            rights: read_rights(&rights)?,
        },
        OperatorChange::Remove { name } => Change::Remove { name: read(&name)? },
        OperatorChange::Password { name, password } => Change::SetPassword {
            name: read(&name)?,
            password: new_password(password),
        },
        OperatorChange::Rights { name, rights } => Change::SetRights {
            name: read(&name)?,
            rights: read_rights(&rights)?,
        },
        OperatorChange::TotpOffer { name } => Change::OfferTotp {
            name: read(&name)?,
            secret: rooms.operators.new_totp_secret().map_err(refused)?,
        },
        OperatorChange::TotpConfirm { name, code } => Change::ConfirmTotp {
            name: read(&name)?,
            code,
        },
        OperatorChange::TotpRemove { name } => Change::RemoveTotp { name: read(&name)? },
        OperatorChange::SessionsRevoke { name } => Change::RevokeSessions { name: read(&name)? },
        OperatorChange::TokenAdd {
            name,
            rights,
            lifetime,
        } => Change::AddToken {
            name: read(&name)?,
            token: rooms.operators.new_api_token().map_err(refused)?,
            rights: read_rights(&rights)?,
            by: by.to_owned(),
            expires_at: lifetime.map(|millis| after(rooms, millis)),
        },
        OperatorChange::TokenRemove { name } => Change::RemoveToken { name: read(&name)? },
    };
    Ok(change)
}

/// So many milliseconds from now.
fn after(rooms: &Rooms, millis: u64) -> Time {
    let now = rooms.directory.world().clock.now().as_millis();
    Time::from_millis(now.saturating_add_unsigned(millis))
}

fn read(name: &str) -> Result<Name, Answer> {
    name.parse().map_err(Answer::asker)
}

fn read_rights(rights: &str) -> Result<Rights, Answer> {
    rights.parse().map_err(Answer::asker)
}

fn operator(operator: &ListedOperator) -> Value {
    json!({
        "name": operator.name.to_string(),
        "rights": operator.rights.to_string(),
        "may_log_in": operator.login == MayLogIn::Yes,
        "totp": operator.totp.word(),
        "created_at": operator.created_at.to_string(),
    })
}

fn session(session: &ListedSession) -> Value {
    json!({
        "peer": session.peer,
        "agent": session.agent,
        "created_at": session.created_at.to_string(),
        "seen_at": session.seen_at.to_string(),
        "ends_at": session.ends_at.to_string(),
    })
}

fn token(token: &ListedApiToken) -> Value {
    json!({
        "name": token.name.to_string(),
        "rights": token.rights.to_string(),
        "created_by": token.created_by,
        "created_at": token.created_at.to_string(),
        "expires_at": token.expires_at.map(|at| at.to_string()),
        "seen_at": token.seen_at.map(|at| at.to_string()),
    })
}
