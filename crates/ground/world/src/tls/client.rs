//! The client's side of TLS: strict, or as good as it gets.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;

use super::identity::unusable;
use super::{PeerCheck, PlatformRoots, TlsError, WorldTime, facts, judge, provider, unix_time};
use crate::clock::Clock;
use crate::net::{Secured, Stream};

/// What is asked of the peer's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// It must be good for the name, or there is no connection.
    Required,
    /// Any will do (RFC 7435): the connection is private from those who only listen. Whether it was good is recorded.
    Opportunistic,
}

/// Opens TLS sessions. Cloning is cheap; clones share resumption tickets and roots.
#[derive(Clone)]
pub struct TlsClient {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    handshake_timeout: Duration,
    platform: PlatformRoots,
    extra: Vec<CertificateDer<'static>>,
    /// Reading the system's roots takes milliseconds, so it waits until somebody connects.
    ready: OnceLock<Result<Ready, TlsError>>,
}

struct Ready {
    strict: Result<Strict, TlsError>,
    lenient: TlsConnector,
}

struct Strict {
    verifier: Arc<dyn ServerCertVerifier>,
    connector: TlsConnector,
}

impl std::fmt::Debug for TlsClient {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("TlsClient(..)")
    }
}

impl TlsClient {
    pub(super) fn new(
        clock: Clock,
        handshake_timeout: Duration,
        platform: PlatformRoots,
        extra: Vec<CertificateDer<'static>>,
    ) -> Self {
        let shared = Shared {
            clock,
            handshake_timeout,
            platform,
            extra,
            ready: OnceLock::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Does the client's side of a handshake on `stream` with the host `name` (or an IP address). Everything read from
    /// the stream before counts as plain and must have been dropped by the caller (RFC 3207 s4.2).
    ///
    /// # Errors
    /// [`TlsError`], within the handshake's time at the latest; the connection is closed then.
    pub async fn connect(
        &self,
        stream: Stream,
        name: &str,
        verify: Verify,
    ) -> Result<Stream, TlsError> {
        let host = name.strip_suffix('.').unwrap_or(name);
        let server_name = ServerName::try_from(host.to_owned()).map_err(|_| TlsError::BadName {
            name: name.to_owned(),
        })?;
        let ready = self.shared.ready()?;
        let connector = match (verify, &ready.strict) {
            (Verify::Opportunistic, _) => &ready.lenient,
            (Verify::Required, Ok(strict)) => &strict.connector,
            (Verify::Required, Err(error)) => return Err(error.clone()),
        };
        let (plain, ends) = stream.into_plain().ok_or(TlsError::AlreadySecured)?;
        let handshake = connector.connect(server_name.clone(), plain);
        let session = self
            .shared
            .clock
            .timeout(self.shared.handshake_timeout, handshake)
            .await
            .map_err(|late| TlsError::TimedOut { after: late.after })?
            .map_err(|error| judge(&error))?;
        let (_, state) = session.get_ref();
        let peer = match verify {
            Verify::Required => PeerCheck::Verified,
            Verify::Opportunistic => {
                self.shared
                    .check(ready, state.peer_certificates(), &server_name)
            }
        };
        let facts = facts(state, peer, Some(host.to_ascii_lowercase()));
        let session = session.into();
        Ok(Stream::secured(Secured { session, facts }, ends))
    }
}

impl Shared {
    fn ready(&self) -> Result<&Ready, TlsError> {
        self.ready
            .get_or_init(|| self.prepare())
            .as_ref()
            .map_err(TlsError::clone)
    }

    fn prepare(&self) -> Result<Ready, TlsError> {
        let strict = self.strict();
        let lenient = self.connector(Arc::new(AnyCertificate {
            provider: provider(),
        }))?;
        Ok(Ready { strict, lenient })
    }

    fn strict(&self) -> Result<Strict, TlsError> {
        let verifier = self.verifier()?;
        let connector = self.connector(verifier.clone())?;
        Ok(Strict {
            verifier,
            connector,
        })
    }

    fn verifier(&self) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
        let no_roots = |detail: String| TlsError::NoRoots { detail };
        match self.platform {
            PlatformRoots::Trusted => {
                let extra = self.extra.iter().cloned();
                rustls_platform_verifier::Verifier::new_with_extra_roots(extra, provider())
                    .map(|verifier| Arc::new(verifier) as Arc<dyn ServerCertVerifier>)
                    .map_err(|error| no_roots(error.to_string()))
            }
            PlatformRoots::Ignored => {
                let mut roots = RootCertStore::empty();
                for root in &self.extra {
                    roots.add(root.clone()).map_err(unusable)?;
                }
                let verifier: Arc<dyn ServerCertVerifier> =
                    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
                        .build()
                        .map_err(|error| no_roots(error.to_string()))?;
                Ok(verifier)
            }
        }
    }

    fn connector(&self, verifier: Arc<dyn ServerCertVerifier>) -> Result<TlsConnector, TlsError> {
        let time = Arc::new(WorldTime(self.clock.clone()));
        let config = ClientConfig::builder_with_details(provider(), time)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(TlsConnector::from(Arc::new(config)))
    }

    /// Judges the peer after the handshake, from the certificates of the session: a resumed one has them too, though
    /// its handshake showed none.
    fn check(
        &self,
        ready: &Ready,
        certificates: Option<&[CertificateDer<'_>]>,
        name: &ServerName<'_>,
    ) -> PeerCheck {
        let unverified = |reason: String| PeerCheck::Unverified { reason };
        let verifier = match &ready.strict {
            Ok(strict) => &strict.verifier,
            Err(error) => return unverified(error.to_string()),
        };
        let Some((own, chain)) = certificates.and_then(<[_]>::split_first) else {
            return unverified("the peer showed no certificate".to_owned());
        };
        match verifier.verify_server_cert(own, chain, name, &[], unix_time(self.clock.now())) {
            Ok(_) => PeerCheck::Verified,
            Err(error) => unverified(error.to_string()),
        }
    }
}

/// Takes any certificate; that the peer holds its key is still checked.
#[derive(Debug)]
struct AnyCertificate {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
