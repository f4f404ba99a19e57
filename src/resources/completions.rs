//! Completions of a plain prompt: `client.completions()`. The predecessor of [`chat`](crate::chat), for base models,
//! code infill and servers without a chat template.
//!
//! ```no_run
//! # async fn run() -> openai_compatible::Result<()> {
//! use openai_compatible::{Client, completions::CompletionRequest};
//!
//! let client = Client::from_env()?;
//! let request = CompletionRequest::new("llama3.2", "The three longest rivers are").max_tokens(40);
//! println!("{}", client.completions().create(&request).await?.text());
//!
//! let mut pieces = client.completions().stream(&request).await?;
//! while let Some(piece) = pieces.try_next().await? {
//!     print!("{}", piece.text());
//! }
//! # Ok(())
//! # }
//! ```

use std::borrow::Borrow;
use std::collections::BTreeMap;

use futures::FutureExt;
use serde_json::Value;

use crate::call::Call;
use crate::chat::{FinishReason, MergePolicy, Stop, StreamOptions, TokenLogprob, Usage, choice_error, merge_extra};
use crate::client::Client;
use crate::error::{ApiError, Error, ErrorKind, Result, is_failure};
use crate::reply::stream::{self, ChoiceTracker, EventStream, StreamItem, decode_whole, is_error};
use crate::transport::decode::ApiResponse;
use crate::transport::decode::BufferedResponse;
use crate::transport::request::{Body, WireRequest};
use crate::transport::{BodyMode, RawResponse};
use crate::wire::Extra;
use crate::wire::{Wire, stream_override};

/// The completions endpoint.
#[derive(Clone, Debug)]
pub struct Completions {
    client: Client,
}

impl Client {
    /// Returns the handle for completions of a plain prompt.
    pub fn completions(&self) -> Completions {
        Completions { client: self.clone() }
    }
}

impl Completions {
    /// Completes a prompt: `POST /completions`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::completions::CompletionRequest;
    ///
    /// let request = CompletionRequest::new("codestral", "fn add(a: i32, b: i32) -> i32 {").suffix("}");
    /// let response = client.completions().create(&request).await?;
    /// println!("{}", response.text());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "completions.create")]
    pub fn create(&self, request: impl Borrow<CompletionRequest>) -> Call<Completion> {
        Call::send(&self.client.settings, post(request.borrow(), false))
    }

    /// Completes a prompt and streams the result: `POST /completions` with `"stream": true`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::completions::CompletionRequest;
    ///
    /// let request = CompletionRequest::new("llama3.2", "Once upon a time");
    /// let mut chunks = client.completions().stream(&request).await?;
    /// while let Some(chunk) = chunks.try_next().await? {
    ///     print!("{}", chunk.text());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "completions.create")]
    pub fn stream(&self, request: impl Borrow<CompletionRequest>) -> Call<EventStream<Completion>> {
        Call::new(&self.client.settings, post(request.borrow(), true), BodyMode::Stream, Completion::open)
    }
}

fn post(request: &CompletionRequest, stream: bool) -> Result<WireRequest> {
    let body = Body::of(request, &[stream_override(stream)]);
    WireRequest::of_model(&["completions"], Some(&request.model), body)
}

