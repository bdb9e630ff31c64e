//! One run: a story told, and the book looked at after every step.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result};
use ground_world::mishap::Blow;

use super::book::Book;
use super::checks::{Able, Broken, Checker, Conditions, Copies, Faults, over};
use crate::peer::Temper;
use crate::simulated::{Simulated, runtime};
use crate::stage::Stage;
use crate::statement::{DnsLine, NodeChange, Room, Statement};
use crate::story::{Line, Story};
use crate::tell::Teller;
use crate::trouble::Trouble;

/// Between two looks while time passes.
const LOOK: Duration = Duration::from_secs(7);

/// How long mail has to come to its end once everything works: its lifetime, that of its report, and the grace of the checks.
const REST: Duration = Duration::from_secs(20 * 60);

/// What stands for a promise when something else went wrong.
pub(crate) const UNTOLD: &str = "the story can be told";

/// What a story that kept every promise was made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    /// Messages accepted, reports among them.
    pub messages: usize,
    /// Recipients.
    pub recipients: usize,
    /// How often the book was looked at.
    pub looks: usize,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, usize>,
    /// What the history says in the end, in one number: the same for the same seed.
    pub fingerprint: u64,
}

/// A promise that was not kept, or a story that could not be told.
#[derive(Debug)]
pub struct Violation {
    /// The line after which it was seen.
    pub line: usize,
    /// Its text.
    pub text: String,
    /// Which promise, and how.
    pub broken: Broken,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Broken { promise, words } = &self.broken;
        write!(
            f,
            "{promise}: {words}\n  after line {}: {}",
            self.line, self.text
        )
    }
}

impl std::error::Error for Violation {}

impl Run {
    /// Tells a story on a world whose dice are those of `seed`.
    ///
    /// # Errors
    /// [`Violation`]: the first promise that was broken.
    pub fn of(text: &str, seed: u64) -> Result<Run, Violation> {
        let story = Story::parse(text, "seed").map_err(|failure| Violation {
            line: failure.line,
            text: failure.text.clone(),
            broken: untold(&failure.error),
        })?;
        let runtime = runtime().map_err(|error| at_the_beginning(&error))?;
        runtime.block_on(async {
            let stage = Simulated::build(seed).await;
            let mut stage = stage.map_err(|error| at_the_beginning(&error))?;
            play(&story, &mut stage).await
        })
    }
}

fn at_the_beginning(error: &anyhow::Error) -> Violation {
    Violation {
        line: 0,
        text: String::new(),
        broken: untold(error),
    }
}

fn untold(error: &anyhow::Error) -> Broken {
    Broken {
        promise: UNTOLD,
        words: format!("{error:#}"),
    }
}

async fn play(story: &Story, stage: &mut Simulated) -> Result<Run, Violation> {
    let mut player = Player {
        teller: Teller::new(stage),
        checker: Checker::default(),
        run: Run::default(),
        troubles: BTreeMap::new(),
        disk: Room::Plenty,
        faults: Faults::None,
    };
    for line in &story.lines {
        let told = player.step(&line.statement).await;
        told.map_err(|broken| player.violation(line, broken))?;
    }
    let last = story.lines.last();
    let ended = player.end().await;
    match (ended, last) {
        (Ok(run), _) => Ok(run),
        (Err(broken), Some(line)) => Err(player.violation(line, broken)),
        (Err(broken), None) => Err(Violation {
            line: 0,
            text: String::new(),
            broken,
        }),
    }
}

struct Player<'a> {
    teller: Teller<'a, Simulated>,
    checker: Checker,
    run: Run,
    /// What goes wrong inside nodes at present.
    troubles: BTreeMap<String, Vec<Trouble>>,
    disk: Room,
    faults: Faults,
}

