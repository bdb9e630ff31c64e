//! The simulated connection: two bounded lanes of bytes, each with a latency, that can be cut or silenced.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::hold;

/// Bytes one lane holds before the writer must wait: a common size of a kernel's send buffer.
pub(super) const LANE_CAPACITY: usize = 64 * 1024;

/// What happens once a lane has carried so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LaneEnd {
    Never,
    /// The connection is reset, both ways, when more than so many bytes were written.
    ResetAfter(u64),
    /// Bytes past so many vanish: written, never read.
    SilentAfter(u64),
}

/// One end of a simulated connection.
#[derive(Debug)]
pub(crate) struct Pipe {
    incoming: Arc<Mutex<Lane>>,
    outgoing: Arc<Mutex<Lane>>,
    latency: Duration,
    arrival: Option<Pin<Box<Sleep>>>,
}

/// Bytes on their way in one direction.
#[derive(Debug)]
pub(super) struct Lane {
    chunks: VecDeque<Chunk>,
    queued: usize,
    carried: u64,
    end: LaneEnd,
    writer: Writer,
    reader_gone: bool,
    reset: bool,
    /// Whoever reads next panics.
    read_panics: bool,
    read_waker: Option<Waker>,
    write_waker: Option<Waker>,
}

#[derive(Debug)]
struct Chunk {
    bytes: Vec<u8>,
    taken: usize,
    arrives: Instant,
}

#[derive(Clone, Copy, Debug)]
enum Writer {
    Open,
    /// Will send no more; the reader learns it at this moment.
    Finished(Instant),
}

/// Both lanes of a connection, to cut it from outside.
#[derive(Clone, Debug)]
pub(super) struct Wires {
    pub(super) lanes: [std::sync::Weak<Mutex<Lane>>; 2],
}

impl Wires {
    /// Resets the connection, both ways. Says whether there still was one.
    pub(super) fn cut(&self) -> bool {
        let lanes: Vec<_> = self
            .lanes
            .iter()
            .filter_map(std::sync::Weak::upgrade)
            .collect();
        for lane in &lanes {
            hold(lane).cut();
        }
        !lanes.is_empty()
    }

    /// The first end panics when it reads next.
    pub(super) fn panic_first(&self) {
        let [_, incoming] = &self.lanes;
        if let Some(lane) = incoming.upgrade() {
            let mut lane = hold(&lane);
            lane.read_panics = true;
            lane.wake_reader();
        }
    }

    pub(super) fn alive(&self) -> bool {
        self.lanes.iter().any(|lane| lane.strong_count() > 0)
    }
}

/// A connection's two ends. `sent_end` and `received_end` are seen from the first.
pub(super) fn pair(
    latency: Duration,
    sent_end: LaneEnd,
    received_end: LaneEnd,
) -> (Pipe, Pipe, Wires) {
    let there = Arc::new(Mutex::new(Lane::new(sent_end)));
    let back = Arc::new(Mutex::new(Lane::new(received_end)));
    let wires = Wires {
        lanes: [Arc::downgrade(&there), Arc::downgrade(&back)],
    };
    let near = Pipe {
        incoming: back.clone(),
        outgoing: there.clone(),
        latency,
        arrival: None,
    };
    let far = Pipe {
        incoming: there,
        outgoing: back,
        latency,
        arrival: None,
    };
    (near, far, wires)
}

impl Lane {
    fn new(end: LaneEnd) -> Self {
        Self {
            chunks: VecDeque::new(),
            queued: 0,
            carried: 0,
            end,
            writer: Writer::Open,
            reader_gone: false,
            reset: false,
            read_panics: false,
            read_waker: None,
            write_waker: None,
        }
    }

    fn cut(&mut self) {
        self.reset = true;
        self.chunks.clear();
        self.queued = 0;
        self.wake_reader();
        self.wake_writer();
    }

    fn wake_reader(&mut self) {
        if let Some(waker) = self.read_waker.take() {
            waker.wake();
        }
    }

    fn wake_writer(&mut self) {
        if let Some(waker) = self.write_waker.take() {
            waker.wake();
        }
    }