wire_struct! {
    /// A request for a completion of a prompt. The same value serves [`Completions::create`] and
    /// [`Completions::stream`]. Fields that are `None` are not sent.
    ///
    /// See [OpenAI: Completions](https://platform.openai.com/docs/api-reference/completions/create).
    #[doc(alias = "CreateCompletionRequest")]
    pub struct CompletionRequest {
        /// Name of the model, as the server lists it.
        pub model: String = always,
        /// The prompt or prompts to complete. *Providers*: Ollama accepts one text only.
        pub prompt: Prompt = always,
        /// Number of candidates that the server generates to return the likeliest, at most 20 and at least `n`. Not for
        /// streams.
        pub best_of: Option<u32>,
        /// Whether to repeat the prompt before the completion.
        pub echo: Option<bool>,
        /// Penalty on tokens by how often they already occur, −2.0 to 2.0.
        pub frequency_penalty: Option<f64> = finite,
        /// Bias added to tokens by their id, −100 (never) to 100 (always).
        pub logit_bias: BTreeMap<String, i64>,
        /// Number of likeliest tokens whose log probabilities are returned with those of each token, 0 to 5.
        pub logprobs: Option<u32>,
        /// Maximum number of tokens to generate.
        pub max_tokens: Option<u64>,
        /// Number of choices for each prompt, 1 to 128.
        pub n: Option<u32>,
        /// Penalty on tokens that already occur, −2.0 to 2.0.
        pub presence_penalty: Option<f64> = finite,
        /// Seed for sampling: the same seed gives the same result as far as the server can.
        pub seed: Option<i64>,
        /// Sequences that end the completion, at most 4.
        pub stop: Option<Stop>,
        /// Options of a stream.
        pub stream_options: Option<StreamOptions>,
        /// Text after the completion: the model fills the gap. *Providers*: for models that support infill.
        pub suffix: Option<String>,
        /// Sampling temperature, 0.0 to 2.0: higher is more varied.
        pub temperature: Option<f64> = finite,
        /// Nucleus sampling: only the likeliest tokens up to this total probability, 0.0 to 1.0. Set this or the
        /// temperature.
        pub top_p: Option<f64> = finite,
        /// Id of the end user, chosen by the caller.
        pub user: Option<String>,
    }
}

text_or_tokens! {
    /// The prompt of a completion.
    ///
    /// ```
    /// use openai_compatible::completions::Prompt;
    ///
    /// assert_eq!(Prompt::from("Hello"), Prompt::Text("Hello".to_owned()));
    /// assert_eq!(Prompt::from([9906, 11]), Prompt::Tokens(vec![9906, 11]));
    /// ```
    pub enum Prompt
}

impl CompletionRequest {
    /// Creates a request from a model and a prompt.
    pub fn new(model: impl Into<String>, prompt: impl Into<Prompt>) -> Self {
        CompletionRequest { model: model.into(), prompt: prompt.into(), ..CompletionRequest::default_value() }
    }

    /// Requests the token usage at the end of a stream: `stream_options.include_usage`.
    pub fn include_usage(mut self, include: bool) -> Self {
        self.stream_options.get_or_insert_with(StreamOptions::default_value).include_usage = Some(include);
        self
    }

    /// Adds a bias to a token by its id, −100 (never) to 100 (always).
    pub fn logit_bias(mut self, token: impl ToString, bias: i64) -> Self {
        self.logit_bias.insert(token.to_string(), bias);
        self
    }
}

setters! { CompletionRequest {
    best_of: u32,
    echo: bool,
    frequency_penalty: f64,
    logprobs: u32,
    max_tokens: u64,
    n: u32,
    presence_penalty: f64,
    seed: i64,
    stop: impl Into<Stop>,
    stream_options: StreamOptions,
    suffix: impl Into<String>,
    temperature: f64,
    top_p: f64,
    user: impl Into<String>,
} }

