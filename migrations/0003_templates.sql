-- Templates, their versions, and the ledger of their occurrences.

CREATE TABLE templates (
    merchant_id    uuid NOT NULL,
    id             uuid NOT NULL,
    name           text NOT NULL CHECK (name <> ''),
    version        integer NOT NULL DEFAULT 1,
    active         boolean NOT NULL DEFAULT true,
    schedule       jsonb NOT NULL,
    job            text NOT NULL,
    overlap        text NOT NULL DEFAULT 'skip',
    -- Every occurrence up to and including this instant has its record.
    cursor_at      timestamptz NOT NULL,
    -- The next one without a record; NULL: the schedule has ended, or the template is paused.
    next_at        timestamptz,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    deleted_at     timestamptz,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT only_active_ones_have_a_next CHECK (next_at IS NULL OR (active AND deleted_at IS NULL))
);
CREATE UNIQUE INDEX templates_by_name ON templates (merchant_id, name) WHERE deleted_at IS NULL;
-- A tick costs what is due, not what is stored.
CREATE INDEX templates_due ON templates (next_at) WHERE next_at IS NOT NULL;

CREATE TABLE template_versions (
    merchant_id uuid NOT NULL,
    template_id uuid NOT NULL,
    version     integer NOT NULL,
    name        text NOT NULL,
    schedule    jsonb NOT NULL,
    job         text NOT NULL,
    overlap     text NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, template_id, version)
);

-- Exactly one record for each nominal time of each template.
CREATE TABLE occurrences (
    merchant_id uuid NOT NULL,
    template_id uuid NOT NULL,
    nominal_at  timestamptz NOT NULL,
    outcome     text NOT NULL CHECK (outcome IN ('dispatched', 'skipped_overlap', 'missed_window')),
    job_id      uuid,
    version     integer NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (merchant_id, template_id, nominal_at),
    CONSTRAINT dispatched_has_job CHECK (outcome = 'missed_window' OR job_id IS NOT NULL)
) PARTITION BY RANGE (nominal_at);
CREATE TABLE occurrences_default PARTITION OF occurrences DEFAULT;
