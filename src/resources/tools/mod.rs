//! The tool-calling loop, once for both APIs: [`ToolRunner`] and its events.

use std::collections::HashSet;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, Stream, StreamExt};

use serde::de::DeserializeOwned;

use crate::call::Call;
use crate::chat::{ToolCall, ToolPanic, ToolResult, ToolSet};
use crate::error::{Error, ErrorKind, Result};
use crate::transport::options::CallOptions;
use crate::transport::{BodyMode, RawResponse};

mod chat;
mod responses;

pub use self::chat::{ToolEvent as ChatToolEvent, ToolRun as ChatToolRun};
pub use self::responses::{ToolEvent as ResponseToolEvent, ToolRun as ResponseToolRun};

/// An API whose models call tools: [`Chat`](crate::chat::Chat) and [`Responses`](crate::responses::Responses).
pub trait ToolApi: Clone + Send + Sync + 'static {
    /// A request.
    type Request: Clone + Send + Sync + 'static;
    /// A response.
    type Response: Clone + Send + Sync + 'static;
    /// An event of a streamed response.
    type Chunk: Send + 'static;
    /// A streamed response.
    type Stream: Stream<Item = Result<Self::Chunk>> + Send + Unpin + 'static;
    /// What an event of a stream becomes part of.
    type Accumulator: Default + Send + 'static;
    /// Token usage.
    type Usage: Clone + Send + Sync + for<'a> std::ops::AddAssign<&'a Self::Usage> + 'static;
    /// An event of a run.
    type Event: Send + 'static;
    /// A finished run.
    type Run: Send + 'static;

    #[doc(hidden)]
    fn check(request: &Self::Request) -> Result<()>;
    #[doc(hidden)]
    fn model(request: &Self::Request) -> &str;
    /// Adds the tools that the request does not have.
    #[doc(hidden)]
    fn add_tools(request: &mut Self::Request, tools: &ToolSet);
    /// Lets the model choose whether it calls a tool.
    #[doc(hidden)]
    fn unforce_tools(request: &mut Self::Request);
    #[doc(hidden)]
    fn call(&self, request: &Self::Request, streamed: bool) -> Call<Self::Response>;
    #[doc(hidden)]
    fn open(response: &mut RawResponse) -> Result<Self::Stream>;
    #[doc(hidden)]
    fn push(accumulator: &mut Self::Accumulator, chunk: &Self::Chunk);
    #[doc(hidden)]
    fn finish(accumulator: Self::Accumulator) -> Option<Self::Response>;
    #[doc(hidden)]
    fn usage(reply: &Self::Response) -> Option<&Self::Usage>;
    /// Adds the usage of a response to that of those before it.
    #[doc(hidden)]
    fn add_usage(sum: &mut Option<Self::Usage>, reply: &Self::Response) {
        match (sum, Self::usage(reply)) {
            (Some(sum), Some(usage)) => *sum += usage,
            (sum @ None, usage) => *sum = usage.cloned(),
            (Some(_), None) => {}
        }
    }
    /// Why the response was truncated.
    #[doc(hidden)]
    fn truncation(reply: &Self::Response) -> Option<String>;
    /// The calls of a response, each with an id of its own.
    #[doc(hidden)]
    fn take_calls(request: &Self::Request, reply: &mut Self::Response) -> Vec<ToolCall>;
    /// Adds a response to the conversation.
    #[doc(hidden)]
    fn add_reply(request: &mut Self::Request, reply: &Self::Response);
    /// Adds the results of its calls.
    #[doc(hidden)]
    fn add_results(request: &mut Self::Request, results: Vec<ToolResult>);
    /// Parses the answer.
    #[doc(hidden)]
    fn parse<T: DeserializeOwned>(reply: &Self::Response) -> Result<T>;
    /// True for a complete answer in words.
    #[doc(hidden)]
    fn is_answer(reply: &Self::Response) -> bool;
    /// Adds a message of the user.
    #[doc(hidden)]
    fn add_question(request: &mut Self::Request, text: String);
    #[doc(hidden)]
    fn attach(reply: Self::Response, error: Error) -> Error;
    #[doc(hidden)]
    fn chunk_event(chunk: Self::Chunk) -> Self::Event;
    #[doc(hidden)]
    fn reply_event(reply: Self::Response) -> Self::Event;
    #[doc(hidden)]
    fn result_event(result: ToolResult) -> Self::Event;
    #[doc(hidden)]
    fn end(request: &Self::Request, reply: Self::Response, usage: Option<Self::Usage>, rounds: u32) -> Self::Event;
    #[doc(hidden)]
    fn run(event: Self::Event) -> Option<Self::Run>;
}

