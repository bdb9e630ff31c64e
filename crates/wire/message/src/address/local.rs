//! The local part: dot-string or quoted-string (RFC 5321 s4.1.2; UTF-8 by RFC 6531 s3.3).

use std::fmt::{self, Write};

use super::{AddressError, AddressProblem, LOCAL_MAX};

/// Reads a local part at the start of `text`: its meaning, and what follows it.
pub(super) fn parse(text: &str) -> Result<(String, &str), AddressError> {
    let (local, rest) = match text.strip_prefix('"') {
        Some(quoted) => parse_quoted(quoted)?,
        None => parse_dots(text)?,
    };
    if text.len() - rest.len() > LOCAL_MAX {
        return Err(AddressProblem::LocalTooLong.at(LOCAL_MAX));
    }
    Ok((local, rest))
}

fn parse_dots(text: &str) -> Result<(String, &str), AddressError> {
    let end = text
        .find(|c: char| c != '.' && !is_atext(c))
        .unwrap_or(text.len());
    let (local, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    if local.is_empty() {
        let problem = match rest.chars().next() {
            None | Some('@') => AddressProblem::LocalEmpty,
            Some(_) => AddressProblem::LocalCharacter,
        };
        return Err(problem.at(0));
    }
    if let Some(at) = stray_dot(local) {
        return Err(AddressProblem::LocalDot.at(at));
    }
    Ok((local.to_owned(), rest))
}

/// `quoted` starts after the opening quote.
fn parse_quoted(quoted: &str) -> Result<(String, &str), AddressError> {
    let mut local = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((local, chars.as_str())),
            '\\' => match chars.next() {
                // quoted-pairSMTP is ASCII only.
                Some((_, escaped @ ' '..='~')) => local.push(escaped),
                _ => return Err(AddressProblem::LocalCharacter.at(at + 1)),
            },
            c if c.is_control() => return Err(AddressProblem::LocalCharacter.at(at + 1)),
            c => local.push(c),
        }
    }
    Err(AddressProblem::QuoteOpen.at(quoted.len() + 1))
}

/// Checks the meaning of a local part that did not come through [`parse`].
pub(super) fn check(local: &str) -> Result<(), AddressError> {
    if let Some(at) = local.find(char::is_control) {
        return Err(AddressProblem::LocalCharacter.at(at));
    }
    if Quoted(local).to_string().len() > LOCAL_MAX {
        return Err(AddressProblem::LocalTooLong.at(LOCAL_MAX));
    }
    Ok(())
}

/// Shows a local part as it goes on the wire: in quotes only when it must be.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self.0.chars().all(|c| c == '.' || is_atext(c));
        if plain && !self.0.is_empty() && stray_dot(self.0).is_none() {
            return f.write_str(self.0);
        }
        f.write_char('"')?;
        for c in self.0.chars() {
            if c == '"' || c == '\\' {
                f.write_char('\\')?;
            }
            f.write_char(c)?;
        }
        f.write_char('"')
    }
}

/// Where a dot has nothing before or after it.
fn stray_dot(local: &str) -> Option<usize> {
    if local.starts_with('.') {
        return Some(0);
    }
    if local.ends_with('.') {
        return Some(local.len() - 1);
    }
    local.find("..")
}

/// `atext` (RFC 5322 s3.2.3), with UTF-8 (RFC 6532 s3.2) but without its control characters.
fn is_atext(c: char) -> bool {
    match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' => true,
        '!' | '#' | '$' | '%' | '&' | '\'' | '*' | '+' | '-' | '/' => true,
        '=' | '?' | '^' | '_' | '`' | '{' | '|' | '}' | '~' => true,
        c => !c.is_ascii() && !c.is_control(),
    }
}
