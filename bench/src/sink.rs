//! `sink`: takes mail, counts it, finds duplicates; refuses what it is told to refuse.

mod policy;
mod tally;

use std::cell::RefCell;
use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use crate::dialogue::Protocol;
use crate::dialogue::server::{Envelope, Receiver, Verdict, serve};
use crate::load::message::id_of;
use policy::Policy;
pub use tally::Counts;
use tally::Tally;

/// Where to listen and what to answer.
#[derive(clap::Args)]
pub struct Arguments {
    /// Address to listen on; port 0 takes a free one. The first line on standard output says which
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Answer each connection here with one line of JSON: the counters; its address is on the second line of output
    #[arg(long, value_name = "ADDRESS:PORT")]
    stats: Option<SocketAddr>,
    /// Dialogue to speak
    #[arg(long, value_enum, default_value = "smtp")]
    protocol: Protocol,
    /// Sit so long before each reply
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    delay: u64,
    /// End when so many different deliveries (message and recipient) have arrived
    #[arg(long)]
    count: Option<u64>,
    /// Append "id recipient" for each delivery
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    #[command(flatten)]
    policy: Policy,
}

struct Sink {
    protocol: Protocol,
    delay: Duration,
    policy: RefCell<Policy>,
    tally: RefCell<Tally>,
    record: Option<RefCell<File>>,
    count: Option<u64>,
    full: Notify,
}

/// Listens until SIGTERM, SIGINT or `--count`, then prints the counters as one JSON object.
///
/// # Errors
/// When an address is taken or the record cannot be opened.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let listener = listen(arguments.listen)?;
    println!("listening on {}", listener.local_addr()?);
    let record = arguments.record.as_ref().map(|path| {
        let file = File::options().create(true).append(true).open(path);
        file.with_context(|| format!("cannot open {}", path.display()))
    });
    let sink = Rc::new(Sink {
        protocol: arguments.protocol,
        delay: Duration::from_millis(arguments.delay),
        policy: RefCell::new(arguments.policy),
        tally: RefCell::default(),
        record: record.transpose()?.map(RefCell::new),
        count: arguments.count,
        full: Notify::new(),
    });
    if let Some(address) = arguments.stats {
        let stats = listen(address)?;
        println!("statistics on {}", stats.local_addr()?);
        tokio::task::spawn_local(tell(stats, Rc::clone(&sink)));
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        accepted = accept_all(listener, &sink) => accepted?,
        () = sink.full.notified() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    println!("{}", serde_json::to_string(&sink.tally.borrow().counts())?);
    Ok(())
}

/// Listens with room for many callers at once.
pub fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    const BACKLOG: u32 = 1024;
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    let bound = socket.bind(address);
    bound.with_context(|| format!("cannot listen on {address}"))?;
    Ok(socket.listen(BACKLOG)?)
}

async fn accept_all(listener: TcpListener, sink: &Rc<Sink>) -> anyhow::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let sink = Rc::clone(sink);
        tokio::task::spawn_local(async move {
            sink.tally.borrow_mut().connected();
            if serve(stream, sink.as_ref()).await.is_err() {
                sink.tally.borrow_mut().broken();
            }
        });
    }
}

async fn tell(listener: TcpListener, sink: Rc<Sink>) -> anyhow::Result<()> {
    loop {
        let (mut stream, _): (TcpStream, _) = listener.accept().await?;
        let mut line = serde_json::to_string(&sink.tally.borrow().counts())?;
        line.push('\n');
        // A caller that hangs up misses its line; the next one is served all the same.
        drop(stream.write_all(line.as_bytes()).await);
    }
}

impl Receiver for Sink {
    fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn extensions(&self) -> &'static str {
        "250-CHUNKING\r\n250-DSN\r\n"
    }

    fn delay(&self) -> Duration {
        self.delay
    }

    fn recipient(&self, sender: &[u8], recipient: &[u8]) -> Verdict {
        let verdict = self.policy.borrow_mut().judge(sender, recipient);
        if let Verdict::Refuse(line) = &verdict {
            self.tally.borrow_mut().refused(line);
        }
        verdict
    }

    async fn message(&self, envelope: &Envelope, body: Bytes) -> Verdict {
        let id = id_of(&body);
        let mut tally = self.tally.borrow_mut();
        tally.message(id, &envelope.recipients);
        if let (Some(record), Some(id)) = (&self.record, id) {
            let mut lines = Vec::new();
            for recipient in &envelope.recipients {
                lines.extend_from_slice(id);
                lines.push(b' ');
                lines.extend_from_slice(recipient);
                lines.push(b'\n');
            }
            if let Err(error) = record.borrow_mut().write_all(&lines) {
                return Verdict::Refuse(format!("452 4.3.1 cannot record: {error}"));
            }
        }
        if self
            .count
            .is_some_and(|count| tally.counts().distinct >= count)
        {
            self.full.notify_one();
        }
        Verdict::Accept
    }
}
