//! The other server: takes every letter, and remembers each copy.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread::Scope;
use std::time::Duration;

use crate::letter::Letter;
use crate::stage::Stage;

/// Copies of each letter for each recipient.
pub(crate) type Copies = BTreeMap<(u64, String), usize>;

#[derive(Debug)]
pub(crate) struct Sink {
    listener: TcpListener,
    copies: Mutex<Copies>,
    /// What came and was no letter.
    torn: Mutex<Vec<String>>,
    over: AtomicBool,
    trap: Mutex<Trap>,
    sprung: Condvar,
}

/// For one transaction that is kept waiting at DATA.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Trap {
    #[default]
    None,
    Set,
    Caught,
    LetGo,
    /// The session of that transaction is over.
    Ended,
}

impl Sink {
    pub(crate) fn new() -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").expect("a free port"),
            copies: Mutex::default(),
            torn: Mutex::default(),
            over: AtomicBool::new(false),
            trap: Mutex::default(),
            sprung: Condvar::new(),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("it is bound")
    }

    /// Takes mail until [`Self::end`]; a session ends with its client.
    pub(crate) fn open<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        stage: &'scope Stage,
    ) {
        scope.spawn(move || {
            for stream in self.listener.incoming().map_while(Result::ok) {
                if self.over.load(Ordering::Acquire) {
                    return;
                }
                scope.spawn(move || {
                    let mut caught = false;
                    // A session that breaks off is the server's death, and expected.
                    drop(self.session(&stream, stage, &mut caught));
                    if caught {
                        self.set_trap(Trap::Ended);
                    }
                });
            }
        });
    }

    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Release);
        self.sprung.notify_all();
        drop(TcpStream::connect(self.address()));
    }

    /// The next transaction waits at DATA until [`Self::let_go`].
    pub(crate) fn catch_next(&self) {
        self.set_trap(Trap::Set);
    }

    pub(crate) fn has_caught(&self, patience: Duration) {
        self.trap_is(Trap::Caught, patience);
    }

    pub(crate) fn let_go(&self) {
        self.set_trap(Trap::LetGo);
    }

    /// Waits until the session that was caught is over.
    pub(crate) fn caught_has_ended(&self, patience: Duration) {
        self.trap_is(Trap::Ended, patience);
    }

    fn set_trap(&self, trap: Trap) {
        *self.trap.lock().expect("whole") = trap;
        self.sprung.notify_all();
    }

    fn trap_is(&self, wanted: Trap, patience: Duration) {
        let trap = self.trap.lock().expect("whole");
        let not_yet = |trap: &mut Trap| *trap < wanted;
        let waited = self.sprung.wait_timeout_while(trap, patience, not_yet);
        assert!(!waited.expect("whole").1.timed_out(), "not {wanted:?} yet");
    }

    /// Waits here when the trap is set; says whether it was.
    fn is_caught(&self) -> bool {
        let mut trap = self.trap.lock().expect("whole");
        if *trap != Trap::Set {
            return false;
        }
        *trap = Trap::Caught;
        self.sprung.notify_all();
        let waiting = |trap: &mut Trap| *trap == Trap::Caught && !self.over.load(Ordering::Acquire);
        drop(self.sprung.wait_while(trap, waiting));
        true
    }

    pub(crate) fn copies(&self) -> Copies {
        self.copies.lock().expect("whole").clone()
    }

    pub(crate) fn torn(&self) -> Vec<String> {
        self.torn.lock().expect("whole").clone()
    }

    fn session(&self, stream: &TcpStream, stage: &Stage, caught: &mut bool) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let (mut lines, mut out) = (BufReader::new(stream), stream);
        out.write_all(b"220 sink.test\r\n")?;
        let mut recipients = Vec::new();
        while let Some(command) = line(&mut lines)? {
            let verb = command.get(..4).unwrap_or(&command).to_ascii_uppercase();
            let reply = match verb.as_str() {
                "EHLO" => "250-sink.test\r\n250 PIPELINING",
                "MAIL" | "RSET" => {
                    recipients.clear();
                    "250 2.0.0 yes"
                }
                "RCPT" => {
                    let (_, address) = command.split_once('<').unwrap_or_default();
                    recipients.push(address.split('>').next().unwrap_or_default().to_owned());
                    "250 2.1.5 yes"
                }
                "DATA" => {
                    *caught |= self.is_caught();
                    out.write_all(b"354 go on\r\n")?;
                    let Some(content) = content(&mut lines)? else {
                        return Ok(());
                    };
                    self.take(&content, &recipients, stage);
                    "250 2.0.0 taken"
                }
                "QUIT" => "221 2.0.0 bye",
                _ => "500 5.5.1 what?",
            };
            out.write_all(format!("{reply}\r\n").as_bytes())?;
        }
        Ok(())
    }

    /// From here on it is here, whether or not the server hears our 250.
    fn take(&self, content: &[String], recipients: &[String], stage: &Stage) {
        match Letter::read(content) {
            Ok(letter) => {
                let mut copies = self.copies.lock().expect("whole");
                for recipient in recipients {
                    *copies
                        .entry((letter.serial, recipient.clone()))
                        .or_default() += 1;
                }
            }
            Err(why) => self.torn.lock().expect("whole").push(why),
        }
        stage.count(|counts| counts.sunk += recipients.len() as u64);
    }
}

/// The next line, without its end; none at the end of the stream, even in the middle of a line.
fn line(lines: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    lines.read_line(&mut line)?;
    Ok(line.strip_suffix("\r\n").map(str::to_owned))
}

/// The lines of a message, dots removed; none when it was cut off.
fn content(lines: &mut impl BufRead) -> io::Result<Option<Vec<String>>> {
    let mut content = Vec::new();
    while let Some(line) = line(lines)? {
        match line.strip_prefix('.') {
            Some("") => return Ok(Some(content)),
            Some(rest) => content.push(rest.to_owned()),
            None => content.push(line),
        }
    }
    Ok(None)
}
