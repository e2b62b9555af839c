-- Overlap policies that let a job wait for its turn or end the earlier ones, and several jobs of a template at once.
--
-- A job with `overlap` set is judged as it falls due and before its first attempt, by what is *in its way*: other live jobs
-- of its template that have started, or that come before it (by scheduled_for) and are due, too. Jobs of a backfill are in
-- nobody's way. `template_limit` of them may be; without one, none. Such a job carries its template_limit always, so that the
-- version before this one, which knows no waiting, keeps to the number all the same.

-- What a job has to do with so many in its way: NULL: nothing, it may start; skip: it is skipped; wait: it waits for its
-- turn; displace: the earliest of them are ended for it, and it waits until they have.
CREATE FUNCTION overlap_verdict_v1(p_overlap text, p_limit integer, p_in_the_way bigint)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN p_in_the_way < coalesce(p_limit, 1)                                       THEN NULL
                WHEN p_overlap IS NULL OR p_overlap = 'skip'                                   THEN 'skip'
                -- One waits already.
                WHEN p_overlap = 'buffer_one' AND p_in_the_way > coalesce(p_limit, 1)          THEN 'skip'
                WHEN p_overlap IN ('cancel_other', 'terminate_other')                          THEN 'displace'
                ELSE 'wait' END
$$;

-- What may have to be judged as it falls due; serves the statements of the version before, too.
CREATE INDEX jobs_live_judged ON jobs_live (run_at, merchant_id, id)
    WHERE (overlap_skip OR overlap IS NOT NULL) AND state = 'scheduled';
DROP INDEX jobs_live_overlap;

-- Jobs of templates that somebody lets run before their nominal time: they may have started although later ones have not.
CREATE INDEX jobs_live_hurried ON jobs_live (merchant_id, template_id)
    WHERE template_id IS NOT NULL AND run_at < scheduled_for;

-- Few queues are held back; the claim asks for them first.
CREATE INDEX queues_held_back ON queues (merchant_id)
    WHERE paused_at IS NOT NULL OR concurrency IS NOT NULL OR merchant_concurrency IS NOT NULL;