wire_struct! {
    /// A completion, or one chunk of a streamed completion.
    ///
    /// See [OpenAI: Completion](https://platform.openai.com/docs/api-reference/completions/object).
    #[doc(alias = "CreateCompletionResponse")]
    pub struct Completion {
        /// Id of the completion; empty on some servers.
        pub id: String,
        /// Object type, `text_completion`; do not rely on it.
        pub object: String,
        /// Creation time, in Unix seconds.
        pub created: Option<u64>,
        /// Model that produced the completion; may be more specific than the requested one.
        pub model: String,
        /// The choices, `n` for each prompt; in a chunk, those with new text.
        pub choices: Vec<CompletionChoice> = always,
        /// Token usage. In a stream, the last value is the total; do not sum them.
        pub usage: Option<Usage>,
        /// Fingerprint of the server's configuration.
        pub system_fingerprint: Option<String>,
    }

    /// A choice, or a new part of one.
    pub struct CompletionChoice {
        /// Position of the choice, from 0. Choice `i` of prompt `p` has index `p × n + i`.
        pub index: u32,
        /// The text, or the new part of it.
        pub text: String = always,
        /// Reason why the choice ended.
        pub finish_reason: Option<FinishReason>,
        /// Log probabilities of the tokens. Bare numbers (TGI, Together) are kept in `extra`.
        pub logprobs: Option<CompletionLogprobs>,
    }

    /// Log probabilities of the tokens of a choice: parallel arrays, or `content` on servers that write them as in chat
    /// completions (llama.cpp, SGLang). [`iter`](CompletionLogprobs::iter) reads both.
    pub struct CompletionLogprobs {
        /// The tokens.
        pub tokens: Vec<String>,
        /// Natural logarithm of the probability of each token. `None` for the first token of an echoed prompt.
        pub token_logprobs: Vec<Option<f64>>,
        /// The likeliest alternatives to each token, with their log probabilities.
        pub top_logprobs: Vec<Option<BTreeMap<String, f64>>>,
        /// Offset of each token in the text, in characters.
        pub text_offset: Vec<u64>,
        /// The tokens in the format of chat completions.
        pub content: Option<Vec<TokenLogprob>>,
    }
}

responses! { Completion: choices {
    fn from_events(body: &BufferedResponse) -> Option<Result<Self>> {
        stream::open_buffered::<Completion>(body).and_then(|pieces| pieces.collect().now_or_never().transpose()).transpose()
    }

    fn failure(&self) -> Option<ApiError> {
        self.choices.iter().find_map(|choice| choice_error(choice.finish_reason.as_ref(), &choice.extra))
    }

    fn attach_to(self, error: Error) -> Error {
        error.with_last(self)
    }
} }

impl Completion {
    /// Returns the text of the first choice, or the new part of it; empty without a choice.
    pub fn text(&self) -> &str {
        self.first().map(|choice| choice.text.as_str()).unwrap_or_default()
    }

    /// Returns the reason why the first choice ended.
    pub fn finish_reason(&self) -> Option<FinishReason> {
        self.first().and_then(|choice| choice.finish_reason.clone()).or_else(|| self.root_finish_reason())
    }

    fn first(&self) -> Option<&CompletionChoice> {
        self.choices.iter().find(|choice| choice.index == 0)
    }

    /// Together ends a stream with a reason next to the choices.
    fn root_finish_reason(&self) -> Option<FinishReason> {
        self.extra.get("finish_reason")?.as_str().filter(|reason| !reason.is_empty()).map(FinishReason::from)
    }

    /// Adds the next chunk of a stream.
    fn add(&mut self, piece: Completion) {
        if self.id.is_empty() {
            self.id = piece.id;
        }
        if self.model.is_empty() {
            self.model = piece.model;
        }
        self.created = self.created.or(piece.created);
        self.usage = piece.usage.or(self.usage.take());
        self.system_fingerprint = piece.system_fingerprint.or(self.system_fingerprint.take());
        merge_extra(&mut self.extra, piece.extra, MergePolicy::Replace);
        for new in piece.choices {
            match self.choices.iter_mut().find(|known| known.index == new.index) {
                Some(known) => known.add(new),
                None => self.choices.push(new),
            }
        }
    }
}

impl CompletionChoice {
    fn add(&mut self, new: CompletionChoice) {
        self.text.push_str(&new.text);
        self.finish_reason = new.finish_reason.or(self.finish_reason.take());
        match (&mut self.logprobs, new.logprobs) {
            (Some(known), Some(new)) => known.add(new),
            (known, new) => *known = new.or(known.take()),
        }
        // Token ids (vLLM) and bare log probabilities (TGI) arrive a few at a time.
        merge_extra(&mut self.extra, new.extra, MergePolicy::AppendArrays);
    }
}

