//! [`Failover`]: several servers behind one call.

use std::borrow::Borrow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::Instant;

use crate::call::Call;
use crate::chat::{ChatCompletion, ChatRequest, ChatStream};
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::responses::{Response, ResponseRequest, ResponseStream};
use crate::transport::options::CallOptions;
use crate::transport::retry::{MAX_RETRY_AFTER, deadline};

/// A server and the name of a model on it.
#[derive(Clone, Debug)]
pub struct FailoverTarget {
    client: Client,
    model: String,
    name: String,
}

impl FailoverTarget {
    /// Creates a target for a model on a server.
    pub fn new(client: Client, model: impl Into<String>) -> Self {
        let model = model.into();
        FailoverTarget { name: format!("{model} at {}", client.base_url()), client, model }
    }

    /// Sets the name used in errors and responses.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Returns the client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the name of the model.
    pub fn model(&self) -> &str {
        &self.model
    }
}

/// Sends requests to the first available of several targets.
///
/// * It moves on after connection errors, timeouts, 408, 429, 5xx, exhausted quotas, and if a model or endpoint is not
///   found. All other errors are returned.
/// * A target that fails is skipped during its cooldown, or longer if its server requests that. If all are in their
///   cooldown, all are tried.
/// * All targets but the last are tried once; the last one with the retries of its client.
/// * A stream stays with its target once its first chunk has arrived, or the first event with output.
///
/// ```no_run
/// # async fn run(request: openai_compatible::chat::ChatRequest) -> openai_compatible::Result<()> {
/// use openai_compatible::{Client, Failover, Provider, FailoverTarget};
///
/// let targets = Failover::new([
///     FailoverTarget::new(Client::for_provider(Provider::Groq)?, "llama-3.3-70b-versatile"),
///     FailoverTarget::new(Client::for_provider(Provider::Ollama)?, "llama3.2"),
/// ]);
/// let response = targets.chat(&request).await?;
/// println!("{}: {}", response.target(), response.text());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Failover {
    targets: Arc<[FailoverTarget]>,
    cooldowns: Arc<Mutex<Vec<Option<Instant>>>>,
    cooldown: Duration,
    options: CallOptions,
}

impl Failover {
    /// Creates a failover over targets, in the order in which they are tried.
    pub fn new(targets: impl IntoIterator<Item = FailoverTarget>) -> Self {
        let targets: Arc<[FailoverTarget]> = targets.into_iter().collect();
        let cooldowns = Arc::new(Mutex::new(vec![None; targets.len()]));
        Failover { targets, cooldowns, cooldown: Duration::from_secs(30), options: CallOptions::new() }
    }

    /// Sets how long a target is skipped after a failure. Defaults to 30 s.
    pub fn cooldown(mut self, cooldown: Duration) -> Self {
        self.cooldown = cooldown;
        self
    }

    /// Sets the options of each call to a target.
    pub fn options(mut self, options: CallOptions) -> Self {
        self.options.merge(options);
        self
    }

    /// Returns the targets.
    pub fn targets(&self) -> &[FailoverTarget] {
        &self.targets
    }

    /// Creates a chat completion with the first available target. Each target sets its own model.
    ///
    /// # Errors
    ///
    /// The error of the last target. Its message contains the errors of the others.
    pub async fn chat(&self, request: impl Borrow<ChatRequest>) -> Result<FailoverResponse<ChatCompletion>> {
        let request = request.borrow();
        self.call(|target| target.client.chat().create(for_target(request, target))).await
    }

    /// Creates a response with the first available target. Each target sets its own model.
    ///
    /// A target whose server lacks the Responses API is skipped like one that is down. A stored response belongs to the
    /// target that created it: follow it up there, or make the request [stateless](ResponseRequest::stateless).
    ///
    /// # Errors
    ///
    /// The same as those of [`chat`](Self::chat).
    pub async fn responses(&self, request: impl Borrow<ResponseRequest>) -> Result<FailoverResponse<Response>> {
        let request = request.borrow();
        self.call(|target| target.client.responses().create(response_for_target(request, target))).await
    }

    /// Streams a response from the first available target.
    ///
    /// # Errors
    ///
    /// The same as those of [`chat`](Self::chat).
    pub async fn stream_responses(
        &self,
        request: impl Borrow<ResponseRequest>,
    ) -> Result<FailoverResponse<ResponseStream>> {
        let request = request.borrow();
        self.run(|target, is_last| {
            let call = target.client.responses().stream(response_for_target(request, target));
            let call = self.prepare(call, is_last);
            Box::pin(async move {
                let mut stream = call.await?;
                stream.begin().await?;
                Ok(stream)
            })
        })
        .await
    }

    /// Streams a chat completion from the first available target.
    ///
    /// # Errors
    ///
    /// The same as those of [`chat`](Self::chat).
    pub async fn stream(&self, request: impl Borrow<ChatRequest>) -> Result<FailoverResponse<ChatStream>> {
        let request = request.borrow();
        self.run(|target, is_last| {
            let call = self.prepare(target.client.chat().stream(for_target(request, target)), is_last);
            Box::pin(async move {
                let mut stream = call.await?;
                // A server may report its failure in the first event.
                if let Some(first) = stream.try_next().await? {
                    stream.push_back(first);
                }
                Ok(stream)
            })
        })
        .await
    }