type Hook = Arc<dyn Fn(&ToolCall) -> BoxFuture<'static, Permission> + Send + Sync>;

/// A tool run, started when awaited or with [`stream`](ToolRunner::stream).
///
/// - Each round asks the model once. The calls of a response run concurrently; their results are sent back in the order of
///   the calls. The run ends with the first response without calls of these tools: tools that the server runs, and approvals
///   that it asks for, are part of that response.
/// - Unknown tools, invalid arguments, denied calls and function errors are reported to the model as the result of the
///   call, and the run continues. A function that panics ends the run.
/// - The calls of a truncated response do not run: the run fails with [`ErrorKind::Tool`](crate::ErrorKind::Tool).
/// - A forced tool choice applies to the first round only; otherwise the run would never end.
/// - Calls without an id, or with the id of another call, get an id of their own.
/// - Nothing is spawned: dropping the run, or its stream, drops the request and the running functions.
#[must_use = "a run starts when it is awaited or streamed"]
#[derive(Clone)]
pub struct ToolRunner<A: ToolApi> {
    api: A,
    request: A::Request,
    tools: ToolSet,
    max_rounds: u32,
    max_parallel: usize,
    fail_on_error: bool,
    hook: Option<Hook>,
    options: CallOptions,
}

/// Whether a call may run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Permission {
    /// The call runs.
    Allow,
    /// The call does not run; the model receives this text as its result.
    Deny(String),
}

impl Permission {
    /// Denies the call, with the text that the model receives as its result.
    pub fn deny(why: impl Into<String>) -> Self {
        Permission::Deny(why.into())
    }
}

impl<A: ToolApi> ToolRunner<A> {
    pub(crate) fn new(api: A, request: A::Request, tools: &ToolSet) -> Self {
        ToolRunner {
            api,
            request,
            tools: tools.clone(),
            max_rounds: 10,
            max_parallel: 16,
            fail_on_error: false,
            hook: None,
            options: CallOptions::default(),
        }
    }

    /// Sets the maximum number of requests to the model. If it still calls tools then, the run fails with
    /// [`ErrorKind::Tool`](crate::ErrorKind::Tool). Defaults to 10.
    pub fn max_rounds(mut self, rounds: u32) -> Self {
        self.max_rounds = rounds;
        self
    }

    /// Sets how many functions run at the same time. Set to 1 to run them one after the other. Defaults to 16.
    pub fn max_parallel(mut self, calls: usize) -> Self {
        self.max_parallel = calls.max(1);
        self
    }

    /// Ends the run with [`ErrorKind::Tool`](crate::ErrorKind::Tool) if a function returns an error, instead of
    /// reporting it to the model.
    pub fn fail_on_error(mut self, fail: bool) -> Self {
        self.fail_on_error = fail;
        self
    }

    /// Sets a function that is called before each tool call: to watch it, to ask a person, or to deny it.
    ///
    /// ```no_run
    /// # fn run(client: openai_compatible::Client, request: openai_compatible::chat::ChatRequest, tools: openai_compatible::chat::ToolSet) {
    /// use openai_compatible::chat::Permission;
    ///
    /// let run = client.chat().run_tools(&request, &tools).on_tool_call(|call| {
    ///     let is_harmless = call.name() != "delete";
    ///     async move { if is_harmless { Permission::Allow } else { Permission::deny("Not allowed.") } }
    /// });
    /// # let _ = run;
    /// # }
    /// ```
    pub fn on_tool_call<F, R>(mut self, hook: F) -> Self
    where
        F: Fn(&ToolCall) -> R + Send + Sync + 'static,
        R: Future<Output = Permission> + Send + 'static,
    {
        self.hook = Some(Arc::new(move |call| Box::pin(hook(call))));
        self
    }

    /// Sets the options of each request to the model.
    pub fn options(mut self, options: CallOptions) -> Self {
        self.options.merge(options);
        self
    }

