//! Which recipients are meant: the FILTER of the command line and of pages, as parameterised SQL.
//!
//! Words of the filter become text of the query, its values only ever parameters. Without a state it means what is in
//! transit; ids are found in any state.

use std::fmt;
use std::time::Duration;

use ground_store::Value;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use wire_message::Time;

use crate::search::{Sought, messages_with};
use crate::{HopKey, MessageId, State};

#[cfg(test)]
mod tests;

/// Rows of a page when nobody says.
pub const PAGE: u32 = 100;
/// Rows of a page, and of one act, at most: they are held in memory.
pub const PAGE_MAX: u32 = 50_000;
/// Ids one filter may name.
pub const IDS_MAX: usize = 1000;

/// Which recipients are meant. Every condition must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// One of these messages or recipients, in any state.
    pub ids: Vec<MessageId>,
    /// In this state; without it: in transit.
    pub state: Option<State>,
    /// For this next hop: its key, or the part after the colon.
    pub next_hop: Option<String>,
    /// From this address; empty for the null sender.
    pub sender: Option<String>,
    /// To this address, or to what an alias or catch-all of this address became.
    pub recipient: Option<String>,
    /// To an address of this domain.
    pub domain: Option<String>,
    /// Accepted longer ago than this.
    pub older_than: Option<Duration>,
    /// Something must happen to it before this.
    #[serde(with = "crate::rfc3339::maybe")]
    pub due_before: Option<Time>,
    /// The last reply has this in it, in any case.
    pub reply_contains: Option<String>,
    /// The reason of its hold, or the cause of its end, has this in it, in any case.
    pub reason_contains: Option<String>,
    /// In flight on this node, or else accepted by it.
    pub node: Option<String>,
    /// Rows a page, at most [`PAGE_MAX`]; [`PAGE`] when not given.
    pub limit: Option<u32>,
    /// The page after this recipient (its id as listed).
    pub after: Option<MessageId>,
}

/// What of a filter cannot be understood. The operator's move.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FilterError {
    /// No such condition.
    #[error("{0:?} is no condition of a filter")]
    Unknown(String),
    /// The value is not of its kind.
    #[error("{name}: {value:?} is not {expected}")]
    Value {
        /// Which condition.
        name: &'static str,
        /// What was given.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// Too many ids.
    #[error("more than {IDS_MAX} ids at once")]
    TooManyIds,
}

/// The columns by which a listing is sorted and its pages are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// What is in transit, hop by hop, oldest first: one index has it so.
    Hop,
    /// History and named ids, oldest first.
    Id,
    /// What the search finds, oldest message first: a sender of a hundred thousand messages costs no more than one page of them.
    Message,
}

/// The part of a query after `FROM`.
#[derive(Debug)]
pub(crate) struct Condition {
    /// ` WHERE ...`
    pub(crate) text: String,
    /// `$1`, `$2`, ...
    pub(crate) values: Vec<Value>,
    order: &'static str,
}

impl Condition {
    /// ` WHERE ... ORDER BY ... LIMIT $n`
    pub(crate) fn page(mut self, limit: u32) -> (String, Vec<Value>) {
        self.values.push(limit.into());
        let place = self.values.len();
        (
            format!("{} ORDER BY {} LIMIT ${place}", self.text, self.order),
            self.values,
        )
    }
}

/// The name of the node that has a recipient in flight, or else accepted it, in SQL.
macro_rules! node_of_recipient {
    () => {
        "coalesce((SELECT node.name FROM node WHERE node.epoch = recipient.claimed_by), \
         (SELECT node.name FROM node WHERE node.id = (recipient.message / 8192) % 256), '')"
    };
}
pub(crate) use node_of_recipient;

