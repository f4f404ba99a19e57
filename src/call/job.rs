//! [`Job`]: work that goes on at the server until it is finished.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use sync_wrapper::SyncWrapper;
use tokio::time::{Instant, sleep, timeout_at};

use super::Call;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::options::CallOptions;
use crate::transport::retry::MAX_RETRY_AFTER;

/// Work that goes on at the server until it is finished, such as a background response.
///
/// Await it for the end, or read it as a [`Stream`] of states: the first one when the work is known, and one after each
/// poll. It starts when it is awaited or read.
///
/// - A poll that fails for a passing reason, after its own retries, is repeated after the next interval.
/// - Work that failed is an error of [`ErrorKind::Api`]. This and every other error after the work began contains its last
///   known state.
/// - Dropping the job stops polling, and not the work. The first state has its id, with which another job, even of another
///   process, goes on.
#[must_use = "a job starts when it is awaited or read"]
pub struct Job<T> {
    plan: Option<Plan<T>>,
    states: Option<SyncWrapper<BoxStream<'static, Result<T>>>>,
}

/// A state of work that goes on at the server.
pub trait JobState: Clone + Send + 'static {
    /// What the work is called in messages.
    const NAME: &'static str;
    /// The first interval between polls, and the longest.
    const POLL_INTERVAL: (Duration, Duration);

    /// Returns the id of the work.
    fn id(&self) -> &str;

    /// Returns `true` for a state that will not change any more.
    fn is_finished(&self) -> bool;

    /// Returns the error of work that failed.
    fn failure(&self) -> Option<Error>;

    /// Attaches the state to an error.
    fn attach_to(self, error: Error) -> Error;
}

type Start<T> = Box<dyn FnOnce(CallOptions) -> BoxFuture<'static, Result<T>> + Send>;
type Get<T> = Arc<dyn Fn(&str) -> Call<T> + Send + Sync>;
type OnProgress<T> = Box<dyn FnMut(&T) + Send>;

struct Plan<T> {
    origin: Origin<T>,
    get: Get<T>,
    options: CallOptions,
    interval: Duration,
    max_interval: Duration,
    max_poll_failures: u32,
    total_timeout: Option<Duration>,
    on_progress: Option<SyncWrapper<OnProgress<T>>>,
}

enum Origin<T> {
    Start(SyncWrapper<Start<T>>),
    Existing(String),
}

impl<T: JobState> Job<T> {
    /// Work that is yet to be started.
    pub(crate) fn start(
        start: impl FnOnce(CallOptions) -> BoxFuture<'static, Result<T>> + Send + 'static,
        get: impl Fn(&str) -> Call<T> + Send + Sync + 'static,
    ) -> Self {
        Job::new(Origin::Start(SyncWrapper::new(Box::new(start))), Arc::new(get))
    }

    /// Work that goes on already.
    pub(crate) fn existing(id: String, get: impl Fn(&str) -> Call<T> + Send + Sync + 'static) -> Self {
        Job::new(Origin::Existing(id), Arc::new(get))
    }

    fn new(origin: Origin<T>, get: Get<T>) -> Self {
        let (interval, max_interval) = T::POLL_INTERVAL;
        let plan = Plan {
            origin,
            get,
            options: CallOptions::new(),
            interval,
            max_interval,
            max_poll_failures: 10,
            total_timeout: None,
            on_progress: None,
        };
        Job { plan: Some(plan), states: None }
    }

    /// Sets the initial and the maximum time between polls. The interval grows by half after each poll. Defaults to 5 s and
    /// 60 s for batches, and to 1 s and 10 s for responses.
    pub fn poll_interval(self, initial: Duration, max: Duration) -> Self {
        self.set(|plan| (plan.interval, plan.max_interval) = (initial, max))
    }

    /// Sets the time limit for the whole job. When it expires, the job fails with [`ErrorKind::Timeout`], and the work goes
    /// on at the server. Defaults to no limit.
    pub fn total_timeout(self, limit: Duration) -> Self {
        self.set(|plan| plan.total_timeout = Some(limit))
    }

    /// Sets the maximum number of consecutive polls that may fail for a passing reason, each after its own retries.
    /// Defaults to 10.
    pub fn max_poll_failures(self, polls: u32) -> Self {
        self.set(|plan| plan.max_poll_failures = polls)
    }

    /// Sets the options of each call: those that start the work, and each poll.
    pub fn options(self, options: CallOptions) -> Self {
        self.set(|plan| plan.options.merge(options))
    }

    /// Sets a function that is called with each state.
    pub fn on_progress(self, call: impl FnMut(&T) + Send + 'static) -> Self {
        self.set(|plan| plan.on_progress = Some(SyncWrapper::new(Box::new(call))))
    }

