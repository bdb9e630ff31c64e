//! FILTER: which recipients are meant.

use ground_settings::{Fault, Period};
use path_ledger::{Filter, MessageId, State};
use wire_message::Time;

#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct FilterArgs {
    /// In this state; without it, what is in transit.
    #[arg(long, value_parser = state)]
    state: Option<State>,
    /// For this next hop, such as mx:example.com or example.com.
    #[arg(long, value_name = "HOP")]
    next_hop: Option<String>,
    /// From this address; "" for the null sender.
    #[arg(long, value_name = "ADDRESS")]
    sender: Option<String>,
    /// To this address.
    #[arg(long, value_name = "ADDRESS")]
    recipient: Option<String>,
    /// To an address of this domain.
    #[arg(long)]
    domain: Option<String>,
    /// Accepted longer ago than this, such as 2h30m.
    #[arg(long, value_parser = period, value_name = "AGE")]
    older_than: Option<Period>,
    /// Something must happen to it before this moment (RFC 3339).
    #[arg(long, value_name = "TIME")]
    due_before: Option<Time>,
    /// The last reply contains this, in any case.
    #[arg(long, value_name = "TEXT")]
    reply_contains: Option<String>,
    /// The reason of its hold, or the cause of its end, contains this, in any case.
    #[arg(long, value_name = "TEXT")]
    reason_contains: Option<String>,
    /// On this node.
    #[arg(long)]
    node: Option<String>,
    /// At most this many.
    #[arg(long)]
    limit: Option<u32>,
}

impl FilterArgs {
    /// Whether nothing was said.
    pub(super) fn is_empty(&self) -> bool {
        self.filter(Vec::new()) == Filter::default()
    }

    pub(super) fn filter(&self, ids: Vec<MessageId>) -> Filter {
        Filter {
            ids,
            state: self.state,
            next_hop: self.next_hop.clone(),
            sender: self.sender.clone(),
            recipient: self.recipient.clone(),
            domain: self.domain.clone(),
            older_than: self.older_than.map(|Period(age)| age),
            due_before: self.due_before,
            reply_contains: self.reply_contains.clone(),
            reason_contains: self.reason_contains.clone(),
            node: self.node.clone(),
            limit: self.limit,
            after: None,
        }
    }
}

fn state(word: &str) -> Result<State, String> {
    State::from_word(word).ok_or_else(|| {
        let words: Vec<&str> = State::ALL.iter().map(|state| state.word()).collect();
        format!("states are {}", words.join(", "))
    })
}

pub(super) fn period(text: &str) -> Result<Period, String> {
    text.parse()
        .map_err(|fault: Fault| format!("{}; {}", fault.what, fault.remedy))
}
