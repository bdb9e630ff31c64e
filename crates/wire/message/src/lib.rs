//! Internet messages: addresses, headers, dates and reports to senders.
