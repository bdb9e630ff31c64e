-- Who exists, and their mail.

CREATE TABLE domain (
    name      TEXT PRIMARY KEY,               -- lower case, A-labels
    catch_all TEXT,                           -- an address that takes what no account or alias does
    created_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE account (
    id         INTEGER PRIMARY KEY,
    address    TEXT    NOT NULL UNIQUE,       -- lookup key: lower case
    password   TEXT    NOT NULL,              -- argon2 hash, PHC string; '' = may not log in
    quota      INTEGER,                       -- octets; NULL = none
    created_at INTEGER NOT NULL
);

CREATE TABLE alias (
    address    TEXT    NOT NULL,
    target     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (address, target)
) WITHOUT ROWID;

-- Moves with every change of the tables above, so that a cache can know it is stale.
CREATE TABLE directory_version (only INTEGER PRIMARY KEY CHECK (only = 1), n INTEGER NOT NULL);
INSERT INTO directory_version (only, n) VALUES (1, 1);

CREATE TABLE folder (
    id           INTEGER PRIMARY KEY,
    account      INTEGER NOT NULL REFERENCES account (id),
    name         TEXT    NOT NULL,
    uid_validity INTEGER NOT NULL,
    uid_next     INTEGER NOT NULL,
    UNIQUE (account, name)
);

CREATE TABLE mail (
    id          INTEGER PRIMARY KEY,
    folder      INTEGER NOT NULL REFERENCES folder (id),
    uid         INTEGER NOT NULL,
    body        INTEGER NOT NULL REFERENCES body (id),
    size        INTEGER NOT NULL,
    prefix      TEXT    NOT NULL,             -- trace fields of this copy (Return-Path, Delivered-To), before the body
    received_at INTEGER NOT NULL,
    recipient   INTEGER NOT NULL UNIQUE,      -- the ledger's recipient: delivered here at most once, by constraint
    message     INTEGER NOT NULL,
    UNIQUE (folder, uid)
);
CREATE TRIGGER mail_removed AFTER DELETE ON mail BEGIN
    UPDATE body SET refs = refs - 1 WHERE id = OLD.body;
END;