impl Player<'_> {
    fn violation(&self, line: &Line, broken: Broken) -> Violation {
        Violation {
            line: line.number,
            text: line.text.clone(),
            broken,
        }
    }

    async fn step(&mut self, statement: &Statement) -> Result<(), Broken> {
        self.note(statement);
        if let Statement::Wait(time) = statement {
            return self.wait(*time).await;
        }
        let told = self.teller.perform(statement).await;
        told.map_err(|error| untold(&error))?;
        self.look().await
    }

    /// Counts faults, and remembers who cannot write.
    fn note(&mut self, statement: &Statement) {
        if let Some(kind) = fault(statement) {
            *self.run.faults.entry(kind).or_default() += 1;
        }
        if let Statement::Disk(room) = statement {
            self.disk = *room;
        }
        if let Statement::Mishap { node, trouble } = statement {
            let troubles = self.troubles.entry(node.clone()).or_default();
            troubles.push(*trouble);
            if *trouble == Trouble::Over {
                troubles.clear();
            }
        }
        if let Statement::Node { name, .. } = statement {
            self.troubles.remove(name);
        }
        let starts = matches!(
            statement,
            Statement::Node {
                what: NodeChange::Start,
                ..
            }
        );
        let node = matches!(statement, Statement::Node { .. } | Statement::Mishap { .. });
        let harms = matches!(statement, Statement::Disk(_)) || node && !starts;
        if harms {
            self.faults = Faults::Some;
        }
    }

    async fn wait(&mut self, time: Duration) -> Result<(), Broken> {
        let mut left = time;
        while !left.is_zero() {
            let slice = left.min(LOOK);
            left -= slice;
            let passed = self.teller.stage.pass(slice).await;
            passed.map_err(|error| untold(&error))?;
            self.look().await?;
        }
        Ok(())
    }

    /// Looks at the book, and lets nodes that were fenced start anew as the program does.
    async fn look(&mut self) -> Result<(), Broken> {
        let stage = &mut *self.teller.stage;
        let revived = stage.revive().await;
        revived.map_err(|error| untold(&error))?;
        let book = Book::read(stage.store()).await;
        let book = book.map_err(|error| untold(&error))?;
        self.run.looks += 1;
        let conditions = Conditions {
            now: self.teller.stage.now().as_millis(),
            able: self.able(),
            moves: self.moves(),
            faults: self.faults,
        };
        let confirmed = self.teller.errands.confirmed();
        self.checker
            .look(book, conditions, (&confirmed, &self.teller.acts))
    }

    /// Whether somebody can write what is due. A task that panics or hangs is no excuse.
    fn able(&self) -> Able {
        let hangs = |trouble: &Trouble| *trouble == Trouble::StoreHangs;
        match self.disk {
            Room::Plenty if self.runs_without(hangs) => Able::Yes,
            Room::Plenty | Room::None => Able::No,
        }
    }

    /// Whether what could be tried can be tried: not while every attempt of a node hangs or panics.
    fn moves(&self) -> Able {
        let everywhere = |trouble: &Trouble| matches!(trouble, Trouble::Everywhere { .. });
        match self.troubles.values().flatten().any(everywhere) {
            true => Able::No,
            false => self.able(),
        }
    }

    fn runs_without(&self, harm: impl Fn(&Trouble) -> bool) -> bool {
        let running = self.teller.stage.running_nodes();
        let harmed = |name: &String| {
            self.troubles
                .get(name)
                .is_some_and(|all| all.iter().any(&harm))
        };
        running.iter().any(|name| !harmed(name))
    }

    /// Everything works: all mail comes to its end.
    async fn end(&mut self) -> Result<Run, Broken> {
        let clock = self.teller.stage.world().clock.clone();
        let end = clock.instant() + REST;
        self.wait(LOOK).await?;
        while clock.instant() < end && self.is_under_way() {
            self.wait(LOOK).await?;
        }
        let stage = &mut *self.teller.stage;
        let copies = copies(stage).map_err(|error| untold(&error))?;
        over(self.checker.book(), &copies)?;
        self.run.messages = self.checker.book().messages.len();
        self.run.recipients = self.checker.book().recipients.len();
        self.run.fingerprint = fingerprint(self.checker.book());
        Ok(std::mem::take(&mut self.run))
    }

    fn is_under_way(&self) -> bool {
        let mut recipients = self.checker.book().recipients.values();
        recipients.any(|recipient| !recipient.is_final())
    }
}

