//! [`RateLimiter`]: starts calls no faster than the server allows.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{HeaderMap, StatusCode};
use tokio::sync::{Mutex as Turn, Notify};
use tokio::time::{Instant, timeout_at};

use super::rate_limits::RateLimits;
use super::retry::{MAX_RETRY_AFTER, deadline};

/// Starts calls no faster than the server allows, instead of retrying rejected ones.
///
/// It learns the limits on requests and tokens from the headers of responses, and where there are none, from 429 responses:
/// calls start a few at a time, more with each success, and slow down to the rate at which the server accepted them. While
/// a server requests a delay, no call starts.
///
/// The limiter is shared by all clones of a client, and by all clients that are given a clone of it. Calls start in the order in
/// which they were made; one that is dropped gives its place to the next. The delay counts towards
/// [`total_timeout`](crate::ClientBuilder::total_timeout), but not towards the timeout of an attempt.
///
/// The tokens of a request are estimated from the length of its body, four bytes to a token, and corrected by the next
/// response that reports how many are left.
///
/// ```
/// use openai_compatible::{Client, RateLimiter};
///
/// let client = Client::builder()
///     .base_url("http://localhost:8080/v1")
///     .rate_limiter(RateLimiter::new().requests_per_minute(500).max_concurrency(32))
///     .build()?;
/// # Ok::<(), openai_compatible::Error>(())
/// ```
#[derive(Clone)]
pub struct RateLimiter(Arc<Shared>);

struct Shared {
    /// Held by the call that starts next. Its queue is fair, and forgets a call that is dropped.
    turn: Turn<()>,
    state: Mutex<State>,
    /// Wakes that call when another one has ended.
    changed: Notify,
}

/// What the pipeline asks of a limiter. A trait object, so that programs without a limiter do not contain one.
pub(crate) trait Pace: Send + Sync {
    /// Waits until a call with a body of this length may start.
    fn start(&self, body_length: usize) -> BoxFuture<'_, Permit>;
}

/// A call that has started.
pub(crate) struct Permit {
    limiter: RateLimiter,
    started: Instant,
}

impl Permit {
    /// Learns from the response.
    pub(crate) fn finish(self, status: StatusCode, headers: &HeaderMap, retry_after: Option<Duration>) {
        self.limiter.state().learn(self.started, status, headers, retry_after);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.limiter.state();
        state.in_flight = state.in_flight.saturating_sub(1);
        drop(state);
        self.limiter.0.changed.notify_one();
    }
}

/// Calls in flight before anything is known of the server.
const FIRST_WINDOW: f64 = 8.0;
/// Up to this many calls in flight, each success admits one more; after that, each round of successes does.
const SLOW_WINDOW: f64 = 16.0;
/// The pause after a refusal that names none, doubled with each further one.
const PAUSE: Duration = Duration::from_secs(1);
/// How far below a rate that was learned from a refusal calls start.
const MARGIN: f64 = 0.95;
/// How much a learned rate grows in a second of successes.
const GROWTH: f64 = 0.02;
/// An estimate: most tokens of English text have four bytes.
const BYTES_PER_TOKEN: usize = 4;

struct State {
    requests: Bucket,
    tokens: Bucket,
    max_concurrency: usize,
    in_flight: usize,
    /// Calls that may be in flight while no limit is known.
    window: f64,
    paused_until: Option<Instant>,
    /// The last refusal that counted: those of calls that had started before are of the same burst.
    refused: Option<Instant>,
    refusals: u32,
    /// Successes since the first call after the last refusal.
    accepted: u32,
    since: Option<Instant>,
}

/// A token bucket, without a limit until one is known.
#[derive(Default)]
struct Bucket {
    limit: Option<Limit>,
    /// Set by the program, so that refusals do not change it.
    is_fixed: bool,
}

#[derive(Clone, Copy)]
struct Limit {
    capacity: f64,
    per_second: f64,
    level: f64,
    updated: Instant,
    /// Learned from refusals, so that it is worth trying more.
    is_guess: bool,
}

impl Limit {
    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.updated).as_secs_f64();
        self.level = (self.level + elapsed * self.per_second).min(self.capacity);
        self.updated = now;
    }
}

