-- Somebody may skip or move an occurrence years before its day has a partition; its record waits in the default one. When the
-- day's partition is made the records of that day move there: as long as they are in the default one, no other can take the day.
--
-- ensure_day_partitions with that step. What is said there holds here.
CREATE FUNCTION ensure_day_partitions_v2(p_day date) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    parent  text;
    child   text;
    v_first timestamptz := p_day::timestamp AT TIME ZONE 'UTC';
    v_after timestamptz := (p_day + 1)::timestamp AT TIME ZONE 'UTC';
    made    integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ensure_day_partitions'));
    FOREACH parent IN ARRAY ARRAY['jobs_finished_dead', 'jobs_finished_other', 'executions', 'occurrences'] LOOP
        child := parent || to_char(p_day, '"_"YYYYMMDD');
        IF to_regclass(child) IS NULL THEN
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', child, parent);
            IF parent = 'occurrences' THEN
                -- Locks in the order in which a writer and ATTACH take them, and whole: nobody misses a record on its way.
                LOCK TABLE ONLY occurrences IN SHARE UPDATE EXCLUSIVE MODE;
                LOCK TABLE occurrences_default IN ACCESS EXCLUSIVE MODE;
                EXECUTE format('WITH early AS (DELETE FROM occurrences_default WHERE nominal_at >= %L AND nominal_at < %L
                                               RETURNING *)
                                INSERT INTO %I SELECT * FROM early', v_first, v_after, child);
            END IF;
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                           parent, child, v_first, v_after);
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
END $$;
