-- What senders see of their own mail, without being operators.

-- Secrets of the store, made by chance when they are first needed: every node that shares it has the same.
CREATE TABLE store_secret (
    name    TEXT COLLATE "C" PRIMARY KEY,
    octets  BYTEA  NOT NULL CHECK (length(octets) = 32),
    made_at BIGINT NOT NULL
);

-- Which accounts are logged in to the page of their own mail. No operator's session is here, and none of these is one.
CREATE TABLE account_session (
    token_hash BYTEA  PRIMARY KEY CHECK (length(token_hash) = 32), -- SHA-256
    account    BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,               -- the last request, to about a minute
    expires_at BIGINT NOT NULL,               -- at the latest, however much it is used
    peer       TEXT COLLATE "C" NOT NULL,
    agent      TEXT COLLATE "C" NOT NULL CHECK (length(agent) <= 200) -- what the browser calls itself, cut
);
CREATE INDEX account_session_by_account ON account_session (account);

-- The mail of whoever logged in to send it, by age. What came without a login is not in it and pays nothing for it.
CREATE INDEX message_by_auth ON message (auth, id) WHERE auth <> '';
