-- Backfills: nominal times of a template's past that are run after all, or again.

CREATE TABLE backfills (
    merchant_id  uuid NOT NULL,
    id           uuid NOT NULL,
    template_id  uuid NOT NULL,
    state        text NOT NULL CHECK (state IN ('running', 'paused', 'completed', 'cancelled')),
    -- Why it was cancelled, when nobody asked for it.
    reason       text,
    -- The nominal times that it is about; both ends included.
    from_at      timestamptz NOT NULL,
    to_at        timestamptz NOT NULL CHECK (to_at >= from_at),
    newest_first boolean NOT NULL,
    -- So many of its jobs are live at a time.
    max_active   integer NOT NULL CHECK (max_active BETWEEN 1 AND 1000),
    reprocess    text NOT NULL CHECK (reprocess IN ('none', 'failed', 'completed')),
    -- What there was to do when it began.
    total        integer NOT NULL CHECK (total >= 0),
    first_at     timestamptz,
    last_at      timestamptz,
    -- The last nominal time that was looked at, in its order; NULL: none yet.
    cursor_at    timestamptz,
    -- Every time has been looked at.
    exhausted    boolean NOT NULL DEFAULT false,
    created      integer NOT NULL DEFAULT 0,
    -- Ends of its jobs that were counted; those of backfill_endings come on top.
    succeeded    integer NOT NULL DEFAULT 0,
    failed       integer NOT NULL DEFAULT 0,
    other        integer NOT NULL DEFAULT 0,
    -- When a manager looked at it last; later than now: it is left alone until then.
    looked_at    timestamptz NOT NULL,
    created_at   timestamptz NOT NULL,
    ended_at     timestamptz,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT the_end_has_a_time CHECK ((state IN ('completed', 'cancelled')) = (ended_at IS NOT NULL))
);
CREATE INDEX backfills_by_template ON backfills (merchant_id, template_id, id);
CREATE INDEX backfills_running ON backfills (looked_at) WHERE state = 'running';
CREATE INDEX backfills_ended ON backfills (ended_at) WHERE ended_at IS NOT NULL;

ALTER TABLE jobs_finished ADD COLUMN backfill_id uuid;

-- What a backfill has put its own record in the place of: it is put back when the backfill is cancelled before the job has
-- started.
ALTER TABLE occurrences ADD COLUMN replaced jsonb;

-- Ends of backfills' jobs, until a manager has counted them. Rows and no counters, so that an end waits for nobody.
CREATE TABLE backfill_endings (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    merchant_id uuid NOT NULL,
    backfill_id uuid NOT NULL,
    state       text NOT NULL
);
CREATE INDEX backfill_endings_by_backfill ON backfill_endings (merchant_id, backfill_id);

-- A trigger, so that no way of ending a job can forget it; in the transaction of the end, so that none is lost.
CREATE FUNCTION note_backfill_ending() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO backfill_endings (merchant_id, backfill_id, state) VALUES (NEW.merchant_id, NEW.backfill_id, NEW.state);
    RETURN NULL;
END $$;
CREATE TRIGGER note_backfill_ending AFTER INSERT ON jobs_finished
    FOR EACH ROW WHEN (NEW.backfill_id IS NOT NULL) EXECUTE FUNCTION note_backfill_ending();
