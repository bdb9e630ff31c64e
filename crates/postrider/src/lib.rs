//! The Postrider mail server.
