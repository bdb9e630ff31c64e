//! What is written to the log.

use crate::define::{always, any, default, section, words};

words! {
    /// The shape of a log line.
    pub enum LogFormat {
        /// For people.
        Text = "text",
        /// For programs: one object a line.
        Json = "json",
    }
}

words! {
    /// The least important line that is still written.
    pub enum Level {
        /// Something is lost or broken.
        Error = "error",
        /// Somebody should look.
        Warn = "warn",
        /// The way of each message.
        Info = "info",
        /// Decisions and their reasons.
        Debug = "debug",
        /// Every line of every dialogue.
        Trace = "trace",
    }
}

section! {
    /// What is written to the log, on standard error. The ledger, not the log, keeps the story of a message.
    pub struct Log = "log", always;

    /// The shape of a line.
    format: LogFormat = default(LogFormat::Text), any();

    /// The least important line that is still written.
    level: Level = default(Level::Info), any();
}
