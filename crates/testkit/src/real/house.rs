//! The servers of a real story: a folder for each node, with its configuration and what is its own, around one store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use ground_store::contract::Database;
use rustix::process::Signal;
use tempfile::TempDir;

use super::program::{Program, Server};

/// The node that is meant before any was started.
const FIRST: &str = "node1";

/// The store of a story on SQLite, in the story's folder.
const SQLITE: &str = "book.db";

const NOT_RUNNING: &str = "expected a running node";

/// All nodes of a story.
pub(super) struct House {
    binary: PathBuf,
    folder: TempDir,
    /// The store, unless it is SQLite.
    database: Option<Database>,
    nodes: BTreeMap<String, Node>,
    /// Whom the story names.
    on: Option<String>,
    /// Who was started last.
    last: String,
}

struct Node {
    program: Program,
    server: Option<Server>,
    /// How much time had been jumped over when it was paused, if it is.
    paused: Option<Duration>,
}

impl House {
    /// With a store, and the first node's folder.
    pub(super) async fn build(binary: &Path) -> Result<House> {
        let mut house = House {
            binary: binary.to_owned(),
            folder: TempDir::new()?,
            database: Database::create().await?,
            nodes: BTreeMap::new(),
            on: None,
            last: FIRST.to_owned(),
        };
        house.furnish(FIRST)?;
        Ok(house)
    }

    /// Ends every server, and removes what the story had elsewhere.
    pub(super) async fn take_down(self) -> Result<()> {
        for server in self.nodes.into_values().filter_map(|node| node.server) {
            server.kill().await?;
        }
        match self.database {
            Some(database) => Ok(database.remove().await?),
            None => Ok(()),
        }
    }

    /// The store, as every configuration names it.
    pub(super) fn store(&self) -> String {
        match &self.database {
            Some(database) => database.url().to_owned(),
            None => format!("sqlite:{}", self.folder.path().join(SQLITE).display()),
        }
    }

    /// Gives a node its folder, unless it has one.
    pub(super) fn furnish(&mut self, name: &str) -> Result<()> {
        if self.nodes.contains_key(name) {
            return Ok(());
        }
        let folder = self.folder.path().join(name);
        std::fs::create_dir(&folder)?;
        let binary = self.binary.clone();
        let node = Node {
            program: Program { binary, folder },
            server: None,
            paused: None,
        };
        self.nodes.insert(name.to_owned(), node);
        Ok(())
    }

    /// Starts a node that has its folder; returns when it listens on so many listeners.
    pub(super) async fn start(&mut self, name: &str, listeners: usize) -> Result<()> {
        if let Some((running, _)) = self.running().next()
            && (running == name || self.database.is_none())
        {
            bail!("expected no node to run on this store, and {running:?} does");
        }
        let node = self.nodes.get_mut(name);
        let node = node.with_context(|| format!("{name:?} has no folder"))?;
        node.server = Some(node.program.serve(listeners).await?);
        name.clone_into(&mut self.last);
        Ok(())
    }

    /// A running node's server, to be ended.
    pub(super) fn ends(&mut self, name: &str) -> Result<Server> {
        let node = self.nodes.get_mut(name);
        let server = node.and_then(|node| node.server.take());
        server.with_context(|| format!("expected a running node, and {name:?} is not"))
    }

    /// Stops a node in its tracks.
    pub(super) fn pause(&mut self, name: &str, jumped: Duration) -> Result<()> {
        let node = self.nodes.get_mut(name);
        let node = node.with_context(|| format!("{name:?} has no folder"))?;
        let server = node.server.as_ref();
        server.context(NOT_RUNNING)?.signal(Signal::STOP)?;
        node.paused = Some(jumped);
        Ok(())
    }

    /// Lets a paused node go on; says how much had been jumped over when it was paused.
    pub(super) fn goes_on(&mut self, name: &str) -> Result<Duration> {
        let node = self.nodes.get_mut(name);
        let node = node.with_context(|| format!("{name:?} has no folder"))?;
        let paused = node.paused.take().context("expected a paused node")?;
        let server = node.server.as_ref();
        server.context(NOT_RUNNING)?.signal(Signal::CONT)?;
        Ok(paused)
    }

    /// Waits until a node that runs has started anew by itself.
    pub(super) async fn listens_anew(&mut self, name: &str) -> Result<()> {
        let node = self.nodes.get_mut(name);
        let server = node.and_then(|node| node.server.as_mut());
        server.context(NOT_RUNNING)?.listens_anew().await
    }

    /// Whether somebody is paused.
    pub(super) fn someone_is_paused(&self) -> bool {
        self.nodes.values().any(|node| node.paused.is_some())
    }

    /// Everybody meets this node from here on.
    pub(super) fn on(&mut self, name: &str) -> Result<()> {
        self.on = Some(name.to_owned());
        self.furnish(name)
    }

    /// Who is met: whom the story names, or the first that runs, or the last that ran.
    fn name(&self) -> &str {
        let running = || self.running().next().map(|(name, _)| name);
        let named = self.on.as_deref().or_else(running);
        named.unwrap_or(&self.last)
    }

    /// The server that clients meet, if it runs.
    pub(super) fn met(&self) -> Option<&Server> {
        self.nodes.get(self.name())?.server.as_ref()
    }

    /// What an operator runs.
    pub(super) fn program(&self) -> Result<&Program> {
        let name = self.name();
        let node = self.nodes.get(name);
        let node = node.with_context(|| format!("{name:?} has no folder"))?;
        Ok(&node.program)
    }

    /// Every node's, by name.
    pub(super) fn programs(&self) -> impl Iterator<Item = (&str, &Program)> {
        let nodes = self.nodes.iter();
        nodes.map(|(name, node)| (name.as_str(), &node.program))
    }

    /// Those whose servers run, and can answer.
    pub(super) fn running(&self) -> impl Iterator<Item = (&str, &Program)> {
        let runs = |node: &Node| node.server.is_some() && node.paused.is_none();
        let running = self.nodes.iter().filter(move |(_, node)| runs(node));
        running.map(|(name, node)| (name.as_str(), &node.program))
    }

    /// The last lines of every server's log.
    pub(super) fn last_words(&self) -> String {
        let last = |(name, program): (&str, &Program)| format!("{name}: {}", program.last_words());
        self.programs().map(last).collect::<Vec<_>>().join("\n  ")
    }
}
