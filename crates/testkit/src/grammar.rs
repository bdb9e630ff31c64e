//! How each statement is written.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use postrider::control::{DirectoryChange, Password, Verb};
use wire_message::Address;

use crate::errand::Errand;
use crate::pattern::duration;
use crate::peer::{Rule, Temper};
use crate::statement::{
    Conditions, Dialogue, DnsLine, Expected, HopAct, HopChange, Letter, Listing, Look, NodeChange,
    Operation, Question, Room, Statement,
};
use crate::story::Below;
use crate::trouble;
use crate::words::{Words, unescape};

impl Statement {
    /// Reads one statement and the lines below it.
    pub(crate) fn parse(line: &str, below: Below) -> Result<Statement> {
        if let Some(dialogue) = dialogue(line)? {
            below.nothing()?;
            return Ok(Statement::Dialogue(dialogue));
        }
        let mut words = Words::of(line);
        let word = words.word("a statement")?;
        let statement = if let Some(question) = question(word, &mut words)? {
            ask(question, &mut words, below)?
        } else if word == "settings" {
            below.no_rows()?;
            Statement::Settings(below.indented.join("\n"))
        } else if word == "peer" {
            below.no_rows()?;
            peer(&mut words, &below.indented)?
        } else {
            below.nothing()?;
            match setting_the_stage(word, &mut words)? {
                Some(statement) => statement,
                None => what_happens(word, &mut words)?,
            }
        };
        words.end()?;
        Ok(statement)
    }
}

impl Below {
    fn no_rows(&self) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        bail!("this statement takes no rows below it")
    }

    fn nothing(&self) -> Result<()> {
        if !self.indented.is_empty() {
            bail!("this statement takes no indented lines below it");
        }
        self.no_rows()
    }
}

fn mishap(words: &mut Words<'_>) -> Result<Statement> {
    let node = words.word("a node's name")?.to_owned();
    if words.takes("forgets") {
        let of = words.word("an id or address")?.to_owned();
        return Ok(Statement::Amnesia { node, of });
    }
    let trouble = trouble::parse(words)?;
    Ok(Statement::Mishap { node, trouble })
}

/// A question to the book, if the word begins one.
fn question(word: &str, words: &mut Words<'_>) -> Result<Option<Question>> {
    let mut of = || words.word("an id or address").map(str::to_owned);
    Ok(Some(match word {
        "trace" => Question::Listed(Listing::Trace(of()?)),
        "explain" => Question::Listed(Listing::Explain(of()?)),
        "attempts" => Question::Attempts(of()?),
        "events" => Question::Events(of()?),
        "audit" => Question::Listed(Listing::Audit),
        "alarms" => Question::Listed(Listing::Alarms),
        "queue" if words.takes("list") => Question::Listed(Listing::QueueList(filter(words)?)),
        "queue" => Question::Listed(Listing::Queue),
        _ => return Ok(None),
    }))
}

/// `C: ...`, `S: ...` and their relatives.
fn dialogue(line: &str) -> Result<Option<Dialogue>> {
    let rest = |sign: &str| {
        let text = line.strip_prefix(sign)?;
        Some(text.strip_prefix(' ').unwrap_or(text))
    };
    if let Some(text) = rest("C:") {
        let octets = [unescape(text)?, b"\r\n".to_vec()].concat();
        return Ok(Some(Dialogue::Say { octets }));
    }
    if let Some(text) = rest("C!") {
        return Ok(Some(Dialogue::Say {
            octets: unescape(text)?,
        }));
    }
    if let Some(text) = rest("C*") {
        let (times, text) = text
            .split_once(' ')
            .context("expected a number and a line")?;
        let times: usize = times.parse().context("expected a number after C*")?;
        let octets = [unescape(text)?, b"\r\n".to_vec()].concat().repeat(times);
        return Ok(Some(Dialogue::Say { octets }));
    }
    if let Some(text) = rest("S:") {
        let pattern = text.to_owned();
        return Ok(Some(Dialogue::Hear { pattern }));
    }
    Ok(match line {
        "S closes" => Some(Dialogue::HearEnd),
        "S silent" => Some(Dialogue::HearNothing),
        "C starts TLS" => Some(Dialogue::StartTls),
        "C leaves" => Some(Dialogue::Leave),
        _ => None,
    })
}

