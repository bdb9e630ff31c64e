//! When is it tried again? A pure function of what failed, how often, what the peer advised, and the settings.

use std::time::Duration;

use ground_settings::Schedule;
use wire_message::Time;
use wire_smtp::reply::Reply;

#[cfg(test)]
mod tests;

/// A greylisted message is let in minutes after the first try, so it is asked about often.
const GREYLIST_MAX: Duration = Duration::from_secs(5 * 60);

/// Tries after which a peer that looks like a greylist is one that just refuses.
const GREYLIST_TRIES: u32 = 12;

/// A full mailbox is not emptied by asking.
const FULL_MIN: Duration = Duration::from_secs(30 * 60);

/// The shortest wait a peer's advice can have.
const ADVICE_MIN: Duration = Duration::from_secs(10);

/// What failed, for the choice of the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// "Not yet, come back": greylisting and its like (450 4.7.1, 451 4.7.1).
    Greylisted,
    /// The mailbox is full (x.2.2).
    MailboxFull,
    /// Anything else: a temporary refusal, a lost connection, a hop that is down, something here.
    Plain,
}

impl Trouble {
    /// What a temporary refusal says.
    pub(crate) fn of(reply: &Reply) -> Trouble {
        let status = reply
            .enhanced()
            .map(|status| (status.subject(), status.detail()));
        let text = reply.text().to_ascii_lowercase();
        let says_grey = text.contains("greylist") || text.contains("graylist");
        match (reply.code(), status) {
            (_, Some((2, 2))) => Trouble::MailboxFull,
            (450 | 451, Some((7, 1))) => Trouble::Greylisted,
            (450 | 451, _) if says_grey => Trouble::Greylisted,
            _ => Trouble::Plain,
        }
    }
}

/// One question.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failed<'a> {
    pub(crate) trouble: Trouble,
    /// Failures in a row, this one included; 1 at least.
    pub(crate) tries: u32,
    /// What the peer said about when.
    pub(crate) advice: Option<Duration>,
    /// The settings.
    pub(crate) schedule: &'a Schedule,
}

/// How long to wait: a step of the schedule as the trouble wants it, varied by `jitter`, never longer than the last step
/// and never shorter than what the peer asked for within that.
pub(crate) fn wait(failed: Failed<'_>, jitter: impl FnOnce(Duration) -> Duration) -> Duration {
    let steps = &failed.schedule.retry;
    let last = steps.iter().copied().max().unwrap_or(GREYLIST_MAX);
    if let Some(advice) = failed.advice {
        let advice = advice.max(ADVICE_MIN).min(last);
        return jitter(advice).clamp(advice, last);
    }
    let at = usize::try_from(failed.tries.max(1) - 1).unwrap_or(usize::MAX);
    let step = steps.get(at).or(steps.last()).copied().unwrap_or(last);
    let step = match failed.trouble {
        Trouble::Greylisted if failed.tries <= GREYLIST_TRIES => step.min(GREYLIST_MAX),
        Trouble::MailboxFull => step.max(FULL_MIN),
        Trouble::Greylisted | Trouble::Plain => step,
    };
    jitter(step.min(last)).min(last)
}

/// The moment after `wait`, never beyond the end of the lifetime.
pub(crate) fn next_try(now: Time, wait: Duration, expires_at: Time) -> Time {
    (now + wait).min(expires_at)
}

/// "Try again in 5 minutes", "retry after 300s", "greylisted for 00:04:30": the time a reply advises.
pub(crate) fn advice(text: &str) -> Option<Duration> {
    let text = text.to_ascii_lowercase();
    let words: Vec<&str> = text
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == ':'))
        .filter(|word| !word.is_empty())
        .collect();
    let mut announced = words.windows(2).enumerate().filter_map(|(at, pair)| {
        let [before, number] = pair else { return None };
        let said = matches!(
            *before,
            "in" | "after" | "for" | "wait" | "least" | "another"
        );
        said.then(|| period(number, words.get(at + 2).copied()))?
    });
    announced.next_back()
}

/// `300` with its unit in the next word, `300s`, or `00:05:00`.
fn period(word: &str, next: Option<&str>) -> Option<Duration> {
    if word.contains(':') {
        return clock(word);
    }
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = word.split_at_checked(digits)?;
    let number: u64 = number.parse().ok().filter(|number| *number < 1_000_000)?;
    let unit = if unit.is_empty() { next? } else { unit };
    let seconds = match unit {
        "s" | "sec" | "secs" | "second" | "seconds" => 1,
        "m" | "min" | "mins" | "minute" | "minutes" => 60,
        "h" | "hour" | "hours" => 3600,
        _ => return None,
    };
    Some(Duration::from_secs(number * seconds))
}

fn clock(word: &str) -> Option<Duration> {
    let parts: Option<Vec<u64>> = word.split(':').map(|part| part.parse().ok()).collect();
    let seconds = match parts?.as_slice() {
        [hours, minutes, seconds] if *hours < 100 && *minutes < 60 && *seconds < 60 => {
            hours * 3600 + minutes * 60 + seconds
        }
        [minutes, seconds] if *minutes < 60 && *seconds < 60 => minutes * 60 + seconds,
        _ => return None,
    };
    Some(Duration::from_secs(seconds))
}
