//! From requests to a batch that is done: [`Batches::run`] and [`Batches::wait`].

use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Batch, BatchInput, BatchRequest, BatchStatus, Batches};
use crate::error::{ApiError, Error, ErrorKind, Result};
use crate::files::Purpose;

impl Batches {
    /// Runs requests as a batch to its end: uploads them (`POST /files`), starts the batch (`POST /batches`) and asks how
    /// far it is (`GET /batches/{id}`) until it is done.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client, input: openai_compatible::batches::BatchInput) -> openai_compatible::Result<()> {
    /// let batch = client.batches().run(input)
    ///     .metadata("run", "7")
    ///     .on_progress(|batch| eprintln!("{}: {}", batch.id, batch.status))
    ///     .await?;
    /// println!("{:?}", batch.request_counts);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "create_and_poll")]
    pub fn run(&self, input: BatchInput) -> BatchRun {
        let request = BatchRequest::new("", input.endpoint().unwrap_or_default());
        let new = Box::new(New { input, purpose: Purpose::Batch, request });
        BatchRun { batches: self.clone(), new, waiting: Waiting::default() }
    }

    /// Waits for a batch that runs already, perhaps since another day: `GET /batches/{id}` until it is done.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use std::time::Duration;
    ///
    /// let batch = client.batches().wait("batch_abc").time_limit(Duration::from_secs(3600)).await?;
    /// println!("{}", batch.status);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "resume")]
    #[doc(alias = "poll")]
    pub fn wait(&self, id: impl Into<String>) -> BatchWait {
        BatchWait { batches: self.clone(), id: id.into(), waiting: Waiting::default() }
    }
}

/// A batch on its way, made by [`Batches::run`] and started when it is awaited.
///
/// - A batch that is completed, expired or cancelled is given: what had run has results, see [`Batches::results`].
/// - A batch that failed, which a bad input file does, is an error of [`ErrorKind::Api`]. This and every other error from
///   the start of the batch on knows it: see [`Error::batch`].
/// - A poll that fails for a passing reason, after the retries of every call, is tried again at the next turn.
/// - Dropping it stops the asking, not the batch. Its id is told to [`on_progress`](BatchRun::on_progress) first of all:
///   [`Batches::wait`] goes on with it, [`Batches::cancel`] stops it.
#[must_use = "a batch starts when it is awaited"]
pub struct BatchRun {
    batches: Batches,
    new: Box<New>,
    waiting: Waiting,
}

/// A batch that is yet to be started.
struct New {
    input: BatchInput,
    purpose: Purpose,
    request: BatchRequest,
}

/// The wait for a batch, made by [`Batches::wait`]. It ends like a [`BatchRun`]; dropping it leaves the batch running.
#[must_use = "nothing is asked until it is awaited"]
pub struct BatchWait {
    batches: Batches,
    id: String,
    waiting: Waiting,
}

enum Which {
    New(Box<New>),
    Known(String),
}

/// How both of them wait.
struct Waiting {
    first: Duration,
    longest: Duration,
    max_failures: u32,
    time_limit: Option<Duration>,
    on_progress: Option<OnProgress>,
}

type OnProgress = Box<dyn FnMut(&Batch) + Send>;

/// How much longer each wait is than the one before.
const GROWTH: f64 = 1.5;

impl Default for Waiting {
    fn default() -> Self {
        Waiting {
            first: Duration::from_secs(5),
            longest: Duration::from_secs(60),
            max_failures: 10,
            time_limit: None,
            on_progress: None,
        }
    }
}

macro_rules! waiting_setters {
    ($name:ident) => {
        impl $name {
            /// Sets the time between two polls: the first one, which grows by half each time, and the longest. 5 and 60
            /// seconds without this.
            pub fn interval(mut self, first: Duration, longest: Duration) -> Self {
                (self.waiting.first, self.waiting.longest) = (first, longest);
                self
            }

            /// Limits the whole: what is not done by then is an error of [`ErrorKind::Timeout`], and the batch runs on.
            /// No limit without this.
            pub fn time_limit(mut self, limit: Duration) -> Self {
                self.waiting.time_limit = Some(limit);
                self
            }

            /// Sets how many polls in a row may fail for a passing reason, each after its own retries; 10 without this.
            pub fn max_failures(mut self, polls: u32) -> Self {
                self.waiting.max_failures = polls;
                self
            }

            /// Calls a function with the batch as soon as it is known, and after each poll.
            pub fn on_progress(mut self, call: impl FnMut(&Batch) + Send + 'static) -> Self {
                self.waiting.on_progress = Some(Box::new(call));
                self
            }
        }
    };
}
waiting_setters!(BatchRun);
waiting_setters!(BatchWait);