impl CompletionLogprobs {
    /// Returns the tokens and their log probabilities, in either format.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<f64>)> {
        let parallel = self.tokens.iter().zip(self.token_logprobs.iter().copied().chain(std::iter::repeat(None)));
        let content = self.content.iter().flatten().filter(|_| self.tokens.is_empty());
        let content = content.map(|token| (token.token.as_str(), Some(token.logprob)));
        parallel.map(|(token, logprob)| (token.as_str(), logprob)).chain(content)
    }

    fn add(&mut self, new: CompletionLogprobs) {
        self.tokens.extend(new.tokens);
        self.token_logprobs.extend(new.token_logprobs);
        self.top_logprobs.extend(new.top_logprobs);
        self.text_offset.extend(new.text_offset);
        if let Some(new) = new.content {
            self.content.get_or_insert_default().extend(new);
        }
        merge_extra(&mut self.extra, new.extra, MergePolicy::AppendArrays);
    }
}

impl EventStream<Completion> {
    /// Reads the stream to its end and returns the completion as if it had not been streamed: texts and log
    /// probabilities joined, the last usage kept.
    ///
    /// # Errors
    ///
    /// The errors of the stream. [`Error::text_completion`] returns what arrived before.
    pub async fn collect(mut self) -> Result<Completion> {
        let mut whole: Option<Completion> = None;
        loop {
            match (self.try_next().await, &mut whole) {
                (Ok(Some(piece)), Some(whole)) => whole.add(piece),
                (Ok(Some(piece)), None) => whole = Some(piece),
                (Ok(None), _) => break,
                (Err(error), _) => {
                    return Err(match whole {
                        Some(whole) => whole.attach_to(error),
                        None => error,
                    });
                }
            }
        }
        let mut whole = whole.ok_or_else(|| Error::new(ErrorKind::Stream, "ended without any chunk"))?;
        whole.choices.sort_by_key(|choice| choice.index);
        Ok(whole)
    }
}

impl Error {
    /// Returns what was read of the completion of a prompt before the error; see [`completion`](Error::completion) for chats.
    pub fn text_completion(&self) -> Option<&Completion> {
        self.last()
    }
}

impl StreamItem for Completion {
    fn has_no_payload(&self) -> bool {
        self.choices.is_empty()
            && self.id.is_empty()
            && self.usage.is_none()
            && self.created.is_none()
            && self.model.is_empty()
    }

    fn extra(&self) -> &Extra {
        &self.extra
    }

    fn open(response: &mut RawResponse) -> Result<EventStream<Self>> {
        crate::reply::stream::open(response)
    }

    fn new_field(&mut self) -> Option<&mut dyn Wire> {
        Some(&mut self.choices)
    }

    fn track(&self, choices: &mut ChoiceTracker) {
        let all_end = self.root_finish_reason().is_some();
        for choice in &self.choices {
            choices.start(u64::from(choice.index));
            if all_end || choice.finish_reason.is_some() {
                choices.finish(u64::from(choice.index));
            }
        }
        if all_end && self.choices.is_empty() {
            choices.finish(0);
        }
    }

    /// A complete completion instead of a stream becomes one chunk.
    fn from_whole(reply: &BufferedResponse) -> Option<Result<Self>> {
        let mut completion: Completion = match decode_whole(reply)? {
            Ok(completion) => completion,
            Err(error) => return Some(Err(error)),
        };
        if completion.choices.is_empty() {
            return None;
        }
        for choice in &mut completion.choices {
            // A complete completion has ended, whether or not it has a finish reason.
            choice.finish_reason.get_or_insert(FinishReason::Stop);
        }
        Some(Ok(completion))
    }

    fn has_error(&self) -> bool {
        is_error(&self.extra)
            || self.choices.is_empty() && is_failure(&|name| self.extra.get(name))
            || self.failure().is_some()
    }

    fn api_error(&self) -> ApiError {
        let own = || ApiError::from_value(&Value::Object(self.extra.clone().into()));
        self.failure().or_else(own).unwrap_or_default()
    }
}
