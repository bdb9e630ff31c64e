-- The ledger: every message, every recipient, and what must happen to each next.
-- Times are UTC milliseconds since 1970. Only 'recipient' carries state; every rule about state is a constraint here.

-- A body is stored once and counted: one reference for the message while any recipient still needs it, one for each copy in
-- a mailbox. Small bodies stand in 'content'; large ones in a file of the bodies folder, named by 'file'.
CREATE TABLE body (
    id       INTEGER PRIMARY KEY,
    size     INTEGER NOT NULL,
    checksum BLOB    NOT NULL,                -- BLAKE3 of the content, 32 bytes
    refs     INTEGER NOT NULL CHECK (refs >= 0),
    file     TEXT,
    content  BLOB,
    CHECK ((file IS NULL) <> (content IS NULL))
);

-- Files of bodies nobody refers to any more; the watch removes each file, then its row.
CREATE TABLE body_file_done (file TEXT PRIMARY KEY) WITHOUT ROWID;

CREATE TABLE message (
    id          INTEGER PRIMARY KEY,          -- MessageId: milliseconds, node, sequence
    received_at INTEGER NOT NULL,
    sender      TEXT    NOT NULL,             -- reverse path; '' is the null sender
    size        INTEGER NOT NULL,             -- octets of the body as stored
    body        INTEGER REFERENCES body (id), -- NULL once nobody needs it
    origin      TEXT    NOT NULL CHECK (origin IN ('smtp', 'submission', 'lmtp', 'sendmail', 'report')),
    listener    TEXT    NOT NULL,
    peer        TEXT    NOT NULL,
    helo        TEXT    NOT NULL,
    tls         TEXT    NOT NULL,             -- '' without TLS
    auth        TEXT    NOT NULL,             -- '' without authentication
    body_type   TEXT    NOT NULL CHECK (body_type IN ('7bit', '8bitmime', 'binarymime')),
    smtputf8    INTEGER NOT NULL CHECK (smtputf8 IN (0, 1)),
    ret         TEXT    NOT NULL CHECK (ret IN ('', 'full', 'hdrs')),
    envid       TEXT    NOT NULL,             -- '' when not given
    message_id  TEXT    NOT NULL,             -- the Message-ID field, '' when absent
    subject     TEXT    NOT NULL,             -- unfolded, cut to a bound
    cause       INTEGER,                      -- a report: the message it tells of
    pending     INTEGER NOT NULL CHECK (pending >= 0) -- recipients that still need the body
);
CREATE INDEX message_by_sender ON message (sender) WHERE sender <> '';
CREATE INDEX message_by_message_id ON message (message_id) WHERE message_id <> '';
CREATE INDEX message_by_cause ON message (cause) WHERE cause IS NOT NULL;