fn ask(question: Question, words: &mut Words<'_>, below: Below) -> Result<Statement> {
    if !below.indented.is_empty() {
        bail!("this statement takes no indented lines below it");
    }
    let nothing = words.takes("is") && {
        words.expect("empty")?;
        true
    };
    if nothing {
        below.no_rows()?;
    } else if below.rows.is_empty() {
        bail!("expected rows below that start with |, or \"is empty\"");
    }
    let rows = below.rows;
    Ok(Statement::Look(Look::Ask { question, rows }))
}

/// `--state queued --domain far.test`.
fn filter(words: &mut Words<'_>) -> Result<Conditions> {
    let mut filter = Vec::new();
    while words.rest().starts_with("--") && !words.rest().starts_with("--reason") {
        let name = words.word("a filter")?.trim_start_matches('-').to_owned();
        filter.push((name, words.word("its value")?.to_owned()));
    }
    Ok(filter)
}

fn setting_the_stage(word: &str, words: &mut Words<'_>) -> Result<Option<Statement>> {
    Ok(Some(match word {
        "simulated" => {
            words.expect("only")?;
            Statement::SimulatedOnly(words.word("why")?.to_owned())
        }
        "real" => {
            for word in ["on", "postgres", "only"] {
                words.expect(word)?;
            }
            Statement::RealOnPostgresOnly(words.word("why")?.to_owned())
        }
        "domain" | "account" | "alias" => Statement::Directory(directory(word, words)?),
        "dns" => dns(words)?,
        "disk" => match words.word("full or free")? {
            "full" => Statement::Disk(Room::None),
            "free" => Statement::Disk(Room::Plenty),
            other => bail!("expected full or free, got {other:?}"),
        },
        "start" => start(words)?,
        "stop" => node(words, NodeChange::Stop)?,
        "crash" => node(words, NodeChange::Crash)?,
        "forget" => node(words, NodeChange::Forget)?,
        "pause" => node(words, NodeChange::Pause)?,
        "continue" => node(words, NodeChange::Continue)?,
        "mishap" => mishap(words)?,
        "on" => Statement::On(words.word("a node's name")?.to_owned()),
        _ => return Ok(None),
    }))
}

fn what_happens(word: &str, words: &mut Words<'_>) -> Result<Statement> {
    Ok(match word {
        "client" => client(words)?,
        "mail" => Statement::Mail(errand(words)?),
        "send" => Statement::Send(letter(words)?),
        "clock" => {
            words.expect("steps")?;
            Statement::ClockSteps(step(words.word("a time such as +1d or -1d")?)?)
        }
        "wait" => Statement::Wait(duration(words.word("a time")?)?),
        "at" => {
            let moment = words.word("a time such as +1h")?;
            let moment = moment
                .strip_prefix('+')
                .context("expected a time such as +1h")?;
            Statement::At(duration(moment)?)
        }
        "content" | "mailbox" => Statement::Look(look(word, words)?),
        "sql" => sql(words)?,
        "operator" => operate(words)?,
        other => bail!("expected a statement, got {other:?}; docs/scenarios.md lists them"),
    })
}

/// `+1d` or `-1d`, in milliseconds.
fn step(word: &str) -> Result<i64> {
    let (sign, time) = match (word.strip_prefix('+'), word.strip_prefix('-')) {
        (Some(time), _) => (1, time),
        (None, Some(time)) => (-1, time),
        (None, None) => bail!("expected a time with + or - before it, got {word:?}"),
    };
    Ok(sign * i64::try_from(duration(time)?.as_millis())?)
}

