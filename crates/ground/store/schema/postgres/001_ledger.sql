-- The ledger: every message, every recipient, and what must happen to each next. The tables, rules and promises are those of
-- schema/sqlite; what differs for many nodes is said where it stands.
-- Times are UTC milliseconds since 1970. Only 'recipient' carries state; every rule about state is a constraint here.
-- Text is compared by its octets (COLLATE "C"), whatever the locale of the database.

-- Large bodies: written chunk by chunk while they arrive, before a row of 'body' names them. 'written_at' moves with each
-- chunk, so that one that is still arriving is not taken for an orphan.
CREATE TABLE body_file (
    file       TEXT COLLATE "C" PRIMARY KEY,
    size       BIGINT NOT NULL,
    written_at BIGINT NOT NULL
);

-- A body is stored once and counted: one reference for the message while any recipient still needs it, one for each copy in
-- a mailbox. Small bodies stand in 'content'; large ones in rows of 'body_chunk', named by 'file'.
-- Who refers to a body has no foreign key to it: to check one, each removal would search all messages and all mail. The
-- triggers below count instead, and say no where a key would.
CREATE TABLE body (
    id       BIGINT PRIMARY KEY,
    size     BIGINT NOT NULL,
    checksum BYTEA  NOT NULL CHECK (length(checksum) = 32),  -- BLAKE3 of the content
    refs     BIGINT NOT NULL DEFAULT 0 CHECK (refs >= 0),    -- counted here, never given
    file     TEXT COLLATE "C" REFERENCES body_file (file),   -- so that none is removed under the hands of who takes it
    content  BYTEA,
    CHECK ((file IS NULL) <> (content IS NULL))
);
CREATE UNIQUE INDEX body_by_file ON body (file) WHERE file IS NOT NULL;
-- Mail is not worth the processor time of the server's compression.
ALTER TABLE body ALTER content SET STORAGE EXTERNAL;

CREATE TABLE body_chunk (
    file    TEXT COLLATE "C" NOT NULL,
    place   BIGINT NOT NULL,                  -- 0, 1, ...; all but the last are of one size
    content BYTEA  NOT NULL,
    PRIMARY KEY (file, place)
);
ALTER TABLE body_chunk ALTER content SET STORAGE EXTERNAL;

-- Large bodies nobody refers to any more; the watch removes their chunks, then the row.
CREATE TABLE body_file_done (file TEXT COLLATE "C" PRIMARY KEY);

CREATE TABLE message (
    id          BIGINT PRIMARY KEY,           -- MessageId: milliseconds, node, sequence
    received_at BIGINT NOT NULL,
    sender      TEXT COLLATE "C" NOT NULL,    -- reverse path; '' is the null sender
    size        BIGINT NOT NULL,              -- octets of the body as stored
    body        BIGINT,                       -- NULL once nobody needs it
    origin      TEXT COLLATE "C" NOT NULL CHECK (origin IN ('smtp', 'submission', 'lmtp', 'sendmail', 'report')),
    listener    TEXT COLLATE "C" NOT NULL,
    peer        TEXT COLLATE "C" NOT NULL,
    helo        TEXT COLLATE "C" NOT NULL,
    tls         TEXT COLLATE "C" NOT NULL,    -- '' without TLS
    auth        TEXT COLLATE "C" NOT NULL,    -- '' without authentication
    body_type   TEXT COLLATE "C" NOT NULL CHECK (body_type IN ('7bit', '8bitmime', 'binarymime')),
    smtputf8    BIGINT NOT NULL CHECK (smtputf8 IN (0, 1)),
    ret         TEXT COLLATE "C" NOT NULL CHECK (ret IN ('', 'full', 'hdrs')),
    envid       TEXT COLLATE "C" NOT NULL,    -- '' when not given
    message_id  TEXT COLLATE "C" NOT NULL,    -- the Message-ID field, '' when absent
    subject     TEXT COLLATE "C" NOT NULL,    -- unfolded, cut to a bound
    cause       BIGINT,                       -- a report: the message it tells of
    pending     BIGINT NOT NULL CHECK (pending >= 0), -- recipients that still need the body; given before they are born, counted down here
    CHECK (pending = 0 OR body IS NOT NULL)
);
CREATE INDEX message_by_cause ON message (cause) WHERE cause IS NOT NULL;

