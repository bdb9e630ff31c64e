//! The Postrider mail server.
fn main() {}
