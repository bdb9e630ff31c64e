//! Certificates with their keys: read from PEM, or made for ourselves.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::{TlsError, provider};
use crate::Time;

/// A certificate chain and the key to it. Cloning is cheap.
#[derive(Clone)]
pub struct Identity {
    pub(super) key: Arc<CertifiedKey>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Identity({} certificates)", self.key.cert.len())
    }
}

impl Identity {
    /// Reads a certificate chain, the server's own first, and the key to it (PKCS #8, PKCS #1 or SEC 1), both PEM.
    ///
    /// # Errors
    /// [`TlsError::Certificate`] when either is missing or broken, or they do not belong together.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain = certificates(chain)?;
        if chain.is_empty() {
            return Err(unusable("no certificate in the file"));
        }
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| unusable(format!("private key: {error}")))?;
        let key = CertifiedKey::from_der(chain, key, &provider()).map_err(unusable)?;
        Ok(Self { key: Arc::new(key) })
    }

    /// Reads both from files, off the runtime's threads.
    ///
    /// # Errors
    /// [`TlsError::Certificate`], naming the file.
    pub async fn from_files(chain: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain_pem = read(chain).await?;
        let key_pem = read(key).await?;
        Self::from_pem(&chain_pem, &key_pem).map_err(|error| {
            let files = format!("{} with {}", chain.display(), key.display());
            unusable(format!("{files}: {error}"))
        })
    }
}

/// A certificate nobody vouches for, and its key.
#[derive(Clone)]
pub struct SelfSigned {
    /// The certificate, PEM; also the root to trust in tests.
    pub certificate_pem: String,
    /// The private key, PEM (PKCS #8). Keep it secret.
    pub key_pem: String,
}

impl fmt::Debug for SelfSigned {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SelfSigned(..)")
    }
}

impl SelfSigned {
    /// The same, ready to be served.
    ///
    /// # Errors
    /// [`TlsError::Certificate`] when the texts were changed so that they can no longer be used.
    pub fn identity(&self) -> Result<Identity, TlsError> {
        Identity::from_pem(self.certificate_pem.as_bytes(), self.key_pem.as_bytes())
    }
}

/// How long a self-signed certificate is good: nobody vouches for it, so its end only bounds the use of one key.
pub const SELF_SIGNED_LIFE: Duration = Duration::from_secs(2 * 365 * 86_400);

/// A self-signed certificate is good since this long ago: clocks of clients may be late.
const BACKDATED: Duration = Duration::from_secs(86_400);

/// Makes a self-signed certificate (ECDSA P-256), good from `now` on for [`SELF_SIGNED_LIFE`].
pub(super) fn self_signed(hostname: &str, now: Time) -> Result<SelfSigned, TlsError> {
    let now = date_time_ymd(1970, 1, 1) + now.since(Time::EPOCH);
    let mut wanted = CertificateParams::new([hostname.to_owned()]).map_err(unusable)?;
    wanted.not_before = now - BACKDATED;
    wanted.not_after = now + SELF_SIGNED_LIFE;
    let key = KeyPair::generate().map_err(unusable)?;
    let certificate = wanted.self_signed(&key).map_err(unusable)?;
    Ok(SelfSigned {
        certificate_pem: certificate.pem(),
        key_pem: key.serialize_pem(),
    })
}

/// Every certificate in a PEM text; none is fine.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(format!("certificate: {error}")))
}

async fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    tokio::fs::read(path)
        .await
        .map_err(|error| unusable(format!("{}: {error}", path.display())))
}

pub(super) fn unusable(detail: impl fmt::Display) -> TlsError {
    TlsError::Certificate {
        detail: detail.to_string(),
    }
}
