-- Tenants: merchants, their API keys, their queues.

CREATE TABLE merchants (
    id           uuid PRIMARY KEY,
    name         text NOT NULL UNIQUE CHECK (name <> ''),
    -- Share of a lane relative to other merchants at the same priority.
    weight       integer NOT NULL DEFAULT 1 CHECK (weight BETWEEN 1 AND 1000),
    -- Where alerts go (a webhook), and the secret that signs them. NULL: the platform's own.
    alert_url    text,
    alert_secret text,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE api_keys (
    -- Public half of the key: `sk_<id>_<secret>`. Only a hash of the secret is kept.
    id           text PRIMARY KEY,
    merchant_id  uuid NOT NULL REFERENCES merchants (id),
    name         text NOT NULL,
    secret_hash  bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
    scopes       text[] NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);
CREATE INDEX api_keys_by_merchant ON api_keys (merchant_id, created_at);

CREATE TABLE queues (
    merchant_id uuid NOT NULL,
    name        text NOT NULL,
    -- The executor pool that serves the queue. There are few lanes and many queues.
    lane        text NOT NULL DEFAULT 'default',
    paused_at   timestamptz,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (merchant_id, name)
);
