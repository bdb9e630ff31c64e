//! `postrider sendmail`: a program hands over a message, with sendmail's usual options and exit codes.

use std::io::{BufRead, Read};

use bytes::Bytes;
use ground_world::Time;
use wire_message::header::Head;

use super::filter::FilterArgs;
use super::{Context, Exit, print, put, queue, whoever};
use crate::config::{Config, ConfigError};
use crate::control::{Answer, Mover, Question};
use crate::rooms;

/// `sysexits.h`: the arguments or addresses are wrong.
pub(super) const EX_USAGE: u8 = 64;
/// The message or an address is refused.
const EX_DATAERR: u8 = 65;
/// The service cannot be reached.
const EX_UNAVAILABLE: u8 = 69;
/// Try again later.
const EX_TEMPFAIL: u8 = 75;
/// The configuration is wrong.
const EX_CONFIG: u8 = 78;

#[derive(Debug, clap::Args)]
pub(super) struct Sendmail {
    /// The envelope's sender; empty for the null sender.
    #[arg(short = 'f', visible_short_alias = 'r', value_name = "ADDRESS")]
    from: Option<String>,
    /// The sender's full name, for a From field that is missing.
    #[arg(short = 'F', value_name = "NAME")]
    name: Option<String>,
    /// Take recipients from To, Cc and Bcc; Bcc is removed.
    #[arg(short = 't')]
    from_header: bool,
    /// A line with a dot alone does not end the message.
    #[arg(short = 'i')]
    ignore_dots: bool,
    /// `-oi` is -i; other options of this kind change nothing.
    #[arg(short = 'o', value_name = "OPTION")]
    option: Vec<String>,
    /// The mode: m delivers, p shows the queue, i does nothing (aliases need no rebuilding).
    #[arg(short = 'b', value_name = "MODE", default_value = "m")]
    mode: String,
    /// NOTIFY: never, or a list of success, failure and delay.
    #[arg(short = 'N', value_name = "NOTIFY")]
    notify: Option<String>,
    /// RET: full or hdrs.
    #[arg(short = 'R', value_name = "RET")]
    ret: Option<String>,
    /// ENVID.
    #[arg(short = 'V', value_name = "ENVID")]
    envid: Option<String>,
    #[command(flatten)]
    ignored: Ignored,
    /// The recipients, as in a To field.
    recipients: Vec<String>,
}

/// What programs say to other servers, and what needs no saying here.
#[derive(Debug, clap::Args)]
struct Ignored {
    /// Tried soon anyway; with nothing to send, nothing is done.
    #[arg(short = 'q', value_name = "INTERVAL", num_args = 0..=1, default_missing_value = "")]
    queue_run: Option<String>,
    /// Ignored.
    #[arg(short = 'v')]
    verbose: bool,
    /// Ignored.
    #[arg(short = 'n')]
    no_aliases: bool,
    /// Ignored.
    #[arg(short = 'm')]
    me_too: bool,
    /// Ignored.
    #[arg(short = 'G')]
    gateway: bool,
    /// Ignored.
    #[arg(short = 'U')]
    initial: bool,
    /// Ignored: the content itself says what it needs.
    #[arg(short = 'B', value_name = "TYPE")]
    body: Option<String>,
    /// Ignored.
    #[arg(short = 'A', value_name = "FILE")]
    cluster: Option<String>,
    /// Ignored: loops are found by Received.
    #[arg(short = 'h', value_name = "HOPS")]
    hops: Option<String>,
    /// Ignored.
    #[arg(short = 'L', value_name = "TAG")]
    tag: Option<String>,
    /// Ignored.
    #[arg(short = 'O', value_name = "OPTION=VALUE")]
    setting: Vec<String>,
    /// Ignored.
    #[arg(short = 'p', value_name = "PROTOCOL")]
    protocol: Option<String>,
}

impl Sendmail {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Exit> {
        match self.mode.as_str() {
            "m" if self.ignored.queue_run.is_some() => Ok(Exit::Done),
            "m" => self.send(context).await,
            "p" => queue::list(context, &FilterArgs::default()).await,
            "i" => Ok(Exit::Done),
            "d" | "D" => Err(wrong(EX_USAGE, "to run the server: postrider serve")),
            other => {
                let why = format!("mode -b{other} is not known; -bm, -bp and -bi are");
                Err(wrong(EX_USAGE, &why))
            }
        }
    }

