-- What senders see of their own mail, without being operators.

-- Secrets of the store, made by chance when they are first needed: every node that shares it has the same.
CREATE TABLE store_secret (
    name    TEXT PRIMARY KEY,
    octets  BLOB    NOT NULL CHECK (length(octets) = 32),
    made_at INTEGER NOT NULL
) WITHOUT ROWID, STRICT;

-- Which accounts are logged in to the page of their own mail. No operator's session is here, and none of these is one.
CREATE TABLE account_session (
    token_hash BLOB    PRIMARY KEY CHECK (length(token_hash) = 32), -- SHA-256
    account    INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,              -- the last request, to about a minute
    expires_at INTEGER NOT NULL,              -- at the latest, however much it is used
    peer       TEXT    NOT NULL,
    agent      TEXT    NOT NULL CHECK (length(agent) <= 200) -- what the browser calls itself, cut
) WITHOUT ROWID, STRICT;
CREATE INDEX account_session_by_account ON account_session (account);

-- The mail of whoever logged in to send it, by age. What came without a login is not in it and pays nothing for it.
CREATE INDEX message_by_auth ON message (auth, id) WHERE auth <> '';