CREATE TABLE recipient (
    id            BIGINT PRIMARY KEY,
    message       BIGINT NOT NULL REFERENCES message (id),
    parent        BIGINT,                     -- the expanded recipient this one came from
    address       TEXT COLLATE "C" NOT NULL,
    orcpt         TEXT COLLATE "C" NOT NULL,  -- RFC 3461 s4.2, '' when not given
    notify        BIGINT NOT NULL,            -- RFC 3461 s4.1 as bits: 1 never, 2 success, 4 failure, 8 delay; 0 not given
    state         TEXT COLLATE "C" NOT NULL CHECK (state IN ('categorizing', 'queued', 'in_flight', 'held',
                      'delivered', 'relayed', 'expanded', 'returned', 'discarded', 'dead_letter')),
    next_hop      TEXT COLLATE "C" NOT NULL,  -- '' before it is routed
    attempts      BIGINT NOT NULL,
    suspicion     BIGINT,                     -- NULL: none. Since a claim of it was lost: attempts that began and never ended
    accepted_at   BIGINT NOT NULL,            -- age counts from here, for ever
    retry_at      BIGINT NOT NULL,            -- not tried before, for a reason of its own
    notify_at     BIGINT,                     -- when the next delay notice is owed
    deadline_at   BIGINT,                     -- the watch looks again at this moment at the latest
    expires_at    BIGINT,
    claimed_by    BIGINT,                     -- epoch of the node that has it in flight
    claimed_until BIGINT,
    begun_at      BIGINT,                     -- a suspect's attempt, written and counted before it began
    hold_reason   TEXT COLLATE "C",
    held_by       TEXT COLLATE "C",
    hold_alarm_at BIGINT,                     -- when somebody should look at the hold
    last_reply    TEXT COLLATE "C" NOT NULL,
    last_peer     TEXT COLLATE "C" NOT NULL,
    finished_at   BIGINT,
    cause         TEXT COLLATE "C",           -- why it reached its final state
    actor         TEXT COLLATE "C",           -- who or what brought it there
    -- 'finished_at' and the final states are one and the same thing, said twice.
    CHECK ((finished_at IS NOT NULL)
        = (state IN ('delivered', 'relayed', 'expanded', 'returned', 'discarded', 'dead_letter'))),
    CHECK (finished_at IS NOT NULL
        OR (deadline_at IS NOT NULL AND expires_at IS NOT NULL AND deadline_at <= expires_at)),
    CHECK (finished_at IS NULL OR (deadline_at IS NULL AND cause IS NOT NULL AND actor IS NOT NULL)),
    CHECK ((state = 'in_flight') = (claimed_by IS NOT NULL) AND (claimed_by IS NULL) = (claimed_until IS NULL)),
    CHECK (begun_at IS NULL OR (state = 'in_flight' AND coalesce(suspicion, 0) > 0)),
    CHECK ((state = 'held') = (hold_reason IS NOT NULL) AND (hold_reason IS NULL) = (held_by IS NULL)
        AND (hold_reason IS NULL) = (hold_alarm_at IS NULL)),
    CHECK (state NOT IN ('queued', 'in_flight') OR next_hop <> '')
);
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
-- With the id: without statistics (a new store, a queue that was empty when they were taken) the server looks for one claimed
-- recipient by its owner, and must not find all of that owner's.
CREATE INDEX recipient_claims ON recipient (claimed_by, id) WHERE state = 'in_flight';
CREATE INDEX recipient_dead_letter ON recipient (id) WHERE state = 'dead_letter';
CREATE INDEX recipient_finished ON recipient (finished_at) WHERE finished_at IS NOT NULL;

-- Which messages have a sender, a recipient or a Message-ID. 'search_due' names the recipients whose words are not in the
-- index yet; the watch brings them in by batches, sorted, into the newest segment. A search looks at both, and compares the
-- rows themselves.
CREATE TABLE search_due (recipient BIGINT PRIMARY KEY);
CREATE TABLE search_segment (
    id     BIGINT PRIMARY KEY,
    words  BIGINT NOT NULL,                   -- as many as it was given; full ones get no more
    newest BIGINT NOT NULL                    -- the greatest message in it: with that one's history the segment goes
);
CREATE TABLE search_word (
    segment BIGINT NOT NULL,
    word    BIGINT NOT NULL,                  -- hash of a lower-case word
    message BIGINT NOT NULL,
    PRIMARY KEY (segment, word, message)
);