    async fn send(self, context: &Context) -> Result<Exit, Exit> {
        let config = Config::read(&context.file)
            .map_err(|error: ConfigError| wrong(EX_CONFIG, &error.to_string()))?;
        let dots_end = !(self.ignore_dots || self.option.iter().any(|option| option == "i"));
        let content = read(dots_end).map_err(|error| wrong(EX_DATAERR, &error.to_string()))?;
        let given = self.recipients.iter().flat_map(|list| addresses(list));
        let mut recipients: Vec<String> = given.collect();
        let mut message = content;
        if self.from_header {
            recipients.extend(addressed(&message));
            message = without_bcc(&message);
        }
        if recipients.is_empty() {
            return Err(wrong(EX_USAGE, "there are no recipients"));
        }
        let (world, _) =
            rooms::world(&config.settings).map_err(|error| wrong(EX_CONFIG, &error.to_string()))?;
        let hostname = config.settings.server.hostname.to_string();
        let sender = self.from.map_or_else(whoever, |from| only_address(&from));
        let message = completed(
            &message,
            &sender,
            self.name.as_deref(),
            &hostname,
            world.clock.now(),
        );
        let question = Question::Send {
            sender,
            recipients,
            notify: self.notify.map(|word| word.to_uppercase()),
            ret: self.ret.map(|word| word.to_uppercase()),
            envid: self.envid,
        };
        match put(&config, question, Bytes::from(message)).await {
            Ok(Answer::Refused { whose, why }) => Err(match whose {
                Mover::Asker => wrong(EX_DATAERR, &why),
                Mover::Time => wrong(EX_TEMPFAIL, &why),
                Mover::Operator => wrong(EX_UNAVAILABLE, &why),
            }),
            Ok(Answer::Rows { .. } | Answer::One { .. } | Answer::Octets { .. }) => Ok(Exit::Done),
            Err(trouble) => Err(wrong(EX_TEMPFAIL, &trouble.to_string())),
        }
    }
}

/// The address of a mailbox as a program may write it, with a name or angle brackets; empty for the null sender.
fn only_address(mailbox: &str) -> String {
    addresses(mailbox).into_iter().next().unwrap_or_default()
}

fn wrong(code: u8, why: &str) -> Exit {
    print::error(why);
    Exit::Sysexit(code)
}

/// The message on standard input, to its end or to a line with a dot alone.
fn read(dots_end: bool) -> std::io::Result<Vec<u8>> {
    let mut input = std::io::stdin().lock();
    let mut message = Vec::new();
    if !dots_end {
        input.read_to_end(&mut message)?;
        return Ok(message);
    }
    loop {
        let start = message.len();
        let length = input.read_until(b'\n', &mut message)?;
        let line = message.get(start..).unwrap_or_default();
        if length == 0 || line == b".\n" || line == b".\r\n" {
            message.truncate(start);
            return Ok(message);
        }
    }
}

/// The recipients the header names.
fn addressed(message: &[u8]) -> Vec<String> {
    let head = Head::of(message);
    let named = head
        .fields()
        .filter(|field| ["To", "Cc", "Bcc"].iter().any(|name| field.is(name)));
    named.flat_map(|field| addresses(&field.text())).collect()
}

/// The addresses of a list (RFC 5322 s3.4): names, comments and groups are left out.
fn addresses(list: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut plain, mut angled) = (String::new(), None::<String>);
    let (mut quoted, mut escaped, mut comments) = (false, false, 0_u32);
    for c in list.chars().chain([',']) {
        if escaped {
            escaped = false;
            if comments == 0 {
                angled.as_mut().unwrap_or(&mut plain).push(c);
            }
            continue;
        }
        match c {
            '\\' if quoted || comments > 0 => {
                escaped = true;
                if comments == 0 {
                    angled.as_mut().unwrap_or(&mut plain).push(c);
                }
            }
            '(' if !quoted => comments += 1,
            ')' if !quoted && comments > 0 => comments -= 1,
            _ if comments > 0 => {}
            '<' if !quoted => angled = Some(String::new()),
            ':' if !quoted && angled.is_none() => plain.clear(),
            '>' if !quoted => plain = angled.take().unwrap_or_default(),
            ',' | ';' if !quoted => {
                let address = std::mem::take(&mut plain).trim().to_owned();
                found.extend(Some(address).filter(|address| !address.is_empty()));
            }
            c => {
                quoted ^= c == '"';
                angled.as_mut().unwrap_or(&mut plain).push(c);
            }
        }
    }
    found
}

