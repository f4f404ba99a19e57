//! Completions of a plain prompt: `client.completions()`. The older sibling of [`chat`](crate::chat), for base models,
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

use crate::Extra;
use crate::call::Call;
use crate::chat::{FinishReason, Grows, Stop, StreamOptions, TokenLogprob, Usage, merge_extra};
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::stream::{EventStream, Progress, StreamItem};
use crate::transport::decode::Whole;
use crate::transport::request::{Body, WireRequest};
use crate::transport::{Answer, Expect};
use crate::wire::{Wire, stream_member};

/// Completions of one client.
#[derive(Clone, Debug)]
pub struct Completions {
    client: Client,
}

impl Client {
    /// Completions of a plain prompt.
    pub fn completions(&self) -> Completions {
        Completions { client: self.clone() }
    }
}

impl Completions {
    /// Continues a prompt: `POST /completions`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::completions::CompletionRequest;
    ///
    /// let request = CompletionRequest::new("codestral", "fn add(a: i32, b: i32) -> i32 {").suffix("}");
    /// let reply = client.completions().create(&request).await?;
    /// println!("{}", reply.text());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "completions.create")]
    pub fn create(&self, request: impl Borrow<CompletionRequest>) -> Call<Completion> {
        Call::reply(&self.client, post(request.borrow(), false))
    }

    /// Continues a prompt piece by piece: `POST /completions` with `"stream": true`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::completions::CompletionRequest;
    ///
    /// let request = CompletionRequest::new("llama3.2", "Once upon a time");
    /// let mut pieces = client.completions().stream(&request).await?;
    /// while let Some(piece) = pieces.try_next().await? {
    ///     print!("{}", piece.text());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "completions.create")]
    pub fn stream(&self, request: impl Borrow<CompletionRequest>) -> Call<EventStream<Completion>> {
        Call::new(&self.client, post(request.borrow(), true), Expect::Open, Completion::open)
    }
}

fn post(request: &CompletionRequest, stream: bool) -> Result<WireRequest> {
    let body = Body::of(request, &[stream_member(stream)]);
    WireRequest::of_model(&["completions"], Some(&request.model), body)
}

wire! {
    /// What to continue. Plain data: the same value serves [`Completions::create`] and [`Completions::stream`]. What is
    /// not set is not sent.
    ///
    /// See [OpenAI: Completions](https://platform.openai.com/docs/api-reference/completions/create).
    #[doc(alias = "CreateCompletionRequest")]
    pub struct CompletionRequest {
        /// Name of the model, as the server lists it.
        pub model: String = always,
        /// What to continue, one prompt or several. *Providers*: Ollama takes one text only.
        pub prompt: Prompt = always,
        /// How many answers the server writes to give back the likeliest, up to 20; at least `n`. Not for streams.
        pub best_of: Option<u32>,
        /// Repeats the prompt in front of the answer.
        pub echo: Option<bool>,
        /// Lowers the chance of tokens by how often they came already, −2.0 to 2.0.
        pub frequency_penalty: Option<f64>,
        /// Changes the chance of tokens by their id, −100 (never) to 100 (always).
        pub logit_bias: BTreeMap<String, i64>,
        /// Asks for the log probability of each token and of this many alternatives, 0 to 5.
        pub logprobs: Option<u32>,
        /// Most tokens of the answer.
        pub max_tokens: Option<u64>,
        /// How many answers to each prompt, 1 to 128.
        pub n: Option<u32>,
        /// Lowers the chance of tokens that came already, −2.0 to 2.0.
        pub presence_penalty: Option<f64>,
        /// Makes answers repeat, as far as the server can.
        pub seed: Option<i64>,
        /// Texts that end the answer, up to 4.
        pub stop: Option<Stop>,
        /// What a stream brings besides the answer.
        pub stream_options: Option<StreamOptions>,
        /// Text that follows the answer: the model fills the gap. *Providers*: for models that can infill.
        pub suffix: Option<String>,
        /// Randomness, 0.0 to 2.0: higher is more varied.
        pub temperature: Option<f64>,
        /// Takes the likeliest tokens up to this sum of chances, 0.0 to 1.0. Set this or the temperature.
        pub top_p: Option<f64>,
        /// Your own id of the end user.
        pub user: Option<String>,
    }
}

