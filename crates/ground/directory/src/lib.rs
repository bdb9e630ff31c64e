//! Who exists: domains, accounts, aliases, credentials.
