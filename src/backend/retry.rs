//! When to try again, and doing so: exponential backoff with full jitter, what the server asks for, and
//! one deadline over all attempts. Never knows what is tried.

use std::time::{Duration, Instant};

use super::http::NoAnswer;
use crate::error::{Error, Kind, Result};
use crate::report::Reporter;

/// The ceiling of the first pause.
const FIRST: Duration = Duration::from_secs(1);
/// The ceiling of every pause that we choose ourselves: only a long `--retry-for` comes near it.
const CEILING: Duration = Duration::from_secs(300);

/// What one attempt came to.
pub(super) enum Attempt<T> {
    /// It succeeded.
    Done(T),
    /// It failed for good.
    Failed(Error),
    /// It failed, and may succeed after a pause that the server may have named.
    Again(Error, Option<Duration>),
}

impl<T> From<NoAnswer> for Attempt<T> {
    /// A server that has not answered may do so later, unless it is not the one that was meant.
    fn from(NoAnswer { error, .. }: NoAnswer) -> Self {
        match error.kind() {
            Kind::Temporary => Self::Again(error, None),
            _ => Self::Failed(error),
        }
    }
}

/// How long to try again, and with what luck.
#[derive(Debug)]
pub(super) struct Retry<'a> {
    time: Duration,
    reporter: &'a Reporter,
    random: fn() -> u64,
}

impl<'a> Retry<'a> {
    /// Tries again for at most `time`; zero is one attempt.
    pub(super) fn new(time: Duration, reporter: &'a Reporter) -> Self {
        Self {
            time,
            reporter,
            random: system_random,
        }
    }

    /// Repeats `attempt` until it succeeds, fails for good, or there is no time for another.
    ///
    /// # Errors
    /// The error of the last attempt.
    pub(super) fn persist<T>(&self, mut attempt: impl FnMut() -> Attempt<T>) -> Result<T> {
        let started = Instant::now();
        let mut count = 1;
        loop {
            let (error, retry_after) = match attempt() {
                Attempt::Done(result) => return Ok(result),
                Attempt::Failed(error) => return Err(error),
                Attempt::Again(error, retry_after) => (error, retry_after),
            };
            let left = self.time.saturating_sub(started.elapsed());
            let Some(wait) = pause(count, (self.random)(), retry_after, left) else {
                return Err(error);
            };
            self.reporter.warn(&format!(
                "{}; trying again in {:.1} s",
                error.full_message(),
                wait.as_secs_f64()
            ));
            std::thread::sleep(wait);
            count += 1;
        }
    }
}

/// A uniform number of the system's; without one the pause is the longest.
fn system_random() -> u64 {
    getrandom::u64().unwrap_or(u64::MAX)
}

/// How long to wait before attempt `attempt + 1` (`attempt` counts from 1), or `None` when the
/// deadline would pass before it.
///
/// `random` is a uniform number; the pause is a uniform share of the ceiling that doubles with
/// every attempt. A server's `retry_after` is a lower bound that jitter comes on top of, so that
/// a thousand devices do not come back in the same second.
fn pause(
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

    /// A thousand devices must not come back in the same quarter of a second.
    #[test]
    fn the_systems_numbers_reach_the_whole_pause() {
        let pauses: Vec<_> = (0..300)
            .filter_map(|_| pause(1, system_random(), None, MINUTE))
            .collect();
        for tenth in 1..=10 {
            let range = FIRST * (tenth - 1) / 10..FIRST * tenth / 10;
            assert!(
                pauses.iter().any(|pause| range.contains(pause)),
                "{range:?}"
            );
        }
    }

    /// Without luck there is no time for a second attempt.
    #[test]
    fn luck_is_handed_in() {
        let reporter = Reporter::new(false);
        for (random, expected) in [((|| 0) as fn() -> u64, 3), (|| u64::MAX, 1)] {
            let retry = Retry {
                random,
                ..Retry::new(FIRST.mul_f64(0.9), &reporter)
            };
            let mut count = 0;
            let _ = retry.persist(|| {
                count += 1;
                match count {
                    3 => Attempt::Done(()),
                    _ => Attempt::Again(Error::bug("again"), None),
                }
            });
            assert_eq!(count, expected);
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
