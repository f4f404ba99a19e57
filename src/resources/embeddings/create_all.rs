//! Embeddings of any number of inputs: several requests, a few at a time.

use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};

use super::{EmbeddingInput, EmbeddingList, EmbeddingRequest, number, post};
use crate::call::Call;
use crate::chat::Usage;
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::decode::ApiResponse;
use crate::transport::request::{check_model, parse_header};
use crate::transport::{Options, PreparedCall};
use crate::wire::Wire;

/// A call that embeds any number of inputs, created by [`Embeddings::create_all`](super::Embeddings::create_all) and
/// sent when awaited.
///
/// * The inputs are split into requests of [`batch_size`](CreateAll::batch_size) inputs.
/// * [`concurrency`](CreateAll::concurrency) requests run at a time; each is retried like any call.
/// * The first error ends the call; requests in flight are dropped and their connections closed.
/// * The response contains all vectors, indexed over all inputs, and the sum of the usages.
#[must_use = "requests are sent when it is awaited"]
pub struct CreateAll {
    client: Client,
    request: EmbeddingRequest,
    options: Result<Options>,
    batch_size: usize,
    concurrency: usize,
    on_progress: Option<OnProgress>,
}

type OnProgress = Box<dyn FnMut(usize, usize) + Send>;

impl CreateAll {
    pub(super) fn new(client: &Client, request: EmbeddingRequest) -> Self {
        CreateAll {
            client: client.clone(),
            request,
            options: Ok(Options::default()),
            batch_size: 100,
            concurrency: 4,
            on_progress: None,
        }
    }

    /// Sets the maximum number of inputs per request. Servers limit their number and their total tokens. Defaults to
    /// 100.
    pub fn batch_size(mut self, inputs: usize) -> Self {
        self.batch_size = inputs;
        self
    }

    /// Sets the maximum number of concurrent requests. Defaults to 4.
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.concurrency = requests;
        self
    }

    /// Calls a function after each response, with the number of embedded inputs and of all inputs.
    pub fn on_progress(mut self, call: impl FnMut(usize, usize) + Send + 'static) -> Self {
        self.on_progress = Some(Box::new(call));
        self
    }

    /// Sets the timeout for each attempt of each request.
    pub fn timeout(self, limit: Duration) -> Self {
        self.option(|options| options.timeout = Some(limit))
    }

    /// Sets the maximum number of retries per request. Set to 0 to disable retries.
    pub fn max_retries(self, retries: u32) -> Self {
        self.option(|options| options.max_retries = Some(retries))
    }

    /// Sets a header of each request; replaces a default of the same name, including `authorization`.
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        match parse_header(name.as_ref(), value.as_ref()) {
            Ok((name, value)) => self.option(|options| drop(options.headers.insert(name, value))),
            Err(error) => {
                self.options = self.options.and(Err(error));
                self
            }
        }
    }

    /// Adds a query parameter to each URL.
    pub fn query(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.option(|options| options.query.push((name.into(), value.into())))
    }

    fn option(mut self, set: impl FnOnce(&mut Options)) -> Self {
        if let Ok(options) = &mut self.options {
            set(options);
        }
        self
    }

    async fn run(self) -> Result<EmbeddingList> {
        let CreateAll { client, mut request, options, batch_size, concurrency, mut on_progress } = self;
        let options = options?;
        if batch_size == 0 || concurrency == 0 {
            return Err(Error::config("`batch_size` and `concurrency` must be at least 1"));
        }
        check_model(&request.model)?;
        let input = std::mem::replace(&mut request.input, EmbeddingInput::default_value());
        // Input that only the server understands counts as one.
        let total = input.count().unwrap_or(1);
        let requests = input.batches(batch_size).enumerate().map(|(number, input)| {
            let (client, options) = (client.clone(), options.clone());
            let request = EmbeddingRequest { input, ..request.clone() };
            async move {
                let settings = client.settings.clone();
                let prepared = PreparedCall { request: post(&client, &request)?, settings, options };
                let reply = Call::from_prepared(prepared, EmbeddingList::decode).await?;
                let (count, vectors) = (request.input.count(), reply.data.len());
                match count {
                    Some(inputs) if inputs != vectors => {
                        let message = format!("got {vectors} embeddings for {inputs} inputs");
                        Err(Error::new(ErrorKind::Decode, message))
                    }
                    _ => Ok((number, count.unwrap_or(1), reply)),
                }
            }
        });
        // In any order, so that a slow request blocks no other and an error ends all of them.
        let mut replies = stream::iter(requests).buffer_unordered(concurrency);
        let (mut batches, mut done) = (Vec::new(), 0);
        while let Some((number, inputs, reply)) = replies.try_next().await? {
            batches.push((number, reply));
            done += inputs;
            if let Some(call) = &mut on_progress {
                call(done, total);
            }
        }
        batches.sort_unstable_by_key(|(number, _)| *number);
        Ok(joined(batches.into_iter().map(|(_, reply)| reply)))
    }
}

impl IntoFuture for CreateAll {
    type Output = Result<EmbeddingList>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for CreateAll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateAll")
            .field("inputs", &self.request.input.count())
            .field("batch_size", &self.batch_size)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}

impl EmbeddingInput {
    /// Returns the number of inputs; `None` for input that only the server understands.
    fn count(&self) -> Option<usize> {
        match self {
            EmbeddingInput::Text(_) | EmbeddingInput::Tokens(_) => Some(1),
            EmbeddingInput::Texts(texts) => Some(texts.len()),
            EmbeddingInput::TokenLists(lists) => Some(lists.len()),
            EmbeddingInput::Other(_) => None,
        }
    }

    /// Splits an array into arrays of at most this many inputs.
    fn batches(self, size: usize) -> Box<dyn Iterator<Item = EmbeddingInput> + Send> {
        match self {
            EmbeddingInput::Texts(texts) => Box::new(batches(texts, size).map(EmbeddingInput::Texts)),
            EmbeddingInput::TokenLists(lists) => Box::new(batches(lists, size).map(EmbeddingInput::TokenLists)),
            one => Box::new(std::iter::once(one)),
        }
    }
}

fn batches<T>(items: Vec<T>, size: usize) -> impl Iterator<Item = Vec<T>> {
    let mut items = items.into_iter();
    std::iter::from_fn(move || Some(items.by_ref().take(size).collect::<Vec<_>>()).filter(|batch| !batch.is_empty()))
}

fn joined(replies: impl Iterator<Item = EmbeddingList>) -> EmbeddingList {
    let mut all = EmbeddingList { object: "list".to_owned(), ..EmbeddingList::default_value() };
    for reply in replies {
        all.data.extend(reply.data);
        if all.model.is_empty() {
            all.model = reply.model;
        }
        if let Some(usage) = reply.usage {
            let sum = all.usage.get_or_insert_with(Usage::default_value);
            sum.prompt_tokens = sum.prompt_tokens.saturating_add(usage.prompt_tokens);
            sum.completion_tokens = sum.completion_tokens.saturating_add(usage.completion_tokens);
            sum.total_tokens = sum.total_tokens.saturating_add(usage.total_tokens);
        }
    }
    number(&mut all.data);
    all
}
