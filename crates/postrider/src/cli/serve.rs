//! `postrider serve`: runs the server until it is told to stop.

use std::time::Duration;

use ground_settings::{LogFormat, Settings};
use ground_world::signal::{Signal, Signals};
use path_ledger::Heartbeat;
use tracing_subscriber::EnvFilter;

use super::{Context, Exit, print};
use crate::config::Config;
use crate::control::{Answer, Question, Request};
use crate::node::{Node, NodeParts};
use crate::rooms;

/// Between two tries of a fenced node to start anew.
const START_PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn run(context: &Context) -> Result<Exit, Exit> {
    let config = context.config()?;
    serve(config).await
}

/// Serves until SIGTERM or SIGINT; SIGHUP reads the settings again. A node that was fenced starts anew, as after a crash.
pub(super) async fn serve(mut config: Config) -> Result<Exit, Exit> {
    log(&config.settings);
    let mut signals = Signals::real().map_err(failed)?;
    let mut node = start(config.clone()).await.map_err(failed)?;
    loop {
        for (name, address) in node.addresses().await {
            print::out(&format!("listening: {name} {address}"))?;
        }
        match live(&node, &mut signals).await {
            End::Shutdown => {
                tracing::info!("stopping");
                node.stop().await;
                return Ok(Exit::Done);
            }
            End::Replaced => {
                print::error("another server has started under this node's name; this one stops");
                node.stop().await;
                return Ok(Exit::Unreachable);
            }
            End::Fenced => {
                tracing::warn!("starting anew");
                node.abort();
                config = Config::read(&config.file).unwrap_or(config);
                match start_until_it_works(&config, &mut signals).await? {
                    Some(started) => node = started,
                    None => return Ok(Exit::Done),
                }
            }
        }
    }
}

/// Why a node serves no more.
enum End {
    Shutdown,
    Replaced,
    Fenced,
}

async fn live(node: &Node, signals: &mut Signals) -> End {
    loop {
        tokio::select! {
            signal = signals.recv() => match signal {
                Signal::Shutdown => return End::Shutdown,
                Signal::Reload => reload(node).await,
            },
            ended = node.ended() => match ended {
                Heartbeat::Fenced => return End::Fenced,
                Heartbeat::Replaced => return End::Replaced,
                Heartbeat::Alive => {}
            },
        }
    }
}

/// The store may be out of reach still. `None` when the server is told to stop meanwhile.
async fn start_until_it_works(
    config: &Config,
    signals: &mut Signals,
) -> Result<Option<Node>, Exit> {
    let (world, _) = rooms::world(&config.settings).map_err(failed)?;
    loop {
        match start(config.clone()).await {
            Ok(node) => return Ok(Some(node)),
            Err(error) => tracing::error!(%error, "this node cannot start yet; trying again"),
        }
        tokio::select! {
            signal = signals.recv() => match signal {
                Signal::Shutdown => return Ok(None),
                Signal::Reload => {}
            },
            () = world.clock.sleep(START_PAUSE) => {}
        }
    }
}

async fn start(config: Config) -> anyhow::Result<Node> {
    let (world, clock) = rooms::world(&config.settings)?;
    let store = rooms::store(&config, &world).await?;
    let socket = config.socket();
    let node = Node::start(NodeParts {
        settings: config.settings,
        folder: config.folder,
        file: Some(config.file),
        world,
        store,
        socket: Some(socket),
        clock,
    });
    Ok(node.await?)
}

fn failed(error: impl std::fmt::Display) -> Exit {
    print::error(&error.to_string());
    Exit::Unreachable
}

async fn reload(node: &Node) {
    let request = Request {
        by: "SIGHUP".to_owned(),
        question: Question::Reload,
        content: bytes::Bytes::new(),
    };
    match node.execute(request).await {
        Answer::Refused { why, .. } => tracing::error!("{why}"),
        // What was changed, and what waits for a restart, stands in the log already.
        Answer::Rows { .. } | Answer::One { .. } | Answer::Octets { .. } => {}
    }
}

/// The log goes to standard error. `POSTRIDER_LOG` overrides the level, by module when wanted.
fn log(settings: &Settings) {
    // A certificate that opportunistic TLS does not need to be good is no error here; the story of the attempt names it.
    // The database's driver would print the values of every statement, which are mail and password hashes.
    let quiet = "rustls_platform_verifier=off,tokio_postgres=info";
    let level = format!("{},{quiet}", settings.log.level);
    let filter = EnvFilter::try_from_env("POSTRIDER_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_writer(std::io::stderr);
    let set = match settings.log.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    if let Err(error) = set {
        print::error(&format!("the log cannot be set up: {error}"));
    }
}