    /// Makes any call with the first available target: embeddings, transcriptions, custom endpoints.
    ///
    /// ```no_run
    /// # async fn run(targets: openai_compatible::Failover) -> openai_compatible::Result<()> {
    /// use openai_compatible::embeddings::EmbeddingRequest;
    ///
    /// let vectors = targets
    ///     .call(|target| target.client().embeddings().create(EmbeddingRequest::new(target.model(), ["red", "green"])))
    ///     .await?;
    /// println!("{} vectors", vectors.data.len());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The same as those of [`chat`](Self::chat).
    pub async fn call<T: 'static>(&self, make: impl Fn(&FailoverTarget) -> Call<T>) -> Result<FailoverResponse<T>> {
        self.run(|target, is_last| Box::pin(self.prepare(make(target), is_last))).await
    }

    async fn run<T>(
        &self,
        ask: impl Fn(&FailoverTarget, bool) -> BoxFuture<'static, Result<T>>,
    ) -> Result<FailoverResponse<T>> {
        let order = self.candidates();
        let mut failures = Vec::new();
        for (n, &position) in order.iter().enumerate() {
            let Some(target) = self.targets.get(position) else { continue };
            let is_last = n + 1 == order.len();
            match ask(target, is_last).await {
                Ok(value) => {
                    self.set_cooldown(position, None);
                    return Ok(FailoverResponse { value, target: target.name.clone(), failures });
                }
                Err(error) if !should_fail_over(&error) => return Err(error),
                Err(error) => {
                    // No header takes a target out for longer than a call would wait for it.
                    let requested = error.retry_after().unwrap_or_default().min(MAX_RETRY_AFTER);
                    self.set_cooldown(position, Some(deadline(requested.max(self.cooldown))));
                    failures.push((target.name.clone(), error));
                }
            }
        }
        let Some((last, error)) = failures.pop() else {
            return Err(Error::config("failover has no targets"));
        };
        let others: Vec<_> = failures.iter().map(|(name, error)| format!("{name}: {error}")).collect();
        Err(error.with_context(match others.is_empty() {
            true => format!("{last} failed"),
            false => format!("all targets failed: {}; {last}", others.join("; ")),
        }))
    }

    /// The last target is tried with the retries of its client or of the options, the others once.
    fn prepare<T>(&self, call: Call<T>, is_last: bool) -> Call<T> {
        let call = call.options(self.options.clone());
        if is_last { call } else { call.max_retries(0) }
    }

    /// The targets to try: those that are available, in their order; all of them if none is.
    fn candidates(&self) -> Vec<usize> {
        let now = Instant::now();
        let cooldowns = self.cooldowns.lock().unwrap_or_else(PoisonError::into_inner);
        let is_available = |until: &Option<Instant>| until.is_none_or(|until| until <= now);
        let available: Vec<_> =
            cooldowns.iter().enumerate().filter(|(_, until)| is_available(until)).map(|(n, _)| n).collect();
        if available.is_empty() { (0..cooldowns.len()).collect() } else { available }
    }

    fn set_cooldown(&self, position: usize, until: Option<Instant>) {
        let mut cooldowns = self.cooldowns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = cooldowns.get_mut(position) {
            *slot = until;
        }
    }
}

fn for_target(request: &ChatRequest, target: &FailoverTarget) -> ChatRequest {
    let mut request = request.clone();
    request.model.clone_from(&target.model);
    request
}

fn response_for_target(request: &ResponseRequest, target: &FailoverTarget) -> ResponseRequest {
    let mut request = request.clone();
    request.model.clone_from(&target.model);
    request
}

/// Errors that another server may not have.
fn should_fail_over(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Connect | ErrorKind::Timeout | ErrorKind::Transport | ErrorKind::Stream => true,
        ErrorKind::Api => {
            error.is_rate_limited()
                || error.is_quota_exceeded()
                || error.is_not_found()
                || error.status().is_some_and(|status| status.is_server_error() || matches!(status.as_u16(), 405 | 408))
        }
        _ => false,
    }
}

impl fmt::Debug for Failover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failover")
            .field("targets", &self.targets)
            .field("cooldown", &self.cooldown)
            .finish_non_exhaustive()
    }
}

/// A response, the target that sent it, and the errors of the others. Dereferences to the response.
#[derive(Debug)]
#[non_exhaustive]
pub struct FailoverResponse<T> {
    value: T,
    target: String,
    failures: Vec<(String, Error)>,
}

impl<T> FailoverResponse<T> {
    /// Returns the name of the target that responded.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Returns the targets tried before, with their errors.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &Error)> {
        self.failures.iter().map(|(name, error)| (name.as_str(), error))
    }

    /// Returns the response without its metadata.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> std::ops::Deref for FailoverResponse<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> std::ops::DerefMut for FailoverResponse<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}
