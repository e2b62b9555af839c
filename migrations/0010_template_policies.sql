-- Policies of templates, and a ledger that knows every outcome.

-- Policies are read by the program alone and never searched by, hence one document; its absence means all defaults, so
-- that the older version of the daemons can go on writing rows.
ALTER TABLE templates
    ADD COLUMN policies           jsonb NOT NULL DEFAULT '{}',
    -- Occurrences that became jobs; max_runs counts them.
    ADD COLUMN runs               bigint NOT NULL DEFAULT 0,
    -- End of the last run, where the schedule counts from it.
    ADD COLUMN last_completion_at timestamptz,
    -- Why it was paused, when nobody asked for it.
    ADD COLUMN pause_reason       text;

-- `active` makes a version that does not fire a range of the ledger: every nominal time from its creation to that of the
-- next version is missed_paused, without a row for each.
ALTER TABLE template_versions
    ADD COLUMN policies jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN active   boolean NOT NULL DEFAULT true;
UPDATE template_versions v SET active = false
  FROM templates t
 WHERE t.merchant_id = v.merchant_id AND t.id = v.template_id AND t.version = v.version AND NOT t.active;

ALTER TABLE occurrences
    -- More than the outcome says: the calendar, the freeze window, the later job that took its place.
    ADD COLUMN reason      text,
    -- Somebody moved this one occurrence; the nominal time stays its name.
    ADD COLUMN moved_to    timestamptz,
    -- The backfill that made (or made again) its job.
    ADD COLUMN backfill_id uuid;

-- The checks of the first version, here and in every partition: those were made as copies and keep theirs otherwise.
DO $$
DECLARE
    part regclass;
BEGIN
    FOR part IN SELECT 'occurrences'::regclass UNION ALL
                SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'occurrences'::regclass LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS occurrences_outcome_check', part);
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS dispatched_has_job', part);
    END LOOP;
END $$;
ALTER TABLE occurrences
    ADD CONSTRAINT outcome_is_known CHECK (outcome IN (
        'dispatched', 'skipped_overlap', 'skipped_calendar', 'skipped_user', 'skipped_dst_gap',
        'missed_window', 'missed_paused', 'dropped_quota', 'backfilled')) NOT VALID,
    ADD CONSTRAINT what_ran_has_job CHECK (
        outcome NOT IN ('dispatched', 'skipped_overlap', 'backfilled') OR job_id IS NOT NULL) NOT VALID;

ALTER TABLE jobs_live
    -- What follows when the job falls due beside earlier ones of its template; NULL is what the first version wrote: skip
    -- if overlap_skip ("must not start beside an earlier one"), otherwise nothing.
    ADD COLUMN overlap     text,
    -- Made by a backfill: it has its own limit, and is in nobody's way.
    ADD COLUMN backfill_id uuid;
CREATE INDEX jobs_live_backfill ON jobs_live (merchant_id, backfill_id) WHERE backfill_id IS NOT NULL;

-- What has happened that a template must be looked at for: a job of it has ended, a calendar has changed. The recurrence
-- managers take these, in order.
CREATE TABLE template_reviews (
    -- Nothing else is unique on purpose: an end must not wait for a manager that is just working off an earlier one.
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    merchant_id uuid NOT NULL,
    template_id uuid NOT NULL,
    -- failed: a job became a dead letter; ended: a job that the template waits for has ended; replan: what is planned and
    -- not due may be out of date.
    kind        text NOT NULL CHECK (kind IN ('failed', 'ended', 'replan')),
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX template_reviews_by_template ON template_reviews (merchant_id, template_id);

-- A trigger, so that no way of ending a job can forget it; in the transaction of the end, so that none is lost. It takes
-- no lock on the template: whoever changes that one holds its row and waits for claim keys, and an end holds those.
CREATE FUNCTION ask_for_template_review() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO template_reviews (merchant_id, template_id, kind)
    VALUES (NEW.merchant_id, NEW.template_id, CASE WHEN NEW.is_dead THEN 'failed' ELSE 'ended' END);
    RETURN NULL;
END $$;
CREATE TRIGGER ask_for_template_review AFTER INSERT ON jobs_finished
    FOR EACH ROW WHEN (NEW.template_id IS NOT NULL AND (NEW.is_dead OR NEW.has_dependents))
    EXECUTE FUNCTION ask_for_template_review();
