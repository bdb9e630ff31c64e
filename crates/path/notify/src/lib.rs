//! Telling senders what became of their mail: failure, delay and success reports.
