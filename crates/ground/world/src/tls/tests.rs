//! Promises of the tls.
