//! The device's clock: fresh boards begin in 1970, and certificates are judged by it.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use crate::report::Reporter;
use crate::version::build_epoch;

/// systemd-timesyncd makes this file when it has set the clock (systemd-time-wait-sync(8)).
const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";
/// How often to look.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// This device's clock, seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs()
}

/// Pure: what is wrong with a clock that says `now`, for a program built at `built`; both in
/// seconds since 1970. A build of unknown date says nothing.
pub(crate) fn doubt(now: u64, built: u64) -> Option<String> {
    (now < built).then(|| {
        format!(
            "this device's clock says {}, which is before this program was built ({}): set it",
            date(now),
            date(built)
        )
    })
}

/// What is wrong with this device's clock, if it is certain, for a command that can wait.
pub(crate) fn doubt_now() -> Option<String> {
    doubt_without_waiting().map(|doubt| format!("{doubt}, or give --wait-clock SECS"))
}

/// The same for a command that cannot.
pub(crate) fn doubt_without_waiting() -> Option<String> {
    doubt(now(), build_epoch())
}

/// RFC 3339, of seconds since 1970.
pub(crate) fn date(seconds: u64) -> String {
    x509_cert::der::DateTime::from_unix_duration(Duration::from_secs(seconds)).map_or_else(
        |_| format!("{seconds} s since 1970"),
        |date| date.to_string(),
    )
}

/// Waits until the clock was set or says a time that can be true, for at most `limit`. A clock
/// that stays wrong is a warning: what needs it will say so.
pub(crate) fn wait(limit: Duration, reporter: &Reporter) {
    if limit.is_zero() {
        return;
    }
    let started = Instant::now();
    let mut announced = false;
    while doubt_now().is_some() && !Path::new(SYNCHRONISED).exists() {
        let left = limit.saturating_sub(started.elapsed());
        if left.is_zero() {
            if let Some(doubt) = doubt_now() {
                reporter.warn(&doubt);
            }
            return;
        }
        if !announced {
            reporter.step("Waiting for the clock to be set");
            announced = true;
        }
        std::thread::sleep(left.min(LOOK_EVERY));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clock_before_the_build_is_doubted() {
        assert!(doubt(0, 0).is_none());
        assert!(doubt(1_700_000_000, 1_700_000_000).is_none());
        let doubt = doubt(5, 1_700_000_000).unwrap();
        assert!(
            doubt.contains("1970-01-01T00:00:05Z") && doubt.contains("2023-11-14"),
            "{doubt}"
        );
    }
}
