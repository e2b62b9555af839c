-- The claim, in one round trip and one transaction.
--
-- 1. Take the claim keys (in key order, so that two claimers never wait for each other in a circle). The insert may
--    wait for somebody who holds a key in an open transaction: a result, a cancel, an expiry.
-- 2. Look at the jobs with a snapshot taken *after* that wait. Every statement of a VOLATILE plpgsql function has a
--    snapshot of its own under READ COMMITTED; that is why this is a function and not one statement.
-- 3. Give back the keys of what may not start.
--
-- p_ahead: how long before run_at a claim may be granted; the executor waits out `due_in_us` before it starts.
-- A claim that an earlier call was granted (its answer was lost, so it is asked again) stays granted: others can see it,
-- somebody may just be calling the job off, and giving it back then would leave a job with a cancel that nobody answers.
-- Only one past its start deadline is given back; the expiry sees the cancel. Keys of this very call are seen by nobody.
-- A job that was called off while its claim was given back is granted all the same: the executor does not start it
-- but hands it back, which ends it.
-- answer: granted | not_due | paused | overlap | taken | gone; no rows at all: the session is lost.
CREATE FUNCTION claim_jobs_v1(p_session uuid, p_merchants uuid[], p_jobs uuid[], p_tokens uuid[], p_ahead interval)
RETURNS TABLE (
    o_merchant_id uuid, o_job_id uuid, o_token uuid, o_answer text, o_due_in_us bigint,
    o_attempt integer, o_max_attempts integer, o_timeout_ms integer, o_priority smallint, o_run_at timestamptz,
    o_scheduled_for timestamptz, o_template_id uuid, o_queue text, o_lane text,
    o_target text, o_payload text, o_traceparent text, o_crashes integer, o_cancel_requested boolean
) LANGUAGE plpgsql VOLATILE
-- Plans made while the tables are empty would scan them whole for ever after.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = p_session AND s.lost_at IS NULL) THEN
        RETURN;
    END IF;

    INSERT INTO claims (merchant_id, job_id, token, session_id, granted_at)
    SELECT w.merchant_id, w.job_id, w.token, p_session, clock_timestamp()
      FROM unnest(p_merchants, p_jobs, p_tokens) AS w (merchant_id, job_id, token)
     ORDER BY w.merchant_id, w.job_id
    ON CONFLICT DO NOTHING;

    RETURN QUERY
    WITH seen AS (
        SELECT w.merchant_id AS w_merchant, w.job_id AS w_job, w.token AS w_token, j.*,
               CASE
                   WHEN c.token IS NULL                                    THEN 'taken'
                   WHEN j.id IS NULL                                       THEN 'gone'
                   WHEN j.state NOT IN ('scheduled', 'retrying')           THEN 'gone'
                   WHEN j.start_deadline_at < clock_timestamp()            THEN 'gone'
                   WHEN c.is_old                                           THEN 'granted'
                   WHEN q.paused_at IS NOT NULL                            THEN 'paused'
                   WHEN j.run_at > clock_timestamp() + p_ahead             THEN 'not_due'
                   WHEN j.overlap_skip AND (
                        SELECT o.id FROM jobs_live o
                         WHERE o.merchant_id = j.merchant_id AND o.template_id = j.template_id
                           AND o.scheduled_for < j.scheduled_for
                         ORDER BY o.scheduled_for LIMIT 1) IS NOT NULL     THEN 'overlap'
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
               SELECT q.paused_at FROM queues q
                WHERE q.merchant_id = j.merchant_id AND q.name = j.queue OFFSET 0) q ON true
    ), given_back AS (
        DELETE FROM claims c USING seen s
         WHERE s.answer NOT IN ('granted', 'taken')
           AND c.merchant_id = ANY (ARRAY[s.w_merchant]) AND c.job_id = s.w_job AND c.token = s.w_token
    )
    SELECT s.w_merchant, s.w_job, s.w_token, s.answer,
           greatest(0, (extract(epoch FROM s.run_at - clock_timestamp()) * 1000000)::bigint),
           s.attempt + 1, s.max_attempts, s.timeout_ms, s.priority, s.run_at,
           s.scheduled_for, s.template_id, s.queue, s.lane,
           s.target, s.payload, s.traceparent, s.crashes, s.cancel_requested_at IS NOT NULL
      FROM seen s;
END $$;
