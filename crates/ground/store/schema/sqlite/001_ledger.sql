-- The ledger: every message, every recipient, and what must happen to each next.
-- Times are UTC milliseconds since 1970. Only 'recipient' carries state; every rule about state is a constraint here.
-- Words of a closed set are compared by chains of OR: for IN of more than two, SQLite builds a table in memory at each write.

-- A body is stored once and counted: one reference for the message while any recipient still needs it, one for each copy in
-- a mailbox. Small bodies stand in 'content'; large ones in a file of the bodies folder, named by 'file'.
-- Who refers to a body has no foreign key to it: to check one, each removal would search all messages and all mail. The
-- triggers below count instead, and say no where a key would.
CREATE TABLE body (
    id       INTEGER PRIMARY KEY,
    size     INTEGER NOT NULL,
    checksum BLOB    NOT NULL CHECK (length(checksum) = 32), -- BLAKE3 of the content
    refs     INTEGER NOT NULL DEFAULT 0 CHECK (refs >= 0),   -- counted here, never given
    file     TEXT,
    content  BLOB,
    CHECK ((file IS NULL) <> (content IS NULL))
) STRICT;
CREATE UNIQUE INDEX body_by_file ON body (file) WHERE file IS NOT NULL;

-- Files of bodies nobody refers to any more; the watch removes each file, then its row.
CREATE TABLE body_file_done (file TEXT PRIMARY KEY) WITHOUT ROWID, STRICT;

CREATE TABLE message (
    id          INTEGER PRIMARY KEY,          -- MessageId: milliseconds, node, sequence
    received_at INTEGER NOT NULL,
    sender      TEXT    NOT NULL,             -- reverse path; '' is the null sender
    size        INTEGER NOT NULL,             -- octets of the body as stored
    body        INTEGER,                      -- NULL once nobody needs it
    origin      TEXT    NOT NULL CHECK (origin = 'smtp' OR origin = 'submission' OR origin = 'lmtp' OR origin = 'sendmail'
                    OR origin = 'report'),
    listener    TEXT    NOT NULL,
    peer        TEXT    NOT NULL,
    helo        TEXT    NOT NULL,
    tls         TEXT    NOT NULL,             -- '' without TLS
    auth        TEXT    NOT NULL,             -- '' without authentication
    body_type   TEXT    NOT NULL CHECK (body_type = '7bit' OR body_type = '8bitmime' OR body_type = 'binarymime'),
    smtputf8    INTEGER NOT NULL CHECK (smtputf8 IN (0, 1)),
    ret         TEXT    NOT NULL CHECK (ret = '' OR ret = 'full' OR ret = 'hdrs'),
    envid       TEXT    NOT NULL,             -- '' when not given
    message_id  TEXT    NOT NULL,             -- the Message-ID field, '' when absent
    subject     TEXT    NOT NULL,             -- unfolded, cut to a bound
    cause       INTEGER,                      -- a report: the message it tells of
    pending     INTEGER NOT NULL CHECK (pending >= 0), -- recipients that still need the body; given before they are born, counted down here
    CHECK (pending = 0 OR body IS NOT NULL)
) STRICT;
CREATE INDEX message_by_cause ON message (cause) WHERE cause IS NOT NULL;

