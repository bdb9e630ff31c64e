//! Tells a story on a stage, statement by statement.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;

use crate::answers;
use crate::clients::Clients;
use crate::errand::{Confirmed, Errand, Errands};
use crate::pattern::{Beginning, compare, matches};
use crate::peer::Peer;
use crate::stage::{Stage, Written};
use crate::statement::{Expected, Letter, Look, Operation, Statement};
use crate::story::{Failure, Story};

/// Tells a story to its end.
///
/// # Errors
/// [`Failure`]: the first line that did not come true, what was expected and what was got.
pub(crate) async fn tell(story: &Story, stage: &mut impl Stage) -> Result<(), Failure> {
    let mut teller = Teller::new(stage);
    for line in &story.lines {
        let done = teller.perform(&line.statement).await;
        done.map_err(|error| story.failure(line, error))?;
        let passed = teller.stage.a_moment().await;
        passed.map_err(|error| story.failure(line, error))?;
    }
    Ok(())
}

pub(crate) struct Teller<'a, S> {
    pub(crate) stage: &'a mut S,
    clients: Clients,
    pub(crate) errands: Errands,
    /// What operators did, and to how many recipients.
    pub(crate) acts: Vec<(Operation, u64)>,
    letters: u32,
}

impl<'a, S: Stage> Teller<'a, S> {
    pub(crate) fn new(stage: &'a mut S) -> Self {
        Self {
            stage,
            clients: Clients::default(),
            errands: Errands::default(),
            acts: Vec::new(),
            letters: 0,
        }
    }

    pub(crate) async fn perform(&mut self, statement: &Statement) -> Result<()> {
        match statement {
            Statement::SimulatedOnly(_) | Statement::RealOnPostgresOnly(_) => Ok(()),
            Statement::Settings(text) => self.stage.settings(text).await,
            Statement::Directory(change) => self.stage.directory(change).await,
            Statement::Dns(line) => self.stage.dns(line).await,
            Statement::Peer { name, at, rules } => self.stage.peer_starts(name, *at, rules).await,
            Statement::PeerRules { name, rules } => {
                self.peer(name)?.follow(rules.clone());
                Ok(())
            }
            Statement::PeerTemper { name, temper } => self.stage.peer_shows(name, *temper).await,
            Statement::Node { name, what } => {
                self.stage.rest().await?;
                self.stage.node(name, *what).await
            }
            Statement::Mishap { node, trouble } => self.stage.mishap(node, *trouble).await,
            Statement::Amnesia { node, of } => self.forget(node, of).await,
            Statement::On(name) => self.stage.on(name).await,
            Statement::Wait(time) => self.stage.pass(*time).await,
            Statement::At(moment) => self.wait_until(*moment).await,
            Statement::ClockSteps(by) => self.stage.clock_steps(*by).await,
            Statement::Disk(room) => self.stage.disk(*room).await,
            Statement::Dialogue(dialogue) => self.clients.perform(self.stage, dialogue).await,
            Statement::Send(letter) => self.send(letter).await,
            Statement::Mail(errand) => self.mail(errand.clone()).await,
            Statement::Sql(sql) => self.write(sql).await,
            Statement::Operate(operation) => self.operate(operation).await,
            Statement::Hop(act) => self.stage.hop(act).await,
            Statement::Look(look) => self.look(look).await,
        }
    }

    /// A moment that came while the story was told has come; one that the story itself has waited past has not.
    async fn wait_until(&mut self, moment: Duration) -> Result<()> {
        let Beginning { slack, .. } = self.stage.beginning();
        let passed = self.stage.passed();
        if passed.saturating_sub(slack) > moment {
            bail!("expected a moment to come; {passed:?} have passed");
        }
        self.stage.pass(moment.saturating_sub(passed)).await
    }

    async fn send(&mut self, letter: &Letter) -> Result<()> {
        self.letters += 1;
        let content = content(letter, self.letters);
        let refusal = match (&letter.answer, self.stage.submit(letter, content).await) {
            // Nobody may be there to take it.
            (Expected::Whatever, Err(error)) => Some(error.to_string()),
            (_, refusal) => refusal?,
        };
        match (&letter.answer, refusal) {
            (Expected::Whatever, Some(_)) => Ok(()),
            (Expected::Accepted | Expected::Whatever, None) => {
                self.errands.confirm(Confirmed {
                    message_id: message_id(self.letters),
                    sender: letter.from.clone(),
                    recipients: letter.to.clone(),
                });
                Ok(())
            }
            (Expected::Refused(pattern), Some(refusal)) if matches(pattern, &refusal) => Ok(()),
            (Expected::Refused(pattern), got) => {
                let got = got.unwrap_or_else(|| "it was accepted".to_owned());
                bail!("expected: {pattern}\n  got:      {got}")
            }
            (Expected::Accepted, Some(refusal)) => {
                bail!("expected it to be accepted, got: {refusal}")
            }
        }
    }

