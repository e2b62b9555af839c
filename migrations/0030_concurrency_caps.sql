-- Concurrency caps: how many jobs of a merchant, a queue, a template or a concurrency key run at once.
--
-- Counted where the claim is granted. A claim remembers the caps that it counts against, so whoever removes it knows what
-- to give back, whatever the settings say by then. A claim without caps has NULL there and costs nothing.

ALTER TABLE merchants ADD COLUMN concurrency integer CHECK (concurrency >= 1);

ALTER TABLE queues
    -- Jobs of the queue that run at once; NULL: as many as there are executors.
    ADD COLUMN concurrency           integer CHECK (concurrency >= 1),
    -- Of one concurrency_key in this queue.
    ADD COLUMN concurrency_key_limit integer NOT NULL DEFAULT 1 CHECK (concurrency_key_limit >= 1),
    -- The merchant's own cap, copied here because every claim reads its queue's row anyway.
    ADD COLUMN merchant_concurrency  integer,
    -- The queue moved to another lane, and some of its jobs may still be on the old one; NULL: nothing to move.
    ADD COLUMN lane_changed_at       timestamptz;

ALTER TABLE jobs_live
    -- Jobs of one queue with the same key run at most so many at once as the queue says.
    ADD COLUMN concurrency_key text,
    -- At most so many jobs of the template run at once when this one starts; NULL: any number.
    ADD COLUMN template_limit  integer;
ALTER TABLE jobs_live ADD CONSTRAINT limit_of_template
    CHECK (template_limit IS NULL OR (template_limit >= 1 AND template_id IS NOT NULL)) NOT VALID;
ALTER TABLE jobs_finished
    ADD COLUMN concurrency_key text,
    ADD COLUMN template_limit  integer;

-- What the claim counts against: merchant | queue:<name> | template:<id> | key:<queue> <key>.
ALTER TABLE claims ADD COLUMN caps text[];

-- How many claims count against a cap. Changed in the transaction that grants or removes the claims; made when first
-- needed, deleted when it has been 0 for a while.
CREATE TABLE cap_counters (
    merchant_id uuid NOT NULL,
    cap         text NOT NULL,
    running     integer NOT NULL DEFAULT 0 CHECK (running >= 0),
    changed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (merchant_id, cap)
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);

-- The caps that a job counts against; empty for most.
CREATE FUNCTION caps_of_v1(p_queue text, p_concurrency_key text, p_template_id uuid, p_template_limit integer,
                           p_queue_limit integer, p_merchant_limit integer)
RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_remove(ARRAY[
        CASE WHEN p_concurrency_key IS NOT NULL THEN 'key:' || p_queue || ' ' || p_concurrency_key END,
        CASE WHEN p_merchant_limit  IS NOT NULL THEN 'merchant' END,
        CASE WHEN p_queue_limit     IS NOT NULL THEN 'queue:' || p_queue END,
        CASE WHEN p_template_limit  IS NOT NULL THEN 'template:' || p_template_id END], NULL)
$$;

