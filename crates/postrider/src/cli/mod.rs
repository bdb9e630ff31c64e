//! The command line: one file for each command.
//!
//! Exit codes: 0 done; 1 refused, or nothing found, or the book does not add up; 2 the command or the configuration is
//! wrong; 3 the store or the server cannot be reached now. `sendmail` has those of `sysexits.h`.

mod account;
mod alarms;
mod alias;
mod audit;
mod check;
mod clock;
mod completions;
mod connector;
mod domain;
mod explain;
mod filter;
mod health;
mod hop;
mod inspect;
mod link;
mod mail;
mod man;
mod metrics;
mod migrate;
mod node;
mod operate;
mod operator;
mod pages;
mod print;
mod progress;
mod queue;
mod quickstart;
mod reload;
mod secret;
mod selftest;
mod sendmail;
mod serve;
mod token;
mod top;
mod trace;

use std::path::PathBuf;
use std::process::ExitCode;

use bytes::Bytes;
use clap::{Parser, Subcommand};

use crate::config::{Config, ConfigError};
use crate::control::{Answer, Mover, Question, Request, Trouble, ask, ask_watching};

/// A mail server that can account for every message.
#[derive(Debug, Parser)]
#[command(
    name = "postrider",
    version,
    about,
    after_help = "Exit codes: 0 done; 1 refused, nothing found, or the book does not add up; 2 the command or the configuration is wrong; 3 the store or the server cannot be reached now."
)]
struct Cli {
    /// The configuration file.
    #[arg(
        long,
        global = true,
        default_value = "postrider.toml",
        value_name = "FILE"
    )]
    config: PathBuf,
    /// Print JSON: one object a line for lists, one object otherwise.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a demo configuration if there is none, print how to use it, and serve.
    Quickstart(quickstart::Quickstart),
    /// Run the server.
    Serve,
    /// Check the configuration.
    Check,
    /// What waits: one line for each next hop, or one for each recipient with `list`.
    Queue(queue::Queue),
    /// The queues on this terminal, live, and the same acts.
    Top,
    /// The whole story of a message.
    Trace(trace::Trace),
    /// Why a message is where it is, and what comes next.
    Explain(explain::Explain),
    /// The address at which whoever has it sees where a message is.
    Link(link::Link),
    /// Try now.
    Retry(operate::Operate),
    /// Keep back until released.
    Hold(operate::Operate),
    /// End a hold.
    Release(operate::Operate),
    /// Give back to the sender with a report.
    Return(operate::Operate),
    /// Drop without a report; recorded with your name.
    Discard(operate::Operate),
    /// Send another way.
    Reroute(operate::Reroute),
    /// Write messages out as files; they stay in the queue.
    Export(operate::Export),
    /// Add up the book: exit 0 when it adds up.
    Audit,
    /// Next hops: list them, stop one for a while, let it go on.
    Hop(hop::Hop),
    /// The ways out, and which of them mail for a domain takes.
    Connector(connector::Connector),
    /// The nodes that share the store.
    Node(node::Node),
    /// Raw rows and bodies, server up or down.
    Inspect(inspect::Inspect),
    /// What should not be, and what to do about it.
    Alarms,
    /// Whether this node takes mail and nothing stands still: exit 0, or 1 with the reasons, or 3 when it does not answer.
    Health,
    /// Everything that is measured, as OpenMetrics text.
    Metrics,
    /// Move the whole store to another one, SQLite or PostgreSQL.
    Migrate(migrate::Migrate),
    /// Domains whose mail is for here.
    Domain(domain::Domain),
    /// Accounts: who has a mailbox.
    Account(account::Account),
    /// Addresses that stand for others.
    Alias(alias::Alias),
    /// Operators: who may use the web pages and the HTTP API of the administration.
    Operator(operator::Operator),
    /// Tokens: which programs may use the HTTP API.
    Token(token::Token),
    /// Read a mailbox.
    Mail(mail::Mail),
    /// Send the message on standard input; takes sendmail's usual options.
    #[command(disable_help_flag = true)]
    Sendmail(sendmail::Sendmail),
    /// Test the running server end to end: every listener, and a message through it.
    Selftest,
    /// Tell the running server to read its settings again, or ask what that would change.
    Reload(reload::Reload),
    /// Print what a shell needs to complete commands and options.
    Completions(completions::Completions),
    /// Print the manual page, or write one for each command.
    Man(man::Man),
    /// Move the clock of a server under test.
    #[command(hide = true)]
    Clock(clock::Clock),
}

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    Done,
    Refused,
    Wrong,
    Unreachable,
    /// One of `sysexits.h`.
    Sysexit(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::Refused => Self::from(1),
            Exit::Wrong => Self::from(2),
            Exit::Unreachable => Self::from(3),
            Exit::Sysexit(code) => Self::from(code),
        }
    }
}

/// What every command knows.
#[derive(Debug)]
struct Context {
    file: PathBuf,
    json: bool,
}

/// Runs the program with the arguments it was given.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misunderstood(&error),
    };
    let context = Context {
        file: cli.config,
        json: cli.json,
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            print::error(&format!("the runtime cannot be started: {error}"));
            return Exit::Unreachable.into();
        }
    };
    let exit = runtime.block_on(dispatch(&context, cli.command));
    exit.unwrap_or_else(|exit| exit).into()
}

