//! Domains, accounts and aliases.

use access_mailbox::empty_unit;
use ground_directory::{
    Change, DirectoryError, ListedAccount, ListedAlias, ListedDomain, MayLogIn, NewPassword, Page,
};
use ground_store::Unit;
use path_ledger::EventKind;
use serde_json::{Value, json};
use wire_message::{Address, DomainName};

use super::{Answered, ledger, mover};
use crate::control::{Answer, Mover, Password, Question};
use crate::rooms::Rooms;

pub(super) async fn answer(rooms: &Rooms, by: &str, question: Question) -> Answered {
    let directory = &rooms.directory;
    match question {
        Question::DomainList => {
            let found = directory.domains(&Page::default()).await.map_err(refused)?;
            list(found.iter().map(domain).collect())
        }
        Question::DomainShow { name } => {
            let found = directory.show_domain(&read_domain(&name)?).await;
            shown(domain(&found.map_err(refused)?))
        }
        Question::AccountList => {
            let found = directory
                .accounts(&Page::default())
                .await
                .map_err(refused)?;
            list(found.iter().map(account).collect())
        }
        Question::AccountShow { address } => {
            let found = directory.show_account(&read(&address)?).await;
            shown(account(&found.map_err(refused)?))
        }
        Question::AliasList => {
            let found = directory.aliases(&Page::default()).await.map_err(refused)?;
            list(found.iter().map(alias).collect())
        }
        Question::AliasShow { address } => {
            let found = directory.show_alias(&read(&address)?).await;
            shown(alias(&found.map_err(refused)?))
        }
        Question::AccountRemove { address, with_mail } => {
            let address = read(&address)?;
            let also = match with_mail {
                true => empty_unit(directory.show_account(&address).await.map_err(refused)?.id),
                false => Unit::new(),
            };
            change(rooms, by, Change::RemoveAccount { address }, also).await
        }
        question => match wanted(question)? {
            Some(wanted) => change(rooms, by, wanted, Unit::new()).await,
            None => Err(Answer::asker("this is no question about the directory")),
        },
    }
}

/// The change a question asks for, if it asks for one.
fn wanted(question: Question) -> Result<Option<Change>, Answer> {
    let change = match question {
        Question::DomainAdd { name } => Change::AddDomain {
            name: read_domain(&name)?,
        },
        Question::DomainRemove { name } => Change::RemoveDomain {
            name: read_domain(&name)?,
        },
        Question::DomainCatchAll { name, target } => Change::SetCatchAll {
            name: read_domain(&name)?,
            target: target.as_deref().map(read).transpose()?,
        },
        Question::AccountAdd {
            address,
            password,
            quota,
        } => Change::AddAccount {
            address: read(&address)?,
            password: new_password(password),
            quota,
        },
        Question::AccountPassword { address, password } => Change::SetPassword {
            address: read(&address)?,
            password: new_password(password),
        },
        Question::AliasAdd { address, targets } => Change::AddAlias {
            address: read(&address)?,
            targets: read_all(&targets)?,
        },
        Question::AliasRemove { address, targets } => Change::RemoveAlias {
            address: read(&address)?,
            targets: read_all(&targets)?,
        },
        Question::Queue
        | Question::List { .. }
        | Question::Trace { .. }
        | Question::Audit
        | Question::Act { .. }
        | Question::Body { .. }
        | Question::DomainList
        | Question::DomainShow { .. }
        | Question::AccountRemove { .. }
        | Question::AccountList
        | Question::AccountShow { .. }
        | Question::AliasList
        | Question::AliasShow { .. }
        | Question::MailList { .. }
        | Question::MailShow { .. }
        | Question::Send { .. }
        | Question::Reload
        | Question::ClockAdvance { .. } => return Ok(None),
    };
    Ok(Some(change))
}

async fn change(rooms: &Rooms, by: &str, change: Change, also: Unit) -> Answered {
    rooms
        .directory
        .apply(&change, also)
        .await
        .map_err(refused)?;
    let sentence = change.to_string();
    let recorded = rooms
        .ledger
        .record(EventKind::DirectoryChanged, by, &sentence);
    recorded.await.map_err(ledger)?;
    shown(json!({ "done": sentence }))
}

fn new_password(password: Option<Password>) -> NewPassword {
    password.map_or(NewPassword::NoLogin, |Password(text)| {
        NewPassword::Set(text)
    })
}

/// An address somebody wrote.
pub(super) fn read(text: &str) -> Result<Address, Answer> {
    Address::parse(text).map_err(|error| Answer::asker(format!("{text:?} is no address: {error}")))
}

fn read_all(texts: &[String]) -> Result<Vec<Address>, Answer> {
    texts.iter().map(|text| read(text)).collect()
}

fn read_domain(text: &str) -> Result<DomainName, Answer> {
    DomainName::parse(text)
        .map_err(|error| Answer::asker(format!("{text:?} is no domain: {error}")))
}

/// The directory's refusal in its own words.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn refused(error: DirectoryError) -> Answer {
    let whose = match &error {
        DirectoryError::Store(error) => mover(error),
        _ => Mover::Asker,
    };
    let why = error.to_string();
    Answer::Refused { whose, why }
}

fn list(rows: Vec<Value>) -> Answered {
    Ok(Answer::Rows { rows })
}

fn shown(fact: Value) -> Answered {
    Ok(Answer::One { fact })
}

fn domain(domain: &ListedDomain) -> Value {
    json!({
        "name": domain.name.to_string(),
        "catch_all": domain.catch_all.as_ref().map(ToString::to_string),
        "created_at": domain.created_at.to_string(),
    })
}

fn account(account: &ListedAccount) -> Value {
    json!({
        "address": account.address.to_string(),
        "may_log_in": account.login == MayLogIn::Yes,
        "quota": account.quota,
        "created_at": account.created_at.to_string(),
    })
}

fn alias(alias: &ListedAlias) -> Value {
    let targets: Vec<String> = alias.targets.iter().map(ToString::to_string).collect();
    json!({
        "address": alias.address.to_string(),
        "targets": targets,
        "created_at": alias.created_at.to_string(),
    })
}
