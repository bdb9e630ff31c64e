//! `postrider serve`: runs the server until it is told to stop.

use ground_settings::{LogFormat, Settings};
use ground_world::signal::{Signal, Signals};
use tracing_subscriber::EnvFilter;

use super::{Context, Exit, print};
use crate::config::Config;
use crate::control::{Answer, Question, Request};
use crate::node::{Node, NodeParts};
use crate::rooms;

pub(super) async fn run(context: &Context) -> Result<Exit, Exit> {
    let config = context.config()?;
    serve(config).await
}

/// Serves until SIGTERM or SIGINT; SIGHUP reads the settings again.
pub(super) async fn serve(config: Config) -> Result<Exit, Exit> {
    log(&config.settings);
    let mut signals = Signals::real().map_err(failed)?;
    let node = start(config).await?;
    for (name, address) in node.addresses().await {
        print::out(&format!("listening: {name} {address}"))?;
    }
    loop {
        tokio::select! {
            signal = signals.recv() => match signal {
                Signal::Shutdown => {
                    tracing::info!("stopping");
                    node.stop().await;
                    return Ok(Exit::Done);
                }
                Signal::Reload => reload(&node).await,
            },
            () = node.replaced() => {
                print::error("another server has started under this node's name; this one stops");
                node.stop().await;
                return Ok(Exit::Unreachable);
            }
        }
    }
}

async fn start(config: Config) -> Result<Node, Exit> {
    let (world, clock) = rooms::world(&config.settings).map_err(failed)?;
    let store = rooms::store(&config, &world).await.map_err(failed)?;
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
    node.await.map_err(failed)
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
