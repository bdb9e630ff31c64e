//! The promises of birth.
