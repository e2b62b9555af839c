-- Incidents: what alerts of one key have in common. The first alert of a key opens one; while it is open, more of the same are
-- counted and not sent; it escalates until somebody acknowledges it, and closes when somebody says so or when it has been
-- quiet for long.

CREATE TABLE incidents (
    merchant_id      uuid NOT NULL,
    id               uuid NOT NULL DEFAULT gen_random_uuid(),
    -- The alert's, such as job.dead:queue:emails.
    dedupe_key       text NOT NULL,
    kind             text NOT NULL,
    opened_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The last alert that it counted, and how many.
    last_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    alerts           bigint NOT NULL DEFAULT 1 CHECK (alerts >= 1),
    -- The alert that opened it.
    body             text NOT NULL,
    escalations      integer NOT NULL DEFAULT 0 CHECK (escalations >= 0),
    escalated_at     timestamptz,
    acknowledged_at  timestamptz,
    acknowledged_by  text,
    resolved_at      timestamptz,
    resolution       text CHECK (resolution IN ('resolved', 'quiet')),
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT escalated_has_time CHECK ((escalations > 0) = (escalated_at IS NOT NULL)),
    CONSTRAINT resolved_says_how  CHECK ((resolved_at IS NULL) = (resolution IS NULL))
) WITH (fillfactor = 70);

-- One open incident per key, whatever happens at the same time.
CREATE UNIQUE INDEX incidents_open ON incidents (merchant_id, dedupe_key) WHERE resolved_at IS NULL;
CREATE INDEX incidents_by_time ON incidents (merchant_id, opened_at, id);
-- What may have to be escalated or closed: the few that are open.
CREATE INDEX incidents_to_watch ON incidents (opened_at) WHERE resolved_at IS NULL;

ALTER TABLE alert_outbox
    -- This alert opens an incident, or is counted by the one that is open; false: it is sent whatever there is.
    ADD COLUMN opens       boolean NOT NULL DEFAULT false,
    ADD COLUMN incident_id uuid;

-- In the transaction of what the alert tells, so that there is no incident without it and the other way round. Whoever writes
-- several alerts does so in the order of merchant and key: two who do so never wait for each other in a circle.
CREATE FUNCTION open_incident() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_alerts bigint;
BEGIN
    INSERT INTO incidents AS i (merchant_id, dedupe_key, kind, body)
    VALUES (NEW.merchant_id, NEW.dedupe_key, NEW.kind, NEW.body)
    ON CONFLICT (merchant_id, dedupe_key) WHERE resolved_at IS NULL
    DO UPDATE SET last_at = clock_timestamp(), alerts = i.alerts + 1
    RETURNING i.id, i.alerts INTO NEW.incident_id, v_alerts;
    IF v_alerts > 1 THEN
        RETURN NULL;
    END IF;
    NEW.body := jsonb_set(NEW.body::jsonb, '{data,incident_id}', to_jsonb(NEW.incident_id))::text;
    RETURN NEW;
END $$;
CREATE TRIGGER open_incident BEFORE INSERT ON alert_outbox FOR EACH ROW WHEN (NEW.opens) EXECUTE FUNCTION open_incident();