CREATE TABLE recipient (
    id            INTEGER PRIMARY KEY,
    message       INTEGER NOT NULL REFERENCES message (id),
    parent        INTEGER,                    -- the expanded recipient this one came from
    address       TEXT    NOT NULL,
    orcpt         TEXT    NOT NULL,           -- RFC 3461 s4.2, '' when not given
    notify        INTEGER NOT NULL,           -- RFC 3461 s4.1 as bits: 1 never, 2 success, 4 failure, 8 delay; 0 not given
    state         TEXT    NOT NULL CHECK (state = 'categorizing' OR state = 'queued' OR state = 'in_flight' OR state = 'held'
                      OR state = 'delivered' OR state = 'relayed' OR state = 'expanded' OR state = 'returned'
                      OR state = 'discarded' OR state = 'dead_letter'),
    next_hop      TEXT    NOT NULL,           -- '' before it is routed
    attempts      INTEGER NOT NULL,
    suspicion     INTEGER,                    -- NULL: none. Since a claim of it was lost: attempts that began and never ended
    accepted_at   INTEGER NOT NULL,           -- age counts from here, for ever
    retry_at      INTEGER NOT NULL,           -- not tried before, for a reason of its own
    notify_at     INTEGER,                    -- when the next delay notice is owed
    deadline_at   INTEGER,                    -- the watch looks again at this moment at the latest
    expires_at    INTEGER,
    claimed_by    INTEGER,                    -- epoch of the node that has it in flight
    claimed_until INTEGER,
    begun_at      INTEGER,                    -- a suspect's attempt, written and counted before it began
    hold_reason   TEXT,
    held_by       TEXT,
    hold_alarm_at INTEGER,                    -- when somebody should look at the hold
    last_reply    TEXT    NOT NULL,
    last_peer     TEXT    NOT NULL,
    finished_at   INTEGER,
    cause         TEXT,                       -- why it reached its final state
    actor         TEXT,                       -- who or what brought it there
    -- 'finished_at' and the final states are one and the same thing, said twice.
    CHECK ((finished_at IS NOT NULL)
        = (state = 'delivered' OR state = 'relayed' OR state = 'expanded' OR state = 'returned' OR state = 'discarded'
            OR state = 'dead_letter')),
    CHECK (finished_at IS NOT NULL
        OR (deadline_at IS NOT NULL AND expires_at IS NOT NULL AND deadline_at <= expires_at)),
    CHECK (finished_at IS NULL OR (deadline_at IS NULL AND cause IS NOT NULL AND actor IS NOT NULL)),
    CHECK ((state = 'in_flight') = (claimed_by IS NOT NULL) AND (claimed_by IS NULL) = (claimed_until IS NULL)),
    CHECK (begun_at IS NULL OR (state = 'in_flight' AND coalesce(suspicion, 0) > 0)),
    CHECK ((state = 'held') = (hold_reason IS NOT NULL) AND (hold_reason IS NULL) = (held_by IS NULL)
        AND (hold_reason IS NULL) = (hold_alarm_at IS NULL)),
    CHECK (state NOT IN ('queued', 'in_flight') OR next_hop <> '')
) STRICT;
CREATE INDEX recipient_by_message ON recipient (message);
-- What must happen next, whatever the state: the clock of the watch.
CREATE INDEX recipient_by_deadline ON recipient (deadline_at) WHERE deadline_at IS NOT NULL;
-- What may be tried now: first attempts and retries are two lines, so that new mail never waits behind retries.
-- The line is a number: PostgreSQL turns 'attempts > 0' and its opposite into questions that no index on it answers.
CREATE INDEX recipient_ready ON recipient (next_hop, (CASE WHEN attempts > 0 THEN 1 ELSE 0 END), retry_at, id)
    WHERE state = 'queued';
-- Listings of what is not final, by state.
CREATE INDEX recipient_in_transit ON recipient (next_hop, id) WHERE finished_at IS NULL;
CREATE INDEX recipient_held ON recipient (id) WHERE state = 'held';
CREATE INDEX recipient_held_by_hop ON recipient (next_hop, id) WHERE state = 'held';
-- Which of them have a reply of their own: those that wait for a hop that is down have none.
CREATE INDEX recipient_replied ON recipient (next_hop, id) WHERE finished_at IS NULL AND last_reply <> '';
CREATE INDEX recipient_categorizing ON recipient (retry_at) WHERE state = 'categorizing';
CREATE INDEX recipient_claims ON recipient (claimed_by) WHERE state = 'in_flight';
CREATE INDEX recipient_dead_letter ON recipient (id) WHERE state = 'dead_letter';
CREATE INDEX recipient_finished ON recipient (finished_at) WHERE finished_at IS NOT NULL;

-- Which messages have a sender, a recipient or a Message-ID. These words come in no order, so an index that is kept at each
-- accept would write three pages a message. 'search_due' names the recipients whose words are not in the index yet; the watch
-- brings them in by batches, sorted, into the newest segment. A search looks at both, and compares the rows themselves.
CREATE TABLE search_due (recipient INTEGER PRIMARY KEY) STRICT;
CREATE TABLE search_segment (
    id     INTEGER PRIMARY KEY,
    words  INTEGER NOT NULL,                  -- as many as it was given; full ones get no more
    newest INTEGER NOT NULL                   -- the greatest message in it: with that one's history the segment goes
) STRICT;
CREATE TABLE search_word (
    segment INTEGER NOT NULL,
    word    INTEGER NOT NULL,                 -- hash of a lower-case word
    message INTEGER NOT NULL,
    PRIMARY KEY (segment, word, message)
) WITHOUT ROWID, STRICT;

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
    outcome      TEXT    NOT NULL CHECK (outcome = 'delivered' OR outcome = 'relayed' OR outcome = 'deferred'
                     OR outcome = 'failed' OR outcome = 'unknown'),
    transcript   TEXT    NOT NULL             -- '' on success
) STRICT;
CREATE INDEX attempt_by_message ON attempt (message);

