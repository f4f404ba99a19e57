//! The loop between a model and its tools: `client.chat().run_tools(request, &tools)`.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::future::BoxFuture;
use futures::stream::{BoxStream, Stream, StreamExt};

use super::{
    Accumulator, AssistantMessage, Chat, ChatChunk, ChatCompletion, ChatRequest, ChatStream, Message, ToolCall,
    ToolChoice, ToolChoiceMode, ToolResult, ToolSet, Usage,
};
use crate::call::Call;
use crate::error::{Error, ErrorKind, Result};
use crate::stream::StreamItem;
use crate::transport::Expect;

impl Chat {
    /// Lets the model call tools until it answers: `POST /chat/completions`, once a round.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client, tools: openai_compatible::chat::ToolSet) -> openai_compatible::Result<()> {
    /// use openai_compatible::chat::{ChatRequest, Message};
    ///
    /// let request = ChatRequest::new("llama3.2", [Message::user("What is the weather in Oslo?")]);
    /// let run = client.chat().run_tools(&request, &tools).max_rounds(5).await?;
    /// println!("{} ({} rounds)", run.text(), run.rounds);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "runTools")]
    pub fn run_tools(&self, request: impl Borrow<ChatRequest>, tools: &ToolSet) -> ToolRunner {
        ToolRunner {
            chat: self.clone(),
            request: request.borrow().clone(),
            tools: tools.clone(),
            max_rounds: 10,
            max_parallel: 16,
            fail_on_error: false,
            hook: None,
            each_call: None,
        }
    }
}

type Hook = Arc<dyn Fn(&ToolCall) -> BoxFuture<'static, Permission> + Send + Sync>;
type EachCall = Arc<dyn Fn(Call<ChatCompletion>) -> Call<ChatCompletion> + Send + Sync>;

/// A run of a model and its tools, which starts when it is awaited, or with [`stream`](ToolRunner::stream).
///
/// - Each round asks the model once. The calls of one reply run side by side; their results go back in the order of the
///   calls. The run ends with the first reply that calls no tool.
/// - An unknown tool, arguments that cannot be read, a call that the hook denies and an error of a function are told
///   to the model as the call's result, and the run goes on.
/// - A forced tool choice holds for the first round; then the model decides, or the run would never end.
/// - Calls without an id, or with the id of another call, get an id of their own.
/// - Nothing is spawned: dropping the run, or its stream, drops the request and the functions under way.
#[must_use = "a run starts when it is awaited or streamed"]
#[derive(Clone)]
pub struct ToolRunner {
    chat: Chat,
    request: ChatRequest,
    tools: ToolSet,
    max_rounds: u32,
    max_parallel: usize,
    fail_on_error: bool,
    hook: Option<Hook>,
    each_call: Option<EachCall>,
}

/// Whether a call may run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Permission {
    /// It runs.
    Allow,
    /// It does not run, and the model is told this.
    Deny(String),
}

impl Permission {
    /// The call does not run, and the model is told why.
    pub fn deny(why: impl Into<String>) -> Self {
        Permission::Deny(why.into())
    }
}

impl ToolRunner {
    /// Sets how often the model is asked at most; 10 unless told. If it still calls tools then, the run is an error of
    /// [`ErrorKind::Tool`](crate::ErrorKind::Tool).
    pub fn max_rounds(mut self, rounds: u32) -> Self {
        self.max_rounds = rounds;
        self
    }

    /// Sets how many functions run at the same time; 16 unless told, 1 for one after the other.
    pub fn max_parallel(mut self, calls: usize) -> Self {
        self.max_parallel = calls.max(1);
        self
    }

    /// Ends the run with an error of [`ErrorKind::Tool`](crate::ErrorKind::Tool) when a function gives one, in place of
    /// telling the model.
    pub fn fail_on_error(mut self, fail: bool) -> Self {
        self.fail_on_error = fail;
        self
    }

    /// Asks before each call: to watch it, to ask a person, or to deny it.
    ///
    /// ```no_run
    /// # fn run(client: openai_compatible::Client, request: openai_compatible::chat::ChatRequest, tools: openai_compatible::chat::ToolSet) {
    /// use openai_compatible::chat::Permission;
    ///
    /// let run = client.chat().run_tools(&request, &tools).on_call(|call| {
    ///     let is_harmless = call.name() != "delete";
    ///     async move { if is_harmless { Permission::Allow } else { Permission::deny("Not allowed.") } }
    /// });
    /// # let _ = run;
    /// # }
    /// ```
    pub fn on_call<F, R>(mut self, hook: F) -> Self
    where
        F: Fn(&ToolCall) -> R + Send + Sync + 'static,
        R: Future<Output = Permission> + Send + 'static,
    {
        self.hook = Some(Arc::new(move |call| Box::pin(hook(call))));
        self
    }

