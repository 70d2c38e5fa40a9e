-- When a grant may be polled again is only in memory: a poll writes nothing.

ALTER TABLE device_grants DROP COLUMN poll_interval;
ALTER TABLE device_grants DROP COLUMN next_poll_at;
