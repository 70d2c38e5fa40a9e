-- Device grants (RFC 8628) and the people who decide on them. These times are milliseconds since
-- 1970, because polling is measured with them. Codes, sessions and tokens are kept as SHA-256 only;
-- a user code is short-lived and must be found by what a person types.

CREATE TABLE operators (
    name TEXT PRIMARY KEY,
    password_hash TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE sessions (
    digest TEXT PRIMARY KEY,
    operator TEXT NOT NULL REFERENCES operators (name) ON DELETE CASCADE,
    ends_at BIGINT NOT NULL
);

CREATE TABLE device_grants (
    digest TEXT PRIMARY KEY,
    user_code TEXT NOT NULL UNIQUE,
    client_id TEXT NOT NULL,
    -- pending, approved, denied, used
    state TEXT NOT NULL,
    poll_interval BIGINT NOT NULL,
    next_poll_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    decided_by TEXT
);

CREATE TABLE access_tokens (
    digest TEXT PRIMARY KEY,
    client_id TEXT NOT NULL,
    ends_at BIGINT NOT NULL
);
