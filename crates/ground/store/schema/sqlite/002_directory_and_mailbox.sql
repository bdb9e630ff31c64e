-- Who exists, and their mail.

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
