//! Our certificate.

use std::path::PathBuf;

use crate::define::{any, default, section};
use crate::read::Agreement;

section! {
    /// The certificate shown by every listener. Without one, a self-signed certificate is made at start: enough for opportunistic encryption, not for clients that verify.
    pub struct Tls = "tls", agree;

    /// PEM file with the certificate and its chain, our own first.
    certificate: Option<PathBuf> = default(None), any();

    /// PEM file with the private key.
    key: Option<PathBuf> = default(None), any();
}

fn agree(tls: &Tls, agreement: &mut Agreement<'_>) {
    match (&tls.certificate, &tls.key) {
        (None, Some(_)) => agreement.complain(
            &["key", "certificate"],
            "there is a key and no certificate",
            "add certificate, or remove key",
        ),
        (Some(_), None) => agreement.complain(
            &["certificate", "key"],
            "there is a certificate and no key",
            "add key, or remove certificate",
        ),
        (None, None) | (Some(_), Some(_)) => {}
    }
}
