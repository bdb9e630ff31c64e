//! The viewer without a terminal and without a server: keys, ticks and answers in, questions out.

use access_admin::ActState;
use path_ledger::{Filter, Listed, MessageId, QueueLine, RecipientId, State, Totals};
use path_watch::Alarm;
use serde_json::Value;
use wire_message::Time;

use super::asked::{Answered, Asked, one, rows};
use super::dialog::{Deed, Dialog, Turn, Typed};
use crate::cli::explain;
use crate::control::{Answer, Answerer, Verb};

/// Ticks between two looks at a running server: a second.
const EACH: u32 = 4;

/// Ticks between two looks at a store that is opened anew for each: five seconds.
const EACH_OF_STORE: u32 = 20;

/// Rows of a page of recipients.
pub(super) const PAGE: u32 = 100;

/// Rows that PgUp and PgDn move by.
const LEAP: usize = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    Enter,
    Escape,
    Backspace,
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    /// Ctrl-C, a signal, or the end of the terminal.
    Interrupt,
}

#[derive(Debug)]
pub(super) enum Input {
    Key(Key),
    Tick,
    Answered(Box<Answered>),
}

/// Rows, and which of them is chosen.
#[derive(Debug)]
pub(super) struct Pick<T> {
    pub(super) rows: Vec<T>,
    pub(super) at: usize,
}

/// The recipients of a next hop, a page of them.
#[derive(Debug)]
pub(super) struct Recipients {
    pub(super) hop: String,
    /// Without a page.
    pub(super) filter: Filter,
    pub(super) sought: String,
    /// After which recipients this page and those before it begin.
    pub(super) pages: Vec<Option<MessageId>>,
    pub(super) pick: Pick<Listed>,
}

/// The explanation of one recipient.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) id: RecipientId,
    pub(super) lines: Vec<String>,
    pub(super) from: usize,
}

#[derive(Debug)]
pub(super) struct Top {
    pub(super) now: Time,
    /// Who answered last, and when.
    pub(super) by: Option<(Answerer, Time)>,
    pub(super) totals: Totals,
    pub(super) alarms: Vec<Alarm>,
    lines: Vec<QueueLine>,
    /// Hops have this in their line.
    pub(super) sought: String,
    pub(super) hops: Pick<QueueLine>,
    pub(super) recipients: Option<Recipients>,
    pub(super) story: Option<Story>,
    pub(super) dialog: Option<Dialog>,
    pub(super) help: bool,
    pub(super) notice: String,
    /// Why the last look failed.
    pub(super) trouble: Option<String>,
    /// Ticks until the next look.
    rest: u32,
    /// A look was asked for and is not answered.
    looking: bool,
    pub(super) ended: bool,
}

impl<T> Pick<T> {
    const fn none() -> Self {
        let rows = Vec::new();
        Self { rows, at: 0 }
    }

    pub(super) fn chosen(&self) -> Option<&T> {
        self.rows.get(self.at)
    }

    /// New rows; the chosen one stays chosen while it is there.
    fn replace<K: PartialEq>(&mut self, rows: Vec<T>, key: impl Fn(&T) -> K) {
        let chosen = self.chosen().map(&key);
        let place = rows.iter().position(|row| Some(key(row)) == chosen);
        self.rows = rows;
        self.at = place.unwrap_or(self.at).min(self.last());
    }

    fn last(&self) -> usize {
        self.rows.len().saturating_sub(1)
    }
}

/// Where a key leads in a list that ends at `last`.
fn moved(at: usize, last: usize, key: Key) -> usize {
    let to = match key {
        Key::Up | Key::Char('k') => at.saturating_sub(1),
        Key::Down | Key::Char('j') => at.saturating_add(1),
        Key::PageUp => at.saturating_sub(LEAP),
        Key::PageDown => at.saturating_add(LEAP),
        Key::Home => 0,
        Key::End => last,
        Key::Char(_) | Key::Enter | Key::Escape | Key::Backspace | Key::Interrupt => at,
    };
    to.min(last)
}

impl Recipients {
    fn page(&self) -> Asked {
        Asked::List(Filter {
            limit: Some(PAGE),
            after: self.pages.last().copied().flatten(),
            ..self.filter.clone()
        })
    }

