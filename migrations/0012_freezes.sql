-- Windows in which the occurrences of a merchant's templates are held until the end, or skipped.
CREATE TABLE freezes (
    merchant_id uuid NOT NULL,
    name        text NOT NULL CHECK (name <> ''),
    starts_at   timestamptz NOT NULL,
    -- The first instant after it.
    ends_at     timestamptz NOT NULL CHECK (ends_at > starts_at),
    action      text NOT NULL CHECK (action IN ('hold', 'skip')),
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (merchant_id, name)
);
