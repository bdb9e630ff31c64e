//! A line, cut into words. `"..."` is one word.

use anyhow::{Context, Result, bail};

/// The words of a line, taken one by one.
#[derive(Debug, Clone)]
pub(crate) struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    pub(crate) fn of(line: &'a str) -> Words<'a> {
        Words { rest: line.trim() }
    }

    /// What was not taken yet.
    pub(crate) fn rest(&self) -> &'a str {
        self.rest
    }

    pub(crate) fn next(&mut self) -> Option<&'a str> {
        let (word, rest) = cut(self.rest)?;
        self.rest = rest.trim_start();
        Some(word)
    }

    /// The next word, which stands for `what`.
    pub(crate) fn word(&mut self, what: &str) -> Result<&'a str> {
        match self.next() {
            Some(word) => Ok(word),
            None => bail!("expected {what}, and the line ends"),
        }
    }

    /// Exactly this word.
    pub(crate) fn expect(&mut self, word: &str) -> Result<()> {
        let found = self.word(&format!("{word:?}"))?;
        if found != word {
            bail!("expected {word:?}, got {found:?}");
        }
        Ok(())
    }

    /// Takes the next word if it is this one.
    pub(crate) fn takes(&mut self, word: &str) -> bool {
        let mut ahead = self.clone();
        let found = ahead.next() == Some(word);
        if found {
            *self = ahead;
        }
        found
    }

    pub(crate) fn end(&self) -> Result<()> {
        if self.rest.is_empty() {
            return Ok(());
        }
        bail!("expected the end of the line, got {:?}", self.rest)
    }
}

fn cut(text: &str) -> Option<(&str, &str)> {
    if text.is_empty() {
        return None;
    }
    if let Some(quoted) = text.strip_prefix('"') {
        return Some(quoted.split_once('"').unwrap_or((quoted, "")));
    }
    Some(text.split_once(char::is_whitespace).unwrap_or((text, "")))
}

/// `\r \n \t \0 \\ \xNN`.
pub(crate) fn unescape(text: &str) -> Result<Vec<u8>> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        octets.extend_from_slice(plain.as_bytes());
        let mut chars = escape.chars();
        octets.push(match chars.next() {
            Some('r') => b'\r',
            Some('n') => b'\n',
            Some('t') => b'\t',
            Some('0') => 0,
            Some('\\') => b'\\',
            Some('x') => {
                let digits: String = chars.by_ref().take(2).collect();
                u8::from_str_radix(&digits, 16)
                    .context("expected two hexadecimal digits after \\x")?
            }
            _ => bail!("expected \\r \\n \\t \\0 \\\\ or \\xNN, got \\{escape:?}"),
        });
        rest = chars.as_str();
    }
    octets.extend_from_slice(rest.as_bytes());
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::Words;

    #[test]
    fn quotes_keep_words_together() {
        let mut words = Words::of("a  \"b c\" d");
        assert_eq!(words.next(), Some("a"));
        assert_eq!(words.next(), Some("b c"));
        assert!(!words.takes("e"));
        assert!(words.end().is_err());
        assert!(words.takes("d"));
        assert!(words.end().is_ok());
        assert!(words.word("a name").is_err());
    }
}