-- One row for each attempt at a recipient, with the peer's words as they came.
CREATE TABLE attempt (
    id           BIGINT PRIMARY KEY,
    message      BIGINT NOT NULL,
    recipient    BIGINT NOT NULL,
    node         TEXT COLLATE "C" NOT NULL,
    started_at   BIGINT NOT NULL,
    ended_at     BIGINT NOT NULL,
    next_hop     TEXT COLLATE "C" NOT NULL,
    peer         TEXT COLLATE "C" NOT NULL,   -- host name that was dialled
    address      TEXT COLLATE "C" NOT NULL,   -- ip:port
    tls          TEXT COLLATE "C" NOT NULL,
    last_command TEXT COLLATE "C" NOT NULL,
    reply        TEXT COLLATE "C" NOT NULL,
    bytes        BIGINT NOT NULL,
    outcome      TEXT COLLATE "C" NOT NULL CHECK (outcome IN ('delivered', 'relayed', 'deferred', 'failed', 'unknown')),
    transcript   TEXT COLLATE "C" NOT NULL    -- '' on success
);
CREATE INDEX attempt_by_message ON attempt (message);

-- What happened that is neither an acceptance (a message row) nor an attempt. Operators' acts too.
CREATE TABLE event (
    id        BIGINT PRIMARY KEY,
    at        BIGINT NOT NULL,
    message   BIGINT,
    recipient BIGINT,
    kind      TEXT COLLATE "C" NOT NULL,      -- the closed vocabulary of path-ledger
    doer      TEXT COLLATE "C" NOT NULL DEFAULT 'program' CHECK (doer IN ('person', 'program')),
    actor     TEXT COLLATE "C" NOT NULL,
    detail    TEXT COLLATE "C" NOT NULL
);
CREATE INDEX event_by_message ON event (message) WHERE message IS NOT NULL;
CREATE INDEX event_by_recipient ON event (recipient) WHERE message IS NULL AND recipient IS NOT NULL; -- its message is not known
CREATE INDEX event_by_time ON event (at);
-- Pages of the newest of one kind: of people's or programs' doing, or by one actor.
CREATE INDEX event_by_kind ON event (kind, doer, id);
CREATE INDEX event_by_actor ON event (actor, kind, id);

-- Retry state belongs to the next hop: a dead destination costs one row, not one row a message.
CREATE TABLE next_hop (
    key          TEXT COLLATE "C" PRIMARY KEY,
    state        TEXT COLLATE "C" NOT NULL CHECK (state IN ('up', 'down', 'paused')),
    retry_at     BIGINT NOT NULL,
    failures     BIGINT NOT NULL,
    changed_at   BIGINT NOT NULL,
    last_reply   TEXT COLLATE "C" NOT NULL,
    last_peer    TEXT COLLATE "C" NOT NULL,
    paused_by    TEXT COLLATE "C",
    paused_until BIGINT,
    reason       TEXT COLLATE "C",
    CHECK ((state = 'paused') = (paused_by IS NOT NULL AND paused_until IS NOT NULL AND reason IS NOT NULL))
);

-- A node lives by its epoch: a restart takes a new one, and what an old epoch claimed is lost to it.
CREATE TABLE node (
    id           BIGINT PRIMARY KEY CHECK (id BETWEEN 0 AND 255),
    name         TEXT COLLATE "C" NOT NULL UNIQUE,
    epoch        BIGINT NOT NULL UNIQUE,
    -- 'up'; stopped in good order; fenced, for it gave no sign of life, and others took over what it had claimed; or no server
    -- but a command, which claims nothing.
    state        TEXT COLLATE "C" NOT NULL DEFAULT 'up' CHECK (state IN ('up', 'stopped', 'fenced', 'command')),
    draining     BIGINT NOT NULL DEFAULT 0 CHECK (draining IN (0, 1)),  -- it takes no new work: maintenance
    beats        BIGINT NOT NULL DEFAULT 0,   -- signs of life of this epoch; others see them change, whatever the clocks say
    heartbeat_at BIGINT NOT NULL,             -- the last, by its own clock
    -- It was away, and the mail that waited meanwhile is not treated yet: since when it was gone, and when it came back. A
    -- crash before all is treated leaves both as they are.
    away_since   BIGINT,
    back_at      BIGINT,
    CHECK ((away_since IS NULL) = (back_at IS NULL))
);