-- The claim, in one round trip and one transaction; claim_jobs_v2 with the overlap policies. What is said there holds here.
CREATE FUNCTION claim_jobs_v3(p_session uuid, p_merchants uuid[], p_jobs uuid[], p_tokens uuid[], p_ahead interval)
RETURNS TABLE (
    o_merchant_id uuid, o_job_id uuid, o_token uuid, o_answer text, o_due_in_us bigint,
    o_attempt integer, o_max_attempts integer, o_timeout_ms integer, o_priority smallint, o_run_at timestamptz,
    o_scheduled_for timestamptz, o_template_id uuid, o_queue text, o_lane text,
    o_target text, o_payload text, o_traceparent text, o_crashes integer, o_cancel_requested boolean
) LANGUAGE plpgsql VOLATILE
-- Plans made while the tables are empty would scan them whole for ever after.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_taken    bigint;
    v_answered bigint;
    v_now      timestamptz;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = p_session AND s.lost_at IS NULL) THEN
        RETURN;
    END IF;

    INSERT INTO claims (merchant_id, job_id, token, session_id, granted_at)
    SELECT w.merchant_id, w.job_id, w.token, p_session, clock_timestamp()
      FROM unnest(p_merchants, p_jobs, p_tokens) AS w (merchant_id, job_id, token)
     ORDER BY w.merchant_id, w.job_id
    ON CONFLICT DO NOTHING;

    -- The common case, at three quarters of the cost: all keys were free, no queue of these merchants is held back, and every
    -- job may start. All or nothing: otherwise the statement below looks at all of them again and finds what is different.
    GET DIAGNOSTICS v_taken = ROW_COUNT;
    IF v_taken = cardinality(p_jobs) AND NOT EXISTS (
        SELECT 1 FROM queues q
         WHERE q.merchant_id = ANY (p_merchants)
           AND (q.paused_at IS NOT NULL OR q.concurrency IS NOT NULL OR q.merchant_concurrency IS NOT NULL))
    THEN
        v_now := clock_timestamp();
        RETURN QUERY
        SELECT f.merchant_id, f.id, f.token, 'granted',
               greatest(0, (extract(epoch FROM f.run_at - v_now) * 1000000)::bigint),
               f.attempt + 1, f.max_attempts, f.timeout_ms, f.priority, f.run_at,
               f.scheduled_for, f.template_id, f.queue, f.lane,
               f.target, f.payload, f.traceparent, f.crashes, f.cancel_requested_at IS NOT NULL
          FROM (SELECT w.token, j.*, count(*) OVER () AS startable
                  FROM unnest(p_merchants, p_jobs, p_tokens) AS w (merchant_id, job_id, token)
                 CROSS JOIN LATERAL (
                       SELECT j.* FROM jobs_live j
                        WHERE j.merchant_id = w.merchant_id AND j.id = w.job_id
                          AND j.state IN ('scheduled', 'retrying') AND j.run_at <= v_now + p_ahead
                          AND (j.start_deadline_at IS NULL OR j.start_deadline_at >= v_now)
                          AND j.concurrency_key IS NULL AND j.template_limit IS NULL OFFSET 0) j
                 WHERE NOT (j.overlap_skip OR j.overlap IS NOT NULL) OR j.attempt > 0
                    OR overlap_verdict_v1(j.overlap, j.template_limit, (
                       SELECT count(*) FROM (
                       (SELECT FROM jobs_live o
                              WHERE o.merchant_id = j.merchant_id AND o.template_id = j.template_id AND o.id <> j.id
                                AND o.scheduled_for <= CASE WHEN j.run_at > j.scheduled_for THEN statement_timestamp()
                                                            ELSE j.scheduled_for END
                                AND o.backfill_id IS NULL
                                AND (o.attempt > 0
                                     OR CASE WHEN o.scheduled_for < j.scheduled_for
                                             THEN o.run_at <= greatest(clock_timestamp(), j.run_at)
                                             -- A key of this very call is a wish only.
                                             ELSE (SELECT r.token FROM claims r
                                                    WHERE r.merchant_id = o.merchant_id AND r.job_id = o.id
                                                      AND r.xmin <> pg_current_xact_id()::xid) IS NOT NULL END)
                              ORDER BY o.scheduled_for
                              LIMIT coalesce(j.template_limit, 1) + 1)
                             UNION ALL
                       -- Those that were let run before their time, and have started.
                       (SELECT FROM jobs_live o
                              WHERE o.merchant_id = j.merchant_id AND o.template_id = j.template_id AND o.id <> j.id
                                AND o.run_at < o.scheduled_for
                                AND o.scheduled_for > CASE WHEN j.run_at > j.scheduled_for THEN statement_timestamp()
                                                           ELSE j.scheduled_for END
                                AND o.backfill_id IS NULL
                                AND (o.attempt > 0 OR (
                                SELECT r.token FROM claims r
                                      WHERE r.merchant_id = o.merchant_id AND r.job_id = o.id
                                        AND r.xmin <> pg_current_xact_id()::xid) IS NOT NULL)
                              LIMIT coalesce(j.template_limit, 1) + 1)) o)) IS NULL) f
         WHERE f.startable = cardinality(p_jobs);
        IF FOUND THEN
            RETURN;
        END IF;
    END IF;

    RETURN QUERY
    WITH seen AS (
        SELECT w.merchant_id AS w_merchant, w.job_id AS w_job, w.token AS w_token, j.*,
               q.concurrency AS queue_limit, q.merchant_concurrency AS merchant_limit,
               CASE
                   WHEN c.token IS NULL                                    THEN 'taken'
                   WHEN j.id IS NULL                                       THEN 'gone'
                   WHEN j.state NOT IN ('scheduled', 'retrying')           THEN 'gone'
                   WHEN j.start_deadline_at < clock_timestamp()            THEN 'gone'
                   WHEN c.is_old                                           THEN 'granted'
                   WHEN q.paused_at IS NOT NULL                            THEN 'paused'
                   WHEN j.run_at > clock_timestamp() + p_ahead             THEN 'not_due'
                   -- Only before the first attempt: what has started goes on, whatever else becomes due.
                   WHEN (j.overlap_skip OR j.overlap IS NOT NULL) AND j.attempt = 0
                        AND overlap_verdict_v1(j.overlap, j.template_limit, (
                            SELECT count(*) FROM (
                            (SELECT FROM jobs_live o
                              WHERE o.merchant_id = j.merchant_id AND o.template_id = j.template_id AND o.id <> j.id
                                AND o.scheduled_for <= CASE WHEN j.run_at > j.scheduled_for THEN statement_timestamp()
                                                            ELSE j.scheduled_for END
                                AND o.backfill_id IS NULL
                                AND (o.attempt > 0
                                     OR CASE WHEN o.scheduled_for < j.scheduled_for
                                             THEN o.run_at <= greatest(clock_timestamp(), j.run_at)
                                             -- A key of this very call is a wish only.
                                             ELSE (SELECT r.token FROM claims r
                                                    WHERE r.merchant_id = o.merchant_id AND r.job_id = o.id
                                                      AND r.xmin <> pg_current_xact_id()::xid) IS NOT NULL END)
                              ORDER BY o.scheduled_for
                              LIMIT coalesce(j.template_limit, 1) + 1)
                             UNION ALL
                            -- Those that were let run before their time, and have started.
                            (SELECT FROM jobs_live o
                              WHERE o.merchant_id = j.merchant_id AND o.template_id = j.template_id AND o.id <> j.id
                                AND o.run_at < o.scheduled_for
                                AND o.scheduled_for > CASE WHEN j.run_at > j.scheduled_for THEN statement_timestamp()
                                                           ELSE j.scheduled_for END
                                AND o.backfill_id IS NULL
                                AND (o.attempt > 0 OR (
                                     SELECT r.token FROM claims r
                                      WHERE r.merchant_id = o.merchant_id AND r.job_id = o.id
                                        AND r.xmin <> pg_current_xact_id()::xid) IS NOT NULL)
                              LIMIT coalesce(j.template_limit, 1) + 1)) o)) IS NOT NULL
                                                                           THEN 'overlap'
                   WHEN j.concurrency_key IS NOT NULL OR j.template_limit IS NOT NULL
                        OR q.concurrency IS NOT NULL OR q.merchant_concurrency IS NOT NULL
                                                                           THEN 'capped'
                   ELSE 'granted'
               END AS answer
          FROM unnest(p_merchants, p_jobs, p_tokens) AS w (merchant_id, job_id, token)
          -- OFFSET 0: each of them is looked up by key for each wish, and is not joined with the next one first.
          LEFT JOIN LATERAL (
               SELECT c.token, c.xmin <> pg_current_xact_id()::xid AS is_old FROM claims c
                WHERE c.merchant_id = w.merchant_id AND c.job_id = w.job_id AND c.token = w.token OFFSET 0) c ON true
          LEFT JOIN LATERAL (
               SELECT j.* FROM jobs_live j
                WHERE j.merchant_id = w.merchant_id AND j.id = w.job_id AND c.token IS NOT NULL OFFSET 0) j ON true
          LEFT JOIN LATERAL (
               SELECT q.paused_at, q.concurrency, q.merchant_concurrency FROM queues q
                WHERE q.merchant_id = j.merchant_id AND q.name = j.queue OFFSET 0) q ON true
    ), given_back AS (
        DELETE FROM claims c USING seen s
         WHERE s.answer NOT IN ('granted', 'taken', 'capped')
           AND c.merchant_id = ANY (ARRAY[s.w_merchant]) AND c.job_id = s.w_job AND c.token = s.w_token
        RETURNING c.merchant_id, c.caps
    ), released AS (
        -- Of an earlier call, past its deadline by now.
        UPDATE cap_counters k SET running = greatest(0, k.running - g.claims), changed_at = clock_timestamp()
          FROM (SELECT g.merchant_id, cap.name, count(*)::integer AS claims
                  FROM given_back g CROSS JOIN unnest(g.caps) AS cap (name)
                 GROUP BY g.merchant_id, cap.name ORDER BY g.merchant_id, cap.name) g
         WHERE k.merchant_id = ANY (ARRAY[g.merchant_id]) AND k.cap = g.name
    ), noted AS (
        UPDATE claims c
           SET caps = caps_of_v1(s.queue, s.concurrency_key, s.template_id, s.template_limit, s.queue_limit,
                                 s.merchant_limit)
          FROM seen s
         WHERE s.answer = 'capped'
           AND c.merchant_id = ANY (ARRAY[s.w_merchant]) AND c.job_id = s.w_job AND c.token = s.w_token
    )
    SELECT s.w_merchant, s.w_job, s.w_token, s.answer,
           greatest(0, (extract(epoch FROM s.run_at - clock_timestamp()) * 1000000)::bigint),
           s.attempt + 1, s.max_attempts, s.timeout_ms, s.priority, s.run_at,
           s.scheduled_for, s.template_id, s.queue, s.lane,
           s.target, s.payload, s.traceparent, s.crashes, s.cancel_requested_at IS NOT NULL
      FROM seen s
     WHERE s.answer <> 'capped';

    GET DIAGNOSTICS v_answered = ROW_COUNT;
    IF v_answered = cardinality(p_jobs) THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT g.o_merchant_id, g.o_job_id, g.o_token, CASE WHEN g.o_granted THEN 'granted' ELSE 'over_cap' END,
           greatest(0, (extract(epoch FROM j.run_at - clock_timestamp()) * 1000000)::bigint),
           j.attempt + 1, j.max_attempts, j.timeout_ms, j.priority, j.run_at,
           j.scheduled_for, j.template_id, j.queue, j.lane,
           j.target, j.payload, j.traceparent, j.crashes, j.cancel_requested_at IS NOT NULL
      FROM grant_within_caps_v1(p_merchants, p_jobs, p_tokens) g
     CROSS JOIN LATERAL (
           SELECT j.* FROM jobs_live j WHERE j.merchant_id = g.o_merchant_id AND j.id = g.o_job_id OFFSET 0) j;
END $$;
