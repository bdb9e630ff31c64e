//! The closed sets of what an explanation can say: each word with its sentence. The manual is written from these.

use ground_settings::{Connector, Settings};
use path_ledger::words;

words! {
    /// Why a recipient is where it is.
    pub enum Reason {
        /// Its row, or its message's, cannot be read; it is held when it is next looked at.
        Damaged = "damaged",
        /// The directory could not say who it is; it is asked again.
        Directory = "directory",
        /// Its lifetime has ended, and the watch is about to end it.
        LifetimeEnded = "lifetime_ended",
        /// Its next hop does not answer; nothing that waits for it is tried before the hop itself is.
        HopDown = "hop_down",
        /// A person stopped its next hop for a while.
        HopPaused = "hop_paused",
        /// Its way leads through a connector that is not in the settings any more.
        NoSuchConnector = "no_such_connector",
        /// No node is up that could try it.
        NoNode = "no_node",
        /// Every node that is up was told to take no new work.
        NodesDrained = "nodes_drained",
        /// A claim of it was lost, so its next attempt waits for its time and is written down before it begins.
        Suspect = "suspect",
        /// It waits for its own time, because of what was last said about it.
        OwnTime = "own_time",
        /// It is due now, and waits for a connection to its next hop.
        Due = "due",
        /// A node has claimed it: it hands it over, or is about to.
        Claimed = "claimed",
        /// Its claim has ended, or its node is gone, and nobody settled it; the watch brings it back.
        ClaimEnded = "claim_ended",
        /// It is kept back, for what is in it or beside it cannot be read.
        HeldDamaged = "held_damaged",
        /// It is kept back, for its attempts began and never ended, again and again.
        HeldPoison = "held_poison",
        /// It is kept back until somebody releases it, or its lifetime ends.
        Held = "held",
        /// It has reached its final state, and nothing can happen to it any more.
        Finished = "finished",
    }
}

words! {
    /// What is known about a reason.
    pub enum Fact {
        /// Where it goes next.
        NextHop = "next_hop",
        /// What was last said about it, or by its next hop.
        Reply = "reply",
        /// Who said so.
        Peer = "peer",
        /// Attempts at it so far.
        Tries = "tries",
        /// Tries in a row that did not reach its next hop.
        Failures = "failures",
        /// Attempts in a row that began and never ended.
        Suspicion = "suspicion",
        /// Recipients in flight to the same next hop now.
        InFlight = "in_flight",
        /// Connections that its next hop may be given at one time.
        MaxConnections = "max_connections",
        /// The person, rule or check.
        By = "by",
        /// Their reason.
        Because = "because",
        /// The node that has it.
        Node = "node",
        /// The epoch of that node.
        Epoch = "epoch",
        /// The connector that is gone.
        Connector = "connector",
        /// What cannot be read.
        Damage = "damage",
        /// Why it ended, in the words of who ended it.
        Cause = "cause",
    }
}

words! {
    /// What happens next.
    pub enum Next {
        /// The directory is asked again.
        AskDirectory = "ask_directory",
        /// It is tried.
        Try = "try",
        /// Its next hop is tried; when it answers, all that waits for it goes.
        HopTry = "hop_try",
        /// The pause of its next hop ends by itself.
        PauseEnd = "pause_end",
        /// Its claim ends unless its node renews it; then it is queued again.
        ClaimEnd = "claim_end",
        /// Its sender is told that it still waits.
        DelayNotice = "delay_notice",
        /// Its hold raises an alarm.
        HoldAlarm = "hold_alarm",
        /// Its lifetime ends, and it goes back to its sender.
        Return = "return",
        /// Its lifetime ends, and nobody can be told.
        DeadLetter = "dead_letter",
        /// The watch looks at it, and does what is owed.
        Look = "look",
        /// Its history is removed.
        HistoryEnd = "history_end",
    }
}

