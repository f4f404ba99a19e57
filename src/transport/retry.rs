//! Retry policy: decides whether and when to retry. Pure functions: no I/O, no clock.

use std::time::{Duration, SystemTime};

use backon::{BackoffBuilder, ExponentialBuilder};
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::time::Instant;

use crate::error::{ApiError, is_transient};

/// The longest delay that is waited for on behalf of a server. One that requests more is not asked again by the same call.
pub(crate) const MAX_RETRY_AFTER: Duration = Duration::from_secs(120);
/// The longest delay that is believed: a date in the year 9999 is a mistake.
const MAX_REQUESTED_DELAY: Duration = Duration::from_secs(86_400);
const INITIAL_BACKOFF: Duration = Duration::from_millis(500);
const MAX_BACKOFF: Duration = Duration::from_secs(8);

/// As good as no limit, and still within the range of the clock.
const FOREVER: Duration = Duration::from_secs(30 * 365 * 86_400);

/// The end of a time limit that starts now.
pub(crate) fn deadline(limit: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(limit.min(FOREVER)).unwrap_or(now)
}

/// How an attempt failed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AttemptFailure<'a> {
    /// No response, or an interrupted one: connection errors and timeouts.
    Transient,
    /// A response with an error status, and the delay that its body requests.
    Status(StatusCode, &'a HeaderMap, Option<Duration>),
    /// Another attempt cannot help.
    Permanent,
}

/// The decision after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum RetryDecision {
    /// Retry after this delay.
    Retry(Duration),
    /// Give up.
    Stop,
}

/// Decides after an attempt; `retries_taken` counts from 0, `jitter` is in `0.0..1.0`.
pub(crate) fn decide(outcome: AttemptFailure<'_>, retries_taken: u32, max_retries: u32, jitter: f64) -> RetryDecision {
    if retries_taken >= max_retries {
        return RetryDecision::Stop;
    }
    let requested_delay = match outcome {
        AttemptFailure::Permanent => return RetryDecision::Stop,
        AttemptFailure::Transient => None,
        AttemptFailure::Status(status, headers, delay_in_body) => {
            let wanted = match headers.get("x-should-retry").map(|value| value.as_bytes()) {
                Some(b"true") => true,
                Some(b"false") => false,
                _ => is_transient(status),
            };
            if !wanted {
                return RetryDecision::Stop;
            }
            requested_delay(headers, SystemTime::now()).or(delay_in_body)
        }
    };
    match requested_delay {
        Some(wait) if wait > MAX_RETRY_AFTER => RetryDecision::Stop,
        Some(wait) => RetryDecision::Retry(wait),
        None => RetryDecision::Retry(backoff_delay(retries_taken, jitter)),
    }
}

/// min(0.5 s · 2ⁿ, 8 s) × (0.75..1].
fn backoff_delay(retries_taken: u32, jitter: f64) -> Duration {
    let wait = ExponentialBuilder::default()
        .with_min_delay(INITIAL_BACKOFF)
        .with_max_delay(MAX_BACKOFF)
        .with_factor(2.0)
        .without_max_times()
        .build()
        // Past the ceiling all delays are the same.
        .nth(retries_taken.min(8) as usize)
        .unwrap_or(MAX_BACKOFF);
    wait.mul_f64(1.0 - 0.25 * jitter)
}