    /// Streams the run: the chunks of each response, and the results of the calls.
    ///
    /// For the usage of chat completions, set [`ChatRequest::include_usage`](crate::chat::ChatRequest::include_usage).
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client, request: openai_compatible::chat::ChatRequest, tools: openai_compatible::chat::ToolSet) -> openai_compatible::Result<()> {
    /// use openai_compatible::chat::ToolEvent;
    ///
    /// let mut events = client.chat().run_tools(&request, &tools).stream();
    /// while let Some(event) = events.try_next().await? {
    ///     match event {
    ///         ToolEvent::Chunk(chunk) => print!("{}", chunk.text()),
    ///         ToolEvent::Result(result) => println!("[{}: {}]", result.call.name(), result.text()),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn stream(self) -> ToolEvents<A> {
        ToolEvents::new(self, true)
    }

    /// Streams the run by whole responses and results.
    pub fn events(self) -> ToolEvents<A> {
        ToolEvents::new(self, false)
    }
}

impl<A: ToolApi> IntoFuture for ToolRunner<A> {
    type Output = Result<A::Run>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<A::Run>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async { self.events().finish().await })
    }
}

impl<A: ToolApi> fmt::Debug for ToolRunner<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolRunner")
            .field("model", &A::model(&self.request))
            .field("tools", &self.tools)
            .field("max_rounds", &self.max_rounds)
            .finish_non_exhaustive()
    }
}

/// The events of a tool run: a [`Stream`] of results. Ends after an error.
///
/// Nothing runs ahead of the reader. Dropping it ends the run.
pub struct ToolEvents<A: ToolApi> {
    run: ToolRunner<A>,
    streamed: bool,
    phase: Phase<A>,
    rounds: u32,
    usage: Option<A::Usage>,
    last: Option<A::Response>,
}

enum Phase<A: ToolApi> {
    Start,
    Ask,
    Create(Call<A::Response>),
    Open(Call<A::Stream>),
    Read(Box<(A::Stream, A::Accumulator)>),
    Call {
        running: BoxStream<'static, Finished>,
        /// The results, in the order of the calls.
        results: Vec<Option<ToolResult>>,
    },
    Done,
    Over,
}

/// The position of a call, and its result.
type Finished = (usize, ToolResult);

impl<A: ToolApi> ToolEvents<A> {
    fn new(mut run: ToolRunner<A>, streamed: bool) -> Self {
        A::add_tools(&mut run.request, &run.tools);
        ToolEvents { run, streamed, phase: Phase::Start, rounds: 0, usage: None, last: None }
    }

    /// Returns the next event, or `None` at the end. Cancel safe: dropping the future loses no event.
    pub async fn try_next(&mut self) -> Result<Option<A::Event>> {
        std::future::poll_fn(|context| self.poll_event(context)).await.transpose()
    }

    /// Runs to the end, and skips the events.
    pub async fn finish(mut self) -> Result<A::Run> {
        while let Some(event) = self.try_next().await? {
            if let Some(run) = A::run(event) {
                return Ok(run);
            }
        }
        Err(Error::new(ErrorKind::Tool, "run has already finished"))
    }

    /// Returns the request with the conversation so far, also after an error.
    pub fn request(&self) -> &A::Request {
        &self.run.request
    }

    /// Returns the token usage of all rounds so far.
    pub fn usage(&self) -> Option<&A::Usage> {
        self.usage.as_ref()
    }

