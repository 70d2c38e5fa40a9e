//! When to try again, and doing so: exponential backoff with full jitter, `Retry-After`, and one deadline
//! over all attempts.

use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::report::Reporter;

/// The ceiling of the first pause.
const FIRST: Duration = Duration::from_secs(1);
/// The ceiling of every pause that we choose ourselves: only a long `--retry-for` comes near it.
const CEILING: Duration = Duration::from_secs(300);

/// What one attempt came to.
pub(crate) enum Attempt<T> {
    /// It succeeded.
    Done(T),
    /// It failed for good.
    Failed(Error),
    /// It failed, and may succeed after a pause that the server may have named.
    Again(Error, Option<Duration>),
}

/// Repeats `attempt` for at most `retry_for`; zero is one attempt.
///
/// # Errors
/// The error of the last attempt.
pub(crate) fn persist<T>(
    retry_for: Duration,
    reporter: &Reporter,
    mut attempt: impl FnMut() -> Attempt<T>,
) -> Result<T> {
    let started = Instant::now();
    let mut count = 1;
    loop {
        let (error, retry_after) = match attempt() {
            Attempt::Done(result) => return Ok(result),
            Attempt::Failed(error) => return Err(error),
            Attempt::Again(error, retry_after) => (error, retry_after),
        };
        let left = retry_for.saturating_sub(started.elapsed());
        let random = uuid::Uuid::new_v4().as_u64_pair().1;
        let Some(wait) = pause(count, random, retry_after, left) else {
            return Err(error);
        };
        reporter.warn(&format!(
            "{}; trying again in {:.1} s",
            error.full_message(),
            wait.as_secs_f64()
        ));
        std::thread::sleep(wait);
        count += 1;
    }
}

/// How long to wait before attempt `attempt + 1` (`attempt` counts from 1), or `None` when the
/// deadline would pass before it.
///
/// `random` is a uniform number; the pause is a uniform share of the ceiling that doubles with
/// every attempt. A server's `retry_after` is a lower bound that jitter comes on top of, so that
/// a thousand devices do not come back in the same second.
#[must_use]
pub(crate) fn pause(
    attempt: u32,
    random: u64,
    retry_after: Option<Duration>,
    left: Duration,
) -> Option<Duration> {
    let doublings = attempt.saturating_sub(1).min(16);
    let ceiling = FIRST.saturating_mul(1 << doublings).min(CEILING);
    // 2^-53 steps are exact in a double.
    #[allow(
        clippy::cast_precision_loss,
        reason = "only the upper 53 bits are kept"
    )]
    let share = (random >> 11) as f64 / (1_u64 << 53) as f64;
    let jitter = ceiling.mul_f64(share);
    let pause = retry_after.unwrap_or_default().checked_add(jitter)?;
    (pause < left).then_some(pause)
}

/// Reads `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date that is compared with `now`
/// (seconds since 1970). A date in the past is no wait.
#[must_use]
pub(crate) fn parse_retry_after(value: &str, now: u64) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // Digits that no number holds mean longer than anybody waits.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = parse_http_date(value)?;
    Some(Duration::from_secs(date.saturating_sub(now)))
}

/// IMF-fixdate, `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7), to seconds since 1970.
fn parse_http_date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (_, rest) = text.split_once(", ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let [day, month, year, time, "GMT"] = fields[..] else {
        return None;
    };
    let clock: Vec<&str> = time.split(':').collect();
    let [hour, minute, second] = clock[..] else {
        return None;
    };
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let date = x509_cert::der::DateTime::new(
        year.parse().ok()?,
        u8::try_from(month).ok()?,
        day.parse().ok()?,
        hour.parse().ok()?,
        minute.parse().ok()?,
        second.parse().ok()?,
    );
    date.ok().map(|date| date.unix_duration().as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn pauses_double_up_to_the_ceiling() {
        let longest =
            |attempt| pause(attempt, u64::MAX, None, 10 * MINUTE).map(|p| p.as_secs_f64().round());
        assert_eq!(longest(1), Some(1.0));
        assert_eq!(longest(2), Some(2.0));
        assert_eq!(longest(5), Some(16.0));
        assert_eq!(longest(6), Some(32.0));
        assert_eq!(longest(10), Some(300.0));
        assert_eq!(longest(u32::MAX), Some(300.0));
        assert_eq!(pause(7, 0, None, MINUTE), Some(Duration::ZERO));
    }

    #[test]
    fn the_deadline_ends_it() {
        assert_eq!(pause(1, 0, None, Duration::ZERO), None);
        assert_eq!(pause(1, 0, Some(MINUTE), MINUTE), None);
        assert_eq!(pause(1, 0, Some(Duration::MAX), Duration::MAX), None);
        assert_eq!(pause(1, u64::MAX, Some(Duration::MAX), MINUTE), None);
    }

    #[test]
    fn retry_after_is_a_lower_bound() {
        let wait = Duration::from_secs(7);
        assert_eq!(pause(1, 0, Some(wait), MINUTE), Some(wait));
        assert!(pause(3, u64::MAX / 2, Some(wait), MINUTE).is_some_and(|pause| pause > wait));
    }

    #[test]
    fn both_forms_of_retry_after() {
        let at = |value, now| parse_retry_after(value, now).map(|wait| wait.as_secs());
        assert_eq!(at("120", 0), Some(120));
        assert_eq!(at(" 0 ", 0), Some(0));
        assert_eq!(at("99999999999999999999", 0), Some(u64::MAX));
        assert_eq!(at("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_700), Some(77));
        assert_eq!(at("Sun, 06 Nov 1994 08:49:37 GMT", 900_000_000), Some(0));
        for wrong in [
            "",
            "-1",
            "soon",
            "Sun, 06 Nov",
            "Sun, 99 Nov 1994 08:49:37 GMT",
            "1.5",
        ] {
            assert_eq!(at(wrong, 0), None, "{wrong}");
        }
    }

    proptest::proptest! {
        /// Never past the deadline, never before the server's word, never longer than the ceiling.
        #[test]
        fn a_pause_keeps_its_bounds(
            attempt: u32, random: u64, after in 0_u64..200_000, left in 0_u64..200_000,
        ) {
            let (after, left) = (Duration::from_millis(after), Duration::from_millis(left));
            let ceiling = CEILING.as_secs().min(1 << attempt.saturating_sub(1).min(10));
            if let Some(pause) = pause(attempt, random, Some(after), left) {
                proptest::prop_assert!(pause < left && pause >= after);
                proptest::prop_assert!(pause <= after + Duration::from_secs(ceiling));
            } else {
                proptest::prop_assert!(after + Duration::from_secs(ceiling) >= left);
            }
            // More luck is a shorter pause.
            let lucky = pause(attempt, random / 2, Some(after), Duration::MAX);
            proptest::prop_assert!(lucky <= pause(attempt, random, Some(after), Duration::MAX));
        }
    }
}
