//! Promises of the net.