impl Filter {
    /// Adds a condition as the command line writes it: `name` without dashes (`next-hop`), moments as RFC 3339 or as a time
    /// from `now` (`2h`), ages as `30m`, `2h`, `4d`.
    ///
    /// # Errors
    /// [`FilterError`], to be shown as it is.
    pub fn set(&mut self, name: &str, value: &str, now: Time) -> Result<(), FilterError> {
        let wrong = |name, expected| FilterError::Value {
            name,
            value: value.to_owned(),
            expected,
        };
        let text = || Some(value.to_owned());
        match name {
            "id" => self
                .ids
                .push(value.parse().map_err(|_| wrong("id", "an id"))?),
            "state" => {
                let state = State::from_word(value);
                self.state = Some(state.ok_or_else(|| wrong("state", "a state"))?);
            }
            "next-hop" => self.next_hop = text(),
            "sender" => self.sender = text(),
            "recipient" => self.recipient = text(),
            "domain" => self.domain = text(),
            "older-than" => {
                let age = duration(value);
                self.older_than =
                    Some(age.ok_or_else(|| wrong("older-than", "an age such as 30m or 2d"))?);
            }
            "due-before" => {
                let moment = value
                    .parse()
                    .ok()
                    .or_else(|| duration(value).map(|wait| now + wait));
                let expected =
                    "a moment such as 2026-11-23T10:00:00Z, or a time from now such as 2h";
                self.due_before = Some(moment.ok_or_else(|| wrong("due-before", expected))?);
            }
            "reply-contains" => self.reply_contains = text(),
            "reason-contains" => self.reason_contains = text(),
            "node" => self.node = text(),
            "limit" => {
                let limit = value
                    .parse()
                    .ok()
                    .filter(|limit| (1..=PAGE_MAX).contains(limit));
                self.limit = Some(limit.ok_or_else(|| wrong("limit", "a number from 1 to 50000"))?);
            }
            "after" => self.after = Some(value.parse().map_err(|_| wrong("after", "an id"))?),
            other => return Err(FilterError::Unknown(other.to_owned())),
        }
        if self.ids.len() > IDS_MAX {
            return Err(FilterError::TooManyIds);
        }
        Ok(())
    }

    /// Whether it means only a state, a hop, or both: then the tally knows how many there are.
    pub(crate) fn is_counted(&self) -> bool {
        let beyond = Filter {
            state: None,
            next_hop: None,
            limit: None,
            after: None,
            ..self.clone()
        };
        beyond == Filter::default() && !self.state.is_some_and(State::is_final)
    }

    /// A filter that [`Filter::is_counted`] as conditions of a query over the tally.
    pub(crate) fn tally_condition(&self) -> (String, Vec<Value>) {
        let mut writer = Writer::default();
        writer.plain("n > 0");
        if let Some(state) = self.state {
            writer.add(["state = ", ""], state);
        }
        if let Some(hop) = &self.next_hop {
            writer.add_list(["next_hop IN (", ")"], &hop_keys(hop));
        }
        (format!(" WHERE {}", writer.text), writer.values)
    }

    /// The filter as conditions of a query over `recipient JOIN message`.
    pub(crate) fn condition(&self, now: Time) -> Condition {
        let mut writer = Writer::default();
        let order = self.write_state(&mut writer);
        let searched =
            self.recipient.is_some() || self.sender.as_ref().is_some_and(|s| !s.is_empty());
        let order = match searched && self.ids.is_empty() {
            true => Order::Message,
            false => order,
        };
        self.write_names(&mut writer);
        if let Some(age) = self.older_than {
            let before = (now - age).as_millis();
            writer.add(["recipient.accepted_at <= ", ""], before);
        }
        if let Some(moment) = self.due_before {
            writer.add(["recipient.deadline_at <= ", ""], moment.as_millis());
        }
        if let Some(part) = &self.reply_contains {
            // Said, so that the index of those that have a reply serves.
            writer.plain("recipient.last_reply <> ''");
            writer.add(
                ["lower(recipient.last_reply) LIKE ", " ESCAPE '\\'"],
                like(part),
            );
        }
        if let Some(part) = &self.reason_contains {
            writer.add(
                [
                    "lower(coalesce(recipient.hold_reason, recipient.cause, '')) LIKE ",
                    " ESCAPE '\\'",
                ],
                like(part),
            );
        }
        if let Some(node) = &self.node {
            writer.add([concat!(node_of_recipient!(), " = "), ""], node.as_str());
        }
        if let Some(after) = self.after {
            self.write_after(after, order, &mut writer);
        }
        Condition {
            text: format!(" WHERE {}", writer.text),
            values: writer.values,
            order: match order {
                Order::Hop => "recipient.next_hop, recipient.id",
                Order::Id => "recipient.id",
                Order::Message => "recipient.message, recipient.id",
            },
        }
    }

