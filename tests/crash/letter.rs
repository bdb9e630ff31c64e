//! Messages that prove their own wholeness: every line follows from the serial number.

/// Where every fifth letter goes too: a mailbox here.
pub(crate) const KEEPER: &str = "keeper@here.test";

/// A message, known by its number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Letter {
    pub(crate) serial: u64,
}

impl Letter {
    /// One other server's user, sometimes two, sometimes somebody here as well.
    pub(crate) fn recipients(self) -> Vec<String> {
        let mut recipients = vec![format!("user{}@one.test", self.serial % 89)];
        if self.serial.is_multiple_of(8) {
            recipients.push("second@two.test".to_owned());
        }
        if self.serial.is_multiple_of(5) {
            recipients.push(KEEPER.to_owned());
        }
        recipients
    }

    /// Most are small; one in forty does not fit into the database.
    fn lines(self) -> u64 {
        if self.serial % 40 == 7 {
            return 600;
        }
        1 + self.serial % 50
    }

    /// The Message-ID, without brackets.
    pub(crate) fn message_id(self) -> String {
        format!("{}@load.test", self.serial)
    }

    /// Header and body, without dots added and without the final dot.
    pub(crate) fn text(self) -> Vec<String> {
        let header = [
            format!("X-Id: {}", self.serial),
            format!("Message-ID: <{}>", self.message_id()),
            "From: load@load.test".to_owned(),
            format!("Subject: letter {}", self.serial),
            String::new(),
        ];
        let body = (0..self.lines()).map(|number| line(self.serial, number));
        header.into_iter().chain(body).collect()
    }

    /// The letter these lines are, or why they are none.
    pub(crate) fn read(lines: &[String]) -> Result<Self, String> {
        let serial = lines.iter().find_map(|line| line.strip_prefix("X-Id: "));
        let serial = serial.and_then(|number| number.parse().ok());
        let letter = Self {
            serial: serial.ok_or_else(|| format!("no X-Id in {lines:?}"))?,
        };
        let start = lines.iter().position(String::is_empty);
        let body = start
            .and_then(|start| lines.get(start + 1..))
            .unwrap_or_default();
        let sent = letter.text();
        let sent = sent.get(5..).unwrap_or_default();
        if body == sent {
            return Ok(letter);
        }
        let (found, wanted) = (body.len(), sent.len());
        Err(format!(
            "letter {serial:?} has another body: {found} lines for {wanted}"
        ))
    }
}

/// Some lines start with a dot, and some are nothing else (RFC 5321 s4.5.2).
fn line(serial: u64, number: u64) -> String {
    match number % 9 {
        3 => ".".to_owned(),
        5 => format!("..{serial} {number}"),
        _ => format!("{serial} {number} {}", "octets ".repeat(8).trim_end()),
    }
}
