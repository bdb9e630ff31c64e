//! The clients: sessions that send letter after letter, and remember each that got 250.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::time::Duration;

use crate::LOOK;
use crate::letter::Letter;
use crate::stage::Stage;

/// A reply that takes longer is a hang.
const REPLY_MAX: Duration = Duration::from_secs(60);

/// Letters of one session.
const LETTERS: usize = 20;

/// A letter the server took responsibility for.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub(crate) id: String,
    pub(crate) letter: Letter,
}

/// Everything the clients were told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) accepted: Mutex<Vec<Accepted>>,
    /// Replies no client should have got.
    pub(crate) wrong: Mutex<Vec<String>>,
}

/// Session after session, until the load is over.
pub(crate) fn client(stage: &Stage, told: &Told) {
    while let Some(address) = stage.enter() {
        if session(address, stage, told).is_err() {
            stage.count(|counts| counts.broken += 1);
            stage.pause(LOOK);
        }
    }
}

fn session(address: SocketAddr, stage: &Stage, told: &Told) -> io::Result<()> {
    let mut peer = Peer::greet(address)?;
    for _ in 0..LETTERS {
        let Some(serial) = stage.next_serial() else {
            break;
        };
        deliver(&mut peer, Letter { serial }, stage, told)?;
    }
    peer.put("QUIT\r\n")?;
    peer.reply().map(drop)
}

/// Whether this server takes one more letter now, in a session of its own.
pub(crate) fn takes_one(address: SocketAddr, stage: &Stage, told: &Told) -> bool {
    let Some(serial) = stage.next_serial() else {
        return false;
    };
    let peer = Peer::greet(address);
    peer.and_then(|mut peer| deliver(&mut peer, Letter { serial }, stage, told))
        .unwrap_or(false)
}

/// Sends a letter and remembers what was said; whether it got 250.
fn deliver(peer: &mut Peer, letter: Letter, stage: &Stage, told: &Told) -> io::Result<bool> {
    let reply = peer.send(letter)?;
    if reply.starts_with("250 ") {
        let elsewhere = letter
            .recipients()
            .iter()
            .filter(|to| *to != crate::letter::KEEPER)
            .count();
        let id = reply.split(' ').nth(2).unwrap_or_default().to_owned();
        told.accepted
            .lock()
            .expect("whole")
            .push(Accepted { id, letter });
        stage.count(|counts| {
            counts.accepted += 1;
            counts.owed += elsewhere as u64;
        });
        return Ok(true);
    }
    if reply.starts_with('4') {
        stage.count(|counts| counts.refused += 1);
        // Who is told to come later comes later: until something moves again, or a moment has passed.
        stage.pause(LOOK);
    } else {
        told.wrong.lock().expect("whole").push(reply);
    }
    Ok(false)
}

/// The client's end of a session.
pub(crate) struct Peer {
    stream: BufReader<TcpStream>,
}

impl Peer {
    /// Connects, is greeted, and says EHLO.
    pub(crate) fn greet(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, REPLY_MAX)?;
        stream.set_read_timeout(Some(REPLY_MAX))?;
        stream.set_nodelay(true)?;
        let mut peer = Self {
            stream: BufReader::new(stream),
        };
        peer.expect("220")?;
        peer.put("EHLO load.test\r\n")?;
        peer.expect("250")?;
        Ok(peer)
    }

    /// Sends a letter whole; the last reply, whatever it is.
    pub(crate) fn send(&mut self, letter: Letter) -> io::Result<String> {
        if let Some(refusal) = self.announce(&letter.recipients())? {
            // The transaction may have begun (RFC 5321 s4.1.1.2: no MAIL within another).
            self.put("RSET\r\n")?;
            self.expect("250")?;
            return Ok(refusal);
        }
        let mut content = String::new();
        for line in letter.text() {
            content.push_str(if line.starts_with('.') { "." } else { "" });
            content.push_str(&line);
            content.push_str("\r\n");
        }
        self.put(&format!("{content}.\r\n"))?;
        self.reply()
    }

    /// MAIL, RCPT and DATA in one go; a reply that ends the transaction, if one does.
    pub(crate) fn announce(&mut self, recipients: &[String]) -> io::Result<Option<String>> {
        let recipients: Vec<_> = recipients
            .iter()
            .map(|to| format!("RCPT TO:<{to}>\r\n"))
            .collect();
        let commands = format!(
            "MAIL FROM:<load@load.test>\r\n{}DATA\r\n",
            recipients.concat()
        );
        self.put(&commands)?;
        let mut refusal = None;
        for _ in 0..=recipients.len() {
            let reply = self.reply()?;
            if !reply.starts_with("250") {
                refusal = refusal.or(Some(reply));
            }
        }
        let data = self.reply()?;
        if !data.starts_with("354") {
            return Ok(refusal.or(Some(data)));
        }
        if refusal.is_some() {
            // Some recipients were taken: nothing is sent for them, the session ends.
            return Err(io::Error::other("half a transaction"));
        }
        Ok(None)
    }

    pub(crate) fn put(&mut self, text: &str) -> io::Result<()> {
        self.stream.get_mut().write_all(text.as_bytes())
    }

    fn expect(&mut self, code: &str) -> io::Result<()> {
        let reply = self.reply()?;
        if reply.starts_with(code) {
            return Ok(());
        }
        Err(io::Error::other(reply))
    }

    /// The last line of the next reply.
    fn reply(&mut self) -> io::Result<String> {
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            if !line.ends_with('\n') {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(line.trim_end().to_owned());
            }
        }
    }

    /// Says no more, and waits until the server has closed its end too.
    pub(crate) fn hang_up(mut self) -> io::Result<()> {
        self.stream.get_ref().shutdown(std::net::Shutdown::Write)?;
        io::copy(&mut self.stream, &mut io::sink()).map(drop)
    }
}
