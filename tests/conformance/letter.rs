//! A message that is easily damaged, and what a server may put on top of it.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

/// A message in a file, as clients want it.
pub struct Letter {
    /// Its Message-ID without brackets.
    pub id: String,
    /// Its octets, with CRLF.
    pub content: Vec<u8>,
    folder: TempDir,
}

/// How a store ends its lines.
#[derive(Clone, Copy)]
pub enum Lines {
    /// As on the wire.
    Crlf,
    /// As in a maildir.
    Lf,
}

/// What transport damages first: dots, blanks at ends of lines, From, octets above 127, folded fields, long lines, the end.
const BODY: &str = "\
.\r\n..\r\n...\r\n.dot first\r\n\r\nFrom the first column\r\n>From\r\ntrailing blanks  \t\r\n \r\n\ttab\r\n\
Gr\u{fc}\u{df}e \u{2014} \u{1f4ee}\r\n=3D =20=\r\n~`!@#$^&*()_+|\r\n";

impl Letter {
    /// A new one, unlike any other.
    pub fn new(from: &str, to: &str) -> Self {
        Self::with_body(
            from,
            to,
            &format!("{BODY}{}\r\n\r\n\r\nend\r\n", "x".repeat(990)),
        )
    }

    /// A new one of a megabyte or more: too large for the database, a stream all the way.
    pub fn large(from: &str, to: &str) -> Self {
        let line = ".The quick brown fox jumps over the lazy dog, again and again.\r\n";
        Self::with_body(from, to, &line.repeat(20_000))
    }

    fn with_body(from: &str, to: &str, body: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = format!("letter.{number}.{}@conformance.test", std::process::id());
        let content = format!(
            "From: <{from}>\r\nTo: <{to}>\r\nSubject: a subject\r\n that is folded\r\nMessage-ID: <{id}>\r\n\
             Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\nX-Odd:  two  blanks\r\n\r\n{body}"
        );
        let folder = TempDir::new().expect("a temporary folder");
        let letter = Self {
            id,
            content: content.into_bytes(),
            folder,
        };
        fs::write(letter.wire_file(), &letter.content).expect("a file");
        fs::write(letter.text_file(), letter.with(Lines::Lf)).expect("a file");
        letter
    }

    /// The file with CRLF.
    pub fn wire_file(&self) -> PathBuf {
        self.folder.path().join("letter.eml")
    }

    /// The file with LF, as programs of this system write texts.
    pub fn text_file(&self) -> PathBuf {
        self.folder.path().join("letter.txt")
    }

    /// The file with LF, without the last one, for clients that end the last line themselves in any case.
    pub fn unended_file(&self) -> PathBuf {
        let text = self.with(Lines::Lf);
        let path = self.folder.path().join("unended.txt");
        fs::write(&path, text.trim_ascii_end()).expect("a file");
        path
    }

    /// A file beside the letter.
    pub fn beside(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).expect("a file");
        path
    }

    fn with(&self, lines: Lines) -> Vec<u8> {
        match lines {
            Lines::Crlf => self.content.clone(),
            Lines::Lf => {
                let kept = self.content.iter().copied();
                kept.filter(|octet| *octet != b'\r').collect()
            }
        }
    }

    /// The mail is this letter, byte for byte, below the trace of its way; the names of the fields on top.
    #[track_caller]
    pub fn names_above(&self, mail: &[u8], lines: Lines) -> Vec<String> {
        let original = self.with(lines);
        let shown = String::from_utf8_lossy(mail).into_owned();
        let top = mail.strip_suffix(original.as_slice());
        let top = top.unwrap_or_else(|| panic!("the mail is not the letter:\n{shown}"));
        let top = std::str::from_utf8(top).expect("trace fields are text");
        let starts = top.lines().filter(|line| !line.starts_with([' ', '\t']));
        let name = |line: &str| line.split(':').next().unwrap_or_default().to_owned();
        starts.map(name).collect()
    }
}