-- Exact counts, kept in the transaction that changes them; 'tally' and 'total' are read as with SQLite.
-- A count that all nodes update is a row that all commits wait for, and where they wait for two they deadlock. So a change of
-- a count is a row of its own, which touches nobody's, and readers add up. fold_counts() sums the changes up into the kept
-- rows from time to time: one transaction at a time does it, and whoever finds it being done goes on without. A reader's
-- snapshot has each change in exactly one of the two places.
CREATE TABLE tally_kept (
    state    TEXT COLLATE "C" NOT NULL,
    next_hop TEXT COLLATE "C" NOT NULL,
    hour     BIGINT NOT NULL,                 -- accepted_at in hours since 1970
    n        BIGINT NOT NULL,
    PRIMARY KEY (state, next_hop, hour)
);
CREATE INDEX tally_kept_empty ON tally_kept (state) WHERE n = 0;
CREATE TABLE total_kept (what TEXT COLLATE "C" PRIMARY KEY, n BIGINT NOT NULL);
INSERT INTO total_kept (what, n) VALUES ('accepted', 0),
    ('delivered', 0), ('relayed', 0), ('expanded', 0), ('returned', 0), ('discarded', 0), ('dead_letter', 0);

-- These live for a second or so: their room must come back often.
CREATE TABLE tally_change (
    state    TEXT COLLATE "C" NOT NULL,
    next_hop TEXT COLLATE "C" NOT NULL,
    hour     BIGINT NOT NULL,
    n        BIGINT NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);
CREATE TABLE total_change (
    what TEXT COLLATE "C" NOT NULL,
    n    BIGINT NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

CREATE VIEW tally AS
    SELECT state, next_hop, hour, CAST(sum(n) AS BIGINT) AS n
    FROM (SELECT state, next_hop, hour, n FROM tally_kept UNION ALL SELECT state, next_hop, hour, n FROM tally_change) AS each
    GROUP BY state, next_hop, hour HAVING sum(n) <> 0;
-- Ever since the store was made: 'accepted', and each final state.
CREATE VIEW total AS
    SELECT what, CAST(sum(n) AS BIGINT) AS n
    FROM (SELECT what, n FROM total_kept UNION ALL SELECT what, n FROM total_change) AS each
    GROUP BY what;

CREATE FUNCTION fold_counts() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('postrider'), hashtext('fold_counts')) THEN
        RETURN;
    END IF;
    WITH changes AS (DELETE FROM tally_change RETURNING state, next_hop, hour, n)
    INSERT INTO tally_kept AS kept (state, next_hop, hour, n)
        SELECT state, next_hop, hour, sum(n) FROM changes GROUP BY state, next_hop, hour HAVING sum(n) <> 0
        ON CONFLICT (state, next_hop, hour) DO UPDATE SET n = kept.n + excluded.n;
    DELETE FROM tally_kept WHERE n = 0;
    WITH changes AS (DELETE FROM total_change RETURNING what, n)
    INSERT INTO total_kept AS kept (what, n)
        SELECT what, sum(n) FROM changes GROUP BY what
        ON CONFLICT (what) DO UPDATE SET n = kept.n + excluded.n;
END $$;

-- A recipient needs the body until its final state; a dead letter needs it until history is pruned.
-- Who inserts recipients adds them to 'pending' first (one update for all of them; its lock on the message is what keeps two
-- nodes apart); at zero the body is let go, and a count that was too small is found then, before anything is lost.
CREATE FUNCTION recipient_born() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO total_change (what, n) VALUES ('accepted', 1);
    INSERT INTO search_due (recipient) VALUES (NEW.id);
    IF NEW.finished_at IS NOT NULL THEN
        INSERT INTO total_change (what, n) VALUES (NEW.state, 1);
        RETURN NULL;
    END IF;
    INSERT INTO tally_change (state, next_hop, hour, n) VALUES (NEW.state, NEW.next_hop, NEW.accepted_at / 3600000, 1);
    IF (SELECT body FROM message WHERE id = NEW.message) IS NULL THEN
        RAISE EXCEPTION 'the body of this message is gone: what a recipient comes from must be finished after it';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER recipient_born AFTER INSERT ON recipient FOR EACH ROW EXECUTE FUNCTION recipient_born();

CREATE FUNCTION recipient_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tally_change (state, next_hop, hour, n) VALUES (OLD.state, OLD.next_hop, OLD.accepted_at / 3600000, -1);
    IF NEW.finished_at IS NULL THEN
        INSERT INTO tally_change (state, next_hop, hour, n) VALUES (NEW.state, NEW.next_hop, NEW.accepted_at / 3600000, 1);
        RETURN NULL;
    END IF;
    INSERT INTO total_change (what, n) VALUES (NEW.state, 1);
    IF NEW.state <> 'dead_letter' THEN
        UPDATE message SET pending = pending - 1, body = CASE pending WHEN 1 THEN NULL ELSE body END WHERE id = NEW.message;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER recipient_moved AFTER UPDATE OF state, next_hop ON recipient FOR EACH ROW
    WHEN (OLD.state <> NEW.state OR OLD.next_hop <> NEW.next_hop) EXECUTE FUNCTION recipient_moved();

