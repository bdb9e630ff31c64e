//! TLS with rustls and aws-lc-rs, on any [`Stream`](crate::net::Stream): real handshakes on both twins, because it is only bytes.
//!
//! Certificates are judged by the time of the world's clock. In a simulation keys still come from the system's
//! randomness: what is said is the same in each run, the encrypted bytes are not.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::time_provider::TimeProvider;

mod client;
mod identity;
mod kept;
mod server;

pub use client::{TlsClient, Verify};
pub use identity::{Identity, SELF_SIGNED_LIFE, SelfSigned};
pub use kept::{RENEWED_BEFORE, SELF_SIGNED_FILE};
pub use server::TlsServer;

use crate::Time;
use crate::clock::Clock;
use crate::disk::Disk;

/// How long a handshake may take: two round trips, and a peer that computes slowly.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// Whether the system's root certificates count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlatformRoots {
    /// Certificates under the system's roots are good.
    Trusted,
    /// Only the extra roots count, for tests and closed networks.
    Ignored,
}

/// Whom to trust and how long to wait.
#[derive(Clone, Debug)]
pub struct TlsOptions {
    /// Whether the system's root certificates count. They are read when they are first needed.
    pub platform_roots: PlatformRoots,
    /// More root certificates, PEM.
    pub extra_roots_pem: Vec<u8>,
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
}

impl Default for TlsOptions {
    fn default() -> Self {
        Self {
            platform_roots: PlatformRoots::Trusted,
            extra_roots_pem: Vec::new(),
            handshake_timeout: HANDSHAKE_TIMEOUT,
        }
    }
}

/// What a handshake agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// The version, as `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite by its IANA name, as `TLS_AES_256_GCM_SHA384`.
    pub cipher: &'static str,
    /// What became of the peer's certificate.
    pub peer: PeerCheck,
    /// The name the client asked for.
    pub server_name: Option<String>,
}

impl TlsFacts {
    /// Whether the peer proved to be who we wanted to talk to.
    pub fn peer_verified(&self) -> bool {
        self.peer == PeerCheck::Verified
    }
}

/// What became of the peer's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerCheck {
    /// We are the server and asked for none.
    NotAsked,
    /// It is good for the name.
    Verified,
    /// It is not, and we went on all the same ([`Verify::Opportunistic`]).
    Unverified {
        /// Why it is not good.
        reason: String,
    },
}

/// Why there is no TLS.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// The peer's: the handshake failed.
    #[error("the TLS handshake failed: {detail}")]
    Handshake {
        /// What rustls said.
        detail: String,
    },
    /// The peer's: its certificate is not good for the name, and it had to be.
    #[error("the certificate is not trusted: {reason}")]
    Untrusted {
        /// Why not.
        reason: String,
    },
    /// Time's: the handshake was not finished.
    #[error("the TLS handshake was not finished within {after:?}")]
    TimedOut {
        /// The time allowed.
        after: Duration,
    },
    /// The operator's: a certificate, key or root that cannot be used.
    #[error("the certificate or key cannot be used: {detail}")]
    Certificate {
        /// What is wrong.
        detail: String,
    },
    /// The operator's: no root certificates, so no peer can be verified.
    #[error("no root certificates to verify with: {detail}")]
    NoRoots {
        /// What is wrong.
        detail: String,
    },
    /// The operator's: not a name a certificate can be for.
    #[error("{name:?} is not a name a certificate can be for")]
    BadName {
        /// The name.
        name: String,
    },
    /// Ours: TLS inside TLS.
    #[error("the connection is encrypted already")]
    AlreadySecured,
}

/// Makes servers and clients. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Tls {
    clock: Clock,
    handshake_timeout: Duration,
    client: TlsClient,
}

impl Tls {
    pub(crate) fn new(clock: Clock, options: &TlsOptions) -> Result<Self, TlsError> {
        let extra = identity::certificates(&options.extra_roots_pem)?;
        Ok(Self::with_roots(
            clock,
            options.handshake_timeout,
            options.platform_roots,
            extra,
        ))
    }

    /// Trusts nobody until a test gives it roots.
    pub(crate) fn simulated(clock: Clock) -> Self {
        Self::with_roots(clock, HANDSHAKE_TIMEOUT, PlatformRoots::Ignored, Vec::new())
    }

