//! The octets after 354 in, stored content out: unstuffed, cut from the input without copying.

use super::{Fault, TextLimits};
use bytes::{Buf, Bytes, BytesMut};

/// Reads the content of DATA up to the real CRLF.CRLF (RFC 5321 s4.1.1.4, s4.5.2).
///
/// Chunks are splits of the input. Only where a dot was stuffed, the octets of the same read that follow
/// it move down by one place; nothing is allocated per line. After a fault nothing is given out any more and
/// the message is swallowed to its end: a sender that believes in another line end must not get its
/// text read as commands.
#[derive(Debug, Clone)]
pub struct DataReader {
    limits: TextLimits,
    at: At,
    line: usize,
    size: u64,
    fault: Option<Fault>,
    swallow: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    LineStart,
    Inside,
    /// The final dot was read, and what preceded it was given out first.
    Ended,
}

/// What one look at the input gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing can be told from what is here.
    NeedMore,
    /// The next octets of the content.
    Chunk(Bytes),
    /// The final dot was read. `Some` when the content may not be accepted.
    End(Option<Fault>),
}

/// One pass over the input: `read` octets were looked at, `kept` of them are content at the front.
#[derive(Default)]
struct Pass {
    read: usize,
    kept: usize,
}

impl Pass {
    /// Keeps the octets from `read` to `end`, moving them down over stuffed dots.
    fn keep(&mut self, input: &mut [u8], end: usize) {
        if self.kept != self.read {
            input.copy_within(self.read..end, self.kept);
        }
        self.kept += end - self.read;
        self.read = end;
    }
}

/// What stands at the start of a line.
enum Dot {
    /// A line that holds the dot alone: the end.
    Final,
    /// A dot that was stuffed.
    Stuffed,
    /// No dot.
    Absent,
    /// More octets have to say.
    Unclear,
}

impl DataReader {
    /// A reader behind 354.
    pub fn new(limits: TextLimits) -> Self {
        DataReader {
            limits,
            at: At::LineStart,
            line: 0,
            size: 0,
            fault: None,
            swallow: false,
        }
    }

    /// Octets of content read so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Gives nothing out any more: the rest is read only to find its end.
    pub fn swallow(&mut self) {
        self.swallow = true;
    }

    /// Takes from `input` what belongs to the content.
    pub fn step(&mut self, input: &mut BytesMut) -> Step {
        if self.at == At::Ended {
            return Step::End(self.fault);
        }
        let mut pass = Pass::default();
        while self.line(input, &mut pass) {}
        self.size = self.size.saturating_add(pass.kept as u64);
        self.hand_out(input, &pass)
    }

    fn hand_out(&mut self, input: &mut BytesMut, pass: &Pass) -> Step {
        if self.fault.is_some() || self.swallow || pass.kept == 0 {
            input.advance(pass.read);
            return match self.at {
                At::Ended => Step::End(self.fault),
                At::LineStart | At::Inside => Step::NeedMore,
            };
        }
        let chunk = input.split_to(pass.kept).freeze();
        input.advance(pass.read - pass.kept);
        Step::Chunk(chunk)
    }

    /// Reads one line, or what is here of it. False when no more can be read.
    fn line(&mut self, input: &mut [u8], pass: &mut Pass) -> bool {
        if self.at == At::LineStart {
            match dot(input.get(pass.read..).unwrap_or_default()) {
                Dot::Unclear => return false,
                Dot::Absent => {}
                Dot::Stuffed => pass.read += 1,
                Dot::Final => {
                    pass.read += 3;
                    self.at = At::Ended;
                    return false;
                }
            }
            self.at = At::Inside;
            self.line = 0;
        }
        let rest = input.get(pass.read..).unwrap_or_default();
        let Some(found) = memchr::memchr3(b'\r', b'\n', 0, rest) else {
            self.lengthen(pass, rest.len());
            self.keep(input, pass, input.len());
            return false;
        };
        self.lengthen(pass, found);
        self.line_end(input, pass, pass.read + found)
    }

    /// Decides about the CR, LF or NUL at `mark`.
    fn line_end(&mut self, input: &mut [u8], pass: &mut Pass, mark: usize) -> bool {
        match (input.get(mark), input.get(mark + 1)) {
            (Some(b'\r'), None) => {
                self.keep(input, pass, mark);
                return false;
            }
            (Some(b'\r'), Some(b'\n')) => {
                self.keep(input, pass, mark + 2);
                self.at = At::LineStart;
                return true;
            }
            (Some(b'\r'), Some(_)) => self.fail(Fault::BareCr),
            (Some(b'\n'), _) => self.fail(Fault::BareLf),
            _ => self.fail(Fault::Nul),
        }
        self.keep(input, pass, mark + 1);
        true
    }

    /// Counts octets of a line that are kept next. The limit that is crossed first is the one that is told, however
    /// the input was cut.
    fn lengthen(&mut self, pass: &Pass, octets: usize) {
        let line_room = self.limits.line.saturating_sub(self.line);
        let room = self.limits.size.saturating_sub(self.size_with(pass));
        self.line = self.line.saturating_add(octets);
        if octets as u64 > room && room < line_room as u64 {
            self.fail(Fault::TooBig);
        }
        if octets > line_room {
            self.fail(Fault::LongLine);
        }
    }

    fn keep(&mut self, input: &mut [u8], pass: &mut Pass, end: usize) {
        pass.keep(input, end);
        if self.size_with(pass) > self.limits.size {
            self.fail(Fault::TooBig);
        }
    }

    fn size_with(&self, pass: &Pass) -> u64 {
        self.size.saturating_add(pass.kept as u64)
    }

    /// The first fault is the one that is told.
    fn fail(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }
}

fn dot(line: &[u8]) -> Dot {
    match line {
        [] | [b'.'] | [b'.', b'\r'] => Dot::Unclear,
        [b'.', b'\r', b'\n', ..] => Dot::Final,
        [b'.', ..] => Dot::Stuffed,
        [..] => Dot::Absent,
    }
}
