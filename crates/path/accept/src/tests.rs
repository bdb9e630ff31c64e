//! The promises of receiving.
