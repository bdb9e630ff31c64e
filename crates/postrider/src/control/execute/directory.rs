//! Domains, accounts and aliases.

mod aftermath;

use access_mailbox::empty_unit;
use ground_directory::{
    Change, DirectoryError, ListedAccount, ListedAlias, ListedDomain, MayLogIn, NewPassword, Page,
};
use ground_store::Unit;
use path_ledger::{Doer, EventKind};
use serde_json::{Value, json};
use wire_message::{Address, DomainName};

use super::{Answered, mover};
use crate::control::{Answer, DirectoryChange, DirectoryView, Mover, Password};
use crate::rooms::Rooms;

pub(super) async fn look(rooms: &Rooms, at: DirectoryView) -> Answered {
    let directory = &rooms.directory;
    match at {
        DirectoryView::DomainList { after } => {
            let page = page_after(&after, |name| Ok(read_domain(name)?.ascii().to_owned()))?;
            let found = directory.domains(&page).await.map_err(refused)?;
            list(found.iter().map(domain).collect())
        }
        DirectoryView::DomainShow { name } => {
            let found = directory.show_domain(&read_domain(&name)?).await;
            shown(domain(&found.map_err(refused)?))
        }
        DirectoryView::AccountList { after } => {
            let page = page_after(&after, |address| Ok(read(address)?.key()))?;
            let found = directory.accounts(&page).await.map_err(refused)?;
            list(found.iter().map(account).collect())
        }
        DirectoryView::AccountShow { address } => {
            let found = directory.show_account(&read(&address)?).await;
            shown(account(&found.map_err(refused)?))
        }
        DirectoryView::AliasList { after } => {
            let page = page_after(&after, |address| Ok(read(address)?.key()))?;
            let found = directory.aliases(&page).await.map_err(refused)?;
            list(found.iter().map(alias).collect())
        }
        DirectoryView::AliasShow { address } => {
            let found = directory.show_alias(&read(&address)?).await;
            shown(alias(&found.map_err(refused)?))
        }
    }
}

/// The page after a name or address as it is shown, whose key `key` knows.
pub(super) fn page_after(
    after: &str,
    key: impl Fn(&str) -> Result<String, Answer>,
) -> Result<Page, Answer> {
    let mut page = Page::default();
    if !after.is_empty() {
        page.after = key(after)?;
    }
    Ok(page)
}

pub(super) async fn change(rooms: &Rooms, by: &str, change: DirectoryChange) -> Answered {
    let mut also = Unit::new();
    let mut removed = 0;
    if let DirectoryChange::AccountRemove {
        address,
        with_mail: true,
    } = &change
    {
        let account = rooms.directory.show_account(&read(address)?).await;
        let account = account.map_err(refused)?.id;
        removed = aftermath::messages(rooms, account).await?;
        also.join(empty_unit(account));
    }
    let change = wanted(change)?;
    let sentence = change.to_string();
    // In the same transaction: there is no change without its record.
    let record = rooms
        .ledger
        .record_unit(EventKind::DirectoryChanged, Doer::Person, by, &sentence);
    also.join(record);
    let applied = rooms.directory.apply(&change, also).await;
    applied.map_err(refused)?;
    match aftermath::mail(rooms, &change, removed).await? {
        Some(mail) => shown(json!({ "done": sentence, "mail": mail })),
        None => shown(json!({ "done": sentence })),
    }
}

/// The directory's own words for a change.
fn wanted(change: DirectoryChange) -> Result<Change, Answer> {
    let change = match change {
        DirectoryChange::DomainAdd { name } => Change::AddDomain {
            name: read_domain(&name)?,
        },
        DirectoryChange::DomainRemove { name } => Change::RemoveDomain {
            name: read_domain(&name)?,
        },
        DirectoryChange::DomainCatchAll { name, target } => Change::SetCatchAll {
            name: read_domain(&name)?,
            target: target.as_deref().map(read).transpose()?,
        },
        DirectoryChange::AccountAdd {
            address,
            password,
            quota,
        } => Change::AddAccount {
            address: read(&address)?,
            password: new_password(password),
            quota,
        },
        DirectoryChange::AccountPassword { address, password } => Change::SetPassword {
            address: read(&address)?,
            password: new_password(password),
        },
        DirectoryChange::AliasAdd { address, targets } => Change::AddAlias {
            address: read(&address)?,
            targets: read_all(&targets)?,
        },
        DirectoryChange::AliasRemove { address, targets } => Change::RemoveAlias {
            address: read(&address)?,
            targets: read_all(&targets)?,
        },
        DirectoryChange::AccountRemove { address, .. } => Change::RemoveAccount {
            address: read(&address)?,
        },
    };
    Ok(change)
}

pub(super) fn new_password(password: Option<Password>) -> NewPassword {
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
    let whose = if let DirectoryError::Store(error) = &error {
        mover(error)
    } else {
        Mover::Asker
    };
    let why = error.to_string();
    Answer::Refused { whose, why }
}

pub(super) fn list(rows: Vec<Value>) -> Answered {
    Ok(Answer::Rows { rows })
}

pub(super) fn shown(fact: Value) -> Answered {
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