    /// Sets the options of each request to the model: `.each_call(|call| call.max_retries(5))`.
    pub fn each_call(
        mut self,
        options: impl Fn(Call<ChatCompletion>) -> Call<ChatCompletion> + Send + Sync + 'static,
    ) -> Self {
        self.each_call = Some(Arc::new(options));
        self
    }

    /// Runs with replies that arrive chunk by chunk, and tells what happens as it happens.
    ///
    /// For the usage, ask with [`ChatRequest::include_usage`].
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
    pub fn stream(self) -> ToolEvents {
        ToolEvents::new(self, true)
    }

    /// Runs with whole replies, and tells what happens as it happens.
    pub fn events(self) -> ToolEvents {
        ToolEvents::new(self, false)
    }
}

impl IntoFuture for ToolRunner {
    type Output = Result<ToolRun>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<ToolRun>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async { self.events().finish().await })
    }
}

impl fmt::Debug for ToolRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolRunner")
            .field("model", &self.request.model)
            .field("tools", &self.tools)
            .field("max_rounds", &self.max_rounds)
            .finish_non_exhaustive()
    }
}

/// A run that ended with an answer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ToolRun {
    /// The last reply, which calls no tool.
    pub reply: ChatCompletion,
    /// The conversation: that of the request, then all calls, results and the answer. Ready for the next request.
    pub messages: Vec<Message>,
    /// Tokens of all rounds together; `None` when the server told none.
    pub usage: Option<Usage>,
    /// How often the model was asked.
    pub rounds: u32,
}

impl ToolRun {
    /// The answer's text.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        self.reply.text()
    }
}

/// Something that happened in a run.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ToolEvent {
    /// A piece of a reply; in streamed runs only.
    Chunk(ChatChunk),
    /// A reply is complete; its calls run next.
    Reply(Box<ChatCompletion>),
    /// A call has its result. Those of one reply come as they are ready, in any order.
    Result(ToolResult),
    /// The answer. Nothing comes after it.
    Done(Box<ToolRun>),
}

/// What happens in a run, as it happens: a [`Stream`] of results. After an error it ends.
///
/// Nothing runs ahead of its reader. Dropping it ends the run.
pub struct ToolEvents {
    run: ToolRunner,
    streamed: bool,
    phase: Phase,
    rounds: u32,
    usage: Option<Usage>,
    last: Option<ChatCompletion>,
}

