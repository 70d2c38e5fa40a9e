//! One unit of time for everybody, and the only place that knows what others count in: the database in
//! milliseconds, JSON in seconds. Never says what a time means.

use std::ops::Add;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};
use x509_cert::der::DateTime;

/// A moment, in milliseconds since 1970. In JSON it is in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, sqlx::Type)]
#[sqlx(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    pub(crate) fn now() -> Self {
        SystemTime::now().into()
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// As `2026-11-24T23:45:00Z`.
    pub(crate) fn rfc3339(self) -> String {
        let since_1970 = Duration::from_secs(self.seconds().unsigned_abs());
        DateTime::from_unix_duration(since_1970).map_or(String::new(), |time| time.to_string())
    }
}

/// What is before 1970 counts as 1970.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self(millis(time.duration_since(UNIX_EPOCH).unwrap_or_default()))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.seconds())
    }
}

/// A length of time as a column holds it.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_seconds_and_nothing_is_before_1970() {
        let at = |millis| Timestamp::from(UNIX_EPOCH + Duration::from_millis(millis));
        assert_eq!(serde_json::json!(at(1_700_000_000_999)), 1_700_000_000);
        assert_eq!(at(1_700_000_000_999).rfc3339(), "2023-11-14T22:13:20Z");
        let early = Timestamp::from(UNIX_EPOCH - Duration::from_secs(1));
        assert_eq!(early + Duration::from_millis(2), at(2));
    }
}
