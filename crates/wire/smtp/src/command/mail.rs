//! MAIL FROM and its parameters (RFC 5321 s4.1.1.2; RFC 1870, 6152, 3030, 6531, 3461, 4954).

use super::CommandError;
use super::params::{Param, after_label, once, split};
use std::fmt;
use wire_message::address::{ReversePath, split_path};
use wire_message::xtext;

/// ENVID decoded, at most (RFC 3461 s4.4: 100 characters as xtext).
const ENVID: usize = 100;

/// What the content is made of (RFC 6152 s3, RFC 3030 s3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub enum BodyType {
    /// ASCII lines.
    #[default]
    SevenBit,
    /// Lines with octets above 127.
    EightBitMime,
    /// Any octets; only by BDAT.
    BinaryMime,
}

/// How much of the message a failure report returns (RFC 3461 s4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ret {
    /// All of it.
    Full,
    /// Its headers.
    Headers,
}

/// A sender, and what is told about the message beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailParams {
    /// Who is told when something goes wrong.
    pub from: ReversePath,
    /// SIZE: octets announced (RFC 1870 s6).
    pub size: Option<u64>,
    /// BODY; 7BIT when not given.
    pub body: BodyType,
    /// SMTPUTF8 was given (RFC 6531 s3.4).
    pub smtputf8: bool,
    /// RET.
    pub ret: Option<Ret>,
    /// ENVID, decoded.
    pub envid: Option<String>,
    /// AUTH: on whose behalf (RFC 4954 s5); [`ReversePath::Null`] for `<>`.
    pub auth: Option<ReversePath>,
}

impl MailParams {
    /// A sender without parameters.
    pub fn new(from: ReversePath) -> MailParams {
        MailParams {
            from,
            size: None,
            body: BodyType::SevenBit,
            smtputf8: false,
            ret: None,
            envid: None,
            auth: None,
        }
    }
}

/// What the parameters said, before it is known that all is well.
#[derive(Default)]
struct Given {
    size: Option<u64>,
    body: Option<BodyType>,
    smtputf8: Option<()>,
    ret: Option<Ret>,
    envid: Option<String>,
    auth: Option<ReversePath>,
}

const USAGE: CommandError = CommandError::Syntax("MAIL FROM:<address> [parameters]");

pub(super) fn parse(text: &str) -> Result<MailParams, CommandError> {
    let text = after_label(text, "FROM:").ok_or(USAGE)?;
    let (path, tail) = split_path(text).ok_or(USAGE)?;
    let from = ReversePath::parse(path).map_err(CommandError::Sender)?;
    let mut given = Given::default();
    for param in split(tail).ok_or(USAGE)? {
        given.take(&param)?;
    }
    if given.smtputf8.is_none() && !from.is_ascii() {
        return Err(CommandError::NeedsUtf8);
    }
    Ok(MailParams {
        from,
        size: given.size,
        body: given.body.unwrap_or_default(),
        smtputf8: given.smtputf8.is_some(),
        ret: given.ret,
        envid: given.envid,
        auth: given.auth,
    })
}

impl Given {
    fn take(&mut self, param: &Param<'_>) -> Result<(), CommandError> {
        match param.key.to_ascii_uppercase().as_str() {
            "SIZE" => once(&mut self.size, "SIZE", size(param.required("SIZE")?)?),
            "BODY" => once(&mut self.body, "BODY", body(param.required("BODY")?)?),
            "RET" => once(&mut self.ret, "RET", ret(param.required("RET")?)?),
            "ENVID" => once(&mut self.envid, "ENVID", envid(param.required("ENVID")?)?),
            "AUTH" => once(&mut self.auth, "AUTH", auth(param.required("AUTH")?)?),
            "SMTPUTF8" => match param.value {
                None => once(&mut self.smtputf8, "SMTPUTF8", ()),
                Some(_) => Err(CommandError::BadValue("SMTPUTF8")),
            },
            _ => Err(param.unknown()),
        }
    }
}

/// Up to 20 digits (RFC 1870 s3); a number beyond 64 bits is as good as the greatest.
fn size(value: &str) -> Result<u64, CommandError> {
    let digits = value.bytes().all(|b| b.is_ascii_digit());
    if value.is_empty() || value.len() > 20 || !digits {
        return Err(CommandError::BadValue("SIZE"));
    }
    Ok(value.parse().unwrap_or(u64::MAX))
}

fn body(value: &str) -> Result<BodyType, CommandError> {
    [
        BodyType::SevenBit,
        BodyType::EightBitMime,
        BodyType::BinaryMime,
    ]
    .into_iter()
    .find(|body| value.eq_ignore_ascii_case(body.as_str()))
    .ok_or(CommandError::UnsupportedValue("BODY"))
}

fn ret(value: &str) -> Result<Ret, CommandError> {
    [Ret::Full, Ret::Headers]
        .into_iter()
        .find(|ret| value.eq_ignore_ascii_case(ret.as_str()))
        .ok_or(CommandError::BadValue("RET"))
}

fn envid(value: &str) -> Result<String, CommandError> {
    let decoded = decode(value, "ENVID")?;
    let printable = decoded.bytes().all(|b| matches!(b, b' '..=b'~'));
    if value.is_empty() || value.len() > ENVID || !printable {
        return Err(CommandError::BadValue("ENVID"));
    }
    Ok(decoded)
}

/// RFC 4954 s5: what cannot be read or is not trusted counts as `<>`; only bad xtext is an error.
fn auth(value: &str) -> Result<ReversePath, CommandError> {
    let decoded = decode(value, "AUTH")?;
    Ok(ReversePath::parse(&format!("<{decoded}>")).unwrap_or(ReversePath::Null))
}

fn decode(value: &str, key: &'static str) -> Result<String, CommandError> {
    let bytes = xtext::decode(value).map_err(|_| CommandError::BadValue(key))?;
    String::from_utf8(bytes).map_err(|_| CommandError::BadValue(key))
}

impl BodyType {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            BodyType::SevenBit => "7BIT",
            BodyType::EightBitMime => "8BITMIME",
            BodyType::BinaryMime => "BINARYMIME",
        }
    }
}

impl Ret {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Ret::Full => "FULL",
            Ret::Headers => "HDRS",
        }
    }
}

/// The whole command, without CRLF. 7BIT goes without saying.
impl fmt::Display for MailParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MAIL FROM:{}", self.from)?;
        if let Some(size) = self.size {
            write!(f, " SIZE={size}")?;
        }
        if self.body != BodyType::SevenBit {
            write!(f, " BODY={}", self.body.as_str())?;
        }
        if self.smtputf8 {
            f.write_str(" SMTPUTF8")?;
        }
        if let Some(ret) = self.ret {
            write!(f, " RET={}", ret.as_str())?;
        }
        if let Some(envid) = &self.envid {
            write!(f, " ENVID={}", xtext::encode(envid.as_bytes()))?;
        }
        match &self.auth {
            None => Ok(()),
            Some(ReversePath::Null) => f.write_str(" AUTH=<>"),
            Some(ReversePath::Address(who)) => {
                write!(f, " AUTH={}", xtext::encode(who.to_string().as_bytes()))
            }
        }
    }
}
