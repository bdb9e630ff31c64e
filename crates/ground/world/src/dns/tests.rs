//! Promises of the dns.