/// Says what is wrong with the command line, or gives the help that was asked for. Programs that call sendmail expect its code.
fn misunderstood(error: &clap::Error) -> ExitCode {
    if error.print().is_err() {
        // Nobody listens; the exit code says it too.
    }
    let sendmail = std::env::args_os().any(|argument| argument == "sendmail");
    match (error.exit_code(), sendmail) {
        (0, _) => Exit::Done.into(),
        (_, true) => Exit::Sysexit(sendmail::EX_USAGE).into(),
        (_, false) => Exit::Wrong.into(),
    }
}

async fn dispatch(context: &Context, command: Command) -> Result<Exit, Exit> {
    match command {
        Command::Quickstart(quickstart) => quickstart.run().await,
        Command::Serve => serve::run(context).await,
        Command::Check => check::run(context).await,
        Command::Queue(queue) => queue.run(context).await,
        Command::Top => top::run(context).await,
        Command::Trace(trace) => trace.run(context).await,
        Command::Explain(explain) => explain.run(context).await,
        Command::Link(link) => link.run(context).await,
        Command::Retry(operate) => operate.run(context, operate::Simple::Retry).await,
        Command::Hold(operate) => operate.run(context, operate::Simple::Hold).await,
        Command::Release(operate) => operate.run(context, operate::Simple::Release).await,
        Command::Return(operate) => operate.run(context, operate::Simple::Return).await,
        Command::Discard(operate) => operate.run(context, operate::Simple::Discard).await,
        Command::Reroute(reroute) => reroute.run(context).await,
        Command::Export(export) => export.run(context).await,
        Command::Audit => audit::run(context).await,
        Command::Alarms => alarms::run(context).await,
        Command::Health => health::run(context).await,
        Command::Metrics => metrics::run(context).await,
        Command::Hop(hop) => hop.run(context).await,
        Command::Connector(connector) => connector.run(context).await,
        Command::Node(node) => node.run(context).await,
        Command::Inspect(inspect) => inspect.run(context).await,
        Command::Migrate(migrate) => migrate.run(context).await,
        Command::Domain(domain) => domain.run(context).await,
        Command::Account(account) => account.run(context).await,
        Command::Alias(alias) => alias.run(context).await,
        Command::Operator(operator) => operator.run(context).await,
        Command::Token(token) => token.run(context).await,
        Command::Mail(mail) => mail.run(context).await,
        Command::Sendmail(sendmail) => sendmail.run(context).await,
        Command::Selftest => selftest::run(context).await,
        Command::Reload(reload) => reload.run(context).await,
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
        Command::Clock(clock) => clock.run(context).await,
    }
}

impl Context {
    /// The configuration, or the end of the command.
    fn config(&self) -> Result<Config, Exit> {
        Config::read(&self.file).map_err(|error: ConfigError| {
            print::error(&error.to_string());
            Exit::Wrong
        })
    }

    /// Asks, and ends the command at a refusal.
    async fn ask(&self, question: Question) -> Result<Answer, Exit> {
        let config = self.config()?;
        heard(put(&config, question, Bytes::new()).await)
    }

    /// The same for what may take long: people see that it is being done.
    async fn ask_at_length(&self, question: Question, what: &'static str) -> Result<Answer, Exit> {
        let config = self.config()?;
        let spinner = self.spinner(what);
        let answer = put(&config, question, Bytes::new()).await;
        drop(spinner);
        heard(answer)
    }

    /// The same for an act on many: people see how far it is.
    async fn ask_for_act(&self, question: Question, what: &'static str) -> Result<Answer, Exit> {
        if !self.is_watched() {
            return self.ask(question).await;
        }
        let config = self.config()?;
        let request = Request {
            by: whoever(),
            question,
            content: Bytes::new(),
        };
        let mut bar = None;
        let told = ask_watching(&config, request, |status| {
            let bar = bar.get_or_insert_with(|| self.bar(what, status.count));
            bar.set_position(status.done + status.escaped);
        });
        let answer = told.await;
        drop(bar);
        heard(answer)
    }
}

/// What was answered; a refusal is said, and ends the command.
fn heard(answer: Result<Answer, Trouble>) -> Result<Answer, Exit> {
    let answer = answer.map_err(|trouble| {
        print::error(&trouble.to_string());
        Exit::Unreachable
    })?;
    match answer {
        Answer::Refused { whose, why } => {
            print::error(&why);
            Err(match whose {
                Mover::Asker => Exit::Refused,
                Mover::Operator | Mover::Time => Exit::Unreachable,
            })
        }
        answer @ (Answer::Rows { .. } | Answer::One { .. } | Answer::Octets { .. }) => Ok(answer),
    }
}

/// Asks as the person who runs this command.
async fn put(config: &Config, question: Question, content: Bytes) -> Result<Answer, Trouble> {
    let request = Request {
        by: whoever(),
        question,
        content,
    };
    ask(config, request).await
}

/// Who runs this command: `sudo` keeps the person's own name.
fn whoever() -> String {
    let names = ["SUDO_USER", "USER", "LOGNAME"];
    let name = names.iter().find_map(|name| std::env::var(name).ok());
    name.filter(|name| !name.is_empty())
        .unwrap_or_else(|| "operator".to_owned())
}