-- What happened that is neither an acceptance (a message row) nor an attempt. Operators' acts too.
CREATE TABLE event (
    id        INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    message   INTEGER,
    recipient INTEGER,
    kind      TEXT    NOT NULL,               -- the closed vocabulary of path-ledger
    doer      TEXT    NOT NULL DEFAULT 'program' CHECK (doer = 'person' OR doer = 'program'),
    actor     TEXT    NOT NULL,
    detail    TEXT    NOT NULL
) STRICT;
CREATE INDEX event_by_message ON event (message) WHERE message IS NOT NULL;
CREATE INDEX event_by_recipient ON event (recipient) WHERE message IS NULL AND recipient IS NOT NULL; -- its message is not known
CREATE INDEX event_by_time ON event (at);
-- Pages of the newest (each index has the id, too) of one kind: of people's or programs' doing, or by one actor.
CREATE INDEX event_by_kind ON event (kind, doer);
CREATE INDEX event_by_actor ON event (actor, kind);

-- Retry state belongs to the next hop: a dead destination costs one row, not one row a message.
CREATE TABLE next_hop (
    key          TEXT PRIMARY KEY,
    state        TEXT    NOT NULL CHECK (state = 'up' OR state = 'down' OR state = 'paused'),
    retry_at     INTEGER NOT NULL,
    failures     INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL,
    last_reply   TEXT    NOT NULL,
    last_peer    TEXT    NOT NULL,
    paused_by    TEXT,
    paused_until INTEGER,
    reason       TEXT,
    CHECK ((state = 'paused') = (paused_by IS NOT NULL AND paused_until IS NOT NULL AND reason IS NOT NULL))
) WITHOUT ROWID, STRICT;

-- A node lives by its epoch: a restart takes a new one, and what an old epoch claimed is lost to it.
CREATE TABLE node (
    id        INTEGER PRIMARY KEY CHECK (id BETWEEN 0 AND 255),
    name      TEXT    NOT NULL UNIQUE,
    epoch     INTEGER NOT NULL UNIQUE,
    -- 'up'; stopped in good order; fenced, for it gave no sign of life, and others took over what it had claimed; or no server
    -- but a command, which claims nothing.
    state     TEXT    NOT NULL DEFAULT 'up' CHECK (state IN ('up', 'stopped', 'fenced', 'command')),
    draining  INTEGER NOT NULL DEFAULT 0 CHECK (draining IN (0, 1)), -- it takes no new work: maintenance
    beats     INTEGER NOT NULL DEFAULT 0,     -- signs of life of this epoch; others see them change, whatever the clocks say
    heartbeat_at INTEGER NOT NULL,            -- the last, by its own clock
    -- It was away, and the mail that waited meanwhile is not treated yet: since when it was gone, and when it came back. A
    -- crash before all is treated leaves both as they are.
    away_since INTEGER,
    back_at    INTEGER,
    CHECK ((away_since IS NULL) = (back_at IS NULL))
) STRICT;

