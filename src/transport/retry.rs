//! Whether to try again, and after what wait. Pure: no clock, no socket.

use std::time::{Duration, SystemTime};

use backon::{BackoffBuilder, ExponentialBuilder};
use http::{HeaderMap, StatusCode};

/// A server that asks for more than this gets no further try.
pub(crate) const LONGEST_SERVER_WAIT: Duration = Duration::from_secs(120);
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// How an attempt ended that did not succeed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome<'a> {
    /// No reply, or one that broke off: connection faults and timeouts.
    Fault,
    /// A reply with an error status.
    Status(StatusCode, &'a HeaderMap),
    /// Trying again cannot help.
    Final,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Try again after this wait.
    Retry(Duration),
    /// Give up.
    Stop,
}

/// Judges an attempt; `retries_taken` counts from 0, `jitter` is in `0.0..1.0`.
pub(crate) fn judge(outcome: Outcome<'_>, retries_taken: u32, max_retries: u32, jitter: f64) -> Verdict {
    if retries_taken >= max_retries {
        return Verdict::Stop;
    }
    let server_wait = match outcome {
        Outcome::Final => return Verdict::Stop,
        Outcome::Fault => None,
        Outcome::Status(status, headers) => {
            let wanted = match headers.get("x-should-retry").map(|value| value.as_bytes()) {
                Some(b"true") => true,
                Some(b"false") => false,
                _ => is_retried(status),
            };
            if !wanted {
                return Verdict::Stop;
            }
            server_wait(headers, SystemTime::now())
        }
    };
    match server_wait {
        Some(wait) if wait > LONGEST_SERVER_WAIT => Verdict::Stop,
        Some(wait) => Verdict::Retry(wait),
        None => Verdict::Retry(own_wait(retries_taken, jitter)),
    }
}

/// Statuses that another try may change.
pub(crate) fn is_retried(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 409 | 429 | 500..)
}

/// min(0.5 s · 2ⁿ, 8 s) × (0.75..1].
fn own_wait(retries_taken: u32, jitter: f64) -> Duration {
    let wait = ExponentialBuilder::default()
        .with_min_delay(FIRST_WAIT)
        .with_max_delay(LONGEST_WAIT)
        .with_factor(2.0)
        .without_max_times()
        .build()
        // Past the ceiling all waits are the same.
        .nth(retries_taken.min(8) as usize)
        .unwrap_or(LONGEST_WAIT);
    wait.mul_f64(1.0 - 0.25 * jitter)
}

/// The wait that a server asks for: `retry-after-ms`, else `retry-after` in seconds or as a date. `None` when there is
/// none to use: absent, unreadable, zero or past.
pub(crate) fn server_wait(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let number = |name: &str| -> Option<f64> {
        let text = headers.get(name)?.to_str().ok()?.trim();
        // `inf` and `nan` are no numbers here; `1e400` overflows to infinity, which is a very long wait.
        text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | '+' | '-'))
            .then(|| text.parse::<f64>().ok())
            .flatten()
            .filter(|number| !number.is_nan() && !text.to_ascii_lowercase().contains("inf"))
    };
    let seconds = match (number("retry-after-ms"), number("retry-after")) {
        (Some(milliseconds), _) => milliseconds / 1000.0,
        (None, Some(seconds)) => seconds,
        (None, None) => {
            let date = httpdate::parse_http_date(headers.get("retry-after")?.to_str().ok()?.trim()).ok()?;
            date.duration_since(now).ok()?.as_secs_f64()
        }
    };
    (seconds > 0.0).then(|| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        [(http::HeaderName::from_static(name), value.parse().unwrap())].into_iter().collect()
    }

    fn wait(name: &'static str, value: &str) -> Option<Duration> {
        server_wait(&headers(name, value), SystemTime::now())
    }

    #[test]
    fn own_waits_double_up_to_eight_seconds() {
        let waits: Vec<_> = (0..7).map(|n| own_wait(n, 0.0).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 8000, 8000]);
        assert_eq!(own_wait(0, 1.0), Duration::from_millis(375));
        assert_eq!(own_wait(u32::MAX, 0.0), LONGEST_WAIT);
    }

    #[test]
    fn server_waits_are_milliseconds_seconds_or_dates() {
        assert_eq!(wait("retry-after-ms", "1500"), Some(Duration::from_millis(1500)));
        assert_eq!(wait("retry-after", "1.5"), Some(Duration::from_millis(1500)));
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(30));
        assert!(wait("retry-after", &date).is_some_and(|wait| wait.as_secs().abs_diff(30) <= 1));
    }

    #[test]
    fn unusable_server_waits_are_ignored() {
        for value in ["0", "-3", "inf", "nan", "soon", "Zun, 29 Sep 2023 16:26:27 GMT"] {
            assert_eq!(wait("retry-after", value), None, "{value}");
        }
    }

    #[test]
    fn a_server_that_asks_for_too_long_gets_no_further_try() {
        for value in ["121", "1e400", "99999999999999999999999999999999999"] {
            let headers = headers("retry-after", value);
            let outcome = Outcome::Status(StatusCode::TOO_MANY_REQUESTS, &headers);
            assert_eq!(judge(outcome, 0, 2, 0.5), Verdict::Stop, "{value}");
        }
    }
}
