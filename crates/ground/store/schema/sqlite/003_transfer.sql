-- Which store this is, and whether its mail is on the way from or to another one (src/transfer.rs).

-- Made by chance, once: the two ends of a move know each other by it.
CREATE TABLE store (id TEXT PRIMARY KEY) WITHOUT ROWID, STRICT;
INSERT INTO store (id) VALUES (lower(hex(randomblob(16))));

-- No row: this store serves. One row: it does not, and why.
CREATE TABLE transfer (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    role    TEXT    NOT NULL CHECK (role = 'arriving' OR role = 'arrived' OR role = 'leaving' OR role = 'left'),
    other   TEXT    NOT NULL,                 -- the id of the store at the other end
    place   TEXT    NOT NULL,                 -- where that is, without a password
    witness TEXT    NOT NULL,                 -- how the source stood when its mail began to arrive; '' in the source
    run     INTEGER NOT NULL,                 -- of the command that writes here now: an earlier one writes no more
    since   INTEGER NOT NULL
) STRICT;