/// The delay requested by the server: `retry-after-ms`, else `retry-after` in seconds or as a date. `None` if there is
/// none to use: missing, malformed, zero or past.
pub(crate) fn requested_delay(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let number = |name: &str| -> Option<f64> {
        let text = headers.get(name)?.to_str().ok()?.trim();
        // `inf` and `nan` are not numbers here; `1e400` overflows to infinity, which is a very long delay.
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
    delay(seconds)
}

/// A delay in seconds, if it is one, within the ceiling.
fn delay(seconds: f64) -> Option<Duration> {
    (seconds > 0.0)
        .then(|| Duration::try_from_secs_f64(seconds).unwrap_or(MAX_REQUESTED_DELAY).min(MAX_REQUESTED_DELAY))
}

/// The delay that the body of an error requests: Gemini's `retryDelay`, a member `retry_after`, or words such as "try again
/// in 1m2.5s".
pub(crate) fn delay_in_body(error: &ApiError) -> Option<Duration> {
    let in_members = error.extra.iter().find_map(|(name, value)| delay_in_member(name, value));
    in_members.or_else(|| {
        let message = error.message.to_ascii_lowercase();
        ["again in ", "retry in ", "again after ", "retry after "].into_iter().find_map(|words| {
            let (_, rest) = message.split_once(words)?;
            delay(seconds_in_words(rest)?)
        })
    })
}

fn delay_in_member(name: &str, value: &Value) -> Option<Duration> {
    match value {
        Value::Object(members) => members.iter().find_map(|(name, value)| delay_in_member(name, value)),
        Value::Array(items) => items.iter().find_map(|item| delay_in_member(name, item)),
        Value::Number(_) | Value::String(_) => {
            let number =
                || value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|number| number.is_finite());
            match name.to_ascii_lowercase().replace('-', "_").as_str() {
                "retrydelay" | "retry_delay" => delay(seconds_in_words(value.as_str()?)?),
                "retry_after" | "retry_after_seconds" | "retryafter" => delay(number()?),
                "retry_after_ms" => delay(number()? / 1000.0),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The seconds in the first words of a text: `634ms`, `36s`, `1m2.5s`, `20 seconds`, `1 minute`.
fn seconds_in_words(text: &str) -> Option<f64> {
    let mut seconds = None;
    let mut rest = text.trim_start();
    loop {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at_checked(end)?;
        let Ok(number) = number.parse::<f64>() else { return seconds };
        let after = after.trim_start();
        let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(end)?;
        let factor = match unit {
            "ms" | "millisecond" | "milliseconds" => 0.001,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hour" | "hours" => 3600.0,
            "d" | "day" | "days" => 86_400.0,
            _ => return seconds,
        };
        seconds = Some(seconds.unwrap_or(0.0) + number * factor);
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        [(http::HeaderName::from_static(name), value.parse().unwrap())].into_iter().collect()
    }

    fn wait(name: &'static str, value: &str) -> Option<Duration> {
        requested_delay(&headers(name, value), SystemTime::now())
    }

    #[test]
    fn own_waits_double_up_to_eight_seconds() {
        let waits: Vec<_> = (0..7).map(|n| backoff_delay(n, 0.0).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 8000, 8000]);
        assert_eq!(backoff_delay(0, 1.0), Duration::from_millis(375));
        assert_eq!(backoff_delay(u32::MAX, 0.0), MAX_BACKOFF);
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
    fn delays_in_bodies_are_members_or_words() {
        let delay = |body: &str| delay_in_body(&ApiError::from_body(body.as_bytes())).map(|delay| delay.as_millis());
        for (body, milliseconds) in [
            (r#"[{"error":{"message":"Quota.","details":[{"@type":"x.RetryInfo","retryDelay":"36s"}]}}]"#, 36_000),
            (r#"{"error":{"message":"Rate limit reached. Please try again in 634ms."}}"#, 634),
            (r#"{"error":{"message":"Please try again in 1m2.5s. Visit x"}}"#, 62_500),
            (r#"{"error":"Too many requests, please retry after 20 seconds."}"#, 20_000),
            (r#"{"message":"Try again in 1 minute"}"#, 60_000),
            (r#"{"message":"slow down","retry_after":1.5}"#, 1_500),
            (r#"{"error":{"message":"slow down","metadata":{"retry-after-ms":"250"}}}"#, 250),
            (r#"{"message":"slow down","retry_after":1e300}"#, 86_400_000),
        ] {
            assert_eq!(delay(body), Some(milliseconds), "{body}");
        }
        for body in
            [r#"{"message":"try again in a while"}"#, r#"{"message":"retry after -5 s"}"#, "try again in 5 apples"]
        {
            assert_eq!(delay(body), None, "{body}");
        }
    }

    #[test]
    fn a_requested_delay_has_a_ceiling() {
        for value in ["1e309", "18446744073709551615", "99999999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"] {
            assert_eq!(wait("retry-after", value), Some(MAX_REQUESTED_DELAY), "{value}");
        }
    }

    #[test]
    fn a_server_that_asks_for_too_long_gets_no_further_try() {
        for value in ["121", "1e400", "99999999999999999999999999999999999"] {
            let headers = headers("retry-after", value);
            let outcome = AttemptFailure::Status(StatusCode::TOO_MANY_REQUESTS, &headers, None);
            assert_eq!(decide(outcome, 0, 2, 0.5), RetryDecision::Stop, "{value}");
        }
    }
}
