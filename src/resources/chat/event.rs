//! The events of a streamed completion: [`ChatEvent`].

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
use crate::error::{Error, ErrorKind, Result};
use crate::reply::stream::EventStream;
use crate::wire::SharedString;

/// An event of a streamed completion, in the order of [`ChatStream::events`].
///
/// `index` is the index of the choice. A `…Done` event is sent once, with the complete content. Audio, annotations and
/// calls of the deprecated `functions` have no event of their own: they are part of `Completed`.
///
/// [`ChatStream::events`]: super::ChatStream::events
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ChatEvent {
    /// New text of the content.
    ContentDelta {
        /// Index of the choice.
        index: u32,
        /// The new text, never empty.
        delta: String,
    },
    /// The content is complete. Not sent for a choice without text.
    ContentDone {
        /// Index of the choice.
        index: u32,
        /// The whole text.
        content: String,
    },
    /// New text of a refusal.
    RefusalDelta {
        /// Index of the choice.
        index: u32,
        /// The new text, never empty.
        delta: String,
    },
    /// The refusal is complete.
    RefusalDone {
        /// Index of the choice.
        index: u32,
        /// The whole refusal.
        refusal: String,
    },
    /// New reasoning, whichever field the server uses.
    ReasoningDelta {
        /// Index of the choice.
        index: u32,
        /// The new text, never empty.
        delta: String,
    },
    /// A tool call starts, or has new arguments.
    ToolCallDelta {
        /// Index of the choice.
        index: u32,
        /// Position of the call among the calls of the choice, however the server numbers them.
        call: usize,
        /// Name of the tool so far: complete on nearly all servers.
        name: SharedString,
        /// The new part of the arguments; may be empty where the call starts.
        delta: String,
    },
    /// A tool call is complete: its arguments are complete and the next call has started, or the choice has ended.
    ToolCallDone {
        /// Index of the choice.
        index: u32,
        /// Position of the call among the calls of the choice.
        call: usize,
        /// The call.
        tool_call: Box<ToolCall>,
    },
    /// Log probabilities of new tokens.
    Logprobs {
        /// Index of the choice.
        index: u32,
        /// Log probabilities of the new tokens only.
        logprobs: Box<Logprobs>,
    },
    /// A choice has ended.
    Finished {
        /// Index of the choice.
        index: u32,
        /// Why it ended.
        reason: FinishReason,
    },
    /// Token usage so far. The last value is the total; do not sum them.
    Usage(Box<Usage>),
    /// The completion is complete: the last event of a stream that ends well.
    Completed(Box<ChatCompletion>),
}

/// The events of a streamed completion, from [`ChatStream::events`].
///
/// A [`Stream`] of results, with [`try_next`](ChatEvents::try_next) for plain loops.
///
/// [`ChatStream::events`]: super::ChatStream::events
pub struct ChatEvents {
    chunks: ChatStream,
    accumulator: Accumulator,
    ready: VecDeque<ChatEvent>,
    is_over: bool,
}

impl EventStream<super::ChatChunk> {
    /// Converts the stream to events: text, reasoning, tool calls as they start, grow and end, and the whole completion
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
    ///         ChatEvent::Completed(response) => println!("\n{:?}", response.usage),
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
    /// Returns the next event, or `None` at the end.
    ///
    /// # Errors
    ///
    /// The same as those of the stream. What was received before is in [`snapshot`](ChatEvents::snapshot).
    pub async fn try_next(&mut self) -> Result<Option<ChatEvent>> {
        std::future::poll_fn(|context| self.poll_event(context)).await.transpose()
    }

    /// Returns the completion so far; `None` before the first chunk and after [`ChatEvent::Completed`].
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
                Some(Ok(chunk)) => self.ready.extend(self.accumulator.push_with_events(chunk)),
                Some(Err(error)) => {
                    self.is_over = true;
                    // A copy: the snapshot stays readable.
                    return Poll::Ready(Some(Err(self.accumulator.clone().attach_to(error))));
                }
                None => {
                    self.is_over = true;
                    self.ready.extend(std::mem::take(&mut self.accumulator).finish_with_events());
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
    Error::new(ErrorKind::Stream, "ended without any chunk")
}

/// Collects events if somebody wants them.
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

    /// The text of a delta; tool calls are separate.
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

    /// The text of a message that has ended; tool calls are separate.
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
