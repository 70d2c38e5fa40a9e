-- Types and statements are those that SQLite and PostgreSQL share. Times are seconds since 1970.

CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- Only the SHA-256 of a token is kept.
CREATE TABLE api_tokens (
    digest TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

-- A deleted device stays as a row: its UUID is denied, and the primary key settles a race between
-- a deletion and a registration.
CREATE TABLE devices (
    uuid TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    factory TEXT NOT NULL,
    device_group TEXT,
    hardware_id TEXT,
    production BOOLEAN NOT NULL,
    public_key_sha256 TEXT NOT NULL,
    certificate_pem TEXT,
    issuer_pem TEXT,
    certificate_ends BIGINT,
    created_at BIGINT NOT NULL,
    deleted_at BIGINT
);