impl Bucket {
    /// The time until this much is there; `None` if it is.
    fn wait(&mut self, amount: f64, now: Instant) -> Option<Duration> {
        let limit = self.limit.as_mut()?;
        limit.refill(now);
        // A request that is larger than the limit waits until all of it is there.
        let missing = amount.min(limit.capacity) - limit.level;
        // Rounding: a millionth of a request is none.
        (missing > 1e-6).then(|| seconds(missing / limit.per_second))
    }

    fn take(&mut self, amount: f64) {
        if let Some(limit) = &mut self.limit {
            limit.level -= amount;
        }
    }

    /// Takes over what the server reports. Calls in flight may not be part of it yet.
    fn report(&mut self, limit: Option<u64>, left: Option<u64>, reset: Option<Duration>, in_flight: f64, now: Instant) {
        let (Some(capacity), Some(left)) = (limit.filter(|limit| *limit > 0), left) else { return };
        let (capacity, left) = (capacity as f64, left as f64);
        // Usually per minute; the time until all is back says it more precisely.
        let per_second = match reset.map(|reset| reset.as_secs_f64()) {
            Some(reset) if reset > 0.0 && left < capacity => (capacity - left) / reset,
            _ => capacity / 60.0,
        };
        let mut known = self.limit.filter(|known| !known.is_guess).unwrap_or(Limit {
            capacity,
            per_second,
            level: capacity,
            updated: now,
            is_guess: false,
        });
        known.refill(now);
        if self.is_fixed {
            known.level = known.level.min(left - in_flight);
        } else {
            known = Limit { capacity, per_second, level: known.level.min(left - in_flight), ..known };
        }
        self.limit = Some(known);
    }

    /// Sets a limit in requests or tokens per minute.
    fn fix(&mut self, per_minute: u32) {
        let capacity = f64::from(per_minute.max(1));
        let per_second = capacity / 60.0;
        self.is_fixed = true;
        self.limit = Some(Limit { capacity, per_second, level: capacity, updated: Instant::now(), is_guess: false });
    }

    /// Slows down to a rate that was learned from a refusal.
    fn guess(&mut self, accepted: u32, within: Duration, now: Instant) {
        if self.is_fixed || self.limit.is_some_and(|limit| !limit.is_guess) {
            return;
        }
        let measured = f64::from(accepted) / within.as_secs_f64().max(0.1) * MARGIN;
        let known = self.limit.map_or(f64::INFINITY, |limit| limit.per_second);
        // Nothing was accepted: the rate is not even close.
        let per_second = if accepted == 0 { known / 2.0 } else { measured.min(known * 0.9) };
        let per_second = per_second.clamp(1.0 / 60.0, 1e6);
        let capacity = (per_second / 10.0).max(1.0);
        self.limit = Some(Limit { capacity, per_second, level: 0.0, updated: now, is_guess: true });
    }

    /// Tries a little more, after a success.
    fn grow(&mut self) {
        if let Some(limit) = self.limit.as_mut().filter(|limit| limit.is_guess) {
            limit.per_second *= 1.0 + GROWTH / limit.per_second.max(1.0);
        }
    }
}

impl State {
    /// Starts a call, or says how long nothing changes by itself; `None` if a call in flight must end first.
    fn try_start(&mut self, tokens: f64, now: Instant) -> Result<(), Option<Duration>> {
        if let Some(until) = self.paused_until.filter(|until| *until > now) {
            return Err(Some(until.saturating_duration_since(now)));
        }
        self.paused_until = None;
        let is_known = self.requests.limit.is_some();
        if self.in_flight >= self.max_concurrency || (!is_known && self.in_flight as f64 >= self.window) {
            return Err(None);
        }
        if let Some(wait) = self.requests.wait(1.0, now).max(self.tokens.wait(tokens, now)) {
            return Err(Some(wait));
        }
        self.requests.take(1.0);
        self.tokens.take(tokens);
        self.in_flight += 1;
        self.since.get_or_insert(now);
        Ok(())
    }

