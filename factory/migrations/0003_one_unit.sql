-- Every time is in milliseconds since 1970; until here, these were seconds.

UPDATE api_tokens SET created_at = created_at * 1000;

UPDATE devices SET
    created_at = created_at * 1000,
    certificate_ends = certificate_ends * 1000,
    deleted_at = deleted_at * 1000;
