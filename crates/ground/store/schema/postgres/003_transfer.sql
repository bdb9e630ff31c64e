-- Which store this is, and whether its mail is on the way from or to another one (src/transfer.rs).

-- Made by chance, once: the two ends of a move know each other by it.
CREATE TABLE store (id TEXT COLLATE "C" PRIMARY KEY);
INSERT INTO store (id) VALUES (replace(CAST(gen_random_uuid() AS TEXT), '-', ''));

-- No row: this store serves. One row: it does not, and why.
CREATE TABLE transfer (
    id      BIGINT PRIMARY KEY CHECK (id = 1),
    role    TEXT COLLATE "C" NOT NULL CHECK (role IN ('arriving', 'arrived', 'leaving', 'left')),
    other   TEXT COLLATE "C" NOT NULL,        -- the id of the store at the other end
    place   TEXT COLLATE "C" NOT NULL,        -- where that is, without a password
    witness TEXT COLLATE "C" NOT NULL,        -- how the source stood when its mail began to arrive; '' in the source
    run     BIGINT NOT NULL,                  -- of the command that writes here now: an earlier one writes no more
    since   BIGINT NOT NULL
);