    fn with_roots(
        clock: Clock,
        handshake_timeout: Duration,
        platform: PlatformRoots,
        extra: Vec<CertificateDer<'static>>,
    ) -> Self {
        let client = TlsClient::new(clock.clone(), handshake_timeout, platform, extra);
        Self {
            clock,
            handshake_timeout,
            client,
        }
    }

    /// The same with other roots, which replace those it had.
    ///
    /// # Errors
    /// [`TlsError::Certificate`] when the extra roots are no certificates.
    pub fn trusting(&self, platform: PlatformRoots, roots_pem: &[u8]) -> Result<Self, TlsError> {
        let extra = identity::certificates(roots_pem)?;
        Ok(Self::with_roots(
            self.clock.clone(),
            self.handshake_timeout,
            platform,
            extra,
        ))
    }

    /// A server that shows `identity`.
    ///
    /// # Errors
    /// [`TlsError::Certificate`] when rustls cannot serve it.
    pub fn server(&self, identity: Identity) -> Result<TlsServer, TlsError> {
        TlsServer::new(self.clock.clone(), self.handshake_timeout, identity)
    }

    /// Makes a certificate nobody vouches for (ECDSA P-256) for `hostname`, which may be an IP address, good for
    /// [`SELF_SIGNED_LIFE`] from now on.
    ///
    /// # Errors
    /// [`TlsError::Certificate`] when no certificate can be for such a name.
    pub fn self_signed(&self, hostname: &str) -> Result<SelfSigned, TlsError> {
        identity::self_signed(hostname, self.clock.now())
    }

    /// The certificate nobody vouches for that is kept in `folder` (which must exist) as [`SELF_SIGNED_FILE`]: the one that
    /// is there, or a new one when there is none, when it ends within [`RENEWED_BEFORE`], or when it is not for `hostname`.
    ///
    /// # Errors
    /// [`TlsError::Certificate`] when the file can be neither read nor written, or no certificate can be for such a name.
    pub async fn kept_self_signed(
        &self,
        disk: &Disk,
        folder: &Path,
        hostname: &str,
    ) -> Result<Identity, TlsError> {
        kept::kept(
            disk,
            &folder.join(SELF_SIGNED_FILE),
            hostname,
            self.clock.now(),
        )
        .await
    }

    /// The client side.
    pub fn client(&self) -> &TlsClient {
        &self.client
    }
}

/// The one source of cryptography; handed on explicitly, never installed for the whole process.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Lets rustls see the world's wall clock.
#[derive(Debug)]
struct WorldTime(Clock);

impl TimeProvider for WorldTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix_time(self.0.now()))
    }
}

fn unix_time(at: Time) -> UnixTime {
    let millis = u64::try_from(at.as_millis()).unwrap_or(0);
    UnixTime::since_unix_epoch(Duration::from_millis(millis))
}

/// The facts a finished handshake leaves, except who the peer is.
fn facts(session: &rustls::CommonState, peer: PeerCheck, server_name: Option<String>) -> TlsFacts {
    let version = session
        .protocol_version()
        .and_then(|version| version.as_str())
        .map_or("TLS", |name| match name {
            "TLSv1_3" => "TLSv1.3",
            "TLSv1_2" => "TLSv1.2",
            other => other,
        });
    let cipher = session
        .negotiated_cipher_suite()
        .and_then(|suite| suite.suite().as_str())
        .map_or("unknown", iana_name);
    TlsFacts {
        version,
        cipher,
        peer,
        server_name,
    }
}

/// rustls marks the suites of TLS 1.3 in their names; IANA does not.
fn iana_name(rustls_name: &'static str) -> &'static str {
    match rustls_name {
        "TLS13_AES_256_GCM_SHA384" => "TLS_AES_256_GCM_SHA384",
        "TLS13_AES_128_GCM_SHA256" => "TLS_AES_128_GCM_SHA256",
        "TLS13_CHACHA20_POLY1305_SHA256" => "TLS_CHACHA20_POLY1305_SHA256",
        other => other,
    }
}

/// What a handshake's error means.
fn judge(error: &io::Error) -> TlsError {
    let cause = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(reason)) => TlsError::Untrusted {
            reason: reason.to_string(),
        },
        Some(_) | None => TlsError::Handshake {
            detail: error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests;
