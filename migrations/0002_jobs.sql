-- Jobs. A live job is a row of jobs_live; it is running while its row in claims exists; when it ends it
-- leaves jobs_live and is written once to jobs_finished, together with its last execution.

CREATE TABLE jobs_live (
    merchant_id         uuid NOT NULL,
    id                  uuid NOT NULL,
    template_id         uuid,
    redriven_from       uuid,
    -- When the next attempt may start: the planned time, later the end of a backoff.
    run_at              timestamptz NOT NULL,
    -- The time that was asked for; retries do not move it.
    scheduled_for       timestamptz NOT NULL,
    created_at          timestamptz NOT NULL,
    start_deadline_at   timestamptz,
    cancel_requested_at timestamptz,
    -- The earliest retry that the target asked for (Retry-After), set by the failed attempt.
    retry_not_before    timestamptz,
    failed_at           timestamptz,
    priority            smallint NOT NULL CHECK (priority BETWEEN 0 AND 9),
    -- Number of the last attempt that ended, lost ones included; a claim is for attempt + 1.
    attempt             integer NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    -- Attempts that ended because their executor vanished; they do not count against max_attempts.
    crashes             integer NOT NULL DEFAULT 0 CHECK (crashes BETWEEN 0 AND attempt),
    max_attempts        integer NOT NULL CHECK (max_attempts BETWEEN 1 AND 1000),
    timeout_ms          integer NOT NULL CHECK (timeout_ms > 0),
    -- Some blocked job waits for this one; its end is announced in parent_endings.
    has_dependents      boolean NOT NULL DEFAULT false,
    -- Skip this job when an earlier one of its template is still live as it falls due.
    overlap_skip        boolean NOT NULL DEFAULT false,
    -- Of a failed job: may the attempt be repeated at all?
    retryable           boolean,
    state               text NOT NULL CHECK (state IN ('blocked', 'scheduled', 'retrying', 'failed')),
    queue               text NOT NULL,
    lane                text NOT NULL,
    -- all_succeeded | all_finished: what the parents must have done before a blocked job may run.
    run_if              text CHECK (run_if IN ('all_succeeded', 'all_finished')),
    target              text NOT NULL,
    payload             text,
    backoff             text,
    metadata            jsonb,
    dedupe_key          text,
    external_id         text,
    traceparent         text,
    last_error          text,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT failed_has_verdict  CHECK ((state = 'failed') = (retryable IS NOT NULL)),
    CONSTRAINT failed_has_time     CHECK ((state = 'failed') = (failed_at IS NOT NULL)),
    CONSTRAINT blocked_has_rule    CHECK (state <> 'blocked' OR run_if IS NOT NULL),
    CONSTRAINT scheduled_is_fresh  CHECK (state NOT IN ('blocked', 'scheduled') OR attempt = 0),
    CONSTRAINT retrying_has_tried  CHECK (state NOT IN ('retrying', 'failed') OR attempt > 0),
    CONSTRAINT overlap_of_template CHECK (NOT overlap_skip OR template_id IS NOT NULL)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_insert_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.1);

-- What the populator reads: a merchant's queue at one priority, in due order. The merchant and the queue stand
-- before the time so that a backlog of one is never in the way of another, and a paused queue is passed over whole.
CREATE INDEX jobs_live_due ON jobs_live (lane, priority, merchant_id, queue, run_at, id)
    WHERE state IN ('scheduled', 'retrying');
-- What the watcher decides about.
CREATE INDEX jobs_live_failed ON jobs_live (failed_at, merchant_id, id) WHERE state = 'failed';
CREATE INDEX jobs_live_blocked ON jobs_live (merchant_id, id) WHERE state = 'blocked';
CREATE INDEX jobs_live_deadline ON jobs_live (start_deadline_at, merchant_id, id)
    WHERE start_deadline_at IS NOT NULL;
