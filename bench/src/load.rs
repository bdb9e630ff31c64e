//! `load`: many sessions offer mail to one server, and every reply is timed.

pub mod message;
mod report;
mod session;
mod template;

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use tokio::signal::unix::{SignalKind, signal};

use crate::dialogue::Protocol;
use crate::dialogue::client::{Carriage, Pipelining, Style};
use message::Form;
pub use report::Report;
use report::Tally;
use template::{Counters, Template};

/// A transaction under way when the time is up may take this long to end.
const GRACE: Duration = Duration::from_secs(10);

/// What to offer, to whom, how.
#[derive(Clone, clap::Args)]
pub struct Arguments {
    /// Server to load
    #[arg(long, value_name = "ADDRESS:PORT")]
    to: SocketAddr,
    /// Connections at a time
    #[arg(long, default_value_t = 16)]
    sessions: u64,
    /// Stop after this many messages (without it and --duration: run until SIGTERM or SIGINT)
    #[arg(long)]
    messages: Option<u64>,
    /// Stop after this many seconds
    #[arg(long, value_name = "SECONDS")]
    duration: Option<f64>,
    /// Bytes of each message, header included
    #[arg(long, default_value_t = 4096)]
    size: usize,
    /// Messages before QUIT and a new connection; 0: no end
    #[arg(long, default_value_t = 0)]
    per_connection: u64,
    /// Send MAIL, RCPT and DATA (or BDAT) in one flight, or wait for each reply
    #[arg(long, value_enum, default_value = "on")]
    pipelining: Pipelining,
    /// Send the message by BDAT instead of DATA
    #[arg(long)]
    chunking: bool,
    /// Recipients of each message
    #[arg(long, default_value_t = 1)]
    recipients: u64,
    /// Sender; counters {n} message, {s} session, each with an optional {n%100}
    #[arg(long, default_value = "sender{s}@bench.test")]
    sender: Template,
    /// Recipient; counters as above and {r} recipient within the message
    #[arg(long, default_value = "user{n%1000}-{r}@sink.test")]
    recipient: Template,
    /// Dialogue to speak
    #[arg(long, value_enum, default_value = "smtp")]
    protocol: Protocol,
    /// Offer at most this many messages a second, evenly
    #[arg(long)]
    rate: Option<f64>,
    /// Append "id recipient" for each recipient a 250 was given for, at once
    #[arg(long, value_name = "FILE")]
    accepted: Option<PathBuf>,
    /// Give up when no connection succeeds for so long
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0)]
    give_up: f64,
    /// Longest wait for one reply
    #[arg(long, value_name = "SECONDS", default_value_t = 300.0)]
    patience: f64,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// What all sessions share.
struct Run {
    arguments: Arguments,
    style: Style,
    form: Form,
    /// First part of every id of this run.
    name: String,
    started: Instant,
    next: Cell<u64>,
    stopping: Cell<bool>,
    last_contact: Cell<Instant>,
    tally: RefCell<Tally>,
    accepted: Option<RefCell<File>>,
}

/// Runs the load and prints its result.
///
/// # Errors
/// When the server cannot be reached for `--give-up` seconds, or the accepted file cannot be written.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let json = arguments.json;
    let run = Rc::new(Run::new(arguments)?);
    let sessions: Vec<_> = (0..run.arguments.sessions)
        .map(|number| tokio::task::spawn_local(session::run(Rc::clone(&run), number)))
        .collect();
    let all = async {
        for session in sessions {
            session.await??;
        }
        anyhow::Ok(())
    };
    tokio::pin!(all);
    tokio::select! {
        ended = &mut all => ended?,
        stopped = stop(run.arguments.duration) => {
            stopped?;
            run.stopping.set(true);
            // A session that does not end in time is cut off; its message counts as attempted only.
            if let Ok(ended) = tokio::time::timeout(GRACE, all).await {
                ended?;
            }
        }
    }
    let report = run.tally.borrow().report(run.started.elapsed());
    if json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}

impl Run {
    fn new(arguments: Arguments) -> anyhow::Result<Self> {
        ensure!(arguments.sessions > 0, "--sessions must be above 0");
        ensure!(arguments.recipients > 0, "--recipients must be above 0");
        let accepted = arguments.accepted.as_ref().map(|path| {
            let file = File::options().create(true).append(true).open(path);
            file.with_context(|| format!("cannot open {}", path.display()))
        });
        let now = Instant::now();
        let clock = SystemTime::now().duration_since(UNIX_EPOCH)?;
        Ok(Self {
            style: Style {
                protocol: arguments.protocol,
                pipelining: arguments.pipelining,
                carriage: match arguments.chunking {
                    true => Carriage::Bdat,
                    false => Carriage::Data,
                },
                patience: Duration::try_from_secs_f64(arguments.patience)?,
            },
            form: Form::new(arguments.size),
            name: format!("{:x}-{:x}", clock.as_micros(), std::process::id()),
            started: now,
            next: Cell::new(0),
            stopping: Cell::new(false),
            last_contact: Cell::new(now),
            tally: RefCell::default(),
            accepted: accepted.transpose()?.map(RefCell::new),
            arguments,
        })
    }

    /// Whether a session has nothing left to do.
    fn is_over(&self) -> bool {
        let all_sent = |messages| self.next.get() >= messages;
        self.stopping.get() || self.arguments.messages.is_some_and(all_sent)
    }

    /// The number of the next message; waits for its turn under `--rate`.
    async fn take_turn(&self) -> Option<u64> {
        if self.is_over() {
            return None;
        }
        let number = self.next.get();
        self.next.set(number + 1);
        if let Some(rate) = self.arguments.rate {
            let turn = self.started + Duration::from_secs_f64(number as f64 / rate);
            tokio::time::sleep_until(turn.into()).await;
        }
        Some(number)
    }

    fn addresses(&self, session: u64, message: u64) -> (String, Vec<String>) {
        let counters = |recipient| Counters {
            message,
            session,
            recipient,
        };
        let recipients = (0..self.arguments.recipients)
            .map(|recipient| self.arguments.recipient.render(counters(recipient)))
            .collect();
        (self.arguments.sender.render(counters(0)), recipients)
    }

    /// Writes the ids that now are the server's to keep. In the file before the next command is sent.
    fn note_accepted<'a>(
        &self,
        id: &str,
        recipients: impl Iterator<Item = &'a String>,
    ) -> anyhow::Result<()> {
        let Some(file) = &self.accepted else {
            return Ok(());
        };
        let lines: String = recipients
            .map(|recipient| format!("{id} {recipient}\n"))
            .collect();
        file.borrow_mut()
            .write_all(lines.as_bytes())
            .context("cannot write the accepted file")
    }
}

/// Returns when the time is up or somebody asks us to stop.
async fn stop(seconds: Option<f64>) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let time_is_up = async {
        match seconds {
            Some(seconds) => tokio::time::sleep(Duration::from_secs_f64(seconds)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = time_is_up => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