/// What a statement breaks, in a word.
fn fault(statement: &Statement) -> Option<&'static str> {
    Some(match statement {
        Statement::PeerRules { rules, .. } if !rules.is_empty() => "a peer misbehaves",
        Statement::PeerTemper { temper, .. } => return of_peer(*temper),
        Statement::Dns(line) => return of_dns(line),
        Statement::Node { what, .. } => return of_node(*what),
        Statement::Mishap { trouble, .. } => return of_trouble(trouble),
        Statement::ClockSteps(_) => "the wall clock steps",
        Statement::Amnesia { .. } => "memory loses an entry",
        Statement::Disk(Room::None) => "the disk is full",
        Statement::Settings(_) => "the settings change",
        Statement::Operate(_) | Statement::Hop(_) => "an operator acts",
        Statement::Mail(errand) if errand.leaves_after.is_some() => "a client leaves",
        Statement::Mail(errand) if !errand.pace.is_zero() => "a client is slow",
        Statement::Mail(_)
        | Statement::PeerRules { .. }
        | Statement::Disk(Room::Plenty)
        | Statement::SimulatedOnly(_)
        | Statement::RealOnPostgresOnly(_)
        | Statement::Directory(_)
        | Statement::Peer { .. }
        | Statement::On(_)
        | Statement::Dialogue(_)
        | Statement::Send(_)
        | Statement::Wait(_)
        | Statement::At(_)
        | Statement::Sql(_)
        | Statement::Look(_) => return None,
    })
}

fn of_peer(temper: Temper) -> Option<&'static str> {
    match temper {
        Temper::Answers => None,
        Temper::Refuses => Some("a peer refuses"),
        Temper::Hangs => Some("a peer hangs"),
        Temper::Breaks(_) => Some("connections break"),
        Temper::GoesSilent(_) => Some("connections go silent"),
    }
}

fn of_dns(line: &DnsLine) -> Option<&'static str> {
    match line {
        DnsLine::ServFail(_) | DnsLine::Timeout(_) | DnsLine::Down => Some("the DNS fails"),
        DnsLine::Mx { .. }
        | DnsLine::Addresses { .. }
        | DnsLine::NxDomain(_)
        | DnsLine::Heals(_)
        | DnsLine::Up => None,
    }
}

fn of_node(what: NodeChange) -> Option<&'static str> {
    match what {
        NodeChange::Crash | NodeChange::Stumble => Some("a node crashes"),
        NodeChange::Forget => Some("a node loses its memory"),
        NodeChange::Stop => Some("a node stops"),
        NodeChange::Start | NodeChange::Pause | NodeChange::Continue => None,
    }
}

fn of_trouble(trouble: &Trouble) -> Option<&'static str> {
    match trouble {
        Trouble::Strike { blow, .. } | Trouble::Everywhere { blow, .. } => Some(match blow {
            Blow::Panic => "tasks panic",
            Blow::Hang => "tasks hang",
        }),
        Trouble::NoHints => Some("hints are lost"),
        Trouble::StoreHangs => Some("the store hangs"),
        Trouble::StoreRefuses(_) => Some("the store is busy"),
        Trouble::StoreIsSilent(_) => Some("the store's answer is lost"),
        Trouble::Over => None,
    }
}

/// What peers have confirmed.
fn copies(stage: &Simulated) -> Result<Copies> {
    let mut copies = Copies::new();
    for peer in stage.peers().values() {
        for text in peer.received() {
            let header = text
                .lines()
                .find_map(|line| line.strip_prefix("Message-ID: "));
            let message_id =
                header.with_context(|| format!("a message without a Message-ID: {text}"))?;
            let message_id = message_id.to_owned();
            let recipients = text.lines().take_while(|line| !line.is_empty());
            for line in recipients {
                let address = line
                    .strip_prefix("RCPT TO:<")
                    .and_then(|rest| rest.split_once('>'));
                if let Some((address, _)) = address {
                    let key = (message_id.clone(), address.to_owned());
                    *copies.entry(key).or_default() += 1;
                }
            }
        }
    }
    Ok(copies)
}

/// FNV-1a over what the book says of everybody.
fn fingerprint(book: &Book) -> u64 {
    let text = format!("{:?}{:?}{:?}", book.recipients, book.attempts, book.events);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
    })
}