CREATE TABLE recipient (
    id            INTEGER PRIMARY KEY,
    message       INTEGER NOT NULL REFERENCES message (id),
    parent        INTEGER,                    -- the expanded recipient this one came from
    address       TEXT    NOT NULL,
    orcpt         TEXT    NOT NULL,           -- RFC 3461 s4.2, '' when not given
    notify        INTEGER NOT NULL,           -- RFC 3461 s4.1 as bits: 1 never, 2 success, 4 failure, 8 delay; 0 not given
    state         TEXT    NOT NULL CHECK (state IN ('categorizing', 'queued', 'in_flight', 'held',
                          'delivered', 'relayed', 'expanded', 'returned', 'discarded', 'dead_letter')),
    next_hop      TEXT    NOT NULL,           -- '' before it is routed
    attempts      INTEGER NOT NULL,
    crashes       INTEGER NOT NULL,           -- claims lost while this recipient was in flight
    accepted_at   INTEGER NOT NULL,           -- age counts from here, for ever
    retry_at      INTEGER NOT NULL,           -- not tried before, for a reason of its own
    notify_at     INTEGER,                    -- when the next delay notice is owed
    deadline_at   INTEGER,                    -- the watch looks again at this moment at the latest
    expires_at    INTEGER,
    claimed_by    INTEGER,                    -- epoch of the node that has it in flight
    claimed_until INTEGER,
    hold_reason   TEXT,
    held_by       TEXT,
    last_reply    TEXT    NOT NULL,
    last_peer     TEXT    NOT NULL,
    finished_at   INTEGER,
    cause         TEXT,                       -- why it reached its final state
    actor         TEXT,                       -- who or what brought it there
    CHECK (state IN ('delivered', 'relayed', 'expanded', 'returned', 'discarded', 'dead_letter')
        OR (deadline_at IS NOT NULL AND expires_at IS NOT NULL AND deadline_at <= expires_at)),
    CHECK (state NOT IN ('delivered', 'relayed', 'expanded', 'returned', 'discarded', 'dead_letter')
        OR (deadline_at IS NULL AND finished_at IS NOT NULL AND cause IS NOT NULL AND actor IS NOT NULL)),
    CHECK ((state = 'in_flight') = (claimed_by IS NOT NULL) AND (claimed_by IS NULL) = (claimed_until IS NULL)),
    CHECK ((state = 'held') = (hold_reason IS NOT NULL) AND (hold_reason IS NULL) = (held_by IS NULL)),
    CHECK (state NOT IN ('queued', 'in_flight') OR next_hop <> '')
);
CREATE INDEX recipient_by_message ON recipient (message);
CREATE INDEX recipient_by_address ON recipient (address);
-- What must happen next, whatever the state: the clock of the watch.
CREATE INDEX recipient_by_deadline ON recipient (deadline_at) WHERE deadline_at IS NOT NULL;
-- What may be tried now: first attempts and retries are two lines, so that new mail never waits behind retries.
CREATE INDEX recipient_ready ON recipient (next_hop, (attempts > 0), retry_at, id) WHERE state = 'queued';
-- Listings of what is not final, by state.
CREATE INDEX recipient_held ON recipient (id) WHERE state = 'held';
CREATE INDEX recipient_categorizing ON recipient (retry_at) WHERE state = 'categorizing';
CREATE INDEX recipient_claims ON recipient (claimed_by) WHERE state = 'in_flight';
CREATE INDEX recipient_dead_letter ON recipient (id) WHERE state = 'dead_letter';
CREATE INDEX recipient_finished ON recipient (finished_at) WHERE finished_at IS NOT NULL;

-- One row for each attempt at a recipient, with the peer's words as they came.
CREATE TABLE attempt (
    id           INTEGER PRIMARY KEY,
    message      INTEGER NOT NULL,
    recipient    INTEGER NOT NULL,
    node         TEXT    NOT NULL,
    started_at   INTEGER NOT NULL,
    ended_at     INTEGER NOT NULL,
    next_hop     TEXT    NOT NULL,
    peer         TEXT    NOT NULL,            -- host name that was dialled
    address      TEXT    NOT NULL,            -- ip:port
    tls          TEXT    NOT NULL,
    last_command TEXT    NOT NULL,
    reply        TEXT    NOT NULL,
    bytes        INTEGER NOT NULL,
    outcome      TEXT    NOT NULL CHECK (outcome IN ('delivered', 'relayed', 'deferred', 'failed', 'unknown')),
    transcript   TEXT    NOT NULL             -- '' on success
);
CREATE INDEX attempt_by_message ON attempt (message);

-- What happened that is neither an acceptance (a message row) nor an attempt. Operators' acts too.
CREATE TABLE event (
    id        INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    message   INTEGER,
    recipient INTEGER,
    kind      TEXT    NOT NULL,               -- the closed vocabulary of path-ledger
    actor     TEXT    NOT NULL,
    detail    TEXT    NOT NULL
);
CREATE INDEX event_by_message ON event (message) WHERE message IS NOT NULL;
CREATE INDEX event_by_time ON event (at);

-- Retry state belongs to the next hop: a dead destination costs one row, not one row a message.
CREATE TABLE next_hop (
    key          TEXT PRIMARY KEY,
    state        TEXT    NOT NULL CHECK (state IN ('up', 'down', 'paused')),
    retry_at     INTEGER NOT NULL,
    failures     INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL,
    last_reply   TEXT    NOT NULL,
    last_peer    TEXT    NOT NULL,
    paused_by    TEXT,
    paused_until INTEGER,
    reason       TEXT,
    CHECK ((state = 'paused') = (paused_by IS NOT NULL AND paused_until IS NOT NULL AND reason IS NOT NULL))
) WITHOUT ROWID;

-- A node lives by its epoch: a restart takes a new one, and what an old epoch claimed is lost to it.
CREATE TABLE node (
    id        INTEGER PRIMARY KEY CHECK (id BETWEEN 0 AND 255),
    name      TEXT    NOT NULL UNIQUE,
    epoch     INTEGER NOT NULL UNIQUE,
    heartbeat_at INTEGER NOT NULL
);