text_or_tokens! {
    /// What to continue.
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
    /// A prompt for a model.
    pub fn new(model: impl Into<String>, prompt: impl Into<Prompt>) -> Self {
        CompletionRequest { model: model.into(), prompt: prompt.into(), ..CompletionRequest::blank() }
    }

    /// Asks for the token usage at the end of a stream: `stream_options.include_usage`.
    pub fn include_usage(mut self, include: bool) -> Self {
        self.stream_options.get_or_insert_with(StreamOptions::blank).include_usage = Some(include);
        self
    }

    /// Changes the chance of a token by its id, −100 (never) to 100 (always).
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

wire! {
    /// A completion, or one piece of a streamed one.
    ///
    /// See [OpenAI: Completion](https://platform.openai.com/docs/api-reference/completions/object).
    #[doc(alias = "CreateCompletionResponse")]
    pub struct Completion {
        /// Id of the reply; empty on some servers.
        pub id: String,
        /// `text_completion`; do not rely on it.
        pub object: String,
        /// Moment of creation, in Unix seconds.
        pub created: Option<u64>,
        /// Model that answered, which may be more exact than the one asked for.
        pub model: String,
        /// The answers, `n` to each prompt; in a piece, those that have something new.
        pub choices: Vec<CompletionChoice> = always,
        /// Tokens used. In a stream the last one counts; do not add them up.
        pub usage: Option<Usage>,
        /// Version of the server's setup.
        pub system_fingerprint: Option<String>,
    }

    /// One answer, or a new piece of it.
    pub struct CompletionChoice {
        /// Position of the answer, from 0. Answer `i` to prompt `p` is at `p × n + i`.
        pub index: u32,
        /// The text, or the new piece of it.
        pub text: String = always,
        /// Why it ends here.
        pub finish_reason: Option<FinishReason>,
        /// Log probabilities of its tokens. Bare numbers (TGI, Together) stay in `extra`.
        pub logprobs: Option<CompletionLogprobs>,
    }

    /// Log probabilities of an answer's tokens: parallel lists, or `content` on servers that write them as in chats
    /// (llama.cpp, SGLang). [`iter`](CompletionLogprobs::iter) reads both.
    pub struct CompletionLogprobs {
        /// The tokens.
        pub tokens: Vec<String>,
        /// Natural logarithm of each token's probability. `None` for the first token of an echoed prompt.
        pub token_logprobs: Vec<Option<f64>>,
        /// The likeliest tokens in place of each, with their logarithms.
        pub top_logprobs: Vec<Option<BTreeMap<String, f64>>>,
        /// Where each token begins in the text, in characters.
        pub text_offset: Vec<u64>,
        /// The tokens as a chat reply has them.
        pub content: Option<Vec<TokenLogprob>>,
    }
}

replies! { Completion: choices }

impl Completion {
    /// The first answer's text, or the new piece of it; empty when there is none.
    pub fn text(&self) -> &str {
        self.first().map(|choice| choice.text.as_str()).unwrap_or_default()
    }

    /// Why the first answer ends.
    pub fn finish_reason(&self) -> Option<FinishReason> {
        self.first().and_then(|choice| choice.finish_reason.clone()).or_else(|| self.root_finish_reason())
    }

    fn first(&self) -> Option<&CompletionChoice> {
        self.choices.iter().find(|choice| choice.index == 0)
    }

    /// Together ends a stream with a reason beside the choices.
    fn root_finish_reason(&self) -> Option<FinishReason> {
        self.extra.get("finish_reason")?.as_str().filter(|reason| !reason.is_empty()).map(FinishReason::from)
    }

    /// Adds the next piece of a stream.
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
        merge_extra(&mut self.extra, piece.extra, Grows::Nothing);
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
        // Token ids (vLLM) and bare log probabilities (TGI) come a few at a time.
        merge_extra(&mut self.extra, new.extra, Grows::Lists);
    }
}

impl CompletionLogprobs {
    /// The tokens and their log probabilities, whichever way the server writes them.
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
        merge_extra(&mut self.extra, new.extra, Grows::Lists);
    }
}

impl EventStream<Completion> {
    /// Reads the stream to its end and gives the completion as if it had not been streamed: texts and log probabilities
    /// joined, the last usage kept.
    ///
    /// # Errors
    ///
    /// Those of the stream. To keep what came before an error, read the pieces yourself.
    pub async fn collect(mut self) -> Result<Completion> {
        let mut whole: Option<Completion> = None;
        while let Some(piece) = self.try_next().await? {
            match &mut whole {
                Some(whole) => whole.add(piece),
                None => whole = Some(piece),
            }
        }
        let mut whole = whole.ok_or_else(|| Error::new(ErrorKind::Stream, "it ended without a single piece"))?;
        whole.choices.sort_by_key(|choice| choice.index);
        Ok(whole)
    }
}

impl StreamItem for Completion {
    fn is_hollow(&self) -> bool {
        self.choices.is_empty()
            && self.id.is_empty()
            && self.usage.is_none()
            && self.created.is_none()
            && self.model.is_empty()
    }

    fn extra(&self) -> &Extra {
        &self.extra
    }

    fn open(answer: &mut Answer) -> Result<EventStream<Self>> {
        crate::stream::open(answer)
    }

    fn mark(&self, progress: &mut Progress) {
        let all_end = self.root_finish_reason().is_some();
        for choice in &self.choices {
            progress.begin(u64::from(choice.index));
            if all_end || choice.finish_reason.is_some() {
                progress.end(u64::from(choice.index));
            }
        }
        if all_end && self.choices.is_empty() {
            progress.end(0);
        }
    }

    /// A whole completion in place of a stream becomes one piece.
    fn from_whole(reply: &Whole) -> Option<Self> {
        let mut completion: Completion = reply.reply().ok().filter(|reply: &Completion| !reply.choices.is_empty())?;
        for choice in &mut completion.choices {
            // A whole reply has ended, whether it says why or not.
            choice.finish_reason.get_or_insert(FinishReason::Stop);
        }
        Some(completion)
    }
}
