//! The `KEYWORD=value` tail of MAIL and RCPT (RFC 5321 s4.1.2, s4.1.1.11).

use super::CommandError;

/// Octets of a keyword we repeat in a reply.
const SHOWN: usize = 32;

/// One parameter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Param<'a> {
    pub key: &'a str,
    pub value: Option<&'a str>,
}

impl<'a> Param<'a> {
    pub(super) fn is(&self, key: &str) -> bool {
        self.key.eq_ignore_ascii_case(key)
    }

    /// The value, which must be there.
    pub(super) fn required(&self, key: &'static str) -> Result<&'a str, CommandError> {
        self.value.ok_or(CommandError::BadValue(key))
    }

    /// 555, naming the keyword as far as it is one.
    pub(super) fn unknown(&self) -> CommandError {
        let word = |b: &char| b.is_ascii_alphanumeric() || *b == '-';
        CommandError::UnknownParameter(self.key.chars().take_while(word).take(SHOWN).collect())
    }
}

/// The parameters after a path. What follows the path must be separated from it.
pub(super) fn split(tail: &str) -> Option<impl Iterator<Item = Param<'_>>> {
    if !tail.is_empty() && !tail.starts_with([' ', '\t']) {
        return None;
    }
    Some(tail.split_ascii_whitespace().map(|word| {
        let (key, value) = match word.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (word, None),
        };
        Param { key, value }
    }))
}

/// Sets what may be given once.
pub(super) fn once<T>(
    slot: &mut Option<T>,
    key: &'static str,
    value: T,
) -> Result<(), CommandError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(CommandError::Twice(key)),
    }
}

/// Strips `word` and a colon, in any case, and the spaces that clients put after it.
///
/// Differs from RFC 5321 s3.3, which allows no space there: many clients send one and nothing else can be meant.
pub(super) fn after_label<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    let (head, tail) = text.split_at_checked(label.len())?;
    head.eq_ignore_ascii_case(label)
        .then(|| tail.trim_start_matches([' ', '\t']))
}
