//! Tries again what may succeed later, until the deadline; says why and when.

use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::retry;
use crate::ui::Reporter;

/// What one attempt came to.
pub enum Attempt<T> {
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
pub fn persist<T>(
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
        let Some(pause) = retry::pause(count, random, retry_after, left) else {
            return Err(error);
        };
        reporter.warn(&format!(
            "{}; trying again in {:.1} s",
            error.full_message(),
            pause.as_secs_f64()
        ));
        std::thread::sleep(pause);
        count += 1;
    }
}