words! {
    /// The rule a moment comes from.
    pub enum Rule {
        /// `retry`: the waits between attempts; shorter for a greylisting, longer for a full mailbox, or as the reply advises.
        Retry = "retry",
        /// `retry`, counted by the tries that did not reach the hop.
        HopRetry = "hop_retry",
        /// `retry`: the waits between two questions to the directory.
        DirectoryRetry = "directory_retry",
        /// `poll_interval`: how often the book is asked what is due, when nothing tells us sooner.
        Poll = "poll",
        /// Whoever paused the hop said until when.
        Pause = "pause",
        /// `lease`: how long a claim lasts unless it is renewed.
        Lease = "lease",
        /// `delay_notice`: the ages at which a sender is told.
        DelayNotice = "delay_notice",
        /// `hold_alarm`: how long a hold may be forgotten.
        HoldAlarm = "hold_alarm",
        /// `lifetime`, as it was when the message was accepted.
        Lifetime = "lifetime",
        /// `report_lifetime`, as it was when the report was written.
        ReportLifetime = "report_lifetime",
        /// `sweep_interval`: how often what is owed by time is swept.
        Sweep = "sweep",
        /// `history`: how long what has ended is kept.
        History = "history",
    }
}

words! {
    /// What was decided on the way so far, besides the events and the outcomes of attempts.
    pub enum Decided {
        /// It was accepted: message and envelope were committed and flushed before the answer.
        Accepted = "accepted",
        /// It was written here, in one commit with what it tells of.
        Written = "written",
        /// The directory could not say yet who it is.
        Postponed = "postponed",
        /// It stands in the place of another recipient, by an alias, a list or a catch-all.
        InPlaceOf = "in_place_of",
        /// It is a mailbox here.
        Mailbox = "mailbox",
        /// It is somewhere else.
        Remote = "remote",
        /// It leaves by the fixed next hop of a connector.
        ByConnector = "by_connector",
        /// It leaves by the mail exchangers of its domain.
        ByMx = "by_mx",
        /// An attempt was made; its outcome says what was decided.
        Attempt = "attempt",
        /// It reached its final state.
        Ended = "ended",
    }
}

words! {
    /// The stages of a selftest.
    pub enum Probe {
        /// A listener answers: connection, greeting, EHLO or LHLO, and STARTTLS where it is offered.
        Door = "door",
        /// The probe has an account in the first domain here.
        Account = "account",
        /// Its message is taken: committed and flushed.
        Accepted = "accepted",
        /// The directory and the settings have given it its way.
        Routed = "routed",
        /// A node has taken it, and an attempt begins.
        Claimed = "claimed",
        /// The attempt has put it into the mailbox, and that is committed.
        Delivered = "delivered",
        /// It is read from the mailbox, and is what was sent.
        Readable = "readable",
        /// The account is removed with its mail; the history keeps what was done.
        Cleaned = "cleaned",
    }
}

words! {
    /// How a stage of a selftest ended.
    pub enum Verdict {
        /// It did what it should.
        Passed = "passed",
        /// It did not; the detail says why, and whose move it is.
        Failed = "failed",
        /// It could not be tested here; the detail says why.
        Skipped = "skipped",
    }
}

impl Rule {
    /// Where the setting stands, for mail of `connector`: its own, or that of all.
    pub(super) fn setting(self, settings: &Settings, connector: Option<&str>) -> Option<String> {
        let own = connector.and_then(|name| {
            let mut all = settings.connectors.iter();
            all.find(|one| one.name == name)
        });
        let of = |name: &str, has_own: fn(&Connector) -> bool| match own {
            Some(own) if has_own(own) => format!("{name} of [[connector]] {}", own.name),
            Some(_) | None => format!("{name} of [queue]"),
        };
        Some(match self {
            Rule::Retry | Rule::HopRetry => of("retry", |own| own.retry.is_some()),
            Rule::DelayNotice => of("delay_notice", |own| own.delay_notice.is_some()),
            Rule::Lifetime => of("lifetime", |own| own.lifetime.is_some()),
            Rule::DirectoryRetry => "retry of [queue]".to_owned(),
            Rule::Poll => "poll_interval of [queue]".to_owned(),
            Rule::Lease => "lease of [queue]".to_owned(),
            Rule::HoldAlarm => "hold_alarm of [queue]".to_owned(),
            Rule::ReportLifetime => "report_lifetime of [queue]".to_owned(),
            Rule::Sweep => "sweep_interval of [watch]".to_owned(),
            Rule::History => "history of [queue]".to_owned(),
            Rule::Pause => return None,
        })
    }
}
