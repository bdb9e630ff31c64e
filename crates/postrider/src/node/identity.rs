//! The certificate every listener shows.

use std::path::Path;

use ground_settings::Settings;
use ground_world::tls::{Identity, TlsError, self_signed};

/// The one that is set, or one made now that nobody vouches for: enough for opportunistic encryption.
pub(super) async fn of(settings: &Settings, folder: &Path) -> Result<Identity, TlsError> {
    match (&settings.tls.certificate, &settings.tls.key) {
        (Some(certificate), Some(key)) => {
            Identity::from_files(&folder.join(certificate), &folder.join(key)).await
        }
        (Some(_) | None, Some(_) | None) => {
            self_signed(settings.server.hostname.as_str())?.identity()
        }
    }
}
