//! Messages made of preformatted bytes: a fresh head for each, the tail of one shared filler.

use bytes::Bytes;

/// The header field that names a message of ours, with the blank before its value.
pub const ID_FIELD: &str = "X-Bench-Id: ";

const FILLER_LINE: &[u8] =
    b"The rider carries the post through rain and night, and counts every letter.\r\n";

/// Makes messages of one size.
pub struct Form {
    size: usize,
    filler: Bytes,
}

/// One message: head and body follow each other on the wire. Ends with CRLF, needs no dot stuffing.
pub struct Message {
    /// Header and the blank line, perhaps one byte of the body.
    pub head: Bytes,
    /// The rest.
    pub body: Bytes,
}

impl Form {
    /// Messages of `size` bytes; a size below that of the header gives the shortest message instead.
    pub fn new(size: usize) -> Self {
        let lines = size / FILLER_LINE.len() + 1;
        Self {
            size,
            filler: FILLER_LINE.repeat(lines).into(),
        }
    }

    /// The message named `id`.
    pub fn message(&self, id: &str, sender: &str, recipient: &str) -> Message {
        let mut head = format!(
            "{ID_FIELD}{id}\r\nMessage-ID: <{id}@bench.test>\r\nFrom: <{sender}>\r\nTo: <{recipient}>\r\n\
             Subject: Letter {id}\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=us-ascii\r\n\r\n"
        );
        // Two bytes at least: the CRLF that ends the message.
        let wanted = self.size.saturating_sub(head.len()).max(2);
        let mut body = self
            .filler
            .slice(self.filler.len().saturating_sub(wanted)..);
        if matches!(body.first(), Some(b'\n' | b'.')) {
            // The first line is cut off at its front: let it not become a bare LF, nor a dot that wants stuffing.
            body = body.slice(1..);
            head.push('x');
        }
        Message {
            head: head.into(),
            body,
        }
    }
}

/// The value of our field in a message, if it has one.
pub fn id_of(message: &[u8]) -> Option<&[u8]> {
    let at = memchr::memmem::find(message, ID_FIELD.as_bytes())?;
    let value = message.get(at + ID_FIELD.len()..)?;
    value.get(..memchr::memchr(b'\r', value)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_size_asked_for_whole_lines_and_its_id() {
        for size in (300..1000).chain([4096, 65_536]) {
            let message = Form::new(size).message("0000-1", "a@b.test", "c@d.test");
            let bytes = [message.head, message.body].concat();
            let text = std::str::from_utf8(&bytes).unwrap();
            assert!(text.len() == size || size < 320, "{size}: {}", text.len());
            assert!(text.ends_with("\r\n"), "{size}");
            assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "{size}");
            assert!(!text.contains("\r\n."), "{size}");
            assert_eq!(id_of(&bytes), Some(b"0000-1".as_slice()), "{size}");
        }
    }

    #[test]
    fn a_tiny_size_gives_the_shortest_message() {
        let message = Form::new(1).message("1", "a@b.test", "c@d.test");
        assert!(message.head.ends_with(b"\r\n\r\n"));
        assert_eq!(message.body.as_ref(), b"\r\n");
    }

    #[test]
    fn a_message_without_our_field_has_no_id() {
        assert_eq!(id_of(b"Subject: x\r\n\r\n"), None);
        assert_eq!(id_of(b"X-Bench-Id: cut off"), None);
    }
}
