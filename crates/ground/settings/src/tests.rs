//! Promises of the configuration file.