    /// Moves what has arrived into `buffer`. `Err` tells when the next bytes (or the end) arrive.
    fn take(&mut self, now: Instant, buffer: &mut ReadBuf<'_>) -> Result<(), Option<Instant>> {
        let mut moved = 0;
        while let Some(chunk) = self.chunks.front_mut() {
            if buffer.remaining() == 0 {
                break;
            }
            if chunk.arrives > now {
                if moved > 0 {
                    break;
                }
                return Err(Some(chunk.arrives));
            }
            let rest = chunk.bytes.get(chunk.taken..).unwrap_or_default();
            let part = rest.len().min(buffer.remaining());
            buffer.put_slice(rest.get(..part).unwrap_or_default());
            chunk.taken += part;
            moved += part;
            if chunk.taken == chunk.bytes.len() {
                self.chunks.pop_front();
            }
        }
        self.queued -= moved;
        if moved > 0 || buffer.remaining() == 0 {
            self.wake_writer();
            return Ok(());
        }
        match self.writer {
            Writer::Open => Err(None),
            Writer::Finished(at) if at > now => Err(Some(at)),
            Writer::Finished(_) => Ok(()),
        }
    }

    /// Takes bytes from a writer; says how many were accepted, or that the connection breaks here.
    fn put(&mut self, bytes: &[u8], arrives: Instant) -> Put {
        let room = LANE_CAPACITY.saturating_sub(self.queued);
        if room == 0 {
            return Put::Full;
        }
        let accepted = bytes.get(..bytes.len().min(room)).unwrap_or(bytes);
        let before = self.carried;
        self.carried = before.saturating_add(accepted.len() as u64);
        let passing = match self.end {
            LaneEnd::Never => accepted,
            LaneEnd::ResetAfter(limit) if self.carried > limit => return Put::Broken,
            LaneEnd::ResetAfter(_) => accepted,
            LaneEnd::SilentAfter(limit) => {
                let passing = usize::try_from(limit.saturating_sub(before)).unwrap_or(usize::MAX);
                accepted.get(..passing).unwrap_or(accepted)
            }
        };
        if !passing.is_empty() {
            self.queued += passing.len();
            self.chunks.push_back(Chunk {
                bytes: passing.to_vec(),
                taken: 0,
                arrives,
            });
            self.wake_reader();
        }
        Put::Accepted(accepted.len())
    }
}

enum Put {
    Accepted(usize),
    Full,
    Broken,
}

impl Pipe {
    fn cut(&self) {
        hold(&self.incoming).cut();
        hold(&self.outgoing).cut();
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let pipe = self.get_mut();
        loop {
            let next = {
                let mut lane = hold(&pipe.incoming);
                assert!(
                    !lane.read_panics,
                    "a simulated defect of who reads this connection"
                );
                if lane.reset {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                }
                match lane.take(Instant::now(), buffer) {
                    Ok(()) => return Poll::Ready(Ok(())),
                    Err(next) => {
                        lane.read_waker = Some(context.waker().clone());
                        next
                    }
                }
            };
            let Some(arrives) = next else {
                return Poll::Pending;
            };
            let timer = pipe
                .arrival
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(arrives)));
            if timer.deadline() != arrives {
                timer.as_mut().reset(arrives);
            }
            std::task::ready!(timer.as_mut().poll(context));
            pipe.arrival = None;
        }
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let put = {
            let mut lane = hold(&self.outgoing);
            if lane.reset {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            if lane.reader_gone || matches!(lane.writer, Writer::Finished(_)) {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            let put = lane.put(bytes, Instant::now() + self.latency);
            if matches!(put, Put::Full) {
                lane.write_waker = Some(context.waker().clone());
            }
            put
        };
        match put {
            Put::Accepted(count) => Poll::Ready(Ok(count)),
            Put::Full => Poll::Pending,
            Put::Broken => {
                self.cut();
                Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        finish(&self.outgoing, self.latency);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        finish(&self.outgoing, self.latency);
        let mut incoming = hold(&self.incoming);
        incoming.reader_gone = true;
        incoming.wake_writer();
    }
}

fn finish(lane: &Mutex<Lane>, latency: Duration) {
    let mut lane = hold(lane);
    if matches!(lane.writer, Writer::Open) {
        lane.writer = Writer::Finished(Instant::now() + latency);
    }
    lane.wake_reader();
}
