//! The tool-calling loop over chat completions: `client.chat().run_tools(&request, &tools)`.

use std::borrow::Borrow;
use std::collections::HashSet;

use serde::de::DeserializeOwned;

use super::{ToolApi, ToolEvents, ToolRunner, set_unique_id};
use crate::call::Call;
use crate::chat::{
    Accumulator, Chat, ChatChunk, ChatCompletion, ChatRequest, ChatStream, FinishReason, Message, ToolCall, ToolChoice,
    ToolChoiceMode, ToolResult, ToolSet, Usage,
};
use crate::error::{Error, Result};
use crate::reply::stream::StreamItem;
use crate::transport::RawResponse;
use crate::transport::decode::ApiResponse;

impl Chat {
    /// Runs the tool-calling loop until a completion contains no calls: `POST /chat/completions`, once per round.
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
    pub fn run_tools(&self, request: impl Borrow<ChatRequest>, tools: &ToolSet) -> ToolRunner<Chat> {
        ToolRunner::new(self.clone(), request.borrow().clone(), tools)
    }
}

/// A finished tool run.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ToolRun {
    /// The final completion, without tool calls.
    pub completion: ChatCompletion,
    /// The conversation: that of the request, then all calls, their results and the final completion. Ready for the next request.
    pub messages: Vec<Message>,
    /// Token usage of all rounds; `None` if the server reported none.
    pub usage: Option<Usage>,
    /// Number of requests to the model.
    pub rounds: u32,
}

impl ToolRun {
    /// Returns the text of the final completion.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        self.completion.text()
    }
}

/// An event of a tool run.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ToolEvent {
    /// A chunk of a completion; in streamed runs only.
    Chunk(ChatChunk),
    /// A completion; its calls run next.
    Completion(Box<ChatCompletion>),
    /// The result of a call. Results of one completion arrive as they are ready, in any order.
    Result(ToolResult),
    /// The finished run. The last event.
    Done(Box<ToolRun>),
}

impl ToolEvents<Chat> {
    /// Returns the conversation so far, also after an error.
    pub fn messages(&self) -> &[Message] {
        &self.request().messages
    }
}

impl ToolApi for Chat {
    type Request = ChatRequest;
    type Response = ChatCompletion;
    type Chunk = ChatChunk;
    type Stream = ChatStream;
    type Accumulator = Accumulator;
    type Usage = Usage;
    type Event = ToolEvent;
    type Run = ToolRun;

    fn check(request: &ChatRequest) -> Result<()> {
        match request.n {
            Some(n) if n > 1 => Err(Error::config("`n` greater than 1 is not supported in a tool run")),
            _ => Ok(()),
        }
    }

    fn model(request: &ChatRequest) -> &str {
        &request.model
    }

    fn add_tools(request: &mut ChatRequest, tools: &ToolSet) {
        let known: HashSet<_> = request.tools.iter().map(|tool| tool.name().to_owned()).collect();
        request.tools.extend(tools.tools().filter(|tool| !known.contains(tool.name())).cloned());
    }

    fn unforce_tools(request: &mut ChatRequest) {
        request.tool_choice = request.tool_choice.take().and_then(unforced);
    }

    fn call(&self, request: &ChatRequest, streamed: bool) -> Call<ChatCompletion> {
        self.call_of(request, streamed)
    }

    fn open(response: &mut RawResponse) -> Result<ChatStream> {
        ChatChunk::open(response)
    }

    fn push(accumulator: &mut Accumulator, chunk: &ChatChunk) {
        accumulator.push(chunk.clone());
    }

    fn finish(accumulator: Accumulator) -> Option<ChatCompletion> {
        accumulator.finish()
    }

    fn usage(completion: &ChatCompletion) -> Option<&Usage> {
        completion.usage.as_ref()
    }

    fn truncation(completion: &ChatCompletion) -> Option<String> {
        match completion.finish_reason()? {
            reason @ (FinishReason::Length | FinishReason::ContentFilter) => {
                Some(format!("`finish_reason` is `{reason}`"))
            }
            _ => None,
        }
    }

    fn take_calls(request: &ChatRequest, completion: &mut ChatCompletion) -> Vec<ToolCall> {
        let Some(choice) = completion.choices.first_mut() else { return Vec::new() };
        let mut known = HashSet::new();
        for message in &request.messages {
            if let Message::Assistant(message) = message {
                known.extend(message.tool_calls.iter().map(|call| call.id.clone()));
            }
        }
        choice.message.tool_calls.iter_mut().for_each(|call| set_unique_id(&mut known, &mut call.id));
        choice.message.tool_calls.clone()
    }

    fn add_reply(request: &mut ChatRequest, completion: &ChatCompletion) {
        request.messages.push(completion.clone().into_message());
    }

    fn add_results(request: &mut ChatRequest, results: Vec<ToolResult>) {
        request.messages.extend(results.into_iter().map(ToolResult::into_message));
    }

    fn parse<T: DeserializeOwned>(completion: &ChatCompletion) -> Result<T> {
        completion.parse()
    }

    fn is_answer(completion: &ChatCompletion) -> bool {
        let message = completion.message();
        message.is_some_and(|message| message.refusal.is_none() && message.tool_calls.is_empty())
            && Self::truncation(completion).is_none()
            && !completion.text().trim().is_empty()
    }

    fn add_question(request: &mut ChatRequest, text: String) {
        request.messages.push(Message::user(text));
    }

    fn attach(completion: ChatCompletion, error: Error) -> Error {
        completion.attach_to(error)
    }

    fn chunk_event(chunk: ChatChunk) -> ToolEvent {
        ToolEvent::Chunk(chunk)
    }

    fn reply_event(completion: ChatCompletion) -> ToolEvent {
        ToolEvent::Completion(Box::new(completion))
    }

    fn result_event(result: ToolResult) -> ToolEvent {
        ToolEvent::Result(result)
    }

    fn end(request: &ChatRequest, completion: ChatCompletion, usage: Option<Usage>, rounds: u32) -> ToolEvent {
        ToolEvent::Done(Box::new(ToolRun { completion, messages: request.messages.clone(), usage, rounds }))
    }

    fn run(event: ToolEvent) -> Option<ToolRun> {
        match event {
            ToolEvent::Done(run) => Some(*run),
            _ => None,
        }
    }
}

/// The same choice without forcing a call.
fn unforced(choice: ToolChoice) -> Option<ToolChoice> {
    match choice {
        ToolChoice::Mode(ToolChoiceMode::Auto | ToolChoiceMode::None) | ToolChoice::Other(_) => Some(choice),
        ToolChoice::Allowed { tools, .. } => Some(ToolChoice::Allowed { mode: ToolChoiceMode::Auto, tools }),
        ToolChoice::Mode(_) | ToolChoice::Function(_) | ToolChoice::Custom(_) => None,
    }
}
