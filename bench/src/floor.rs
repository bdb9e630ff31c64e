//! `floor`: the least a durable acceptor can do, as the upper bound for any server on this machine.
//!
//! It knows no addresses, no states and no limits: a message and its envelope go to the end of a log, the log is
//! flushed, the 250 is sent. With `--relay` each message is handed on over a few pipelined connections and a second
//! record, flushed as well, says that it is gone.

mod log;
mod relay;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::dialogue::Protocol;
use crate::dialogue::server::{Envelope, Receiver, Verdict, serve};
use crate::sink::listen;
use log::Log;

/// Where to listen, where to keep.
#[derive(clap::Args)]
pub struct Arguments {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The log; created or appended to
    #[arg(long)]
    log: PathBuf,
    /// Hand each message on to this server
    #[arg(long, value_name = "ADDRESS:PORT")]
    relay: Option<SocketAddr>,
    /// Connections to the next server
    #[arg(long, default_value_t = 8)]
    relay_sessions: usize,
}

struct Floor {
    log: Rc<Log>,
    relay: Option<mpsc::UnboundedSender<relay::Letter>>,
}

/// Listens until SIGTERM or SIGINT.
///
/// # Errors
/// When the address is taken or the log cannot be written.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let listener = listen(arguments.listen)?;
    let log = Rc::new(Log::open(&arguments.log)?);
    let relay = arguments
        .relay
        .map(|to| relay::start(to, arguments.relay_sessions, &log));
    let floor = Rc::new(Floor { log, relay });
    println!("listening on {}", listener.local_addr()?);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let accept_all = async {
        loop {
            let (stream, _) = listener.accept().await?;
            let floor = Rc::clone(&floor);
            tokio::task::spawn_local(async move { serve(stream, floor.as_ref()).await });
        }
    };
    tokio::select! {
        ended = accept_all => ended,
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}

impl Receiver for Floor {
    fn protocol(&self) -> Protocol {
        Protocol::Smtp
    }

    /// Without CHUNKING: the relay repeats the stuffed bytes of DATA as they came.
    fn extensions(&self) -> &'static str {
        ""
    }

    fn delay(&self) -> Duration {
        Duration::ZERO
    }

    fn recipient(&self, _sender: &[u8], _recipient: &[u8]) -> Verdict {
        Verdict::Accept
    }

    async fn message(&self, envelope: &Envelope, body: Bytes) -> Verdict {
        let recipients = envelope.recipients.join(&b' ');
        let head = [envelope.sender.as_slice(), b" ", &recipients, b"\n"].concat();
        if let Err(error) = self.log.keep([head.into(), body.clone()]).await {
            return Verdict::Refuse(format!("451 4.3.0 {error}"));
        }
        if let Some(relay) = &self.relay {
            let letter = relay::Letter {
                envelope: envelope.clone(),
                body,
            };
            // The relay lives as long as the process.
            if relay.send(letter).is_err() {
                return Verdict::Refuse("451 4.3.0 the relay is gone".to_owned());
            }
        }
        Verdict::Accept
    }
}
