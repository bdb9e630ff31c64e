//! Guests: who comes by a listener that takes no mail. The door, its limits and its encryption are the same; the talk is the
//! host's.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::BytesMut;
use ground_settings::{Listener, ListenerTls, Settings};
use ground_world::net::Stream;
use ground_world::tls::TlsError;
use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;
use wire_smtp::proxy::Proxied;

use crate::gate::Seat;
use crate::receive::TURN_AWAY;
use crate::server::Hall;
use crate::session::{Ended, proxied};

/// A connection, as far as the door brings it.
#[derive(Debug)]
pub struct Guest {
    /// What is said comes and goes here; encrypted already when the listener says so.
    pub stream: Stream,
    /// Who it is, when he has an address.
    pub peer: Option<SocketAddr>,
    /// The listener he came by.
    pub listener: Arc<Listener>,
    /// Cancelled when the server stops or the listener is gone: what is under way is ended, and no more begun.
    pub leave: CancellationToken,
}

/// Talks with a guest to the end of the connection.
pub type Host = Arc<dyn Fn(Guest) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// What guests hear for whom there is no room (RFC 9110 s15.6.4).
pub(crate) const CROWDED: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// One guest, from the door to his end.
pub(crate) struct Visit {
    pub(crate) hall: Arc<Hall>,
    pub(crate) listener: Arc<Listener>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) leave: CancellationToken,
}

impl Visit {
    /// To the end of the connection.
    pub(crate) async fn run(self, stream: Stream, mut seat: Seat) {
        let name = self.listener.name.clone();
        if let Err(why) = self.receive(stream, &mut seat).await {
            tracing::debug!(listener = %name, %why, "visit broken off");
        }
    }

    async fn receive(self, mut stream: Stream, seat: &mut Seat) -> Result<(), Ended> {
        let mut peer = stream.peer_addr();
        if self.listener.proxy_protocol {
            let clock = &self.hall.intake.world().clock;
            // Octet by octet: what follows the header is the host's, or belongs to the handshake.
            let mut header = BytesMut::new();
            if let Proxied::Client { source, .. } =
                proxied(clock, &mut stream, &mut header, 1).await?
            {
                peer = Some(source);
            }
        }
        let limits = self.listener.limits(&self.settings.limits);
        let crowd = peer.map(|peer| seat.name_peer(peer.ip(), &limits));
        let mut stream = self.secured(stream).await?;
        if let Some(Err(why)) = crowd {
            tracing::warn!(?peer, ?why, "too many sessions; turned one away");
            return self.turn_away(&mut stream).await;
        }
        let Some(host) = &self.hall.host else {
            return self.turn_away(&mut stream).await;
        };
        host(Guest {
            stream,
            peer,
            listener: self.listener.clone(),
            leave: self.leave.clone(),
        })
        .await;
        Ok(())
    }

    async fn secured(&self, stream: Stream) -> Result<Stream, Ended> {
        match (self.listener.tls(), &self.hall.tls) {
            (ListenerTls::Implicit, Some(tls)) => {
                let limit = self.settings.timeouts.tls_handshake;
                let clock = &self.hall.intake.world().clock;
                let shaken = clock.timeout(limit, tls.accept(stream)).await;
                Ok(shaken.map_err(|late| TlsError::TimedOut { after: late.after })??)
            }
            (ListenerTls::Implicit, None)
            | (ListenerTls::Off | ListenerTls::Starttls, Some(_) | None) => Ok(stream),
        }
    }

    async fn turn_away(&self, stream: &mut Stream) -> Result<(), Ended> {
        let clock = &self.hall.intake.world().clock;
        let telling = async {
            stream.write_all(CROWDED).await?;
            stream.shutdown().await
        };
        Ok(clock
            .timeout(TURN_AWAY, telling)
            .await
            .map_err(|_late| Ended::Deaf)??)
    }
}