    /// Returns the number of requests to the model so far.
    pub fn rounds(&self) -> u32 {
        self.rounds
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<A::Event>>> {
        let result = loop {
            match &mut self.phase {
                Phase::Start => match A::check(&self.run.request) {
                    Ok(()) => self.phase = Phase::Ask,
                    Err(error) => break Err(error),
                },
                Phase::Ask => {
                    if self.rounds >= self.run.max_rounds {
                        break Err(
                            self.fail(format!("no final answer after {} rounds; raise `max_rounds`", self.rounds))
                        );
                    }
                    self.rounds += 1;
                    self.phase = self.ask();
                }
                Phase::Create(reply) => match ready!(reply.poll_unpin(context)) {
                    Ok(reply) => break self.take(reply),
                    Err(error) => break Err(error),
                },
                Phase::Open(opening) => match ready!(opening.poll_unpin(context)) {
                    Ok(chunks) => self.phase = Phase::Read(Box::new((chunks, A::Accumulator::default()))),
                    Err(error) => break Err(error),
                },
                Phase::Read(reading) => match ready!(reading.0.poll_next_unpin(context)) {
                    Some(Ok(chunk)) => {
                        A::push(&mut reading.1, &chunk);
                        break Ok(A::chunk_event(chunk));
                    }
                    Some(Err(error)) => {
                        break Err(match A::finish(std::mem::take(&mut reading.1)) {
                            Some(reply) => A::attach(reply, error),
                            None => error,
                        });
                    }
                    None => match A::finish(std::mem::take(&mut reading.1)) {
                        Some(reply) => break self.take(reply),
                        None => break Err(Error::new(ErrorKind::Stream, "ended without any chunk")),
                    },
                },
                Phase::Call { running, results } => match ready!(running.poll_next_unpin(context)) {
                    Some((_, ToolResult { call, error: Some(error), .. }))
                        if self.run.fail_on_error || error.get_ref().is::<ToolPanic>() =>
                    {
                        break Err(self
                            .fail(format!("tool `{}` failed", call.name()))
                            .with_shared_source(error.into_inner()));
                    }
                    Some((position, result)) => {
                        if let Some(slot) = results.get_mut(position) {
                            *slot = Some(result.clone());
                        }
                        break Ok(A::result_event(result));
                    }
                    None => {
                        let results = results.drain(..).flatten().collect();
                        A::add_results(&mut self.run.request, results);
                        self.phase = Phase::Ask;
                    }
                },
                Phase::Done => {
                    self.phase = Phase::Over;
                    let Some(reply) = self.last.take() else { return Poll::Ready(None) };
                    return Poll::Ready(Some(Ok(A::end(&self.run.request, reply, self.usage.clone(), self.rounds))));
                }
                Phase::Over => return Poll::Ready(None),
            }
        };
        if result.is_err() {
            self.phase = Phase::Over;
        }
        Poll::Ready(Some(result))
    }

    fn fail(&self, why: String) -> Error {
        let error = Error::new(ErrorKind::Tool, why);
        match &self.last {
            Some(reply) => A::attach(reply.clone(), error),
            None => error,
        }
    }

    fn ask(&mut self) -> Phase<A> {
        if self.rounds > 1 {
            A::unforce_tools(&mut self.run.request);
        }
        let call = self.run.api.call(&self.run.request, self.streamed).options(self.run.options.clone());
        match self.streamed {
            true => Phase::Open(call.decode_as(BodyMode::Stream, A::open)),
            false => Phase::Create(call),
        }
    }

    /// Keeps a response, and starts its calls. Those of a truncated response may be incomplete even where they parse.
    fn take(&mut self, mut reply: A::Response) -> Result<A::Event> {
        A::add_usage(&mut self.usage, &reply);
        let calls = A::take_calls(&self.run.request, &mut reply);
        if let Some(reason) = A::truncation(&reply).filter(|_| !calls.is_empty()) {
            self.last = Some(reply);
            return Err(self.fail(format!("response was truncated ({reason}); its tool calls were not run")));
        }
        A::add_reply(&mut self.run.request, &reply);
        self.phase = match calls.is_empty() {
            true => Phase::Done,
            false => Phase::Call { results: vec![None; calls.len()], running: self.start(calls) },
        };
        self.last = Some(reply.clone());
        Ok(A::reply_event(reply))
    }

    fn start(&self, calls: Vec<ToolCall>) -> BoxStream<'static, Finished> {
        let (tools, hook) = (self.run.tools.clone(), self.run.hook.clone());
        let run = move |(position, call): (usize, ToolCall)| {
            let (tools, permission) = (tools.clone(), hook.as_ref().map(|hook| hook(&call)));
            async move {
                let denied = match permission {
                    Some(permission) => permission.await,
                    None => Permission::Allow,
                };
                match denied {
                    Permission::Allow => (position, tools.start(call).await),
                    Permission::Deny(why) => (position, ToolResult::denied(call, why)),
                }
            }
        };
        let calls = futures::stream::iter(calls.into_iter().enumerate());
        calls.map(run).buffer_unordered(self.run.max_parallel).boxed()
    }
}

impl<A: ToolApi> Stream for ToolEvents<A> {
    type Item = Result<A::Event>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(context)
    }
}

impl<A: ToolApi> Unpin for ToolEvents<A> {}

impl<A: ToolApi> fmt::Debug for ToolEvents<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolEvents").field("run", &self.run).field("rounds", &self.rounds).finish_non_exhaustive()
    }
}

/// Gives each call an id of its own; the results refer to it.
fn set_unique_id(known: &mut HashSet<String>, id: &mut String) {
    while id.is_empty() || !known.insert(id.clone()) {
        // Mistral accepts nine letters and digits, and nothing else.
        *id = std::iter::repeat_with(fastrand::alphanumeric).take(9).collect();
    }
}
