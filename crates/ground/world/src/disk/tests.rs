//! Promises of the disk.