    /// Turns the page, if there is one.
    fn turn(&mut self, key: Key) -> Vec<Asked> {
        let full = u32::try_from(self.pick.rows.len()) == Ok(PAGE);
        if key == Key::Char('n')
            && full
            && let Some(last) = self.pick.rows.last()
        {
            let after = MessageId::from_key(last.recipient_id.key());
            self.pages.push(Some(after));
        } else if key == Key::Char('b') && self.pages.len() > 1 {
            self.pages.pop();
        } else {
            return Vec::new();
        }
        self.pick.at = 0;
        vec![self.page()]
    }
}

/// All that waits for a hop; what is not routed yet has none.
fn all_of(hop: &str) -> Filter {
    match hop {
        "" => Filter {
            state: Some(State::Categorizing),
            ..Filter::default()
        },
        hop => Filter {
            next_hop: Some(hop.to_owned()),
            ..Filter::default()
        },
    }
}

fn only(id: RecipientId) -> Filter {
    Filter {
        ids: vec![MessageId::from_key(id.key())],
        ..Filter::default()
    }
}

/// `far.test`, `x@far.test`, or conditions as `state=held domain=far.test`.
fn conditions(text: &str, mut filter: Filter, now: Time) -> Result<Filter, String> {
    for word in text.split_whitespace() {
        let (name, value) = match word.split_once('=') {
            Some(pair) => pair,
            None if word.contains('@') => ("recipient", word),
            None => ("domain", word),
        };
        let set = filter.set(name, value, now);
        set.map_err(|error| error.to_string())?;
    }
    Ok(filter)
}

fn verb_of(letter: char) -> Option<Verb> {
    match letter.to_ascii_lowercase() {
        'r' => Some(Verb::Retry),
        'h' => Some(Verb::Hold),
        'l' => Some(Verb::Release),
        'e' => Some(Verb::Reroute { to: None }),
        'x' => Some(Verb::Return),
        'd' => Some(Verb::Discard),
        _ => None,
    }
}

impl Top {
    pub(super) fn new(now: Time) -> Self {
        Self {
            now,
            by: None,
            totals: Totals::default(),
            alarms: Vec::new(),
            lines: Vec::new(),
            sought: String::new(),
            hops: Pick::none(),
            recipients: None,
            story: None,
            dialog: None,
            help: false,
            notice: String::new(),
            trouble: None,
            rest: 0,
            looking: false,
            ended: false,
        }
    }

    pub(super) fn take(&mut self, input: Input, now: Time) -> Vec<Asked> {
        self.now = now;
        match input {
            Input::Key(key) => self.key(key),
            Input::Tick => self.tick(),
            Input::Answered(answered) => {
                self.answered(*answered);
                Vec::new()
            }
        }
    }

    fn tick(&mut self) -> Vec<Asked> {
        let mut asks = Vec::new();
        if let Some(Dialog::Progress { status, asked }) = &mut self.dialog
            && status.state == ActState::Running
            && !*asked
        {
            *asked = true;
            asks.push(Asked::Progress(status.act.clone()));
        }
        self.rest = self.rest.saturating_sub(1);
        if self.rest > 0 || self.looking {
            return asks;
        }
        self.looking = true;
        asks.extend([Asked::Totals, Asked::Alarms]);
        asks.extend(self.recipients.as_ref().map(Recipients::page));
        asks.extend(self.story.as_ref().map(|story| Asked::Explain(story.id)));
        // The last of a look: its answer ends it.
        asks.push(Asked::Queue);
        asks
    }

    fn key(&mut self, key: Key) -> Vec<Asked> {
        self.notice.clear();
        if key == Key::Interrupt {
            self.ended = true;
        } else if self.help {
            self.help = false;
        } else if let Some(dialog) = self.dialog.take() {
            return self.turn(dialog.key(key));
        } else {
            return self.view_key(key);
        }
        Vec::new()
    }

    fn turn(&mut self, turn: Turn) -> Vec<Asked> {
        match turn {
            Turn::Stay(dialog) => self.dialog = Some(dialog),
            Turn::Ask(dialog, asked) => {
                self.dialog = Some(dialog);
                return vec![*asked];
            }
            Turn::Over(notice) => notice.clone_into(&mut self.notice),
            Turn::Sought(text) => return self.seek(text),
        }
        Vec::new()
    }