-- Exact counts, kept in the transaction that changes them. 'hour' is accepted_at in hours since 1970.
CREATE TABLE tally (
    state    TEXT    NOT NULL,
    next_hop TEXT    NOT NULL,
    hour     INTEGER NOT NULL,
    n        INTEGER NOT NULL CHECK (n >= 0),
    PRIMARY KEY (state, next_hop, hour)
) WITHOUT ROWID, STRICT;
-- Ever since the store was made: 'accepted', and each final state.
CREATE TABLE total (what TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID, STRICT;
INSERT INTO total (what, n) VALUES ('accepted', 0),
    ('delivered', 0), ('relayed', 0), ('expanded', 0), ('returned', 0), ('discarded', 0), ('dead_letter', 0);

-- A recipient needs the body until its final state; a dead letter needs it until history is pruned.
-- Who inserts recipients adds them to 'pending' first (one update for all of them); at zero the body is let go, and a count
-- that was too small is found then, before anything is lost.
CREATE TRIGGER recipient_born AFTER INSERT ON recipient BEGIN
    UPDATE total SET n = n + 1 WHERE what = 'accepted';
    UPDATE total SET n = n + 1 WHERE what = NEW.state;
    INSERT INTO tally (state, next_hop, hour, n)
        SELECT NEW.state, NEW.next_hop, NEW.accepted_at / 3600000, 1 WHERE NEW.finished_at IS NULL
        ON CONFLICT (state, next_hop, hour) DO UPDATE SET n = n + 1;
    INSERT INTO search_due (recipient) VALUES (NEW.id);
    SELECT RAISE(ABORT, 'the body of this message is gone: what a recipient comes from must be finished after it')
        WHERE NEW.finished_at IS NULL AND (SELECT body FROM message WHERE id = NEW.message) IS NULL;
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
    UPDATE total SET n = n + 1 WHERE what = NEW.state;
    UPDATE message SET pending = pending - 1, body = CASE pending WHEN 1 THEN NULL ELSE body END
        WHERE id = NEW.message AND NEW.finished_at IS NOT NULL AND NEW.state <> 'dead_letter';
END;

CREATE TRIGGER message_born AFTER INSERT ON message WHEN NEW.body IS NOT NULL BEGIN
    SELECT RAISE(ABORT, 'no such body') WHERE NOT EXISTS (SELECT 1 FROM body WHERE id = NEW.body);
    UPDATE body SET refs = refs + 1 WHERE id = NEW.body;
END;
CREATE TRIGGER message_keeps_its_body BEFORE UPDATE OF body ON message
WHEN NEW.body IS NOT NULL AND NEW.body IS NOT OLD.body BEGIN
    SELECT RAISE(ABORT, 'a message has one body from its birth');
END;
CREATE TRIGGER message_done_with_body AFTER UPDATE OF body ON message
WHEN OLD.body IS NOT NULL AND NEW.body IS NULL BEGIN
    SELECT RAISE(ABORT, 'a recipient still needs this body')
        WHERE EXISTS (SELECT 1 FROM recipient WHERE message = NEW.id AND finished_at IS NULL);
    UPDATE body SET refs = refs - 1 WHERE id = OLD.body;
END;
CREATE TRIGGER message_pruned AFTER DELETE ON message WHEN OLD.body IS NOT NULL BEGIN
    UPDATE body SET refs = refs - 1 WHERE id = OLD.body;
END;

CREATE TRIGGER body_counts_itself BEFORE INSERT ON body WHEN NEW.refs <> 0 BEGIN
    SELECT RAISE(ABORT, 'refs is counted, not given');
END;
CREATE TRIGGER body_unneeded AFTER UPDATE OF refs ON body WHEN NEW.refs = 0 BEGIN
    INSERT INTO body_file_done (file) SELECT NEW.file WHERE NEW.file IS NOT NULL;
    DELETE FROM body WHERE id = NEW.id;
END;
CREATE TRIGGER body_in_use BEFORE DELETE ON body WHEN OLD.refs > 0 BEGIN
    SELECT RAISE(ABORT, 'this body is still referred to');
END;

-- Final is final, and nothing that is not final can vanish: whoever tries, by whatever path.
-- (REPLACE counts as DELETE only with PRAGMA recursive_triggers, which every connection of ours sets.)
CREATE TRIGGER recipient_final_is_final BEFORE UPDATE ON recipient WHEN OLD.finished_at IS NOT NULL BEGIN
    SELECT RAISE(ABORT, 'final is final: this recipient has reached its last state');
END;
CREATE TRIGGER recipient_never_vanishes BEFORE DELETE ON recipient WHEN OLD.finished_at IS NULL BEGIN
    SELECT RAISE(ABORT, 'no silent drop: this recipient is not in a final state');
END;
CREATE TRIGGER recipient_stays_itself BEFORE UPDATE OF id, message, accepted_at ON recipient
WHEN OLD.id <> NEW.id OR OLD.message <> NEW.message OR OLD.accepted_at <> NEW.accepted_at BEGIN
    SELECT RAISE(ABORT, 'age counts from acceptance and is never reset, and a recipient stays with its message');
END;
