//! Hands letters on over a few connections and logs that they are gone.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Mutex, mpsc};

use super::log::Log;
use crate::dialogue::Protocol;
use crate::dialogue::client::{Carriage, Client, Pipelining, Style};
use crate::dialogue::server::Envelope;

/// The longest wait for a reply of the next server.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two attempts to reach it.
const PAUSE: Duration = Duration::from_millis(100);

/// A message on its way.
pub struct Letter {
    /// From whom, to whom.
    pub envelope: Envelope,
    /// Dot-stuffed, ends with CRLF.
    pub body: Bytes,
}

type Queue = Rc<Mutex<mpsc::UnboundedReceiver<Letter>>>;

/// Starts `sessions` connections to `to`; they end with the sender that is returned.
pub fn start(to: SocketAddr, sessions: usize, log: &Rc<Log>) -> mpsc::UnboundedSender<Letter> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let queue: Queue = Rc::new(Mutex::new(receiver));
    let failures = Rc::new(RefCell::new(0_u64));
    for _ in 0..sessions {
        let (queue, log, failures) = (Rc::clone(&queue), Rc::clone(log), Rc::clone(&failures));
        tokio::task::spawn_local(async move {
            let mut client = None;
            loop {
                let next = queue.lock().await.recv().await;
                let Some(letter) = next else { return };
                hand_on(to, &mut client, letter, &log, &failures).await;
            }
        });
    }
    sender
}

/// Tries until the letter is taken or refused for good.
async fn hand_on(
    to: SocketAddr,
    client: &mut Option<Client>,
    letter: Letter,
    log: &Rc<Log>,
    failures: &RefCell<u64>,
) {
    let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
    let sender = text(&letter.envelope.sender);
    let recipients: Vec<String> = letter.envelope.recipients.iter().map(text).collect();
    loop {
        let mut open = match client.take() {
            Some(open) => open,
            None => match Client::connect(to, STYLE).await {
                Ok(open) => open,
                Err(_) => {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            },
        };
        let body = letter.body.clone();
        let delivered = open.deliver(&sender, &recipients, Bytes::new(), body).await;
        if let Ok(outcome) = delivered {
            *client = Some(open);
            if outcome.accepted.contains(&false) {
                *failures.borrow_mut() += 1;
                eprintln!(
                    "refused {} so far: {:?}",
                    failures.borrow(),
                    outcome.refusals
                );
            }
            break;
        }
    }
    // The next letter does not wait for this record; as in a server, many are flushed together.
    let log = Rc::clone(log);
    tokio::task::spawn_local(async move {
        let gone = Bytes::from_static(b"gone\n");
        if let Err(error) = log.keep([sender.into(), gone]).await {
            eprintln!("{error}");
        }
    });
}

const STYLE: Style = Style {
    protocol: Protocol::Smtp,
    pipelining: Pipelining::On,
    carriage: Carriage::Data,
    patience: PATIENCE,
};