    fn view_key(&mut self, key: Key) -> Vec<Asked> {
        match key {
            Key::Char('q') => self.ended = true,
            Key::Char('?') => self.help = true,
            Key::Char('/') if self.story.is_none() => {
                let list = self.recipients.as_ref().map(|list| &list.sought);
                let text = list.unwrap_or(&self.sought);
                self.dialog = Some(Dialog::typing(Typed::Seek, text));
            }
            Key::Char('p') => self.pause(),
            Key::Escape | Key::Backspace => return self.back(),
            Key::Enter => return self.open(),
            Key::Char(letter) if verb_of(letter).is_some() => return self.act(letter),
            Key::Char(_)
            | Key::Up
            | Key::Down
            | Key::PageUp
            | Key::PageDown
            | Key::Home
            | Key::End
            | Key::Interrupt => return self.steer(key),
        }
        Vec::new()
    }

    fn steer(&mut self, key: Key) -> Vec<Asked> {
        if let Some(story) = &mut self.story {
            story.from = moved(story.from, story.lines.len().saturating_sub(1), key);
        } else if let Some(list) = &mut self.recipients {
            list.pick.at = moved(list.pick.at, list.pick.last(), key);
            return list.turn(key);
        } else {
            self.hops.at = moved(self.hops.at, self.hops.last(), key);
        }
        Vec::new()
    }

    fn back(&mut self) -> Vec<Asked> {
        if self.story.take().is_none() && self.recipients.take().is_none() {
            return self.seek(String::new());
        }
        Vec::new()
    }

    fn open(&mut self) -> Vec<Asked> {
        if self.story.is_some() {
            return Vec::new();
        }
        if let Some(list) = &self.recipients {
            let id = list.pick.chosen().map(|row| row.recipient_id);
            self.story = id.map(|id| Story {
                id,
                lines: Vec::new(),
                from: 0,
            });
            return id.map(Asked::Explain).into_iter().collect();
        }
        let Some(line) = self.hops.chosen() else {
            return Vec::new();
        };
        let list = Recipients {
            hop: line.next_hop.clone(),
            filter: all_of(&line.next_hop),
            sought: String::new(),
            pages: vec![None],
            pick: Pick::none(),
        };
        vec![self.recipients.insert(list).page()]
    }

    fn seek(&mut self, text: String) -> Vec<Asked> {
        let Some(list) = &mut self.recipients else {
            self.sought = text;
            self.show_hops();
            return Vec::new();
        };
        match conditions(&text, all_of(&list.hop), self.now) {
            Ok(filter) => {
                (list.filter, list.sought) = (filter, text);
                list.pages = vec![None];
                vec![list.page()]
            }
            Err(why) => {
                self.notice = why;
                Vec::new()
            }
        }
    }

    fn show_hops(&mut self) {
        let has = |line: &&QueueLine| {
            let (hop, reply) = (&line.next_hop, &line.last_reply);
            format!("{hop} {} {reply}", line.state).contains(&self.sought)
        };
        let lines = self.lines.iter().filter(has).cloned().collect();
        let name = |line: &QueueLine| line.next_hop.clone();
        self.hops.replace(lines, name);
    }

    /// Acts are of the server's process: a preview that was made without one is gone when it is wanted.
    fn can_act(&mut self) -> bool {
        let served = matches!(self.by, Some((Answerer::Server, _)));
        if !served {
            "no server runs, so this only looks; postrider retry, hold, release ... act on the store"
                .clone_into(&mut self.notice);
        }
        served
    }

    fn act(&mut self, letter: char) -> Vec<Asked> {
        let (Some(verb), true) = (verb_of(letter), self.can_act()) else {
            return Vec::new();
        };
        let Some(mut filter) = self.meant(letter.is_ascii_uppercase()) else {
            return Vec::new();
        };
        if verb == Verb::Release && filter.ids.is_empty() && filter.state.is_none() {
            filter.state = Some(State::Held);
        }
        self.turn(Dialog::act(verb, filter))
    }

    /// Who an act is for: the chosen recipient, or all that its list, or the chosen hop, is of.
    fn meant(&self, all: bool) -> Option<Filter> {
        match (&self.story, &self.recipients) {
            (Some(story), _) => Some(only(story.id)),
            (None, Some(list)) if all => Some(list.filter.clone()),
            (None, Some(list)) => list.pick.chosen().map(|row| only(row.recipient_id)),
            (None, None) => self.hops.chosen().map(|line| all_of(&line.next_hop)),
        }
    }