-- The lock comes with the count: a body that another transaction is removing is waited for, and then not there.
CREATE FUNCTION body_taken(wanted BIGINT) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE body SET refs = refs + 1 WHERE id = wanted;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no such body';
    END IF;
END $$;

CREATE FUNCTION message_born() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM body_taken(NEW.body);
    RETURN NULL;
END $$;
CREATE TRIGGER message_born AFTER INSERT ON message FOR EACH ROW
    WHEN (NEW.body IS NOT NULL) EXECUTE FUNCTION message_born();

-- For rules that need to know no more than that somebody tries: the text says why not.
CREATE FUNCTION refused() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0];
END $$;

CREATE TRIGGER message_keeps_its_body BEFORE UPDATE OF body ON message FOR EACH ROW
    WHEN (NEW.body IS NOT NULL AND NEW.body IS DISTINCT FROM OLD.body)
    EXECUTE FUNCTION refused('a message has one body from its birth');

CREATE FUNCTION message_done_with_body() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Said so that no index of all that is not finished can be taken for it, as the server does without statistics.
    IF EXISTS (SELECT 1 FROM recipient WHERE message = NEW.id AND coalesce(finished_at, -1) = -1) THEN
        RAISE EXCEPTION 'a recipient still needs this body';
    END IF;
    UPDATE body SET refs = refs - 1 WHERE id = OLD.body;
    RETURN NULL;
END $$;
CREATE TRIGGER message_done_with_body AFTER UPDATE OF body ON message FOR EACH ROW
    WHEN (OLD.body IS NOT NULL AND NEW.body IS NULL) EXECUTE FUNCTION message_done_with_body();

CREATE FUNCTION message_pruned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE body SET refs = refs - 1 WHERE id = OLD.body;
    RETURN NULL;
END $$;
CREATE TRIGGER message_pruned AFTER DELETE ON message FOR EACH ROW
    WHEN (OLD.body IS NOT NULL) EXECUTE FUNCTION message_pruned();

CREATE TRIGGER body_counts_itself BEFORE INSERT ON body FOR EACH ROW
    WHEN (NEW.refs <> 0) EXECUTE FUNCTION refused('refs is counted, not given');

CREATE FUNCTION body_unneeded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.file IS NOT NULL THEN
        INSERT INTO body_file_done (file) VALUES (NEW.file);
    END IF;
    DELETE FROM body WHERE id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER body_unneeded AFTER UPDATE OF refs ON body FOR EACH ROW
    WHEN (NEW.refs = 0) EXECUTE FUNCTION body_unneeded();
CREATE TRIGGER body_in_use BEFORE DELETE ON body FOR EACH ROW
    WHEN (OLD.refs > 0) EXECUTE FUNCTION refused('this body is still referred to');

-- Final is final, and nothing that is not final can vanish: whoever tries, by whatever path.
CREATE TRIGGER recipient_final_is_final BEFORE UPDATE ON recipient FOR EACH ROW
    WHEN (OLD.finished_at IS NOT NULL)
    EXECUTE FUNCTION refused('final is final: this recipient has reached its last state');
CREATE TRIGGER recipient_never_vanishes BEFORE DELETE ON recipient FOR EACH ROW
    WHEN (OLD.finished_at IS NULL)
    EXECUTE FUNCTION refused('no silent drop: this recipient is not in a final state');
CREATE TRIGGER recipient_stays_itself BEFORE UPDATE OF id, message, accepted_at ON recipient FOR EACH ROW
    WHEN (OLD.id <> NEW.id OR OLD.message <> NEW.message OR OLD.accepted_at <> NEW.accepted_at)
    EXECUTE FUNCTION refused('age counts from acceptance and is never reset, and a recipient stays with its message');
-- TRUNCATE fires no trigger of rows.
CREATE TRIGGER recipient_never_truncated BEFORE TRUNCATE ON recipient
    EXECUTE FUNCTION refused('no silent drop: recipients are not truncated');
CREATE TRIGGER message_never_truncated BEFORE TRUNCATE ON message
    EXECUTE FUNCTION refused('no silent drop: messages are not truncated');
CREATE TRIGGER body_never_truncated BEFORE TRUNCATE ON body
    EXECUTE FUNCTION refused('no silent drop: bodies are not truncated');