-- Exact counts, kept in the transaction that changes them. 'hour' is accepted_at in hours since 1970.
CREATE TABLE tally (
    state    TEXT    NOT NULL,
    next_hop TEXT    NOT NULL,
    hour     INTEGER NOT NULL,
    n        INTEGER NOT NULL,
    PRIMARY KEY (state, next_hop, hour)
) WITHOUT ROWID;
-- Ever since the store was made: 'accepted', and each final state.
CREATE TABLE total (what TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;

CREATE TRIGGER recipient_born AFTER INSERT ON recipient BEGIN
    INSERT INTO total (what, n) VALUES ('accepted', 1) ON CONFLICT (what) DO UPDATE SET n = n + 1;
    INSERT INTO tally (state, next_hop, hour, n)
        SELECT NEW.state, NEW.next_hop, NEW.accepted_at / 3600000, 1 WHERE NEW.finished_at IS NULL
        ON CONFLICT (state, next_hop, hour) DO UPDATE SET n = n + 1;
    INSERT INTO total (what, n) SELECT NEW.state, 1 WHERE NEW.finished_at IS NOT NULL
        ON CONFLICT (what) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER recipient_moved AFTER UPDATE OF state, next_hop ON recipient
WHEN OLD.state <> NEW.state OR OLD.next_hop <> NEW.next_hop BEGIN
    UPDATE tally SET n = n - 1
        WHERE state = OLD.state AND next_hop = OLD.next_hop AND hour = OLD.accepted_at / 3600000;
    DELETE FROM tally
        WHERE state = OLD.state AND next_hop = OLD.next_hop AND hour = OLD.accepted_at / 3600000 AND n = 0;
    INSERT INTO tally (state, next_hop, hour, n)
        SELECT NEW.state, NEW.next_hop, NEW.accepted_at / 3600000, 1 WHERE NEW.finished_at IS NULL
        ON CONFLICT (state, next_hop, hour) DO UPDATE SET n = n + 1;
    INSERT INTO total (what, n) SELECT NEW.state, 1 WHERE NEW.finished_at IS NOT NULL
        ON CONFLICT (what) DO UPDATE SET n = n + 1;
END;

-- A dead letter keeps its body until history is pruned; every other final state has no more need of it.
CREATE TRIGGER recipient_finished_with_body AFTER UPDATE OF state ON recipient
WHEN OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL AND NEW.state <> 'dead_letter' BEGIN
    UPDATE message SET pending = pending - 1 WHERE id = NEW.message;
END;

CREATE TRIGGER message_done_with_body AFTER UPDATE OF pending ON message
WHEN NEW.pending = 0 AND OLD.pending > 0 AND NEW.body IS NOT NULL BEGIN
    UPDATE message SET body = NULL WHERE id = NEW.id;
    UPDATE body SET refs = refs - 1 WHERE id = OLD.body;
END;

CREATE TRIGGER message_pruned BEFORE DELETE ON message WHEN OLD.body IS NOT NULL BEGIN
    UPDATE body SET refs = refs - 1 WHERE id = OLD.body;
END;

CREATE TRIGGER body_unneeded AFTER UPDATE OF refs ON body WHEN NEW.refs = 0 BEGIN
    INSERT INTO body_file_done (file) SELECT NEW.file WHERE NEW.file IS NOT NULL;
    DELETE FROM body WHERE id = NEW.id;
END;

-- Final is final, and nothing that is not final can vanish: whoever tries, by whatever path.
CREATE TRIGGER recipient_final_is_final BEFORE UPDATE OF state ON recipient WHEN OLD.finished_at IS NOT NULL BEGIN
    SELECT RAISE(ABORT, 'final is final: this recipient has reached its last state');
END;
CREATE TRIGGER recipient_never_vanishes BEFORE DELETE ON recipient WHEN OLD.finished_at IS NULL BEGIN
    SELECT RAISE(ABORT, 'no silent drop: this recipient is not in a final state');
END;
CREATE TRIGGER recipient_age_is_never_reset BEFORE UPDATE OF accepted_at ON recipient WHEN OLD.accepted_at <> NEW.accepted_at BEGIN
    SELECT RAISE(ABORT, 'age counts from acceptance and is never reset');
END;
