//! Pure: reads `Retry-After` (RFC 9110 section 10.2.3). Never reads a clock.

use std::time::Duration;

use x509_cert::der::DateTime;

/// Seconds, or a date that is compared with `now` (seconds since 1970). A date in the past is no
/// wait.
#[must_use]
pub(super) fn parse(value: &str, now: u64) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // Digits that no number holds mean longer than anybody waits.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = parse_date(value)?.unix_duration();
    Some(date.saturating_sub(Duration::from_secs(now)))
}

/// An HTTP date in any of its three forms (RFC 9110 section 5.6.7); the day of the week is not
/// looked at.
fn parse_date(text: &str) -> Option<DateTime> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let words: Vec<&str> = text
        .split([' ', '-'])
        .filter(|word| !word.is_empty())
        .collect();
    let ([_, day, month, year, time, "GMT"] | [_, month, day, time, year]) = words[..] else {
        return None;
    };
    let clock: Vec<&str> = time.split(':').collect();
    let [hour, minute, second] = clock[..] else {
        return None;
    };
    let month = (1..).zip(MONTHS).find(|(_, name)| *name == month)?.0;
    let year = match (year.len(), year.parse().ok()?) {
        // No server is older than the Web.
        (2, year @ 0..90) => 2000 + year,
        (2, year) => 1900 + year,
        (_, year) => year,
    };
    DateTime::new(
        year,
        month,
        day.parse().ok()?,
        hour.parse().ok()?,
        minute.parse().ok()?,
        second.parse().ok()?,
    )
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form() {
        let at = |value, now| parse(value, now).map(|wait| wait.as_secs());
        assert_eq!(at("120", 0), Some(120));
        assert_eq!(at(" 0 ", 0), Some(0));
        assert_eq!(at("99999999999999999999", 0), Some(u64::MAX));
        for date in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(at(date, 784_111_700), Some(77), "{date}");
            assert_eq!(at(date, 900_000_000), Some(0), "{date}");
        }
        assert_eq!(at("Friday, 01-Jan-27 00:00:00 GMT", 1_798_761_599), Some(1));
        for wrong in [
            "",
            "-1",
            "soon",
            "Sun, 06 Nov",
            "Sun, 99 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun Nov  6 08:49 1994",
            "1.5",
        ] {
            assert_eq!(at(wrong, 0), None, "{wrong}");
        }
    }
}