    fn learn(&mut self, started: Instant, status: StatusCode, headers: &HeaderMap, retry_after: Option<Duration>) {
        let now = Instant::now();
        let limits = RateLimits::from_headers(headers);
        let others = self.in_flight.saturating_sub(1) as f64;
        let (limit, left) = (limits.limit_requests, limits.remaining_requests);
        self.requests.report(limit, left, limits.reset_requests, others, now);
        self.tokens.report(limits.limit_tokens, limits.remaining_tokens, limits.reset_tokens, 0.0, now);
        if status == StatusCode::TOO_MANY_REQUESTS {
            return self.slow_down(started, retry_after, now);
        }
        if status.is_success() {
            self.accepted = self.accepted.saturating_add(1);
            self.refusals = 0;
            self.requests.grow();
            self.window += if self.window < SLOW_WINDOW { 1.0 } else { 1.0 / self.window };
        }
    }

    fn slow_down(&mut self, started: Instant, retry_after: Option<Duration>, now: Instant) {
        let is_same_burst = self.refused.is_some_and(|refused| started <= refused);
        let pause = retry_after.unwrap_or_else(|| PAUSE.saturating_mul(1 << self.refusals.min(6))).min(MAX_RETRY_AFTER);
        let until = deadline(pause);
        if !is_same_burst || retry_after.is_some() {
            self.paused_until = self.paused_until.max(Some(until));
        }
        if is_same_burst {
            return;
        }
        let since = self.since.take().unwrap_or(now);
        self.requests.guess(self.accepted, now.saturating_duration_since(since).saturating_add(pause), now);
        self.window = (self.window / 2.0).max(1.0);
        self.refused = Some(now);
        self.refusals = self.refusals.saturating_add(1);
        self.accepted = 0;
    }
}

fn seconds(seconds: f64) -> Duration {
    // At least a millisecond, which is what timers can tell apart.
    Duration::try_from_secs_f64(seconds).unwrap_or(MAX_RETRY_AFTER).max(Duration::from_millis(1))
}

impl RateLimiter {
    /// Creates a limiter that learns the limits of the server.
    pub fn new() -> Self {
        let state = State {
            requests: Bucket::default(),
            tokens: Bucket::default(),
            max_concurrency: usize::MAX,
            in_flight: 0,
            window: FIRST_WINDOW,
            paused_until: None,
            refused: None,
            refusals: 0,
            accepted: 0,
            since: None,
        };
        RateLimiter(Arc::new(Shared { turn: Turn::new(()), state: Mutex::new(state), changed: Notify::new() }))
    }

    /// Sets the number of requests that may start in a minute, instead of learning it.
    pub fn requests_per_minute(self, requests: u32) -> Self {
        self.state().requests.fix(requests);
        self
    }

    /// Sets the number of tokens in the requests of a minute, instead of learning it.
    pub fn tokens_per_minute(self, tokens: u32) -> Self {
        self.state().tokens.fix(tokens);
        self
    }

    /// Sets the maximum number of calls that wait for their response at the same time. No limit by default.
    pub fn max_concurrency(self, calls: usize) -> Self {
        self.state().max_concurrency = calls.max(1);
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pace for RateLimiter {
    fn start(&self, body_length: usize) -> BoxFuture<'_, Permit> {
        Box::pin(async move {
            let _turn = self.0.turn.lock().await;
            let tokens = (body_length / BYTES_PER_TOKEN) as f64;
            loop {
                let changed = self.0.changed.notified();
                let now = Instant::now();
                let started = self.state().try_start(tokens, now);
                match started {
                    Ok(()) => return Permit { limiter: self.clone(), started: now },
                    Err(Some(wait)) => drop(timeout_at(deadline(wait), changed).await),
                    Err(None) => changed.await,
                }
            }
        })
    }
}

impl Default for RateLimiter {
    fn default() -> Self {
        RateLimiter::new()
    }
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        let per_minute = |bucket: &Bucket| bucket.limit.map(|limit| (limit.per_second * 60.0).round());
        f.debug_struct("RateLimiter")
            .field("requests_per_minute", &per_minute(&state.requests))
            .field("tokens_per_minute", &per_minute(&state.tokens))
            .field("in_flight", &state.in_flight)
            .finish_non_exhaustive()
    }
}