CREATE INDEX jobs_live_cancelling ON jobs_live (cancel_requested_at) WHERE cancel_requested_at IS NOT NULL;
CREATE UNIQUE INDEX jobs_live_dedupe ON jobs_live (merchant_id, queue, dedupe_key) WHERE dedupe_key IS NOT NULL;
-- A dead letter is redriven once at a time.
CREATE UNIQUE INDEX jobs_live_redriven ON jobs_live (merchant_id, redriven_from) WHERE redriven_from IS NOT NULL;
CREATE INDEX jobs_live_template ON jobs_live (merchant_id, template_id, scheduled_for) WHERE template_id IS NOT NULL;
-- What may have to be skipped as it falls due.
CREATE INDEX jobs_live_overlap ON jobs_live (run_at, merchant_id, id) WHERE overlap_skip AND state = 'scheduled';
CREATE INDEX jobs_live_external ON jobs_live (merchant_id, external_id) WHERE external_id IS NOT NULL;

-- One row per running job. The key is the job's mutex: who holds it may run, cancel, skip or expire the job.
CREATE TABLE claims (
    merchant_id uuid NOT NULL,
    job_id      uuid NOT NULL,
    -- Fencing token, 128 random bits made by the holder; it is also the id of the execution and never repeats.
    token       uuid NOT NULL,
    session_id  uuid NOT NULL,
    granted_at  timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, job_id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

-- An executor process. Its claims live as long as it renews; `lost_at` is final.
CREATE TABLE sessions (
    id         uuid PRIMARY KEY,
    host       text NOT NULL,
    pid        integer NOT NULL,
    lanes      text[] NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    renewed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Set by a clean end (all work handed back) or by the watcher.
    lost_at    timestamptz
) WITH (fillfactor = 50);

CREATE TABLE jobs_finished (
    merchant_id        uuid NOT NULL,
    id                 uuid NOT NULL,
    template_id        uuid,
    redriven_from      uuid,
    run_at             timestamptz NOT NULL,
    scheduled_for      timestamptz NOT NULL,
    created_at         timestamptz NOT NULL,
    start_deadline_at  timestamptz,
    finished_at        timestamptz NOT NULL,
    priority           smallint NOT NULL,
    attempt            integer NOT NULL,
    crashes            integer NOT NULL,
    max_attempts       integer NOT NULL,
    timeout_ms         integer NOT NULL,
    is_dead            boolean NOT NULL,
    has_dependents     boolean NOT NULL,
    state              text NOT NULL CHECK (state IN ('succeeded', 'dead', 'cancelled', 'skipped', 'expired')),
    -- Why it ended so, for every state but succeeded: exhausted, not_retryable, crashed, overlap, …
    reason             text,
    queue              text NOT NULL,
    lane               text NOT NULL,
    run_if             text,
    target             text NOT NULL,
    payload            text,
    backoff            text,
    metadata           jsonb,
    dedupe_key         text,
    external_id        text,
    traceparent        text,
    last_error         text,
    -- The last execution, if there was one and this end belongs to it; earlier ones are rows of executions.
    execution_id       uuid,
    session_id         uuid,
    started_at         timestamptz,
    outcome            text,
    response_status    integer,
    response_body      bytea,
    response_truncated boolean,
    CONSTRAINT dead_is_apart       CHECK (is_dead = (state = 'dead')),
    CONSTRAINT succeeded_ran       CHECK (state <> 'succeeded' OR execution_id IS NOT NULL),
    CONSTRAINT execution_is_whole  CHECK ((execution_id IS NULL) = (started_at IS NULL)
                                      AND (execution_id IS NULL) = (outcome IS NULL)),
    CONSTRAINT others_say_why      CHECK ((state = 'succeeded') = (reason IS NULL))
) PARTITION BY LIST (is_dead);

-- Dead letters are kept longer than the rest, so they have partitions (and a retention) of their own.
CREATE TABLE jobs_finished_dead  PARTITION OF jobs_finished FOR VALUES IN (true)  PARTITION BY RANGE (finished_at);
CREATE TABLE jobs_finished_other PARTITION OF jobs_finished FOR VALUES IN (false) PARTITION BY RANGE (finished_at);
CREATE INDEX jobs_finished_by_id       ON jobs_finished (merchant_id, id);
CREATE INDEX jobs_finished_by_external ON jobs_finished (merchant_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX jobs_finished_by_template ON jobs_finished (merchant_id, template_id, id) WHERE template_id IS NOT NULL;
CREATE INDEX jobs_finished_by_redriven ON jobs_finished (merchant_id, redriven_from) WHERE redriven_from IS NOT NULL;

-- Attempts after which the job went on.
CREATE TABLE executions (
    merchant_id        uuid NOT NULL,
    job_id             uuid NOT NULL,
    id                 uuid NOT NULL,
    session_id         uuid NOT NULL,
    started_at         timestamptz NOT NULL,
    finished_at        timestamptz NOT NULL,
    attempt            integer NOT NULL,
    outcome            text NOT NULL CHECK (outcome IN ('failed', 'timed_out', 'lost', 'cancelled')),
    error              text,
    response_status    integer,
    response_body      bytea,
    response_truncated boolean
) PARTITION BY RANGE (finished_at);
CREATE INDEX executions_by_job ON executions (merchant_id, job_id, attempt);

-- The net under the daily partitions: a write never fails because nobody has made today's.
CREATE TABLE jobs_finished_dead_default  PARTITION OF jobs_finished_dead DEFAULT;
CREATE TABLE jobs_finished_other_default PARTITION OF jobs_finished_other DEFAULT;
CREATE TABLE executions_default          PARTITION OF executions DEFAULT;

-- What blocked jobs still wait for. A row goes when its parent has ended as the child waits for, and all of a child's
-- rows when it leaves `blocked`.
CREATE TABLE job_dependencies (
    merchant_id uuid NOT NULL,
    child_id    uuid NOT NULL,
    parent_id   uuid NOT NULL,
    PRIMARY KEY (merchant_id, child_id, parent_id)
);
-- Without the merchant, so that it is of no use to a search by child: a plan that believes the table empty takes
-- either index for any search that it fits at all.
CREATE INDEX job_dependencies_by_parent ON job_dependencies (parent_id);

-- Ends of jobs that others wait for, until the populator has judged their children.
CREATE TABLE parent_endings (
    merchant_id uuid NOT NULL,
    parent_id   uuid NOT NULL,
    ended_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (merchant_id, parent_id)
);

-- A trigger, so that no way of ending a job can forget to tell its children.
CREATE FUNCTION announce_parent_ending() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO parent_endings (merchant_id, parent_id) VALUES (NEW.merchant_id, NEW.id) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER announce_parent_ending AFTER INSERT ON jobs_finished
    FOR EACH ROW WHEN (NEW.has_dependents) EXECUTE FUNCTION announce_parent_ending();

-- One create per (merchant, key); the answer is kept even when the job is gone.
CREATE TABLE idempotency_keys (
    merchant_id  uuid NOT NULL,
    key          text NOT NULL,
    request_hash bytea NOT NULL,
    status       smallint NOT NULL,
    response     text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at   timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, key)
);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);

-- One populator serves a lane at a time. Two would be waste, never damage.
CREATE TABLE lane_leases (
    lane       text PRIMARY KEY,
    holder     uuid NOT NULL,
    expires_at timestamptz NOT NULL
);

-- Alerts wait here until a receiver has taken them.
CREATE TABLE alert_outbox (
    id              uuid PRIMARY KEY,
    merchant_id     uuid NOT NULL,
    kind            text NOT NULL,
    -- Same key, same incident.
    dedupe_key      text NOT NULL,
    body            text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts        integer NOT NULL DEFAULT 0,
    delivered_at    timestamptz,
    gave_up_at      timestamptz,
    last_error      text,
    CHECK (delivered_at IS NULL OR gave_up_at IS NULL)
);
CREATE INDEX alert_outbox_due ON alert_outbox (next_attempt_at) WHERE delivered_at IS NULL AND gave_up_at IS NULL;
