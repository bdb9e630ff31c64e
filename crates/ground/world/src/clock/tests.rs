//! Promises of the clock.