    /// Somebody else brings it; nobody may be there to take it.
    async fn mail(&mut self, errand: Errand) -> Result<()> {
        self.letters += 1;
        if let Ok(stream) = self.stage.connect(None, &errand.over).await {
            let world = self.stage.world();
            self.errands.set_out(errand, self.letters, stream, world);
        }
        Ok(())
    }

    /// It must have had something to lose.
    async fn forget(&mut self, node: &str, of: &str) -> Result<()> {
        let mut lost = 0;
        for message in answers::messages(self.stage, of).await? {
            lost += self.stage.forget(node, &message).await?;
        }
        match lost {
            0 => bail!("expected a job that waits in memory, and there is none"),
            1.. => Ok(()),
        }
    }

    async fn write(&self, sql: &str) -> Result<()> {
        match self.stage.write(sql).await? {
            Written::Changed(1..) => Ok(()),
            Written::Changed(0) => bail!("expected that rows change, and none does"),
            Written::Refused(refusal) => bail!("expected that rows change, got: {refusal}"),
        }
    }

    async fn operate(&mut self, operation: &Operation) -> Result<()> {
        self.stage.rest().await?;
        match (operation.count, self.stage.operate(operation).await) {
            (Some(count), Ok(done)) if done != count => {
                bail!("expected: {count} recipients\n  got:      {done}")
            }
            (_, Ok(done)) => {
                self.acts.push((operation.clone(), done));
                Ok(())
            }
            (Some(_), Err(error)) => Err(error),
            (None, Err(_refused)) => Ok(()),
        }
    }

    /// Looks until it is seen, or the stage's patience ends.
    async fn look(&mut self, look: &Look) -> Result<()> {
        self.stage.rest().await?;
        let clock = self.stage.world().clock.clone();
        let end = clock.instant() + S::PATIENCE;
        loop {
            match self.see(look).await {
                Err(_) if clock.instant() < end => self.stage.a_moment().await?,
                seen => return seen,
            }
        }
    }

    async fn see(&self, look: &Look) -> Result<()> {
        match look {
            Look::Received {
                peer,
                count,
                matching,
            } => counted(*count, matching.as_deref(), self.peer(peer)?.received()),
            Look::Connections { peer, count } => {
                let found = self.peer(peer)?.connections();
                if found == *count {
                    return Ok(());
                }
                bail!("expected: {count} connections\n  got:      {found}")
            }
            Look::Ask { question, rows } => {
                let found = answers::answer(self.stage, question).await?;
                compare(rows, &found, self.stage.beginning()).map_err(anyhow::Error::msg)
            }
            Look::Content { of, text } => {
                let contents = answers::contents(self.stage, of).await?;
                if contents.iter().any(|content| content.contains(text)) {
                    return Ok(());
                }
                let contents = contents.join("\n----\n");
                bail!("expected: {text}\n  got:      {contents}")
            }
            Look::Mailbox {
                address,
                count,
                matching,
            } => {
                let mails = self.stage.mails(address).await?;
                counted(*count, matching.as_deref(), mails)
            }
            Look::SqlRefused { sql, words } => match self.stage.write(sql).await? {
                Written::Refused(refusal) if refusal.contains(words) => Ok(()),
                Written::Refused(refusal) => {
                    bail!("expected: {words}\n  got:      {refusal}")
                }
                Written::Changed(rows) => {
                    bail!("expected a refusal, got: {rows} rows changed")
                }
            },
        }
    }

    fn peer(&self, name: &str) -> Result<&Peer> {
        let peer = self.stage.peers().get(name);
        peer.with_context(|| format!("expected a peer, and nobody is called {name:?}"))
    }
}

/// The Message-ID of a story's letter.
pub(crate) fn message_id(number: u32) -> String {
    format!("<{number}@story.test>")
}

pub(crate) fn content(letter: &Letter, number: u32) -> Bytes {
    let Letter {
        from,
        to,
        size,
        subject,
        body,
        notify: _,
        answer: _,
    } = letter;
    let from = match from.as_str() {
        "" => "<>",
        address => address,
    };
    let to = to.join(", ");
    let id = message_id(number);
    let header =
        format!("From: {from}\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: {id}\r\n\r\n");
    let mut content = [header.as_bytes(), body].concat();
    while content.len() < *size {
        content.extend(b"And so it went on, line by line, until it was long enough.\r\n");
    }
    content.into()
}

fn counted(count: usize, matching: Option<&str>, texts: Vec<String>) -> Result<()> {
    let fits = |text: &&String| matching.is_none_or(|part| text.contains(part));
    let found = texts.iter().filter(fits).count();
    if found == count {
        return Ok(());
    }
    bail!(
        "expected: {count}\n  got:      {found}, of these:\n{}",
        texts.join("\n----\n")
    )
}
