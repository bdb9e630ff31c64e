-- Who exists, their mail, and who administers it.

CREATE TABLE domain (
    name      TEXT PRIMARY KEY,               -- lower case, A-labels
    catch_all TEXT,                           -- an address that takes what no account or alias does
    created_at INTEGER NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE account (
    id         INTEGER PRIMARY KEY,
    address    TEXT    NOT NULL UNIQUE,       -- lookup key: lower case
    password   TEXT    NOT NULL,              -- argon2 hash, PHC string; '' = may not log in
    quota      INTEGER,                       -- octets; NULL = none
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE alias (
    address    TEXT    NOT NULL,
    target     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (address, target)
) WITHOUT ROWID, STRICT;

-- Moves with every change of the tables above, so that a cache can know it is stale.
CREATE TABLE directory_version (id INTEGER PRIMARY KEY CHECK (id = 1), n INTEGER NOT NULL) STRICT;
INSERT INTO directory_version (id, n) VALUES (1, 1);

-- Who may use the administration's pages and its HTTP API. No mail accounts: an operator has no mailbox, and no account is one.
CREATE TABLE operator (
    name         TEXT PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 64 AND name NOT GLOB '*[^a-z0-9._@-]*'),
    password     TEXT    NOT NULL,            -- argon2 hash, PHC string; '' = may not log in
    totp         TEXT    NOT NULL CHECK (totp = '' OR length(totp) = 32), -- secret of RFC 6238 in Base32; '' = no code is asked
    totp_offered TEXT    NOT NULL CHECK (totp_offered = '' OR length(totp_offered) = 32), -- waits for its first right code
    totp_step    INTEGER NOT NULL CHECK (totp_step >= 0), -- the time step of the last code that was used: each works once
    -- A list of words, each once and in this order.
    rights       TEXT    NOT NULL CHECK (rights <> '' AND rights = ltrim(
                     CASE WHEN ',' || rights || ',' LIKE '%,view,%' THEN ',view' ELSE '' END
                     || CASE WHEN ',' || rights || ',' LIKE '%,act,%' THEN ',act' ELSE '' END
                     || CASE WHEN ',' || rights || ',' LIKE '%,content,%' THEN ',content' ELSE '' END
                     || CASE WHEN ',' || rights || ',' LIKE '%,administer,%' THEN ',administer' ELSE '' END, ',')),
    created_at   INTEGER NOT NULL
) WITHOUT ROWID, STRICT;

-- Who is logged in to the pages. The browser holds 256 bits made by chance; here is only their hash.
CREATE TABLE web_session (
    token_hash BLOB    PRIMARY KEY CHECK (length(token_hash) = 32), -- SHA-256
    operator   TEXT    NOT NULL REFERENCES operator (name) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,              -- the last request, to about a minute
    expires_at INTEGER NOT NULL,              -- at the latest, however much it is used
    peer       TEXT    NOT NULL,
    agent      TEXT    NOT NULL CHECK (length(agent) <= 200) -- what the browser calls itself, cut
) WITHOUT ROWID, STRICT;
CREATE INDEX web_session_by_operator ON web_session (operator);

-- What lets programs use the HTTP API. They hold 256 bits made by chance, too.
CREATE TABLE api_token (
    name       TEXT PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 64 AND name NOT GLOB '*[^a-z0-9._@-]*'),
    token_hash BLOB    NOT NULL UNIQUE CHECK (length(token_hash) = 32), -- SHA-256
    rights     TEXT    NOT NULL CHECK (rights <> '' AND rights = ltrim(
                   CASE WHEN ',' || rights || ',' LIKE '%,view,%' THEN ',view' ELSE '' END
                   || CASE WHEN ',' || rights || ',' LIKE '%,act,%' THEN ',act' ELSE '' END
                   || CASE WHEN ',' || rights || ',' LIKE '%,content,%' THEN ',content' ELSE '' END
                   || CASE WHEN ',' || rights || ',' LIKE '%,administer,%' THEN ',administer' ELSE '' END, ',')),
    created_by TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,                       -- NULL = never
    seen_at    INTEGER                        -- the last request, to about a minute; NULL = none yet
) WITHOUT ROWID, STRICT;

CREATE TABLE folder (
    id           INTEGER PRIMARY KEY,
    account      INTEGER NOT NULL REFERENCES account (id),
    name         TEXT    NOT NULL,
    uid_validity INTEGER NOT NULL,
    uid_next     INTEGER NOT NULL,
    messages     INTEGER NOT NULL DEFAULT 0 CHECK (messages >= 0), -- exact, kept in the transaction that changes them
    octets       INTEGER NOT NULL DEFAULT 0 CHECK (octets >= 0),   -- the sum of mail.size: what a quota is compared with
    UNIQUE (account, name)
) STRICT;

CREATE TABLE mail (
    id          INTEGER PRIMARY KEY,
    folder      INTEGER NOT NULL REFERENCES folder (id),
    uid         INTEGER NOT NULL,
    body        INTEGER NOT NULL,             -- of the body; counted by the triggers below
    size        INTEGER NOT NULL,             -- octets of prefix and body
    prefix      TEXT    NOT NULL,             -- trace fields of this copy (Return-Path, Delivered-To), before the body
    received_at INTEGER NOT NULL,
    recipient   INTEGER NOT NULL UNIQUE,      -- the ledger's recipient: delivered here at most once, by constraint
    message     INTEGER NOT NULL,
    UNIQUE (folder, uid)
) STRICT;
-- A copy must come before the recipient's final state in its unit, or the body may be gone.
CREATE TRIGGER mail_added AFTER INSERT ON mail BEGIN
    SELECT RAISE(ABORT, 'no such body') WHERE NOT EXISTS (SELECT 1 FROM body WHERE id = NEW.body);
    UPDATE body SET refs = refs + 1 WHERE id = NEW.body;
END;
CREATE TRIGGER mail_keeps_its_body BEFORE UPDATE OF body ON mail WHEN NEW.body <> OLD.body BEGIN
    SELECT RAISE(ABORT, 'mail has one body from its birth');
END;
CREATE TRIGGER mail_removed AFTER DELETE ON mail BEGIN
    UPDATE body SET refs = refs - 1 WHERE id = OLD.body;
    UPDATE folder SET messages = messages - 1, octets = octets - OLD.size WHERE id = OLD.folder;
END;