-- How many more jobs fit under each of these caps of a queue's jobs, as the counters stand; may be negative.
CREATE FUNCTION cap_rooms_v1(p_merchant uuid, p_queue text, p_caps text[], p_template_limit integer)
RETURNS integer[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT array_agg(coalesce(CASE split_part(cap.name, ':', 1)
                              WHEN 'merchant' THEN q.merchant_concurrency
                              WHEN 'queue'    THEN q.concurrency
                              WHEN 'template' THEN p_template_limit
                              WHEN 'key'      THEN coalesce(q.concurrency_key_limit, 1) END, 2147483647)
                     - coalesce((SELECT k.running FROM cap_counters k
                                  WHERE k.merchant_id = p_merchant AND k.cap = cap.name), 0)
                     ORDER BY cap.n)
      FROM unnest(p_caps) WITH ORDINALITY AS cap (name, n)
      LEFT JOIN LATERAL (
           SELECT q.concurrency, q.concurrency_key_limit, q.merchant_concurrency FROM queues q
            WHERE q.merchant_id = p_merchant AND q.name = p_queue OFFSET 0) q ON true
$$;

-- The second half of a claim, for those of its jobs that have caps: which of them fit. Their keys are held and carry
-- their caps; nobody else sees them yet.
--
-- Locks the counters in key order, then goes through the jobs in the order of the wishes and grants what fits under all
-- of its caps. What does not fit gives its key back. A limit that was taken away meanwhile is none.
CREATE FUNCTION grant_within_caps_v1(p_merchants uuid[], p_jobs uuid[], p_tokens uuid[])
RETURNS TABLE (o_merchant_id uuid, o_job_id uuid, o_token uuid, o_granted boolean)
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_merchants uuid[];
    v_caps      text[];
    v_names     text[];
    v_running   integer[];
    v_before    integer[];
    v_refused   uuid[] := '{}';
    v_wish      record;
    v_fits      boolean;
    v_slot      integer;
BEGIN
    WITH wanted AS (
        SELECT DISTINCT c.merchant_id, cap.name
          FROM unnest(p_merchants, p_jobs, p_tokens) AS w (merchant_id, job_id, token)
         CROSS JOIN LATERAL (
               SELECT c.merchant_id, c.caps FROM claims c
                WHERE c.merchant_id = w.merchant_id AND c.job_id = w.job_id AND c.token = w.token
                  AND c.caps IS NOT NULL AND c.xmin = pg_current_xact_id()::xid OFFSET 0) c
         CROSS JOIN unnest(c.caps) AS cap (name)
    ), locked AS (
        -- An update that changes nothing, because it locks the row, also one that was made or deleted a moment ago.
        INSERT INTO cap_counters AS k (merchant_id, cap)
        SELECT w.merchant_id, w.name FROM wanted w ORDER BY w.merchant_id, w.name
        ON CONFLICT (merchant_id, cap) DO UPDATE SET running = k.running
        RETURNING k.merchant_id, k.cap, k.running
    )
    SELECT array_agg(l.merchant_id), array_agg(l.cap), array_agg(l.merchant_id || ' ' || l.cap), array_agg(l.running)
      INTO v_merchants, v_caps, v_names, v_running
      FROM locked l;
    v_before := v_running;

    FOR v_wish IN
        SELECT w.merchant_id, w.job_id, w.token,
               array_agg(array_position(v_names, w.merchant_id || ' ' || cap.name) ORDER BY cap.name) AS slots,
               array_agg(coalesce(CASE split_part(cap.name, ':', 1)
                                  WHEN 'merchant' THEN q.merchant_concurrency
                                  WHEN 'queue'    THEN q.concurrency
                                  WHEN 'template' THEN j.template_limit
                                  WHEN 'key'      THEN coalesce(q.concurrency_key_limit, 1) END, 2147483647)
                         ORDER BY cap.name) AS limits
          FROM unnest(p_merchants, p_jobs, p_tokens) WITH ORDINALITY AS w (merchant_id, job_id, token, n)
         CROSS JOIN LATERAL (
               SELECT c.caps FROM claims c
                WHERE c.merchant_id = w.merchant_id AND c.job_id = w.job_id AND c.token = w.token
                  AND c.caps IS NOT NULL AND c.xmin = pg_current_xact_id()::xid OFFSET 0) c
         CROSS JOIN LATERAL (
               SELECT j.queue, j.template_limit FROM jobs_live j
                WHERE j.merchant_id = w.merchant_id AND j.id = w.job_id OFFSET 0) j
          LEFT JOIN LATERAL (
               SELECT q.concurrency, q.concurrency_key_limit, q.merchant_concurrency FROM queues q
                WHERE q.merchant_id = w.merchant_id AND q.name = j.queue OFFSET 0) q ON true
         CROSS JOIN unnest(c.caps) AS cap (name)
         GROUP BY w.n, w.merchant_id, w.job_id, w.token
         ORDER BY w.n
    LOOP
        v_fits := true;
        FOR i IN 1 .. cardinality(v_wish.slots) LOOP
            v_fits := v_fits AND v_running[v_wish.slots[i]] < v_wish.limits[i];
        END LOOP;
        IF v_fits THEN
            FOREACH v_slot IN ARRAY v_wish.slots LOOP
                v_running[v_slot] := v_running[v_slot] + 1;
            END LOOP;
        ELSE
            v_refused := v_refused || v_wish.token;
        END IF;
        o_merchant_id := v_wish.merchant_id;
        o_job_id := v_wish.job_id;
        o_token := v_wish.token;
        o_granted := v_fits;
        RETURN NEXT;
    END LOOP;

    UPDATE cap_counters k SET running = n.running, changed_at = clock_timestamp()
      FROM unnest(v_merchants, v_caps, v_running, v_before) AS n (merchant_id, cap, running, before)
     WHERE n.running <> n.before AND k.merchant_id = ANY (ARRAY[n.merchant_id]) AND k.cap = n.cap;
    DELETE FROM claims c
     USING unnest(p_merchants, p_jobs, p_tokens) AS w (merchant_id, job_id, token)
     WHERE w.token = ANY (v_refused)
       AND c.merchant_id = ANY (ARRAY[w.merchant_id]) AND c.job_id = w.job_id AND c.token = w.token;
END $$;

-- The claim, in one round trip and one transaction; claim_jobs_v1 with caps.
--
-- 1. Take the claim keys (in key order, so that two claimers never wait for each other in a circle). The insert may
--    wait for somebody who holds a key in an open transaction: a result, a cancel, an expiry.
-- 2. Look at the jobs with a snapshot taken *after* that wait. Every statement of a VOLATILE plpgsql function has a
--    snapshot of its own under READ COMMITTED; that is why this is a function and not one statement.
-- 3. Give back the keys of what may not start; write down the caps of what has any.
-- 4. Only if something has: lock their counters and grant what fits (grant_within_caps_v1). So the order of locks is
--    sessions, claims, counters, jobs. The counters cannot come first: which they are stands in the jobs, and a look at
--    those before the keys are held would be one more for every job, with caps or without.
--
-- p_ahead: how long before run_at a claim may be granted; the executor waits out `due_in_us` before it starts.
-- A claim that an earlier call was granted (its answer was lost, so it is asked again) stays granted, and has been counted
-- then: others can see it, somebody may just be calling the job off, and giving it back now would leave a job with a
-- cancel that nobody answers. Only one past its start deadline is given back; the expiry sees the cancel. Keys of this
-- very call are seen by nobody. A job that was called off while its claim was given back is granted all the same: the
-- executor does not start it but hands it back, which ends it.
-- answer: granted | not_due | paused | overlap | over_cap | taken | gone; no rows at all: the session is lost.
CREATE FUNCTION claim_jobs_v2(p_session uuid, p_merchants uuid[], p_jobs uuid[], p_tokens uuid[], p_ahead interval)
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
    v_answered bigint;
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
               q.concurrency AS queue_limit, q.merchant_concurrency AS merchant_limit,
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
