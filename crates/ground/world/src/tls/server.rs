//! The server's side of TLS; its certificate can be exchanged while sessions go on.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use super::identity::unusable;
use super::{Identity, PeerCheck, TlsError, WorldTime, facts, judge, provider};
use crate::clock::Clock;
use crate::hold;
use crate::net::{Secured, Stream};

/// Accepts TLS sessions. Clones share the certificate.
#[derive(Clone)]
pub struct TlsServer {
    clock: Clock,
    handshake_timeout: Duration,
    shown: Arc<Shown>,
    acceptor: TlsAcceptor,
}

impl std::fmt::Debug for TlsServer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("TlsServer(..)")
    }
}

/// The certificate new sessions get.
#[derive(Debug)]
struct Shown(Mutex<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(hold(&self.0).clone())
    }
}

impl TlsServer {
    pub(super) fn new(
        clock: Clock,
        handshake_timeout: Duration,
        identity: Identity,
    ) -> Result<Self, TlsError> {
        let shown = Arc::new(Shown(Mutex::new(identity.key)));
        let time = Arc::new(WorldTime(clock.clone()));
        let config = ServerConfig::builder_with_details(provider(), time)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_cert_resolver(shown.clone());
        Ok(Self {
            clock,
            handshake_timeout,
            shown,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        })
    }

    /// Sessions from now on get `identity`; those that exist go on undisturbed.
    pub fn replace(&self, identity: Identity) {
        *hold(&self.shown.0) = identity.key;
    }

    /// Does the server's side of a handshake on `stream`. Everything read from it before counts as plain and must have
    /// been dropped by the caller (RFC 3207 s4.2), or commands could be injected ahead of the handshake.
    ///
    /// # Errors
    /// [`TlsError`], within the handshake's time at the latest; the connection is closed then.
    pub async fn accept(&self, stream: Stream) -> Result<Stream, TlsError> {
        let (plain, ends) = stream.into_plain().ok_or(TlsError::AlreadySecured)?;
        let session = self
            .clock
            .timeout(self.handshake_timeout, self.acceptor.accept(plain))
            .await
            .map_err(|late| TlsError::TimedOut { after: late.after })?
            .map_err(|error| judge(&error))?;
        let (_, state) = session.get_ref();
        let server_name = state.server_name().map(str::to_owned);
        let facts = facts(state, PeerCheck::NotAsked, server_name);
        let session = session.into();
        Ok(Stream::secured(Secured { session, facts }, ends))
    }
}
