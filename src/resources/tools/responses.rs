//! The tool-calling loop over responses: `client.responses().run_tools(&request, &tools)`.

use std::borrow::{Borrow, Cow};
use std::collections::HashSet;

use serde::de::DeserializeOwned;

use super::{ToolApi, ToolRunner, set_unique_id};
use crate::call::Call;
use crate::chat::{ToolCall, ToolChoiceMode, ToolResult, ToolSet};
use crate::error::{Error, Result};
use crate::responses::{
    CallOutputItem, Content, Item, Response, ResponseAccumulator, ResponseEvent, ResponseRequest, ResponseStatus,
    ResponseStream, ResponseUsage, Responses, Tool, ToolChoice,
};
use crate::transport::RawResponse;
use crate::wire::{Wire, from_value, to_value};

impl Responses {
    /// Runs the tool-calling loop until a response contains no calls: `POST /responses`, once per round.
    ///
    /// The same [`ToolSet`] serves chat completions. Each round is the follow-up of the one before: by the id of a stored
    /// response, in its conversation, or with all items. Tools that the server runs are part of the request. A response
    /// that asks for the approval of an MCP call ends the run: add the
    /// [answer](crate::responses::McpApprovalRequestItem::answer) to [`ToolRun::request`], and run that.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client, tools: openai_compatible::chat::ToolSet) -> openai_compatible::Result<()> {
    /// use openai_compatible::responses::ResponseRequest;
    ///
    /// let request = ResponseRequest::new("gpt-6-luna", "What is the weather in Oslo?");
    /// let run = client.responses().run_tools(&request, &tools).max_rounds(5).await?;
    /// println!("{} ({} rounds)", run.text(), run.rounds);
    /// # Ok(())
    /// # }
    /// ```
    pub fn run_tools(&self, request: impl Borrow<ResponseRequest>, tools: &ToolSet) -> ToolRunner<Responses> {
        ToolRunner::new(self.clone(), request.borrow().clone(), tools)
    }
}

/// A finished tool run.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ToolRun {
    /// The final response, without calls of the tools.
    pub response: Response,
    /// The request that continues the conversation, without its new input. Add it with [`ResponseRequest::item`].
    pub request: ResponseRequest,
    /// Token usage of all rounds; `None` if the server reported none.
    pub usage: Option<ResponseUsage>,
    /// Number of requests to the model.
    pub rounds: u32,
}

impl ToolRun {
    /// Returns the text of the final response.
    pub fn text(&self) -> Cow<'_, str> {
        self.response.text()
    }
}

/// An event of a tool run.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ToolEvent {
    /// An event of a response; in streamed runs only.
    Event(ResponseEvent),
    /// A response; its calls run next.
    Response(Box<Response>),
    /// The result of a call. Results of one response arrive as they are ready, in any order.
    Result(ToolResult),
    /// The finished run. The last event.
    Done(Box<ToolRun>),
}

impl ToolApi for Responses {
    type Request = ResponseRequest;
    type Response = Response;
    type Chunk = ResponseEvent;
    type Stream = ResponseStream;
    type Accumulator = ResponseAccumulator;
    type Usage = ResponseUsage;
    type Event = ToolEvent;
    type Run = ToolRun;

    fn check(request: &ResponseRequest) -> Result<()> {
        match request.background {
            Some(true) => Err(Error::config("`background` is not supported in a tool run")),
            _ => Ok(()),
        }
    }

    fn model(request: &ResponseRequest) -> &str {
        &request.model
    }

    fn add_tools(request: &mut ResponseRequest, tools: &ToolSet) {
        let known: HashSet<_> = request.tools.iter().map(|tool| tool.name().to_owned()).collect();
        let new = tools.tools().filter(|tool| !known.contains(tool.name()));
        request.tools.extend(new.cloned().map(Tool::from));
    }

    fn unforce_tools(request: &mut ResponseRequest) {
        request.tool_choice = request.tool_choice.take().and_then(unforced);
    }

    fn call(&self, request: &ResponseRequest, streamed: bool) -> Call<Response> {
        self.call_of(request, streamed)
    }

    fn open(response: &mut RawResponse) -> Result<ResponseStream> {
        ResponseStream::open(response)
    }

    fn push(accumulator: &mut ResponseAccumulator, event: &ResponseEvent) {
        accumulator.push(event);
    }

    fn finish(accumulator: ResponseAccumulator) -> Option<Response> {
        accumulator.finish()
    }

    fn usage(response: &Response) -> Option<&ResponseUsage> {
        response.usage.as_ref()
    }

    fn truncation(response: &Response) -> Option<String> {
        if response.status != ResponseStatus::Incomplete {
            return None;
        }
        let reason = response.incomplete_details.as_ref().and_then(|details| details.reason.clone());
        Some(reason.map_or_else(|| "`status` is `incomplete`".to_owned(), |reason| format!("`{reason}`")))
    }

    fn take_calls(_: &ResponseRequest, response: &mut Response) -> Vec<ToolCall> {
        let mut known = HashSet::new();
        for item in &mut response.output {
            match item {
                Item::FunctionCall(call) => set_unique_id(&mut known, &mut call.call_id),
                Item::CustomToolCall(call) => set_unique_id(&mut known, &mut call.call_id),
                _ => {}
            }
        }
        response.tool_calls().collect()
    }

    fn add_reply(request: &mut ResponseRequest, response: &Response) {
        *request = request.follow_up(response, Vec::new());
    }

    fn add_results(request: &mut ResponseRequest, results: Vec<ToolResult>) {
        for result in results {
            // The parts of both APIs differ; text is what tools return.
            let content = match result.content {
                crate::chat::Content::Text(text) => Content::Text(text),
                parts => from_value(&to_value(&parts)).unwrap_or_else(|| Content::Text(parts.text().into_owned())),
            };
            let is_custom = result.call.custom.is_some();
            let output = CallOutputItem { call_id: result.call.id, output: content, ..CallOutputItem::default_value() };
            let item = if is_custom { Item::CustomToolCallOutput(output) } else { Item::FunctionCallOutput(output) };
            *request = std::mem::take(request).item(item);
        }
    }

    fn parse<T: DeserializeOwned>(response: &Response) -> Result<T> {
        response.parse()
    }

    fn is_answer(response: &Response) -> bool {
        response.refusal().is_none()
            && response.tool_calls().next().is_none()
            && Self::truncation(response).is_none()
            && !response.text().trim().is_empty()
    }

    fn add_question(request: &mut ResponseRequest, text: String) {
        *request = std::mem::take(request).item(Item::user(text));
    }

    fn attach(response: Response, error: Error) -> Error {
        error.with_last(response)
    }

    fn chunk_event(event: ResponseEvent) -> ToolEvent {
        ToolEvent::Event(event)
    }

    fn reply_event(response: Response) -> ToolEvent {
        ToolEvent::Response(Box::new(response))
    }

    fn result_event(result: ToolResult) -> ToolEvent {
        ToolEvent::Result(result)
    }

    fn end(request: &ResponseRequest, response: Response, usage: Option<ResponseUsage>, rounds: u32) -> ToolEvent {
        ToolEvent::Done(Box::new(ToolRun { response, request: request.clone(), usage, rounds }))
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
        ToolChoice::Mode(_)
        | ToolChoice::Function(_)
        | ToolChoice::Custom(_)
        | ToolChoice::Hosted(_)
        | ToolChoice::Mcp { .. } => None,
    }
}
