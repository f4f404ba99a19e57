//! What a stream brings, by its meaning: [`ChatEvent`].

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::Stream;

use super::accumulate::Accumulator;
use super::chunk::{ChatStream, ChunkChoice};
use super::message::{Content, reasoning};
use super::reply::{ChatCompletion, Choice, FinishReason, Logprobs, Usage};
use super::tool::ToolCall;
use crate::SharedString;
use crate::error::{Error, ErrorKind, Result};
use crate::stream::EventStream;

/// One thing that a streamed reply brings. [`ChatStream::events`] gives them in their order.
///
/// `index` is the position of the answer, where several were asked for. What is done is told once, and is whole then.
/// Audio, annotations and calls of the deprecated `functions` have no event of their own: they are in `Completed`.
///
/// [`ChatStream::events`]: super::ChatStream::events
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ChatEvent {
    /// More of the answer's text.
    ContentDelta {
        /// Position of the answer.
        index: u32,
        /// The new text, never empty.
        delta: String,
    },
    /// The answer's text is whole. Not sent for an answer without text.
    ContentDone {
        /// Position of the answer.
        index: u32,
        /// All of the text.
        content: String,
    },
    /// More of a refusal.
    RefusalDelta {
        /// Position of the answer.
        index: u32,
        /// The new text, never empty.
        delta: String,
    },
    /// The refusal is whole.
    RefusalDone {
        /// Position of the answer.
        index: u32,
        /// All of the refusal.
        refusal: String,
    },
    /// More of what the model thinks, under whichever name the server sends it.
    ReasoningDelta {
        /// Position of the answer.
        index: u32,
        /// The new text, never empty.
        delta: String,
    },
    /// A tool call begins, or more of its arguments.
    ToolCallDelta {
        /// Position of the answer.
        index: u32,
        /// Position of the call among the calls of the answer, however the server numbers them.
        call: usize,
        /// Name of the tool so far: whole on nearly all servers.
        name: SharedString,
        /// The new piece of the arguments; may be empty where the call begins.
        delta: String,
    },
    /// A tool call is whole: its arguments are complete and the next call has begun, or the answer has ended.
    ToolCallDone {
        /// Position of the answer.
        index: u32,
        /// Position of the call among the calls of the answer.
        call: usize,
        /// The call.
        tool_call: Box<ToolCall>,
    },
    /// Log probabilities of new tokens.
    Logprobs {
        /// Position of the answer.
        index: u32,
        /// Those of the new tokens only.
        logprobs: Box<Logprobs>,
    },
    /// An answer has ended.
    Finished {
        /// Position of the answer.
        index: u32,
        /// Why.
        reason: FinishReason,
    },
    /// Tokens used so far. The last one counts; do not add them up.
    Usage(Box<Usage>),
    /// The reply is whole: the last event of a stream that ends well.
    Completed(Box<ChatCompletion>),
}

/// The events of a reply that arrives chunk by chunk, from [`ChatStream::events`].
///
/// A [`Stream`] of results, and [`try_next`](ChatEvents::try_next) where that is all you need.
///
/// [`ChatStream::events`]: super::ChatStream::events
pub struct ChatEvents {
    chunks: ChatStream,
    accumulator: Accumulator,
    ready: VecDeque<ChatEvent>,
    is_over: bool,
}

impl EventStream<super::ChatChunk> {
    /// Reads the stream as events: text, reasoning, tool calls as they begin, grow and are done, and the whole reply
    /// at the end.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client, request: openai_compatible::chat::ChatRequest) -> openai_compatible::Result<()> {
    /// use openai_compatible::chat::ChatEvent;
    ///
    /// let mut events = client.chat().stream(&request).await?.events();
    /// while let Some(event) = events.try_next().await? {
    ///     match event {
    ///         ChatEvent::ContentDelta { delta, .. } => print!("{delta}"),
    ///         ChatEvent::ToolCallDone { tool_call, .. } => println!("calls {}", tool_call.name()),
    ///         ChatEvent::Completed(reply) => println!("\n{:?}", reply.usage),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn events(self) -> ChatEvents {
        ChatEvents { chunks: self, accumulator: Accumulator::new(), ready: VecDeque::new(), is_over: false }
    }
}

