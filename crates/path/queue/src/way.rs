//! From a next hop to the course of an attempt: asked anew each time a session is opened.

use std::path::Path;
use std::sync::Arc;

use ground_settings::{Schedule, Settings, Transport};
use ground_world::World;
use path_deliver::smtp::{Course, Place, Server, TlsStart};
use path_ledger::HopKey;
use path_route::{Destination, HopPlan, Look, NoWay, Password, Target, plan, targets};
use wire_message::{Class, EnhancedStatus};
use wire_smtp::command::{Credentials, Dialect};
use wire_smtp::reply::Reply;

/// Octets of a password file that are read.
const PASSWORD_FILE_MAX: usize = 4096;

/// How a hop is to be worked at.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) schedule: Schedule,
    pub(crate) max_connections: u32,
    pub(crate) max_messages: u32,
}

/// No course can be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Astray {
    /// For good: its mail fails with these words.
    Final(Reply),
    /// For now; whether an operator must hear of it.
    ForNow { reply: Reply, ours: bool },
}

/// What the settings say about `hop` at present; those of `[queue]` when it is no hop of theirs.
pub(crate) fn terms(settings: &Settings, hop: &HopKey) -> Terms {
    match plan(settings, hop) {
        Ok(plan) => Terms {
            schedule: plan.schedule,
            max_connections: plan.max_connections,
            max_messages: plan.max_messages_per_connection,
        },
        Err(_) => Terms {
            schedule: settings.queue.schedule(),
            max_connections: settings.queue.hop_max_concurrency,
            max_messages: u32::MAX,
        },
    }
}

/// Plans, asks the DNS and reads the password.
pub(crate) async fn course(
    settings: &Arc<Settings>,
    hop: &HopKey,
    world: &World,
    config_folder: &Path,
    look: Look,
) -> Result<Course, Astray> {
    let plan = plan(settings, hop).map_err(|no_way| astray(&no_way))?;
    let found = targets(&plan, settings, world, look).await;
    let found = found.map_err(|no_way| astray(&no_way))?;
    let login = login(&plan, world, config_folder).await?;
    Ok(Course {
        servers: found
            .into_iter()
            .map(|target| server(target, config_folder))
            .collect(),
        dialect: match plan.protocol {
            Transport::Smtp => Dialect::Smtp,
            Transport::Lmtp => Dialect::Lmtp,
        },
        tls: plan.tls,
        tls_start: match plan.implicit_tls {
            true => TlsStart::AtOnce,
            false => TlsStart::Command,
        },
        login,
        source_address: plan.source_address,
        our_name: settings.server.hostname.as_str().to_owned(),
        timeouts: settings.timeouts.clone(),
    })
}

fn astray(no_way: &NoWay) -> Astray {
    match no_way.is_final() {
        true => Astray::Final(no_way.reply()),
        false => Astray::ForNow {
            reply: no_way.reply(),
            ours: no_way.is_ours(),
        },
    }
}

fn server(target: Target, config_folder: &Path) -> Server {
    let place = |destination| match destination {
        Destination::Tcp(address) => Place::Tcp(address),
        Destination::Unix(path) => Place::Unix(config_folder.join(path)),
    };
    Server {
        host: target.host,
        places: target.addresses.into_iter().map(place).collect(),
    }
}

async fn login(
    plan: &HopPlan,
    world: &World,
    config_folder: &Path,
) -> Result<Option<Credentials>, Astray> {
    let Some(login) = &plan.login else {
        return Ok(None);
    };
    let password = match &login.password {
        Password::Given(secret) => secret.reveal().to_owned(),
        Password::File(path) => first_line(&config_folder.join(path), world).await?,
    };
    Ok(Some(Credentials::new(login.username.as_str(), password)))
}

/// The file's first line.
async fn first_line(path: &Path, world: &World) -> Result<String, Astray> {
    let read = async {
        let file = world.disk.open(path).await?;
        file.read_at(0, PASSWORD_FILE_MAX).await
    };
    let unreadable = |why: &str| {
        // The reply stands in notices to senders, who need not know where it lies.
        tracing::warn!(file = %path.display(), why, "a password file cannot be used; mail for its connector waits");
        let text = format!("the connector's password_file cannot be used: {why}");
        Astray::ForNow {
            reply: Reply::new(451, EnhancedStatus::new(Class::Temporary, 3, 5), &text),
            ours: true,
        }
    };
    let content = read
        .await
        .map_err(|error: std::io::Error| unreadable(&error.to_string()))?;
    let text = std::str::from_utf8(&content).map_err(|_| unreadable("it is no text"))?;
    match text.lines().next().map(str::trim_end) {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        Some(_) | None => Err(unreadable("its first line is empty")),
    }
}