fn directory(word: &str, words: &mut Words<'_>) -> Result<DirectoryChange> {
    Ok(match word {
        "domain" => {
            let name = words.word("a domain")?.to_owned();
            if words.takes("catch-all") {
                let target = Some(address(words)?);
                return Ok(DirectoryChange::DomainCatchAll { name, target });
            }
            DirectoryChange::DomainAdd { name }
        }
        "account" => {
            let address = address(words)?;
            let password = words.takes("password").then(|| words.word("a password"));
            let quota = words.takes("quota").then(|| number(words));
            DirectoryChange::AccountAdd {
                address,
                password: password.transpose()?.map(|text| Password(text.to_owned())),
                quota: quota.transpose()?,
            }
        }
        _ => {
            let address = address(words)?;
            words.expect("to")?;
            let targets = list(words)?;
            DirectoryChange::AliasAdd { address, targets }
        }
    })
}

fn address(words: &mut Words<'_>) -> Result<String> {
    let word = words.word("an address")?;
    Address::parse(word).with_context(|| format!("expected an address, got {word:?}"))?;
    Ok(word.to_owned())
}

fn look(word: &str, words: &mut Words<'_>) -> Result<Look> {
    Ok(match word {
        "content" => {
            words.expect("of")?;
            let of = words.word("an id or address")?.to_owned();
            words.expect("has")?;
            let text = words.word("a text")?.to_owned();
            Look::Content { of, text }
        }
        "mailbox" => {
            let address = words.word("an address")?.to_owned();
            words.expect("has")?;
            let (count, matching) = count_and_text(words)?;
            Look::Mailbox {
                address,
                count,
                matching,
            }
        }
        other => bail!("expected something to look at, got {other:?}"),
    })
}

/// `sql "..."`, or `sql "..." is refused with "..."`.
fn sql(words: &mut Words<'_>) -> Result<Statement> {
    let sql = words.word("a statement in quotes")?.to_owned();
    if !words.takes("is") {
        return Ok(Statement::Sql(sql));
    }
    words.expect("refused")?;
    words.expect("with")?;
    let words = words.word("what the database says")?.to_owned();
    Ok(Statement::Look(Look::SqlRefused { sql, words }))
}

/// `start node1`, or `start node1 and crash`.
fn start(words: &mut Words<'_>) -> Result<Statement> {
    let name = words.word("a node's name")?.to_owned();
    let what = match words.takes("and") {
        true => {
            words.expect("crash")?;
            NodeChange::Stumble
        }
        false => NodeChange::Start,
    };
    Ok(Statement::Node { name, what })
}

fn node(words: &mut Words<'_>, what: NodeChange) -> Result<Statement> {
    let name = words.word("a node's name")?.to_owned();
    Ok(Statement::Node { name, what })
}

fn dns(words: &mut Words<'_>) -> Result<Statement> {
    let what = words.word("mx, a, nxdomain, servfail, timeout, heals, down or up")?;
    let mut name = || words.word("a name").map(str::to_owned);
    Ok(Statement::Dns(match what {
        "down" => DnsLine::Down,
        "up" => DnsLine::Up,
        "mx" => {
            let name = name()?;
            let mut hosts = Vec::new();
            while !words.rest().is_empty() {
                let preference = words.word("a preference")?;
                let preference = preference.parse().ok();
                let preference = preference.context("expected a preference from 0 to 65535")?;
                hosts.push((
                    preference,
                    words.word("a host")?.trim_end_matches(',').to_owned(),
                ));
            }
            DnsLine::Mx { name, hosts }
        }
        "a" => {
            let name = name()?;
            let addresses = list(words)?;
            let address = |text: &String| {
                let wrong = || format!("expected an IP address, got {text:?}");
                text.parse().ok().with_context(wrong)
            };
            let addresses = addresses.iter().map(address).collect::<Result<_>>()?;
            DnsLine::Addresses { name, addresses }
        }
        "nxdomain" => DnsLine::NxDomain(name()?),
        "servfail" => DnsLine::ServFail(name()?),
        "timeout" => DnsLine::Timeout(name()?),
        "heals" => DnsLine::Heals(name()?),
        other => {
            bail!("expected mx, a, nxdomain, servfail, timeout, heals, down or up, got {other:?}")
        }
    }))
}