    fn write_state(&self, writer: &mut Writer) -> Order {
        if !self.ids.is_empty() {
            let keys: Vec<i64> = self.ids.iter().map(|id| id.key()).collect();
            writer.add_list(["(recipient.id IN (", ") OR "], &keys);
            writer.text.push_str("recipient.message IN (");
            let first = writer.values.len() + 1 - keys.len();
            writer.text.push_str(&crate::places(first, keys.len()));
            writer.text.push_str("))");
        }
        match self.state {
            Some(state) => {
                // A word of ours, not a value: an index of one state serves whoever names it.
                writer.plain(&format!("recipient.state = '{state}'"));
                match state {
                    State::Delivered
                    | State::Relayed
                    | State::Expanded
                    | State::Returned
                    | State::Discarded
                    | State::DeadLetter => return Order::Id,
                    // They have an index of their own, and are few.
                    State::Held | State::InFlight => {}
                    State::Queued | State::Categorizing => {
                        writer.plain("recipient.finished_at IS NULL");
                    }
                }
                Order::Hop
            }
            None if self.ids.is_empty() => {
                writer.plain("recipient.finished_at IS NULL");
                Order::Hop
            }
            None => Order::Id,
        }
    }

    fn write_names(&self, writer: &mut Writer) {
        if let Some(hop) = &self.next_hop {
            writer.add_list(["recipient.next_hop IN (", ")"], &hop_keys(hop));
        }
        if let Some(sender) = &self.sender {
            writer.add_sender(sender);
        }
        if let Some(recipient) = &self.recipient {
            writer.add_family(recipient);
        }
        if let Some(domain) = &self.domain {
            let ending = format!("%@{}", escaped(&domain.to_lowercase()));
            writer.add(["lower(recipient.address) LIKE ", " ESCAPE '\\'"], ending);
        }
    }

    fn write_after(&self, after: MessageId, order: Order, writer: &mut Writer) {
        match order {
            Order::Id => writer.add(["recipient.id > ", ""], after),
            // Where that recipient stands now; its id alone when it is gone.
            Order::Hop => writer.add(
                [
                    "(recipient.next_hop, recipient.id) > (SELECT place.next_hop, place.id FROM recipient AS place \
                     WHERE place.id = ",
                    ")",
                ],
                after,
            ),
            Order::Message => writer.add(
                [
                    "(recipient.message, recipient.id) > (SELECT place.message, place.id FROM recipient AS place \
                     WHERE place.id = ",
                    ")",
                ],
                after,
            ),
        }
    }
}

/// The hops a word means: one by its key, or those with this name after the colon.
fn hop_keys(word: &str) -> Vec<String> {
    match word.parse::<HopKey>() {
        Ok(key) => vec![key.to_string()],
        Err(_) => vec![HopKey::via(word).to_string(), HopKey::mx(word).to_string()],
    }
}

#[derive(Default)]
struct Writer {
    text: String,
    values: Vec<Value>,
}

impl Writer {
    fn and(&mut self) {
        if !self.text.is_empty() {
            self.text.push_str(" AND ");
        }
    }

    fn plain(&mut self, condition: &str) {
        self.and();
        self.text.push_str(condition);
    }

    fn add(&mut self, [before, after]: [&str; 2], value: impl Into<Value>) {
        self.and();
        self.values.push(value.into());
        let place = self.values.len();
        self.text.push_str(&format!("{before}${place}{after}"));
    }

    /// The places of a sought text, and the query for the messages that may have it.
    fn seek(&mut self, sought: Sought) -> (String, String) {
        self.values.extend([sought.word.into(), sought.text.into()]);
        let text = format!("${}", self.values.len());
        let messages = messages_with(&format!("${}", self.values.len() - 1), &text);
        (text, messages)
    }

