//! Stored content in, the octets between 354 and the final dot out (RFC 5321 s4.5.2).

use bytes::BytesMut;

/// Writes content for DATA: doubles leading dots and makes every line end a CRLF.
///
/// A bare CR or a bare LF never leaves: each becomes a CRLF (differs from s2.3.8, which forbids sending
/// them, only in that stored content may hold them: we repair instead of refusing what was accepted).
/// So CR CR LF becomes two line ends. Chunks may be cut anywhere.
#[derive(Debug, Clone, Default)]
pub struct DotStuffer {
    at: At,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum At {
    #[default]
    LineStart,
    Inside,
    /// A CR was seen and not written yet: the next octet says whether it was bare.
    AfterCr,
}

impl DotStuffer {
    /// A writer at the start of a message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends `content` in its wire form to `out`.
    pub fn write(&mut self, content: &[u8], out: &mut BytesMut) {
        out.reserve(content.len() + 8);
        let mut rest = content;
        if self.at == At::AfterCr && !rest.is_empty() {
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            self.end_line(out);
        }
        while !rest.is_empty() {
            if self.at == At::LineStart && rest.first() == Some(&b'.') {
                out.extend_from_slice(b".");
            }
            rest = self.write_line(rest, out);
        }
    }

    /// Ends the last line when it is open, and writes the final dot.
    pub fn finish(mut self, out: &mut BytesMut) {
        if self.at != At::LineStart {
            self.end_line(out);
        }
        out.extend_from_slice(b".\r\n");
    }

    /// Writes up to and with the next line end; returns what follows it.
    fn write_line<'a>(&mut self, content: &'a [u8], out: &mut BytesMut) -> &'a [u8] {
        let Some((text, end, rest)) = split_at_break(content) else {
            out.extend_from_slice(content);
            self.at = At::Inside;
            return b"";
        };
        out.extend_from_slice(text);
        if end == b'\r' && rest.is_empty() {
            self.at = At::AfterCr;
            return rest;
        }
        self.end_line(out);
        match end {
            b'\r' => rest.strip_prefix(b"\n").unwrap_or(rest),
            _ => rest,
        }
    }

    fn end_line(&mut self, out: &mut BytesMut) {
        out.extend_from_slice(b"\r\n");
        self.at = At::LineStart;
    }
}

/// Cuts at the first CR or LF: what precedes it, the octet, what follows it.
fn split_at_break(content: &[u8]) -> Option<(&[u8], u8, &[u8])> {
    let at = memchr::memchr2(b'\r', b'\n', content)?;
    let (text, rest) = content.split_at_checked(at)?;
    let (end, rest) = rest.split_first()?;
    Some((text, *end, rest))
}