const PEERS: &str = "at, now, received, had, refuses, hangs, breaks, silent or recovers";

fn peer(words: &mut Words<'_>, indented: &[String]) -> Result<Statement> {
    let name = words.word("a peer's name")?.to_owned();
    let rules = || {
        indented
            .iter()
            .map(|line| Rule::parse(line))
            .collect::<Result<Vec<_>>>()
    };
    let what = words.word(PEERS)?;
    if !matches!(what, "at" | "now") && !indented.is_empty() {
        bail!("expected no indented lines below \"peer NAME {what}\"");
    }
    Ok(match what {
        "at" => {
            let at = words.word("an address and port")?;
            let wrong =
                || format!("expected an address and port such as 192.0.2.25:25, got {at:?}");
            let at = at.parse().ok().with_context(wrong)?;
            Statement::Peer {
                name,
                at,
                rules: rules()?,
            }
        }
        "now" => Statement::PeerRules {
            name,
            rules: rules()?,
        },
        "received" => {
            let (count, matching) = count_and_text(words)?;
            Statement::Look(Look::Received {
                peer: name,
                count,
                matching,
            })
        }
        "had" => {
            let count = usize::try_from(number(words)?)?;
            words.expect("connections")?;
            Statement::Look(Look::Connections { peer: name, count })
        }
        "refuses" => Statement::PeerTemper {
            name,
            temper: Temper::Refuses,
        },
        "hangs" => Statement::PeerTemper {
            name,
            temper: Temper::Hangs,
        },
        "recovers" => Statement::PeerTemper {
            name,
            temper: Temper::Answers,
        },
        "breaks" => {
            words.expect("after")?;
            let temper = Temper::Breaks(number(words)?);
            Statement::PeerTemper { name, temper }
        }
        "silent" => {
            words.expect("after")?;
            let temper = Temper::GoesSilent(number(words)?);
            Statement::PeerTemper { name, temper }
        }
        other => bail!("expected {PEERS}, got {other:?}"),
    })
}

fn client(words: &mut Words<'_>) -> Result<Statement> {
    let client = words.word("a client's name")?.to_owned();
    if words.rest().is_empty() {
        return Ok(Statement::Dialogue(Dialogue::Turn(client)));
    }
    let from = words
        .takes("at")
        .then(|| words.word("an IP address"))
        .transpose()?;
    let wrong = || format!("expected an IP address, got {:?}", from.unwrap_or_default());
    let from = from
        .map(|text| text.parse().ok().with_context(wrong))
        .transpose()?;
    words.expect("connects")?;
    let to = words
        .word("a listener's name, or an address and port")?
        .to_owned();
    Ok(Statement::Dialogue(Dialogue::Connect { client, from, to }))
}

/// `mail over mx [pace 2s] [leaves after 3] from A to B`.
fn errand(words: &mut Words<'_>) -> Result<Errand> {
    words.expect("over")?;
    let over = words.word("a listener's name")?.to_owned();
    let pace = match words.takes("pace") {
        true => duration(words.word("a time")?)?,
        false => Duration::ZERO,
    };
    let leaves_after = match words.takes("leaves") {
        true => {
            words.expect("after")?;
            Some(usize::try_from(number(words)?)?)
        }
        false => None,
    };
    Ok(Errand {
        letter: letter(words)?,
        over,
        pace,
        leaves_after,
    })
}

