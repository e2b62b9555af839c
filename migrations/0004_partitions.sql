-- Daily partitions: made ahead by the failure watcher, dropped whole by its retention.

-- Makes the partitions of one day where they are missing; returns how many it made. Safe to call from anywhere at
-- any time: the advisory lock lets one caller work. ATTACH stops no readers or writers of the parent and its other
-- partitions, but it locks the default partition exclusively while it makes sure that no row there belongs to the new
-- one: for a moment as long as that is empty, and whoever reads or writes it waits.
CREATE FUNCTION ensure_day_partitions(p_day date) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    parent text;
    child  text;
    made   integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ensure_day_partitions'));
    FOREACH parent IN ARRAY ARRAY['jobs_finished_dead', 'jobs_finished_other', 'executions', 'occurrences'] LOOP
        child := parent || to_char(p_day, '"_"YYYYMMDD');
        IF to_regclass(child) IS NULL THEN
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', child, parent);
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                           parent, child,
                           p_day::timestamp AT TIME ZONE 'UTC', (p_day + 1)::timestamp AT TIME ZONE 'UTC');
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
END $$;

SELECT ensure_day_partitions((clock_timestamp() AT TIME ZONE 'UTC')::date + d) FROM generate_series(0, 7) AS d;
