//! The wire: moves octets between the machine and the connection, each wait with its end.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Buf;
use ground_settings::Timeouts;
use ground_world::clock::Clock;
use ground_world::net::Stream;
use ground_world::tls::TlsFacts;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wire_smtp::client::{Client, Closed, Event, Step};

/// Octets read at a time: more than any usual answer, EHLO's included.
const READ_BYTES: usize = 4096;

/// A connection and the machine that speaks over it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) client: Client,
    stream: Stream,
    clock: Clock,
    timeouts: Timeouts,
    sending: Sending,
    /// Octets given to the transport, ever.
    pub(super) sent: u64,
    /// Why the connection is over, when we saw it end.
    pub(super) fault: Option<String>,
}

/// How sending stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sending {
    /// All that was taken is on its way.
    Flushed,
    /// TLS may hold octets back.
    Unflushed,
    /// The transport takes no more; what the peer still said is read.
    Broken,
}

/// What moved.
enum Moved {
    /// Octets out.
    Sent,
    /// Octets in; whether a line ended among them.
    Received { line_ended: bool },
    /// The peer has nothing more to say.
    Ended,
}

impl Line {
    pub(super) fn new(client: Client, stream: Stream, clock: Clock, timeouts: Timeouts) -> Self {
        Self {
            client,
            stream,
            clock,
            timeouts,
            sending: Sending::Flushed,
            sent: 0,
            fault: None,
        }
    }

    pub(super) fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    pub(super) fn tls_facts(&self) -> Option<&TlsFacts> {
        self.stream.tls_facts()
    }

    /// Takes the line apart, for a handshake.
    pub(super) fn into_parts(self) -> (Client, Stream) {
        (self.client, self.stream)
    }

    /// The next thing the machine tells. It must not want content. [`Event::Closed`] comes at the end, again and again.
    pub(super) async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.client.poll() {
                return event;
            }
            if self.client.is_closed() {
                return Event::Closed(Closed::Lost(Step::Idle));
            }
            self.step().await;
        }
    }

    /// Sends what the machine has written; stops when it tells something.
    pub(super) async fn push(&mut self) -> Option<Event> {
        while !self.client.output().is_empty() && !self.client.is_closed() {
            if let Some(event) = self.client.poll() {
                return Some(event);
            }
            self.step().await;
        }
        self.client.poll()
    }

    /// Gives the connection up.
    pub(super) fn cut(&mut self, why: String) {
        self.fault.get_or_insert(why);
        self.client.connection_lost();
    }

    /// Looks whether the peer said something or went, without waiting.
    pub(super) async fn look(&mut self) {
        let seen = poll_fn(|context| {
            Poll::Ready(match self.poll_receive(context) {
                Poll::Ready(moved) => Some(moved),
                Poll::Pending => None,
            })
        });
        match seen.await {
            None => {}
            Some(Ok(Moved::Received { .. } | Moved::Sent)) => {
                // Whatever it is, nobody asked: the machine knows what that means.
                if let Some(event) = self.client.poll() {
                    self.fault.get_or_insert(format!("{event:?}"));
                }
            }
            Some(Ok(Moved::Ended)) => self.cut("the peer closed the idle connection".to_owned()),
            Some(Err(error)) => self.cut(error.to_string()),
        }
    }

    /// One piece of progress, or the end.
    async fn step(&mut self) {
        let step = self.client.awaiting().unwrap_or(Step::Idle);
        let limit = self.limit(step);
        let clock = self.clock.clone();
        match clock.timeout(limit, self.progress()).await {
            Ok(Ok(Moved::Sent | Moved::Received { .. })) => {}
            Ok(Ok(Moved::Ended)) => {
                self.cut(format!(
                    "the peer closed the connection at {}",
                    step.as_str()
                ));
            }
            Ok(Err(error)) => self.cut(format!(
                "the connection broke at {}: {error}",
                step.as_str()
            )),
            Err(_late) => {
                let seconds = limit.as_secs();
                self.cut(format!("no answer to {} within {seconds} s", step.as_str()));
            }
        }
    }

    fn limit(&mut self, step: Step) -> Duration {
        let sending = !self.client.output().is_empty() || self.sending == Sending::Unflushed;
        let timeouts = &self.timeouts;
        match step {
            Step::Greeting => timeouts.greeting,
            Step::Hello | Step::StartTls | Step::Auth | Step::Rset | Step::Idle => timeouts.ehlo,
            Step::Mail => timeouts.mail,
            Step::Rcpt => timeouts.rcpt,
            Step::Data => timeouts.data_init,
            Step::Content => timeouts.data_block,
            Step::End if sending => timeouts.data_block,
            Step::End => timeouts.data_end,
            Step::Quit => timeouts.quit,
        }
    }

    /// Until octets went out, a line came in, or the end came. A peer that drips half a line makes no progress.
    async fn progress(&mut self) -> io::Result<Moved> {
        loop {
            match poll_fn(|context| self.poll_exchange(context)).await? {
                Moved::Received { line_ended: false } => {}
                moved @ (Moved::Sent | Moved::Received { .. } | Moved::Ended) => return Ok(moved),
            }
        }
    }

    /// Sends what can be sent, else receives: both ways stay open, or two full pipes would wait for each other.
    fn poll_exchange(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Moved>> {
        if let Poll::Ready(moved) = self.poll_send(context) {
            return Poll::Ready(Ok(moved));
        }
        self.poll_receive(context)
    }

    /// Pending also when there is nothing to send.
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<Moved> {
        if self.sending == Sending::Broken {
            return Poll::Pending;
        }
        let output = self.client.output();
        if !output.is_empty() {
            match Pin::new(&mut self.stream).poll_write(context, output) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(taken)) if taken > 0 => {
                    output.advance(taken);
                    self.sent += taken as u64;
                    self.sending = Sending::Unflushed;
                    // The machine's next wish may depend on it, and the flush follows at once.
                    if !output.is_empty() {
                        return Poll::Ready(Moved::Sent);
                    }
                }
                Poll::Ready(Ok(_)) => return self.broken("it takes no more".to_owned()),
                Poll::Ready(Err(error)) => return self.broken(error.to_string()),
            }
        }
        if self.sending == Sending::Unflushed {
            match Pin::new(&mut self.stream).poll_flush(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => {
                    self.sending = Sending::Flushed;
                    return Poll::Ready(Moved::Sent);
                }
                Poll::Ready(Err(error)) => return self.broken(error.to_string()),
            }
        }
        Poll::Pending
    }

    fn broken(&mut self, why: String) -> Poll<Moved> {
        self.fault = Some(format!("the connection broke: {why}"));
        self.sending = Sending::Broken;
        Poll::Pending
    }

    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Moved>> {
        let mut space = [std::mem::MaybeUninit::uninit(); READ_BYTES];
        let mut buffer = ReadBuf::uninit(&mut space);
        match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => {
                let read = buffer.filled();
                if read.is_empty() {
                    return Poll::Ready(Ok(Moved::Ended));
                }
                let line_ended = read.contains(&b'\n');
                self.client.input().extend_from_slice(read);
                Poll::Ready(Ok(Moved::Received { line_ended }))
            }
        }
    }
}
