//! `postrider migrate`: moves the whole store to another one, or takes it back.

use std::io::{Read, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ground_settings::Store;
use ground_store::StoreError;
use ground_store::transfer::{
    self, Notes, Outcome, Plan, Progress, Rows, TransferError, Until, transfer,
};
use ground_world::World;
use ground_world::net::ConnectError;
use indicatif::{ProgressBar, ProgressStyle};
use path_ledger::MessageId;
use serde_json::json;

use super::{Context, Exit, print};
use crate::config::{Config, url};
use crate::rooms;

/// How long a server may take to accept us; it does nothing else meanwhile.
const CONNECT: Duration = Duration::from_secs(5);

/// The longest URL that is read from standard input.
const URL_BYTES: u64 = 64 * 1024;

/// A line is printed each time so many hundredths are done, where there is no terminal to draw on.
const LINE_EACH: u64 = 10;

#[derive(Debug, clap::Args)]
pub(super) struct Migrate {
    /// The empty store to move to: sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE; - reads it from standard input, so that no
    /// list of processes shows the password.
    #[arg(long, value_name = "URL", required_unless_present = "cancel")]
    to: Option<String>,
    /// Close this store first, and let the other one serve in its place when all is there. Without it the other one is a copy that does
    /// not serve, and this store is only read.
    #[arg(long)]
    finish: bool,
    /// Take back a store that was closed by --finish and not handed over.
    #[arg(long, conflicts_with_all = ["to", "finish"])]
    cancel: bool,
}

impl Migrate {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Exit> {
        let config = context.config()?;
        let (world, _) = rooms::world(&config.settings).map_err(|error| {
            print::error(&error.to_string());
            Exit::Unreachable
        })?;
        let Some(to) = &self.to else {
            return cancel(&config, &world).await;
        };
        let plan = Plan {
            from: absolute(config.store_url()),
            to: absolute(target(&config, to)?),
            until: match self.finish {
                true => Until::HandedOver,
                false => Until::Copied,
            },
        };
        demand_no_server(&config, &world).await?;
        let shown = Shown::new(context);
        let told = |progress| shown.tell(progress);
        let outcome = transfer(&plan, &world, &told).await;
        shown.end();
        match outcome {
            Ok(outcome) => report(context, &config, &plan, &outcome),
            Err(error) => Err(failed(&error)),
        }
    }
}

/// The URL of the target. A path is relative to the folder of the configuration file, as it will be when it stands there.
fn target(config: &Config, to: &str) -> Result<String, Exit> {
    let mut text = to.to_owned();
    if to == "-" {
        text.clear();
        let read = std::io::stdin().take(URL_BYTES).read_to_string(&mut text);
        read.map_err(|error| {
            print::error(&format!("standard input: {error}"));
            Exit::Wrong
        })?;
    }
    // The fault is told without the text, which may hold a password.
    let store: Store = text.trim().parse().map_err(|_| {
        print::error(
            "--to names no store; write sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE",
        );
        Exit::Wrong
    })?;
    Ok(url(&store, &config.folder))
}

/// Each store keeps where the other one is, for people: from the root, whoever reads it wherever.
fn absolute(url: String) -> String {
    let path = url.strip_prefix("sqlite:").map(std::path::absolute);
    match path {
        Some(Ok(path)) => format!("sqlite:{}", path.display()),
        Some(Err(_)) | None => url,
    }
}

async fn cancel(config: &Config, world: &World) -> Result<Exit, Exit> {
    let cancelled = transfer::cancel(&config.store_url(), world).await;
    cancelled.map_err(|error| failed(&error))?;
    print::out("taken back: this store serves again; what was copied of it is of no use any more")?;
    Ok(Exit::Done)
}

/// A server that runs here would go on writing what was copied already.
async fn demand_no_server(config: &Config, world: &World) -> Result<(), Exit> {
    let socket = config.socket();
    let answers = match world.net.connect_unix(&socket, CONNECT).await {
        Ok(_) => true,
        Err(ConnectError::Refused { .. } | ConnectError::Unreachable { .. }) => false,
        // Somebody holds it who does not answer, or we may not ask.
        Err(_) => true,
    };
    if answers {
        print::error(&format!(
            "a server runs on this store and answers at {}; stop it first, and start none until the move is done",
            socket.display()
        ));
        return Err(Exit::Refused);
    }
    let connections = transfer::connections(&config.store_url(), world).await;
    match connections.map_err(|error| failed(&error))? {
        0 => Ok(()),
        count => {
            print::error(&format!(
                "servers are connected to this store's database ({count} connections named postrider); stop every node first, and \
                 start none until the move is done"
            ));
            Err(Exit::Refused)
        }
    }
}

fn failed(error: &TransferError) -> Exit {
    let (exit, advice) = match error {
        TransferError::Source(StoreError::Unavailable(_))
        | TransferError::Target(StoreError::Unavailable(_) | StoreError::Full(_)) => (
            Exit::Unreachable,
            "; nothing is lost: the same command goes on from there",
        ),
        TransferError::Source(StoreError::Unfit(_))
        | TransferError::Target(StoreError::Unfit(_)) => (Exit::Wrong, ""),
        TransferError::Source(_)
        | TransferError::Target(_)
        | TransferError::Same
        | TransferError::NotEmpty { .. }
        | TransferError::Others { .. }
        | TransferError::Changed
        | TransferError::Overtaken
        | TransferError::Row { .. }
        | TransferError::Differ(_)
        | TransferError::NothingToCancel => (Exit::Refused, ""),
    };
    print::error(&format!("{error}{advice}"));
    exit
}

fn report(
    context: &Context,
    config: &Config,
    plan: &Plan,
    outcome: &Outcome,
) -> Result<Exit, Exit> {
    let place = |url: &str| ground_store::shown(url).unwrap_or_default();
    let (from, to) = (place(&plan.from), place(&plan.to));
    let (notes, next) = match outcome {
        Outcome::Copied(notes) => (
            Some(notes),
            format!(
                "{to} is a copy that does not serve: the mail is still that of {from}. To hand it over, run this again with --finish."
            ),
        ),
        Outcome::HandedOver(notes) => (Some(notes), handed_over(config, &from, &to)),
        Outcome::HandedOverBefore => (None, handed_over(config, &from, &to)),
    };
    let serves = !matches!(outcome, Outcome::Copied(_));
    if context.json {
        let object = json!({
            "from": from, "to": to, "handed_over": serves, "tables": notes.map(tables),
            "body_octets": notes.map(|notes| notes.body_octets),
            "damaged_bodies": notes.map(damaged),
            "nul_values": notes.map(|notes| notes.nul_values),
            "miscounted": notes.map(|notes| &notes.miscounted),
        });
        print::out(&object.to_string())?;
        return Ok(Exit::Done);
    }
    if let Some(notes) = notes {
        tell(notes)?;
    }
    print::out(&next)?;
    Ok(Exit::Done)
}

fn handed_over(config: &Config, from: &str, to: &str) -> String {
    format!(
        "handed over: {to} has the mail. Set `store` in {} to it and start the server. {from} keeps what it has, and serves no more.",
        config.file.display()
    )
}

fn tables(notes: &Notes) -> serde_json::Value {
    let table = |(name, rows, checksum): &(&str, u64, String)| json!({ "table": name, "rows": rows, "checksum": checksum });
    notes.tables.iter().map(table).collect()
}

fn damaged(notes: &Notes) -> Vec<String> {
    let id = |id: &i64| MessageId::from_key(*id).to_string();
    notes.damaged.iter().map(id).collect()
}

/// What people should know.
fn tell(notes: &Notes) -> Result<(), Exit> {
    for (name, rows, checksum) in &notes.tables {
        let checksum = checksum.get(..16).unwrap_or(checksum);
        print::out(&format!("{name:18} {rows:>10} rows  {checksum}"))?;
    }
    print::out(&format!(
        "equal on both sides, by count and checksum, with {} octets of bodies",
        notes.body_octets
    ))?;
    if !notes.damaged.is_empty() {
        print::out(&format!(
            "damaged here, and there as here: the bodies {}",
            damaged(notes).join(", ")
        ))?;
    }
    if notes.nul_values > 0 {
        print::out(&format!(
            "{} values have a NUL character, which PostgreSQL keeps as U+FFFD",
            notes.nul_values
        ))?;
    }
    for what in &notes.miscounted {
        print::out(&format!(
            "the counts of {what} did not add up here; there they do"
        ))?;
    }
    Ok(())
}

/// A bar on a terminal, lines elsewhere; on standard error. Beside JSON there are lines: a move takes long, and is worth a log.
struct Shown {
    bar: Option<ProgressBar>,
    /// The last line printed: of which table, at which hundredth.
    last: Mutex<(String, u64)>,
}

impl Shown {
    fn new(context: &Context) -> Self {
        let style = ProgressStyle::with_template(
            "{msg:28} {wide_bar} {pos}/{len} rows, {per_sec}, {eta} left",
        );
        let bar = match (context.is_watched(), style) {
            (true, Ok(style)) => Some(ProgressBar::new(0).with_style(style)),
            (_, _) => None,
        };
        Self {
            bar,
            last: Mutex::default(),
        }
    }

    fn tell(&self, progress: Progress) {
        match progress {
            Progress::Closed => {
                let text = "this store is closed: it takes no mail until the move is done, or taken back with --cancel";
                match &self.bar {
                    Some(bar) => bar.println(text),
                    None => line(text),
                }
            }
            // The outcome says it in a moment.
            Progress::Left => {}
            Progress::Copying(table, rows) => self.advance(&format!("copying {table}"), rows),
            Progress::Comparing(table, rows) => self.advance(&format!("comparing {table}"), rows),
        }
    }

    fn advance(&self, what: &str, rows: Rows) {
        if let Some(bar) = &self.bar {
            bar.set_length(rows.all);
            bar.set_message(what.to_owned());
            bar.set_position(rows.done);
            return;
        }
        let hundredth = rows.done.saturating_mul(100) / rows.all.max(1) / LINE_EACH;
        let now = (what.to_owned(), hundredth);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != now {
            line(&format!("{what}: {} of {} rows", rows.done, rows.all));
            *last = now;
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn line(text: &str) {
    if writeln!(std::io::stderr().lock(), "{text}").is_err() {
        // Nobody listens; the outcome is told on standard output, and by the exit code.
    }
}