enum Phase {
    Start,
    Ask,
    Whole(BoxFuture<'static, Result<ChatCompletion>>),
    Open(BoxFuture<'static, Result<ChatStream>>),
    Read(Box<(ChatStream, Accumulator)>),
    Call {
        running: BoxStream<'static, Finished>,
        /// The messages to the model, in the order of the calls.
        messages: Vec<Option<Message>>,
    },
    Done,
    Over,
}

/// The position of a call, its result, and the error of its function.
type Finished = (usize, (ToolResult, Option<Box<dyn std::error::Error + Send + Sync>>));

impl ToolEvents {
    fn new(mut run: ToolRunner, streamed: bool) -> Self {
        let asked: HashSet<_> = run.request.tools.iter().map(|tool| tool.name().to_owned()).collect();
        run.request.tools.extend(run.tools.tools().filter(|tool| !asked.contains(tool.name())).cloned());
        ToolEvents { run, streamed, phase: Phase::Start, rounds: 0, usage: None, last: None }
    }

    /// The next event; `None` at the end. Losing the future loses no event.
    pub async fn try_next(&mut self) -> Result<Option<ToolEvent>> {
        std::future::poll_fn(|context| self.poll_event(context)).await.transpose()
    }

    /// Goes on to the end, past the events.
    pub async fn finish(mut self) -> Result<ToolRun> {
        while let Some(event) = self.try_next().await? {
            if let ToolEvent::Done(run) = event {
                return Ok(*run);
            }
        }
        Err(Error::new(ErrorKind::Tool, "its end was already read"))
    }

    /// The conversation so far, also after an error.
    pub fn messages(&self) -> &[Message] {
        &self.run.request.messages
    }

    /// Tokens so far, of all rounds together.
    pub fn usage(&self) -> Option<&Usage> {
        self.usage.as_ref()
    }

    /// How often the model was asked so far.
    pub fn rounds(&self) -> u32 {
        self.rounds
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<ToolEvent>>> {
        let result = loop {
            match &mut self.phase {
                Phase::Start => match check(&self.run) {
                    Ok(()) => self.phase = Phase::Ask,
                    Err(error) => break Err(error),
                },
                Phase::Ask => {
                    if self.rounds >= self.run.max_rounds {
                        break Err(self.fail(format!("no answer after {} rounds", self.rounds)));
                    }
                    self.rounds += 1;
                    self.phase = self.ask();
                }
                Phase::Whole(reply) => match ready!(reply.as_mut().poll(context)) {
                    Ok(reply) => break Ok(self.take(reply)),
                    Err(error) => break Err(error),
                },
                Phase::Open(opening) => match ready!(opening.as_mut().poll(context)) {
                    Ok(chunks) => self.phase = Phase::Read(Box::new((chunks, Accumulator::new()))),
                    Err(error) => break Err(error),
                },
                Phase::Read(reading) => match ready!(reading.0.poll_next_unpin(context)) {
                    Some(Ok(chunk)) => {
                        reading.1.add(chunk.clone());
                        break Ok(ToolEvent::Chunk(chunk));
                    }
                    Some(Err(error)) => break Err(error),
                    None => match std::mem::take(&mut reading.1).finish() {
                        Some(reply) => break Ok(self.take(reply)),
                        None => break Err(Error::new(ErrorKind::Stream, "it ended without a single chunk")),
                    },
                },
                Phase::Call { running, messages } => match ready!(running.poll_next_unpin(context)) {
                    Some((_, (result, Some(error)))) if self.run.fail_on_error => {
                        break Err(self.fail(format!("`{}` failed", result.call.name())).with_source(error));
                    }
                    Some((position, (result, _))) => {
                        if let Some(message) = messages.get_mut(position) {
                            *message = Some(result.clone().into_message());
                        }
                        break Ok(ToolEvent::Result(result));
                    }
                    None => {
                        self.run.request.messages.extend(messages.drain(..).flatten());
                        self.phase = Phase::Ask;
                    }
                },
                Phase::Done => {
                    self.phase = Phase::Over;
                    let Some(reply) = self.last.take() else { return Poll::Ready(None) };
                    let messages = self.run.request.messages.clone();
                    let run = ToolRun { reply, messages, usage: self.usage.clone(), rounds: self.rounds };
                    return Poll::Ready(Some(Ok(ToolEvent::Done(Box::new(run)))));
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
            Some(reply) => error.with_completion(reply.clone()),
            None => error,
        }
    }

    fn ask(&mut self) -> Phase {
        let request = &mut self.run.request;
        if self.rounds > 1 {
            request.tool_choice = request.tool_choice.take().and_then(unforced);
        }
        let mut call = Call::reply(&self.run.chat.client, super::post(request, self.streamed));
        if let Some(options) = &self.run.each_call {
            call = options(call);
        }
        match self.streamed {
            true => Phase::Open(call.expecting(Expect::Open, ChatChunk::open).into_future()),
            false => Phase::Whole(call.into_future()),
        }
    }

    /// Keeps a reply, and begins with its calls.
    fn take(&mut self, mut reply: ChatCompletion) -> ToolEvent {
        if let Some(usage) = &reply.usage {
            match &mut self.usage {
                Some(sum) => *sum += usage,
                None => self.usage = Some(usage.clone()),
            }
        }
        let calls = match reply.choices.first_mut() {
            Some(choice) => name_calls(&mut choice.message, &self.run.request.messages),
            None => Vec::new(),
        };
        self.run.request.messages.push(reply.clone().into_message());
        self.phase = match calls.is_empty() {
            true => Phase::Done,
            false => Phase::Call { messages: vec![None; calls.len()], running: self.start(calls) },
        };
        self.last = Some(reply.clone());
        ToolEvent::Reply(Box::new(reply))
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
                    Permission::Deny(why) => (position, (ToolResult::denied(call, why), None)),
                }
            }
        };
        let calls = futures::stream::iter(calls.into_iter().enumerate());
        calls.map(run).buffer_unordered(self.run.max_parallel).boxed()
    }
}

impl Stream for ToolEvents {
    type Item = Result<ToolEvent>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(context)
    }
}

impl fmt::Debug for ToolEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolEvents").field("run", &self.run).field("rounds", &self.rounds).finish_non_exhaustive()
    }
}

fn check(run: &ToolRunner) -> Result<()> {
    match run.request.n {
        Some(n) if n > 1 => Err(Error::config("a run of tools follows one answer: leave `n` out")),
        _ => Ok(()),
    }
}

/// The same choice, with the model free to call no tool.
fn unforced(choice: ToolChoice) -> Option<ToolChoice> {
    match choice {
        ToolChoice::Mode(ToolChoiceMode::Auto | ToolChoiceMode::None) | ToolChoice::Other(_) => Some(choice),
        ToolChoice::Allowed { tools, .. } => Some(ToolChoice::Allowed { mode: ToolChoiceMode::Auto, tools }),
        ToolChoice::Mode(_) | ToolChoice::Function(_) | ToolChoice::Custom(_) => None,
    }
}

/// Gives each call an id of its own; the results name it.
fn name_calls(message: &mut AssistantMessage, history: &[Message]) -> Vec<ToolCall> {
    let mut known: HashSet<String> = HashSet::new();
    for message in history {
        if let Message::Assistant(message) = message {
            known.extend(message.tool_calls.iter().map(|call| call.id.clone()));
        }
    }
    for call in &mut message.tool_calls {
        while call.id.is_empty() || !known.insert(call.id.clone()) {
            // Mistral takes nine letters and digits, and nothing else.
            call.id = std::iter::repeat_with(fastrand::alphanumeric).take(9).collect();
        }
    }
    message.tool_calls.clone()
}
