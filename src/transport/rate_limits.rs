//! [`RateLimits`]: what a server says of its limits in the headers of a response.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

/// Rate limits from the `x-ratelimit-*` headers. Limits that the server does not report are `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimits {
    /// Number of requests per period.
    pub limit_requests: Option<u64>,
    /// Number of requests left in this period.
    pub remaining_requests: Option<u64>,
    /// Time until the request limit is reset.
    pub reset_requests: Option<Duration>,
    /// Number of tokens per period.
    pub limit_tokens: Option<u64>,
    /// Number of tokens left in this period.
    pub remaining_tokens: Option<u64>,
    /// Time until the token limit is reset.
    pub reset_tokens: Option<Duration>,
}

impl RateLimits {
    /// Reads `x-ratelimit-{limit,remaining,reset}-{requests,tokens}` and the shorter and longer names of other servers.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let text = |what: &str, endings: [&str; 3]| {
            endings.into_iter().find_map(|ending| {
                let value = headers.get(format!("x-ratelimit-{what}{ending}"))?.to_str().ok()?.trim();
                // LiteLLM sends Python's `None`.
                (!value.is_empty() && value != "None").then_some(value)
            })
        };
        let requests = ["-requests", "", "-requests-day"];
        let tokens = ["-tokens", "-tokens-minute", "-project-tokens"];
        // Counts may be floats.
        let count = |text: &str| text.parse::<f64>().ok().filter(|n| *n >= 0.0).map(|n| n as u64);
        RateLimits {
            limit_requests: text("limit", requests).and_then(count),
            remaining_requests: text("remaining", requests).and_then(count),
            reset_requests: text("reset", requests).and_then(|text| parse_reset(text, SystemTime::now())),
            limit_tokens: text("limit", tokens).and_then(count),
            remaining_tokens: text("remaining", tokens).and_then(count),
            reset_tokens: text("reset", tokens).and_then(|text| parse_reset(text, SystemTime::now())),
        }
    }
}

/// `6m0s`, `17ms`, `1h2m3.5s`, seconds, or a Unix time in seconds or milliseconds.
fn parse_reset(text: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(number) = text.parse::<f64>() {
        let epoch = now.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs_f64();
        let seconds = match number {
            _ if number >= 1e12 => number / 1000.0 - epoch,
            _ if number >= 1e9 => number - epoch,
            _ => number,
        };
        return Duration::try_from_secs_f64(seconds.max(0.0)).ok();
    }
    let mut seconds = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, tail) = rest.split_at_checked(rest.find(|c: char| !c.is_ascii_digit() && c != '.')?)?;
        let (unit, tail) = tail.split_at_checked(tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len()))?;
        seconds += number.parse::<f64>().ok()?
            * match unit {
                "d" => 86_400.0,
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = tail;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reset(text: &str) -> Option<Duration> {
        parse_reset(text, SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000))
    }

    #[test]
    fn resets_are_durations_seconds_or_moments() {
        assert_eq!(reset("6m0s"), Some(Duration::from_secs(360)));
        assert_eq!(reset("17ms"), Some(Duration::from_millis(17)));
        assert_eq!(reset("1h2m3.5s"), Some(Duration::from_millis(3_723_500)));
        assert_eq!(reset("12.5"), Some(Duration::from_millis(12_500)));
        assert_eq!(reset("1700000009"), Some(Duration::from_secs(9)));
        assert_eq!(reset("1700000009000"), Some(Duration::from_secs(9)));
        assert_eq!(reset("soon"), None);
        assert_eq!(reset("3x"), None);
    }
}