    fn set(mut self, set: impl FnOnce(&mut Plan<T>)) -> Self {
        if let Some(plan) = &mut self.plan {
            set(plan);
        }
        self
    }
}

/// What is known of the work.
struct Progress<T> {
    plan: Plan<T>,
    origin: Option<Origin<T>>,
    end: Option<Instant>,
    last: Option<T>,
    id: String,
    delay: Duration,
    is_over: bool,
}

/// Growth factor of the poll interval.
const GROWTH: f64 = 1.5;

impl<T: JobState> Plan<T> {
    fn states(mut self) -> BoxStream<'static, Result<T>> {
        let origin = std::mem::replace(&mut self.origin, Origin::Existing(String::new()));
        let end = self.total_timeout.and_then(|limit| Instant::now().checked_add(limit));
        let progress = Progress {
            delay: self.interval.min(self.max_interval),
            plan: self,
            origin: Some(origin),
            end,
            last: None,
            id: String::new(),
            is_over: false,
        };
        let states = stream::unfold(progress, |mut progress| async move {
            if progress.is_over {
                return None;
            }
            let state = progress.next().await;
            progress.is_over = state.as_ref().map_or(true, T::is_finished);
            Some((state, progress))
        });
        states.boxed()
    }
}

impl<T: JobState> Progress<T> {
    /// Returns the next state, or the error of work that failed, with the last state that is known.
    async fn next(&mut self) -> Result<T> {
        if self.plan.interval.is_zero() || self.plan.max_interval.is_zero() {
            return Err(Error::config("poll interval must not be zero"));
        }
        let state = match self.end {
            Some(end) => timeout_at(end, self.step()).await.unwrap_or_else(|_| Err(self.timeout_error())),
            None => self.step().await,
        };
        match state {
            Ok(state) => {
                if let Some(call) = &mut self.plan.on_progress {
                    call.get_mut()(&state);
                }
                if let Some(error) = state.failure() {
                    return Err(state.attach_to(error));
                }
                self.last = Some(state.clone());
                Ok(state)
            }
            Err(error) => Err(match self.last.take() {
                Some(state) => state.attach_to(error),
                None => error,
            }),
        }
    }

    async fn step(&mut self) -> Result<T> {
        match self.origin.take() {
            Some(Origin::Start(start)) => {
                let state = start.into_inner()(self.plan.options.clone()).await?;
                state.id().clone_into(&mut self.id);
                return Ok(state);
            }
            // Work that was just started is not polled immediately; other work is.
            Some(Origin::Existing(id)) => self.id = id,
            None => sleep(self.next_delay()).await,
        }
        let mut failures = 0;
        loop {
            match (self.plan.get)(&self.id).options(self.plan.options.clone()).await {
                Ok(state) => return Ok(state),
                Err(error) if is_passing(&error) && failures < self.plan.max_poll_failures => {
                    failures += 1;
                    // Within the ceiling of all waits: the interval is the caller's, and longer only if it asks for that.
                    let requested = error.retry_after().unwrap_or_default().min(MAX_RETRY_AFTER);
                    sleep(self.next_delay().max(requested)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn next_delay(&mut self) -> Duration {
        let delay = self.delay;
        self.delay = delay.mul_f64(GROWTH).min(self.plan.max_interval);
        delay
    }

    fn timeout_error(&self) -> Error {
        let (name, limit) = (T::NAME, self.plan.total_timeout.unwrap_or_default());
        let message = match self.id.is_empty() {
            true => format!("{name} was not started within {limit:?}"),
            false => format!("{name} `{}` did not finish within {limit:?}; it is still running on the server", self.id),
        };
        Error::new(ErrorKind::Timeout, message)
    }
}

/// True for a fault that the next poll may not meet: also a body that is not JSON, which proxies send.
fn is_passing(error: &Error) -> bool {
    error.is_retryable() || error.kind() == ErrorKind::Decode
}

impl<T: JobState> Stream for Job<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(plan) = self.plan.take() {
            self.states = Some(SyncWrapper::new(plan.states()));
        }
        match &mut self.states {
            Some(states) => states.get_mut().poll_next_unpin(context),
            None => Poll::Ready(None),
        }
    }
}

impl<T> Unpin for Job<T> {}

impl<T: JobState> IntoFuture for Job<T> {
    type Output = Result<T>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let last = self.try_fold(None, async |_, state| Ok(Some(state))).await?;
            last.ok_or_else(|| Error::config("job was awaited after its end"))
        })
    }
}

impl<T> fmt::Debug for Job<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("is_started", &self.states.is_some()).finish_non_exhaustive()
    }
}