/// The message without its Bcc fields, which nobody else may see.
fn without_bcc(message: &[u8]) -> Vec<u8> {
    let (mut kept, mut in_head, mut dropping) = (Vec::with_capacity(message.len()), true, false);
    for line in message.split_inclusive(|octet| *octet == b'\n') {
        if in_head {
            let folded = matches!(line.first(), Some(b' ' | b'\t'));
            in_head = !matches!(line, b"\n" | b"\r\n");
            dropping = in_head && (if folded { dropping } else { is_bcc(line) });
        }
        if !dropping {
            kept.extend_from_slice(line);
        }
    }
    kept
}

fn is_bcc(line: &[u8]) -> bool {
    let name = line
        .split(|octet| *octet == b':')
        .next()
        .unwrap_or_default();
    name.trim_ascii_end().eq_ignore_ascii_case(b"bcc")
}

/// The message with the fields that every message has (RFC 5322 s3.6), where they are missing.
fn completed(
    message: &[u8],
    sender: &str,
    name: Option<&str>,
    hostname: &str,
    now: Time,
) -> Vec<u8> {
    let head = Head::of(message);
    let mut fields = String::new();
    if head.find("From").is_none() {
        let address = match sender {
            "" => format!("postmaster@{hostname}"),
            sender if sender.contains('@') => sender.to_owned(),
            sender => format!("{sender}@{hostname}"),
        };
        let name = name.map(|name| name.replace(['"', '\\', '\r', '\n'], ""));
        let name = name.map_or_else(String::new, |name| format!("\"{name}\" "));
        fields.push_str(&format!("From: {name}<{address}>\r\n"));
    }
    if head.find("Date").is_none() {
        fields.push_str(&format!("Date: {}\r\n", now.rfc5322()));
    }
    if head.find("Message-ID").is_none() {
        let own = std::process::id();
        fields.push_str(&format!(
            "Message-ID: <{}.{own}@{hostname}>\r\n",
            now.as_millis()
        ));
    }
    let has_head = matches!(message.first(), Some(b'\r' | b'\n')) || starts_with_a_field(message);
    let gap: &[u8] = if has_head { b"" } else { b"\r\n" };
    [fields.as_bytes(), gap, message].concat()
}

/// Whether the first line is a field (RFC 5322 s2.2): a text may come without any.
fn starts_with_a_field(message: &[u8]) -> bool {
    let line = message
        .split(|octet| *octet == b'\n')
        .next()
        .unwrap_or_default();
    let name = line
        .iter()
        .position(|octet| *octet == b':')
        .and_then(|at| line.get(..at));
    name.is_some_and(|name| !name.is_empty() && name.iter().all(u8::is_ascii_graphic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipients_are_found_among_names_comments_and_groups() {
        let list = r#"Ada <ada@a.test>, bob@b.test (Bob, the (other) one), "Last, First" <c@c.test>, team: d@d.test, e@e.test;"#;
        let expected = [
            "ada@a.test",
            "bob@b.test",
            "c@c.test",
            "d@d.test",
            "e@e.test",
        ];
        assert_eq!(addresses(list), expected);
        assert_eq!(addresses(r#""a, b"@q.test"#), [r#""a, b"@q.test"#]);
        assert!(addresses("undisclosed-recipients:;").is_empty());
    }

    #[test]
    fn nobody_sees_a_blind_copy() {
        let message = b"To: a@a.test\nBcc: b@b.test,\n c@c.test\nSubject: x\n\nBcc: stays\n";
        let kept = without_bcc(message);
        assert_eq!(kept, b"To: a@a.test\nSubject: x\n\nBcc: stays\n");
    }

    #[test]
    fn a_bare_text_becomes_a_message() {
        let message = completed(
            b"hi\n",
            "ada",
            Some("Ada \"L\""),
            "h.test",
            Time::from_millis(0),
        );
        let text = String::from_utf8(message).unwrap();
        assert!(
            text.starts_with("From: \"Ada L\" <ada@h.test>\r\nDate: "),
            "{text}"
        );
        assert!(text.ends_with("\r\n\r\nhi\n"), "{text}");
    }
}
