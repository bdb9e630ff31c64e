//! The certificate every listener shows.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ground_settings::Settings;
use ground_world::World;
use ground_world::supervise::Pulse;
use ground_world::tls::{Identity, TlsError, TlsServer};
use tokio::sync::watch;

/// How often the kept certificate is looked at: it is renewed weeks before its end.
const LOOK: Duration = Duration::from_secs(86_400);

/// It shows that it lives within this time of each look: a key is made, and two files are written.
pub(super) const PULSE: Duration = Duration::from_secs(300);

/// Where certificates are.
#[derive(Debug, Clone)]
pub(super) struct Certificates {
    pub(super) world: World,
    /// The folder of the configuration file: paths of certificates start there.
    pub(super) folder: PathBuf,
    /// The data directory: the one nobody vouches for is kept there.
    pub(super) data: PathBuf,
}

impl Certificates {
    /// The one that is set, or the one kept that nobody vouches for: enough for opportunistic encryption.
    pub(super) async fn of(&self, settings: &Settings) -> Result<Identity, TlsError> {
        match set(settings, &self.folder).await? {
            Some(identity) => Ok(identity),
            None => self.kept(settings).await,
        }
    }

    /// Renews the kept one in time, for ever.
    pub(super) async fn keep(
        self,
        tls: TlsServer,
        settings: watch::Receiver<Arc<Settings>>,
        pulse: Pulse,
    ) {
        loop {
            pulse.sleep(LOOK).await;
            let settings = settings.borrow().clone();
            if files(&settings).is_some() {
                continue;
            }
            match self.kept(&settings).await {
                Ok(identity) => tls.replace(identity),
                Err(error) => tracing::error!(%error, "the self-signed certificate is not renewed"),
            }
        }
    }

    async fn kept(&self, settings: &Settings) -> Result<Identity, TlsError> {
        let hostname = settings.server.hostname.as_str();
        let (tls, disk) = (&self.world.tls, &self.world.disk);
        tls.kept_self_signed(disk, &self.data, hostname).await
    }
}

/// The certificate that is set; none is fine.
pub(crate) async fn set(settings: &Settings, folder: &Path) -> Result<Option<Identity>, TlsError> {
    match files(settings) {
        Some((certificate, key)) => {
            let (certificate, key) = (folder.join(certificate), folder.join(key));
            Identity::from_files(&certificate, &key).await.map(Some)
        }
        None => Ok(None),
    }
}

fn files(settings: &Settings) -> Option<(&Path, &Path)> {
    let certificate = settings.tls.certificate.as_deref()?;
    Some((certificate, settings.tls.key.as_deref()?))
}
