//! One connection: HTTP/1.1 (RFC 9112) with an end to every wait.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::Extensions;
use ground_settings::ListenerTls;
use ground_world::net::Stream;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use path_accept::Guest;
use tokio_util::sync::CancellationToken;

use super::Web;

/// How long a request's head may take.
const HEAD: Duration = Duration::from_secs(30);

/// Octets of a request's head.
const HEAD_MAX: usize = 64 << 10;

/// Fields of a request's head.
const FIELDS_MAX: usize = 100;

/// How long what is under way may go on when the listener closes: less than the listener gives.
const GRACE: Duration = Duration::from_secs(8);

/// How long a connection may last: one whose client takes no answer holds its place no longer, and pages that go on come again.
const CONNECTION: Duration = Duration::from_secs(60 * 60);

/// How a request came, for those who must know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    /// From where.
    pub(crate) peer: Option<std::net::SocketAddr>,
    /// Whether nobody between can read it.
    pub(crate) wire: Wire,
    /// By which door.
    pub(crate) door: Door,
}

/// By which door somebody comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// A listener's: whoever comes must say who he is.
    Listener,
    /// The control socket, which only its owner can open.
    Own,
}

/// Whether the connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Clear,
    Encrypted,
}

#[cfg(test)]
impl Way {
    pub(crate) fn own() -> Self {
        Self {
            peer: None,
            wire: Wire::Encrypted,
            door: Door::Own,
        }
    }

    pub(crate) fn clear(peer: std::net::SocketAddr) -> Self {
        Self {
            peer: Some(peer),
            wire: Wire::Clear,
            door: Door::Listener,
        }
    }
}

/// Says when the listener closes: what goes on and on ends then.
#[derive(Debug, Clone)]
pub(crate) struct Leaving(pub(crate) CancellationToken);

/// Talks with a guest to the end of the connection.
pub(super) async fn receive(web: &Web, router: Router, guest: Guest) {
    let wire = match guest.listener.tls() {
        ListenerTls::Implicit => Wire::Encrypted,
        ListenerTls::Off | ListenerTls::Starttls => Wire::Clear,
    };
    let way = Way {
        peer: guest.peer,
        wire,
        door: Door::Listener,
    };
    talk(web, router, guest.stream, way, guest.leave).await;
}

/// Talks with whoever has opened the control socket.
pub(super) async fn receive_owner(web: &Web, router: Router, stream: Stream) {
    let way = Way {
        peer: None,
        wire: Wire::Encrypted,
        door: Door::Own,
    };
    talk(web, router, stream, way, CancellationToken::new()).await;
}

async fn talk(web: &Web, router: Router, stream: Stream, way: Way, leave: CancellationToken) {
    let leaving = Leaving(leave.clone());
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request = request.map(axum::body::Body::new);
        let extensions: &mut Extensions = request.extensions_mut();
        extensions.insert(way);
        extensions.insert(leaving.clone());
        let router = router.clone();
        async move { tower_service::Service::call(&mut router.clone(), request).await }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_MAX)
        .max_headers(FIELDS_MAX);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let clock = &web.world().clock;
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => Some(ended),
        () = leave.cancelled() => None,
        () = clock.sleep(CONNECTION) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            match clock.timeout(GRACE, connection).await {
                Ok(ended) => ended,
                Err(_late) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, peer = ?way.peer, "an HTTP connection broke off");
    }
}
