//! Promises about passwords.