impl ChatEvents {
    /// The next event; `None` at the end.
    ///
    /// # Errors
    ///
    /// Those of the stream. What came before is in [`snapshot`](ChatEvents::snapshot).
    pub async fn try_next(&mut self) -> Result<Option<ChatEvent>> {
        std::future::poll_fn(|context| self.poll_event(context)).await.transpose()
    }

    /// The reply so far; `None` before the first chunk and after [`ChatEvent::Completed`].
    pub fn snapshot(&self) -> Option<&ChatCompletion> {
        self.accumulator.snapshot()
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<ChatEvent>>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(event)));
            }
            if self.is_over {
                return Poll::Ready(None);
            }
            match ready!(Pin::new(&mut self.chunks).poll_next(context)) {
                Some(Ok(chunk)) => self.ready.extend(self.accumulator.events(chunk)),
                Some(Err(error)) => {
                    self.is_over = true;
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    self.is_over = true;
                    self.ready.extend(std::mem::take(&mut self.accumulator).end());
                    if self.ready.is_empty() {
                        return Poll::Ready(Some(Err(no_chunk())));
                    }
                }
            }
        }
    }
}

impl Stream for ChatEvents {
    type Item = Result<ChatEvent>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(context)
    }
}

impl fmt::Debug for ChatEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatEvents").field("chunks", &self.chunks).finish_non_exhaustive()
    }
}

pub(super) fn no_chunk() -> Error {
    Error::new(ErrorKind::Stream, "it ended without a single chunk")
}

/// Collects events where somebody wants them.
pub(super) struct EventList(Option<Vec<ChatEvent>>);

impl EventList {
    pub(super) fn off() -> Self {
        EventList(None)
    }

    pub(super) fn on() -> Self {
        EventList(Some(Vec::new()))
    }

    pub(super) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn into_list(self) -> Vec<ChatEvent> {
        self.0.unwrap_or_default()
    }

    pub(super) fn push(&mut self, event: ChatEvent) {
        if let Some(list) = &mut self.0 {
            list.push(event);
        }
    }

    /// What a piece of an answer says; its tool calls apart.
    pub(super) fn add_deltas(&mut self, new: &ChunkChoice) {
        let Some(list) = &mut self.0 else { return };
        let (index, delta) = (new.index, &new.delta);
        let owned = |text: Option<Cow<'_, str>>| text.filter(|text| !text.is_empty()).map(Cow::into_owned);
        let thought = reasoning(&delta.reasoning_content, &delta.reasoning, delta.content.as_ref(), &delta.extra);
        list.extend(owned(thought).map(|delta| ChatEvent::ReasoningDelta { index, delta }));
        let content = delta.content.as_ref().map(Content::text);
        list.extend(owned(content).map(|delta| ChatEvent::ContentDelta { index, delta }));
        let refusal = delta.refusal.as_deref().map(Cow::Borrowed);
        list.extend(owned(refusal).map(|delta| ChatEvent::RefusalDelta { index, delta }));
        list.extend(new.logprobs.clone().map(|logprobs| ChatEvent::Logprobs { index, logprobs }));
    }

    /// What an answer has said when it ends; its tool calls apart.
    pub(super) fn add_done(&mut self, choice: &Choice) {
        let Some(list) = &mut self.0 else { return };
        let (index, content) = (choice.index, choice.message.text());
        if !content.is_empty() {
            list.push(ChatEvent::ContentDone { index, content: content.into_owned() });
        }
        if let Some(refusal) = choice.message.refusal.clone().filter(|refusal| !refusal.is_empty()) {
            list.push(ChatEvent::RefusalDone { index, refusal });
        }
    }
}
