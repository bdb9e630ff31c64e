//! Folders, messages, UIDs: the one model under every protocol.
