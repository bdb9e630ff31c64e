//! Words between the nodes on one database, by LISTEN and NOTIFY: hints that something may be done now, and never more.
//!
//! A NOTIFY makes all commits of the server that carry one wait for each other, so none stands in a group: this task has a
//! connection of its own, collects what is to be said, and says it a few times a second. What is lost with a connection, or
//! was too much, a poll finds.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ground_world::World;
use tokio::sync::{Notify, mpsc};

use super::connection::{Connection, Heard};
use super::dialer::{Dialer, Role};
use super::trouble::Trouble;
use crate::{StoreError, Value};

/// Words of one moment are said together, at most so often.
const TOGETHER: Duration = Duration::from_millis(100);

/// Words that wait to be said; more are left to the polls.
const WORDS_MAX: usize = 1024;

/// Octets of one notification; the server takes 7,999.
const SAID_MAX: usize = 7000;

/// Words heard that nobody has taken yet.
const HEARD_MAX: usize = 1024;

/// The pause before another connection is tried.
const PAUSE: Duration = Duration::from_secs(2);

/// How long one notification, or the first words of a connection, may take.
const DEADLINE: Duration = Duration::from_secs(10);

const LISTEN: &str = "LISTEN postrider";

const SELF: &str = "SELECT pg_backend_pid()::bigint";

/// A query that reads nothing; its effect is that others hear of it.
const SAY: &str = "SELECT pg_notify('postrider', $1)::text";

/// The end of the bell that callers have.
pub(super) struct Bell {
    words: Arc<Words>,
    heard: tokio::sync::Mutex<mpsc::Receiver<String>>,
}

#[derive(Default)]
struct Words {
    waiting: Mutex<BTreeSet<String>>,
    rung: Notify,
}

impl Bell {
    /// Starts the task; it ends when the bell is dropped.
    pub(super) fn hang(dialer: &Arc<Dialer>, world: &World) -> Self {
        let (heard, hears) = mpsc::channel(HEARD_MAX);
        let words = Arc::<Words>::default();
        let ringer = Ringer {
            dialer: Arc::clone(dialer),
            world: world.clone(),
            words: Arc::clone(&words),
            heard,
        };
        tokio::spawn(ringer.serve());
        Self {
            words,
            heard: tokio::sync::Mutex::new(hears),
        }
    }

    /// Says `word` to the other nodes, soon.
    pub(super) fn say(&self, word: &str) {
        let mut waiting = self.words.hold();
        if waiting.len() < WORDS_MAX && !waiting.contains(word) {
            waiting.insert(word.to_owned());
        }
        drop(waiting);
        self.words.rung.notify_one();
    }

    /// The next word of another node.
    pub(super) async fn next(&self) -> String {
        match self.heard.lock().await.recv().await {
            Some(word) => word,
            // The task is gone with its runtime.
            None => std::future::pending().await,
        }
    }
}

impl Words {
    fn hold(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As many as one notification carries, a line each.
    fn take(&self) -> String {
        let mut waiting = self.hold();
        let mut said = String::new();
        while let Some(word) = waiting.pop_first() {
            if said.len() + word.len() >= SAID_MAX {
                // One that is too long for any is left to the polls.
                if !said.is_empty() {
                    waiting.insert(word);
                }
                break;
            }
            if !said.is_empty() {
                said.push('\n');
            }
            said.push_str(&word);
        }
        said
    }
}

struct Ringer {
    dialer: Arc<Dialer>,
    world: World,
    words: Arc<Words>,
    heard: mpsc::Sender<String>,
}

impl Ringer {
    async fn serve(self) {
        loop {
            tokio::select! {
                () = self.heard.closed() => return,
                ended = self.converse() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "no words from other nodes at present; polls find the work");
                    }
                }
            }
            self.world.clock.sleep(PAUSE).await;
        }
    }

    /// Hears and says, for as long as one connection lasts.
    async fn converse(&self) -> Result<(), StoreError> {
        let mut connection = self.dialer.connect(Role::Writer).await?;
        let listening = listen(&mut connection);
        let own = match self.world.clock.timeout(DEADLINE, listening).await {
            Ok(own) => own?,
            Err(late) => return Err(StoreError::Unavailable(format!("LISTEN was {late}"))),
        };
        loop {
            tokio::select! {
                heard = connection.heard() => match heard {
                    Some(heard) if Some(i64::from(heard.from)) == own => {}
                    Some(Heard { words, .. }) => self.pass_on(&words),
                    None => return Ok(()),
                },
                () = self.words.rung.notified() => {
                    self.world.clock.sleep(TOGETHER).await;
                    self.say(&mut connection).await?;
                }
            }
        }
    }

    fn pass_on(&self, words: &str) {
        for word in words.lines() {
            if self.heard.try_send(word.to_owned()).is_err() {
                // Full: a poll finds what this was about.
                return;
            }
        }
    }

    async fn say(&self, connection: &mut Connection) -> Result<(), StoreError> {
        let said = self.words.take();
        if said.is_empty() {
            return Ok(());
        }
        let values = [Value::from(said)];
        let saying = connection.read(SAY, &values, 1);
        match self.world.clock.timeout(DEADLINE, saying).await {
            Ok(done) => done.map(drop)?,
            Err(late) => return Err(StoreError::Unavailable(format!("a word was {late}"))),
        }
        if !self.words.hold().is_empty() {
            self.words.rung.notify_one();
        }
        Ok(())
    }
}

/// Begins to listen; which process of the server this connection has.
async fn listen(connection: &mut Connection) -> Result<Option<i64>, StoreError> {
    let own = connection.read(SELF, &[], 1).await?;
    let listening = connection.batch(LISTEN).await;
    listening.map_err(Trouble::told)?;
    own.first().map(|row| row.int(0)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_said_once_and_in_pieces_the_server_takes() {
        let words = Words::default();
        for word in ["b", "a", "b"] {
            words.hold().insert(word.to_owned());
        }
        assert_eq!(words.take(), "a\nb");
        assert_eq!(words.take(), "");
        for number in 0..100 {
            words.hold().insert(format!("{number:0200}"));
        }
        let (first, second) = (words.take(), words.take());
        assert!(first.len() <= SAID_MAX && second.len() <= SAID_MAX);
        assert!(first.lines().all(|word| word.len() == 200));
        words.hold().clear();
        words.hold().insert("x".repeat(SAID_MAX + 1));
        assert_eq!(words.take(), "");
        assert!(words.hold().is_empty());
    }
}
