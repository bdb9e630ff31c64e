//! Our certificate.

use std::path::PathBuf;

use crate::define::{any, default, section};
use crate::read::Agreement;

section! {
    /// The certificate shown by every listener. Without one, a self-signed certificate is made and kept as `self-signed.pem` in the data directory: enough for opportunistic
    /// encryption, not for clients that verify. It is good for two years, and made anew 30 days before its end or when the
    /// hostname changed. The files are read again at a reload.
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