    /// Mail of this sender, in whatever case it is written.
    fn add_sender(&mut self, sender: &str) {
        let sought = Sought::of(sender);
        if sought.text.is_empty() {
            return self.plain("message.sender = ''");
        }
        let (text, messages) = self.seek(sought);
        self.plain(&format!(
            "recipient.message IN ({messages}) AND lower(message.sender) = {text}"
        ));
    }

    /// A recipient of this address, or one that stands in its place. An expanded row's children are of its message.
    fn add_family(&mut self, address: &str) {
        let (text, messages) = self.seek(Sought::of(address));
        self.plain(&format!(
            "recipient.message IN ({messages}) AND (lower(recipient.address) = {text} OR recipient.id IN (\
               WITH RECURSIVE family (id, message) AS (\
                 SELECT asked.id, asked.message FROM recipient AS asked \
                   WHERE asked.message IN ({messages}) AND lower(asked.address) = {text} AND asked.state = 'expanded' \
                 UNION ALL SELECT child.id, child.message FROM family \
                   JOIN recipient AS child ON child.message = family.message AND child.parent = family.id) \
               SELECT id FROM family))"
        ));
    }

    fn add_list<T: Clone + Into<Value>>(&mut self, [before, after]: [&str; 2], list: &[T]) {
        self.and();
        let places = crate::places(self.values.len() + 1, list.len());
        self.values.extend(list.iter().cloned().map(Into::into));
        self.text.push_str(&format!("{before}{places}{after}"));
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

fn like(part: &str) -> String {
    format!("%{}%", escaped(&part.to_lowercase()))
}

/// `90s`, `30m`, `2h`, `4d`, `1w`, also joined (`1h30m`); digits alone are seconds.
fn duration(text: &str) -> Option<Duration> {
    let mut seconds: u64 = 0;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at_checked(digits)?;
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at_checked(letters)?;
        let each: u64 = match unit {
            "s" | "" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            "w" => 604_800,
            _ => return None,
        };
        seconds = seconds.checked_add(number.parse::<u64>().ok()?.checked_mul(each)?)?;
        rest = tail;
    }
    // Milliseconds must fit a moment.
    (seconds < 1 << 40).then(|| Duration::from_secs(seconds))
}

fn age_text(age: Duration) -> String {
    let seconds = age.as_secs();
    let whole = [("d", 86_400), ("h", 3600), ("m", 60)];
    let fits = whole
        .iter()
        .find(|(_, each)| seconds > 0 && seconds.is_multiple_of(*each));
    fits.map_or(format!("{seconds}s"), |(unit, each)| {
        format!("{}{unit}", seconds / each)
    })
}

impl Filter {
    /// Its conditions, each by the name and as the value that [`Filter::set`] takes.
    #[must_use]
    pub fn conditions(&self) -> Vec<(&'static str, String)> {
        let ids = self.ids.iter().map(|id| ("id", id.to_string()));
        let options = [
            ("state", self.state.map(|state| state.word().to_owned())),
            ("next-hop", self.next_hop.clone()),
            ("sender", self.sender.clone()),
            ("recipient", self.recipient.clone()),
            ("domain", self.domain.clone()),
            ("older-than", self.older_than.map(age_text)),
            (
                "due-before",
                self.due_before.map(|moment| moment.to_string()),
            ),
            ("reply-contains", self.reply_contains.clone()),
            ("reason-contains", self.reason_contains.clone()),
            ("node", self.node.clone()),
            ("limit", self.limit.map(|limit| limit.to_string())),
            ("after", self.after.map(|after| after.to_string())),
        ];
        let options = options
            .into_iter()
            .filter_map(|(name, value)| value.map(|value| (name, value)));
        ids.chain(options).collect()
    }
}

/// As the command line writes it: what is recorded with an act.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self
            .conditions()
            .into_iter()
            .map(|condition| match condition {
                ("id", value) => value,
                (name @ ("reply-contains" | "reason-contains"), value) => {
                    format!("--{name} {value:?}")
                }
                (name, value) => format!("--{name} {value}"),
            });
        let words: Vec<String> = words.collect();
        if words.is_empty() {
            return f.write_str("everything in transit");
        }
        f.write_str(&words.join(" "))
    }
}