impl BatchRun {
    /// Adds a note of your own.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.new.request = self.new.request.metadata(name, value);
        self
    }

    /// Sets the time that the batch may take; `24h` without this.
    pub fn completion_window(mut self, window: impl Into<String>) -> Self {
        self.new.request = self.new.request.completion_window(window);
        self
    }

    /// Lets the server remove the output files by itself, so many seconds after they were made.
    pub fn output_expires_after(mut self, seconds: u64) -> Self {
        self.new.request = self.new.request.output_expires_after(seconds);
        self
    }

    /// Adds a member to the request that starts the batch.
    pub fn extra(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.new.request = self.new.request.extra(name, value);
        self
    }

    /// Sets what the input file is uploaded for; [`Purpose::Batch`] without this. *Providers*: `batch-api` on Together.
    pub fn purpose(mut self, purpose: impl Into<Purpose>) -> Self {
        self.new.purpose = purpose.into();
        self
    }

    /// Uploads the requests and starts the batch, and does not wait for it.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client, input: openai_compatible::batches::BatchInput) -> openai_compatible::Result<()> {
    /// let batch = client.batches().run(input).submit().await?;
    /// println!("wait for {} tomorrow", batch.id);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn submit(self) -> Result<Batch> {
        let BatchRun { batches, new, mut waiting } = self;
        let batch = match waiting.end() {
            Some(end) => timeout_at(end, new.start(&batches)).await.map_err(|_| waiting.over(None))?,
            None => new.start(&batches).await,
        }?;
        waiting.tell(&batch);
        Ok(batch)
    }
}

impl New {
    async fn start(self, batches: &Batches) -> Result<Batch> {
        let file = batches.client.files().upload(self.input.into_source()?, self.purpose).await?;
        let request = BatchRequest { input_file_id: file.id, ..self.request };
        batches.create(&request).await.map_err(|error| {
            let file = &request.input_file_id;
            error.with_context(format!("the file `{file}` was uploaded, but its batch did not start"))
        })
    }
}

impl Waiting {
    fn end(&self) -> Option<Instant> {
        self.time_limit.and_then(|limit| Instant::now().checked_add(limit))
    }

    fn tell(&mut self, batch: &Batch) {
        if let Some(call) = &mut self.on_progress {
            call(batch);
        }
    }

    /// Waits for a known batch, or for one that it starts.
    async fn run(mut self, batches: &Batches, which: Which) -> Result<Batch> {
        if self.first.is_zero() || self.longest.is_zero() {
            return Err(Error::config("the interval between two polls is zero"));
        }
        let (end, mut seen) = (self.end(), None);
        let steps = async {
            let id = match which {
                Which::New(new) => {
                    let batch = new.start(batches).await?;
                    self.tell(&batch);
                    seen.insert(batch).id.clone()
                }
                Which::Known(id) => id,
            };
            self.poll(batches, &id, &mut seen).await
        };
        let result = match end {
            Some(end) => timeout_at(end, steps).await.ok(),
            None => Some(steps.await),
        };
        match result.unwrap_or_else(|| Err(self.over(seen.as_ref()))) {
            Ok(batch) if batch.status == BatchStatus::Failed => Err(failed(batch)),
            Ok(batch) => Ok(batch),
            Err(error) => Err(match seen {
                Some(batch) => error.with_batch(batch),
                None => error,
            }),
        }
    }

    async fn poll(&mut self, batches: &Batches, id: &str, seen: &mut Option<Batch>) -> Result<Batch> {
        let mut wait = self.first.min(self.longest);
        let mut failures = 0;
        // What is known already is not asked at once.
        let mut pause = seen.as_ref().map_or(Duration::ZERO, |_| wait);
        loop {
            if let Some(batch) = seen.take_if(|batch| batch.status.is_terminal()) {
                return Ok(batch);
            }
            if !pause.is_zero() {
                sleep(pause).await;
                wait = wait.mul_f64(GROWTH).min(self.longest);
            }
            pause = wait;
            match batches.get(id).await {
                Ok(batch) => {
                    failures = 0;
                    self.tell(&batch);
                    *seen = Some(batch);
                }
                Err(error) if error.is_retryable() && failures < self.max_failures => {
                    failures += 1;
                    pause = pause.max(error.retry_after().unwrap_or_default());
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn over(&self, seen: Option<&Batch>) -> Error {
        let limit = self.time_limit.unwrap_or_default();
        Error::new(
            ErrorKind::Timeout,
            match seen {
                Some(batch) => format!("the batch `{}` is not done after {limit:?}, and runs on", batch.id),
                None => format!("nothing is known of the batch after {limit:?}"),
            },
        )
    }
}

fn failed(batch: Batch) -> Error {
    let error = Error::new(ErrorKind::Api, format!("the batch `{}` failed", batch.id));
    let mut faults = batch.errors.iter().flat_map(|errors| &errors.data);
    let Some(first) = faults.next() else { return error.with_batch(batch) };
    let mut message = match first.line {
        Some(line) => format!("line {line}: {}", first.message),
        None => first.message.clone(),
    };
    let others = faults.count();
    if others > 0 {
        message += &format!(" (and {others} more)");
    }
    let code = Some(first.code.clone()).filter(|code| !code.is_empty());
    let api = ApiError { message, code, param: first.param.clone(), ..ApiError::default() };
    error.with_api(api).with_batch(batch)
}

impl IntoFuture for BatchRun {
    type Output = Result<Batch>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.waiting.run(&self.batches, Which::New(self.new)).await })
    }
}

impl IntoFuture for BatchWait {
    type Output = Result<Batch>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.waiting.run(&self.batches, Which::Known(self.id)).await })
    }
}

impl fmt::Debug for BatchRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchRun").field("input", &self.new.input).finish_non_exhaustive()
    }
}

impl fmt::Debug for BatchWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchWait").field("id", &self.id).finish_non_exhaustive()
    }
}
