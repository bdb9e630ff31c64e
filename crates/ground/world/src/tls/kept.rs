//! The self-signed certificate that is kept between starts: clients that remember it see the same one again.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::ServerName;

use super::identity::{certificates, self_signed, unusable};
use super::{Identity, TlsError, provider, unix_time};
use crate::Time;
use crate::disk::{Disk, temporary};

/// The file's name. Certificate and key are in one file, so that they always belong together.
pub const SELF_SIGNED_FILE: &str = "self-signed.pem";

/// A kept certificate that has less time left than this is made anew.
pub const RENEWED_BEFORE: Duration = Duration::from_secs(30 * 86_400);

/// The longest file that is looked at: a certificate and a key take less than 2 KiB.
const FILE_MAX: usize = 64 * 1024;

/// The certificate at `path` if it still is good for `hostname` for a while, or a new one in its place.
pub(super) async fn kept(
    disk: &Disk,
    path: &Path,
    hostname: &str,
    now: Time,
) -> Result<Identity, TlsError> {
    let trouble = |error: io::Error| unusable(format!("{}: {error}", path.display()));
    if let Some(pem) = read(disk, path).await.map_err(trouble)? {
        match good(&pem, hostname, now) {
            Ok(identity) => return Ok(identity),
            Err(why) => {
                tracing::info!(file = %path.display(), %why, "the self-signed certificate is made anew");
            }
        }
    }
    let made = self_signed(hostname, now)?;
    let pem = format!("{}{}", made.certificate_pem, made.key_pem);
    write(disk, path, pem.into()).await.map_err(trouble)?;
    made.identity()
}

/// None: there is none. A file that cannot be read is not a file that is not there.
async fn read(disk: &Disk, path: &Path) -> io::Result<Option<Bytes>> {
    let file = match disk.open(path).await {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    file.read_at(0, FILE_MAX).await.map(Some)
}

async fn write(disk: &Disk, path: &Path, pem: Bytes) -> io::Result<()> {
    match disk.remove(&temporary(path)).await {
        // A crash left it.
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut file = disk.create(path).await?;
    file.append(pem).await?;
    file.commit().await
}

/// The identity, if it vouches for `hostname` until [`RENEWED_BEFORE`] from now. The certificate is its own root, so this
/// asks what a client that trusts it would ask.
fn good(pem: &[u8], hostname: &str, now: Time) -> Result<Identity, TlsError> {
    let identity = Identity::from_pem(pem, pem)?;
    let own = certificates(pem)?;
    let first = own.first().ok_or_else(|| unusable("no certificate"))?;
    let mut roots = RootCertStore::empty();
    roots.add(first.clone()).map_err(unusable)?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider());
    let verifier = verifier.build().map_err(unusable)?;
    let name = ServerName::try_from(hostname).map_err(unusable)?;
    let later = now.as_millis().saturating_add(millis(RENEWED_BEFORE));
    let later = unix_time(Time::from_millis(later));
    let good = verifier.verify_server_cert(first, &[], &name, &[], later);
    good.map_err(unusable)?;
    Ok(identity)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