    fn pause(&mut self) {
        if !self.can_act() {
            return;
        }
        let line = match &self.recipients {
            Some(list) => self.lines.iter().find(|line| line.next_hop == list.hop),
            None => self.hops.chosen(),
        };
        match line {
            Some(line) if !line.next_hop.is_empty() => {
                self.dialog = Some(Dialog::pause(line.clone()));
            }
            Some(_) | None => "there is no next hop to pause".clone_into(&mut self.notice),
        }
    }

    fn answered(&mut self, answered: Answered) {
        let Answered { asked, by, answer } = answered;
        if let Some(by) = by {
            self.by = Some((by, self.now));
        }
        let done = match asked {
            Asked::Totals => one(answer).map(|totals| self.totals = totals),
            Asked::Alarms => rows(answer).map(|alarms| self.alarms = alarms),
            Asked::Queue => {
                self.looked(answer);
                Ok(())
            }
            Asked::List(filter) => self.listed(&filter, answer),
            Asked::Explain(id) => self.explained(id, answer),
            Asked::Preview(filter) => self.previewed(&filter, answer),
            Asked::Begin { .. } => self.begun(answer),
            Asked::Progress(act) => self.progressed(&act, answer),
            Asked::Pause { hop, until, .. } => {
                self.hop_done(answer, format!("{hop} is paused: {until}"))
            }
            Asked::Resume { hop, .. } => self.hop_done(answer, format!("{hop} goes on")),
        };
        if let Err(why) = done {
            self.notice = why;
        }
    }

    fn looked(&mut self, answer: Result<Answer, String>) {
        self.looking = false;
        self.rest = match self.by {
            Some((Answerer::Store, _)) => EACH_OF_STORE,
            Some((Answerer::Server, _)) | None => EACH,
        };
        match rows(answer) {
            Ok(lines) => {
                self.lines = lines;
                self.trouble = None;
                self.show_hops();
            }
            Err(why) => self.trouble = Some(why),
        }
    }

    /// A page that is not looked at any more is no concern.
    fn listed(&mut self, asked: &Filter, answer: Result<Answer, String>) -> Result<(), String> {
        let asked = Asked::List(asked.clone());
        if let Some(list) = self.recipients.as_mut().filter(|list| list.page() == asked) {
            list.pick.replace(rows(answer)?, |row| row.recipient_id);
        }
        Ok(())
    }

    fn explained(&mut self, id: RecipientId, answer: Result<Answer, String>) -> Result<(), String> {
        if let Some(story) = self.story.as_mut().filter(|story| story.id == id) {
            let told: Vec<Value> = rows(answer)?;
            story.lines = told.iter().flat_map(explain::words).collect();
        }
        Ok(())
    }

    fn previewed(&mut self, of: &Filter, answer: Result<Answer, String>) -> Result<(), String> {
        let verb = match &self.dialog {
            Some(Dialog::Previewing { verb, filter }) if filter == of => verb.clone(),
            Some(_) | None => return Ok(()),
        };
        self.dialog = None;
        let previewed = one(answer)?;
        self.dialog = Some(Dialog::reason(Deed::Act { verb, previewed }));
        Ok(())
    }

    /// What was begun and is not waited for any more only changes what is seen next.
    fn begun(&mut self, answer: Result<Answer, String>) -> Result<(), String> {
        self.rest = 0;
        let waited = matches!(self.dialog, Some(Dialog::Beginning));
        if waited {
            self.dialog = None;
        }
        let status = one(answer)?;
        if waited {
            let asked = false;
            self.dialog = Some(Dialog::Progress { status, asked });
        }
        Ok(())
    }

    fn progressed(&mut self, act: &str, answer: Result<Answer, String>) -> Result<(), String> {
        let Some(Dialog::Progress { status, asked }) = &mut self.dialog else {
            return Ok(());
        };
        if status.act != act {
            return Ok(());
        }
        self.rest = 0;
        match one(answer) {
            Ok(now) => (*status, *asked) = (now, false),
            Err(why) => {
                self.dialog = None;
                return Err(why);
            }
        }
        Ok(())
    }

    fn hop_done(&mut self, answer: Result<Answer, String>, told: String) -> Result<(), String> {
        self.rest = 0;
        if matches!(self.dialog, Some(Dialog::Beginning)) {
            self.dialog = None;
        }
        answer.map(|_| self.notice = told)
    }
}
