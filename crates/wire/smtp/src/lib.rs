//! SMTP and LMTP: commands, replies and the two dialogues as machines without I/O.
