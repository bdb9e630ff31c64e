//! The durable book of every message: states, claims, events, audit.
