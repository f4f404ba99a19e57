//! Embeddings of any number of inputs: several requests, a few at a time.

use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;

use futures::stream::{self, StreamExt, TryStreamExt};

use super::{EmbeddingInput, EmbeddingList, EmbeddingRequest, number, post};
use crate::call::Call;
use crate::chat::Usage;
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::options::CallOptions;
use crate::transport::request::check_model;
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
    options: CallOptions,
    batch_size: Option<usize>,
    concurrency: usize,
    on_progress: Option<OnProgress>,
}

type OnProgress = Box<dyn FnMut(usize, usize) + Send>;

impl CreateAll {
    pub(super) fn new(client: &Client, request: EmbeddingRequest) -> Self {
        CreateAll {
            client: client.clone(),
            request,
            options: CallOptions::default(),
            batch_size: None,
            concurrency: 4,
            on_progress: None,
        }
    }

    /// Sets the maximum number of inputs per request. Servers limit their number and their total tokens. Defaults to
    /// 100, or fewer where all requests can run at the same time, but to no fewer than 16.
    pub fn batch_size(mut self, inputs: usize) -> Self {
        self.batch_size = Some(inputs);
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

    /// Sets the options of each request.
    pub fn options(mut self, options: CallOptions) -> Self {
        self.options.merge(options);
        self
    }

    async fn run(self) -> Result<EmbeddingList> {
        let CreateAll { client, mut request, options, batch_size, concurrency, mut on_progress } = self;
        options.check()?;
        if batch_size == Some(0) || concurrency == 0 {
            return Err(Error::config("`batch_size` and `concurrency` must be at least 1"));
        }
        check_model(&request.model)?;
        let input = std::mem::replace(&mut request.input, EmbeddingInput::default_value());
        // Input that only the server understands counts as one.
        let total = input.count().unwrap_or(1);
        // A few small requests end sooner than a large one, and there is progress to report.
        let batch_size = batch_size.unwrap_or_else(|| total.div_ceil(concurrency).clamp(16, 100));
        let requests = input.batches(batch_size).enumerate().map(|(number, input)| {
            let (client, options) = (client.clone(), options.clone());
            let request = EmbeddingRequest { input, ..request.clone() };
            async move {
                let call: Call<EmbeddingList> = Call::send(&client.settings, post(&client, &request));
                let reply = call.options(options).await?;
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