fn letter(words: &mut Words<'_>) -> Result<Letter> {
    words.expect("from")?;
    let from = words.word("an address or <>")?;
    let from = from.trim_matches(['<', '>']).to_owned();
    words.expect("to")?;
    let to = list(words)?;
    let mut letter = Letter {
        from,
        to,
        size: 0,
        subject: "A story".to_owned(),
        body: b"Once upon a time.\r\n".to_vec(),
        notify: None,
        answer: Expected::Accepted,
    };
    while let Some(word) = words.next() {
        match word {
            "size" => letter.size = usize::try_from(number(words)?)?,
            "subject" => letter.subject = words.word("a subject")?.to_owned(),
            "body" => letter.body = unescape(words.word("a text")?)?,
            "notify" => letter.notify = Some(words.word("a NOTIFY")?.to_owned()),
            "refused" => {
                let pattern = words.word("what the refusal says")?;
                letter.answer = Expected::Refused(pattern.to_owned());
            }
            "whatever" => letter.answer = Expected::Whatever,
            other => {
                bail!("expected size, subject, body, notify, refused or whatever, got {other:?}")
            }
        }
    }
    Ok(letter)
}

/// `operator holds N [FILTER] --reason "..."`: the verb, and how many recipients it treats.
fn operate(words: &mut Words<'_>) -> Result<Statement> {
    let word = words.word(VERBS)?;
    if matches!(word, "pauses" | "resumes") {
        return hop(word, words);
    }
    let count = match words.takes("any") {
        true => None,
        false => Some(number(words)?),
    };
    let filter = filter(words)?;
    let to = words.takes("to").then(|| words.word("a next hop"));
    let verb = verb(word, to.transpose()?)?;
    words.expect("--reason")?;
    let reason = words.word("a reason")?.to_owned();
    Ok(Statement::Operate(Operation {
        verb,
        filter,
        reason,
        count,
    }))
}

const VERBS: &str = "retries, holds, releases, returns, discards or reroutes; pauses or resumes";

/// `operator pauses HOP until 2h --reason "..."`, `operator resumes HOP --reason "..."`
fn hop(word: &str, words: &mut Words<'_>) -> Result<Statement> {
    let hop = words.word("a next hop")?.to_owned();
    let change = match word {
        "resumes" => HopChange::Resume,
        _pauses => {
            words.expect("until")?;
            let until = words.word("a time such as 2h")?.to_owned();
            HopChange::Pause { until }
        }
    };
    words.expect("--reason")?;
    let reason = words.word("a reason")?.to_owned();
    Ok(Statement::Hop(HopAct {
        hop,
        change,
        reason,
    }))
}

fn verb(word: &str, to: Option<&str>) -> Result<Verb> {
    Ok(match (word, to) {
        ("reroutes", to) => Verb::Reroute {
            to: to.map(str::to_owned),
        },
        (_, Some(_)) => bail!("expected \"to\" behind reroutes alone, got {word:?}"),
        ("retries", None) => Verb::Retry,
        ("holds", None) => Verb::Hold,
        ("releases", None) => Verb::Release,
        ("returns", None) => Verb::Return,
        ("discards", None) => Verb::Discard,
        (other, None) => bail!("expected {VERBS}, got {other:?}"),
    })
}

fn count_and_text(words: &mut Words<'_>) -> Result<(usize, Option<String>)> {
    let count = usize::try_from(number(words)?)?;
    if !words.takes("matching") {
        return Ok((count, None));
    }
    let text = unescape(words.word("a text")?)?;
    Ok((count, Some(String::from_utf8(text)?)))
}

fn number(words: &mut Words<'_>) -> Result<u64> {
    let word = words.word("a number")?;
    word.parse()
        .ok()
        .with_context(|| format!("expected a number, got {word:?}"))
}

/// `a, b, c`: words that end in a comma are followed by another.
fn list(words: &mut Words<'_>) -> Result<Vec<String>> {
    let mut list = Vec::new();
    loop {
        let word = words.word("an address")?;
        list.push(word.trim_end_matches(',').to_owned());
        if !word.ends_with(',') {
            return Ok(list);
        }
    }
}
