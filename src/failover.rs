//! Several servers behind one call: [`Failover`].

use std::borrow::Borrow;
use std::fmt;
use std::future::IntoFuture;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::Instant;

use crate::call::Call;
use crate::chat::{ChatCompletion, ChatRequest, ChatStream};
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};

/// A server and the name that a model has there.
#[derive(Clone, Debug)]
pub struct Target {
    client: Client,
    model: String,
    name: String,
}

impl Target {
    /// A model on a server.
    pub fn new(client: Client, model: impl Into<String>) -> Self {
        let model = model.into();
        Target { name: format!("{model} at {}", client.base_url()), client, model }
    }

    /// Sets the name that errors and answers call it by.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Its client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Name of its model.
    pub fn model(&self) -> &str {
        &self.model
    }
}

/// An ordered set of targets: the first that can answer does.
///
/// * It moves on for connection faults, timeouts, 408, 429, 5xx, spent quotas and what is not found, such as a model; every
///   other error is yours.
/// * A target that fails rests for a while, or longer where its server asks for that. When all rest, all are tried.
/// * All targets but the last are tried once; the last one with its client's own retries.
/// * A stream that has delivered is never moved.
///
/// ```no_run
/// # async fn run(request: openai_compatible::chat::ChatRequest) -> openai_compatible::Result<()> {
/// use openai_compatible::{Client, Failover, Provider, Target};
///
/// let targets = Failover::new([
///     Target::new(Client::for_provider(Provider::Groq)?, "llama-3.3-70b-versatile"),
///     Target::new(Client::for_provider(Provider::Ollama)?, "llama3.2"),
/// ]);
/// let answer = targets.chat(&request).await?;
/// println!("{} said: {}", answer.target(), answer.text());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Failover {
    targets: Arc<[Target]>,
    resting: Arc<Mutex<Vec<Option<Instant>>>>,
    rest: Duration,
}

impl Failover {
    /// Targets in the order in which they are asked.
    pub fn new(targets: impl IntoIterator<Item = Target>) -> Self {
        let targets: Arc<[Target]> = targets.into_iter().collect();
        let resting = Arc::new(Mutex::new(vec![None; targets.len()]));
        Failover { targets, resting, rest: Duration::from_secs(30) }
    }

    /// How long a target that failed is left alone. 30 s without this.
    pub fn rest(mut self, rest: Duration) -> Self {
        self.rest = rest;
        self
    }

    /// The targets.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Asks for a chat completion; each target puts its own model into the request.
    ///
    /// # Errors
    ///
    /// The error of the last target asked; its message holds what the others said.
    pub async fn chat(&self, request: impl Borrow<ChatRequest>) -> Result<Answered<ChatCompletion>> {
        let request = request.borrow();
        self.call(|target| target.client.chat().create(for_target(request, target))).await
    }

    /// Asks for a chat completion piece by piece. Once the first chunk is there, the target stays.
    ///
    /// # Errors
    ///
    /// As [`chat`](Self::chat).
    pub async fn stream(&self, request: impl Borrow<ChatRequest>) -> Result<Answered<ChatStream>> {
        let request = request.borrow();
        self.run(|target, is_last| {
            let call = once(target.client.chat().stream(for_target(request, target)), is_last);
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

    /// Makes any call: embeddings, transcriptions, a raw route.
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
    /// As [`chat`](Self::chat).
    pub async fn call<T: 'static>(&self, make: impl Fn(&Target) -> Call<T>) -> Result<Answered<T>> {
        self.run(|target, is_last| once(make(target), is_last).into_future()).await
    }

    async fn run<T>(&self, ask: impl Fn(&Target, bool) -> BoxFuture<'static, Result<T>>) -> Result<Answered<T>> {
        let order = self.order();
        let mut failures = Vec::new();
        for (n, &position) in order.iter().enumerate() {
            let Some(target) = self.targets.get(position) else { continue };
            let is_last = n + 1 == order.len();
            match ask(target, is_last).await {
                Ok(value) => {
                    self.set_resting(position, None);
                    return Ok(Answered { value, target: target.name.clone(), failures });
                }
                Err(error) if !moves_on(&error) => return Err(error),
                Err(error) => {
                    let rest = error.retry_after().unwrap_or_default().max(self.rest);
                    self.set_resting(position, Some(Instant::now() + rest));
                    failures.push((target.name.clone(), error));
                }
            }
        }
        let Some((last, error)) = failures.pop() else {
            return Err(Error::config("there is no target to ask"));
        };
        let others: Vec<_> = failures.iter().map(|(name, error)| format!("{name}: {error}")).collect();
        Err(error.with_context(match others.is_empty() {
            true => format!("{last} did not answer"),
            false => format!("no target answered; {}; and {last}", others.join("; ")),
        }))
    }

    /// Those awake in their order, then, should none of them answer, nobody: a target that rests is asked only when all
    /// rest.
    fn order(&self) -> Vec<usize> {
        let now = Instant::now();
        let resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        let is_awake = |until: &Option<Instant>| until.is_none_or(|until| until <= now);
        let awake: Vec<_> = resting.iter().enumerate().filter(|(_, until)| is_awake(until)).map(|(n, _)| n).collect();
        if awake.is_empty() { (0..resting.len()).collect() } else { awake }
    }

    fn set_resting(&self, position: usize, until: Option<Instant>) {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = resting.get_mut(position) {
            *slot = until;
        }
    }
}

/// The last target is asked as its client is set up, the others once.
fn once<T>(call: Call<T>, is_last: bool) -> Call<T> {
    if is_last { call } else { call.max_retries(0) }
}

fn for_target(request: &ChatRequest, target: &Target) -> ChatRequest {
    let mut request = request.clone();
    request.model.clone_from(&target.model);
    request
}

/// Errors that another server may not have.
fn moves_on(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Connect | ErrorKind::Timeout | ErrorKind::Transport | ErrorKind::Stream => true,
        ErrorKind::Api => {
            error.is_rate_limited()
                || error.is_quota_exceeded()
                || error.is_not_found()
                || error.status().is_some_and(|status| status.is_server_error() || status.as_u16() == 408)
        }
        _ => false,
    }
}

impl fmt::Debug for Failover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failover").field("targets", &self.targets).field("rest", &self.rest).finish_non_exhaustive()
    }
}

/// An answer, who gave it, and what the others said. Reads like the answer.
#[derive(Debug)]
#[non_exhaustive]
pub struct Answered<T> {
    value: T,
    target: String,
    failures: Vec<(String, Error)>,
}

impl<T> Answered<T> {
    /// Name of the target that answered.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Those asked before it, and their errors.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &Error)> {
        self.failures.iter().map(|(name, error)| (name.as_str(), error))
    }

    /// The answer alone.
    pub fn into_value(self) -> T {
        self.value
    }
}

impl<T> std::ops::Deref for Answered<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> std::ops::DerefMut for Answered<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}
