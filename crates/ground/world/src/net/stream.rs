//! One connection: plain or TLS, over TCP, a Unix-domain socket or a simulated pipe.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::pipe::Pipe;
use crate::tls::TlsFacts;

/// A connection. Plain ones cost no allocation; TLS is boxed.
#[derive(Debug)]
pub struct Stream {
    transport: Transport,
    peer: Option<SocketAddr>,
    local: Option<SocketAddr>,
}

#[derive(Debug)]
enum Transport {
    Plain(Plain),
    Secured(Box<Secured>),
}

/// What carries the bytes.
#[derive(Debug)]
pub(crate) enum Plain {
    Tcp(TcpStream),
    Unix(UnixStream),
    Simulated(Pipe),
}

/// TLS over a [`Plain`], and what its handshake agreed on.
#[derive(Debug)]
pub(crate) struct Secured {
    pub(crate) session: tokio_rustls::TlsStream<Plain>,
    pub(crate) facts: TlsFacts,
}

impl Stream {
    pub(crate) fn plain(plain: Plain, peer: Option<SocketAddr>, local: Option<SocketAddr>) -> Self {
        Self {
            transport: Transport::Plain(plain),
            peer,
            local,
        }
    }

    /// Takes the stream apart, for a handshake. `None` when this stream is TLS already.
    pub(crate) fn into_plain(self) -> Option<(Plain, Ends)> {
        let ends = Ends {
            peer: self.peer,
            local: self.local,
        };
        match self.transport {
            Transport::Plain(plain) => Some((plain, ends)),
            Transport::Secured(_) => None,
        }
    }

    pub(crate) fn secured(secured: Secured, ends: Ends) -> Self {
        Self {
            transport: Transport::Secured(Box::new(secured)),
            peer: ends.peer,
            local: ends.local,
        }
    }

    /// The other end; none for Unix-domain sockets.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// This end; none for Unix-domain sockets.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local
    }

    /// What the TLS handshake agreed on; none while the connection is plain.
    pub fn tls_facts(&self) -> Option<&TlsFacts> {
        match &self.transport {
            Transport::Plain(_) => None,
            Transport::Secured(secured) => Some(&secured.facts),
        }
    }
}

/// The addresses of a connection's two ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    peer: Option<SocketAddr>,
    local: Option<SocketAddr>,
}

/// Calls the same method on whatever carries the bytes.
macro_rules! on_transport {
    ($stream:expr, $io:ident => $call:expr) => {
        match &mut $stream.get_mut().transport {
            Transport::Plain(Plain::Tcp(io)) => {
                let $io = Pin::new(io);
                $call
            }
            Transport::Plain(Plain::Unix(io)) => {
                let $io = Pin::new(io);
                $call
            }
            Transport::Plain(Plain::Simulated(io)) => {
                let $io = Pin::new(io);
                $call
            }
            Transport::Secured(secured) => {
                let $io = Pin::new(&mut secured.session);
                $call
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        on_transport!(self, io => io.poll_read(context, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        on_transport!(self, io => io.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on_transport!(self, io => io.poll_write_vectored(context, bytes))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.transport {
            Transport::Plain(Plain::Tcp(io)) => io.is_write_vectored(),
            Transport::Plain(Plain::Unix(io)) => io.is_write_vectored(),
            Transport::Plain(Plain::Simulated(io)) => io.is_write_vectored(),
            Transport::Secured(secured) => secured.session.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_transport!(self, io => io.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_transport!(self, io => io.poll_shutdown(context))
    }
}

macro_rules! on_plain {
    ($plain:expr, $io:ident => $call:expr) => {
        match $plain.get_mut() {
            Plain::Tcp(io) => {
                let $io = Pin::new(io);
                $call
            }
            Plain::Unix(io) => {
                let $io = Pin::new(io);
                $call
            }
            Plain::Simulated(io) => {
                let $io = Pin::new(io);
                $call
            }
        }
    };
}

impl AsyncRead for Plain {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        on_plain!(self, io => io.poll_read(context, buffer))
    }
}

impl AsyncWrite for Plain {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        on_plain!(self, io => io.poll_write(context, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_plain!(self, io => io.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_plain!(self, io => io.poll_shutdown(context))
    }
}
