//! [`ToolSet`]: tools with their functions.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Content, Message, Tool, ToolCall};
use crate::error::{Error, ErrorKind, Result};

type BoxError = Box<dyn StdError + Send + Sync>;
type Run = Arc<dyn Fn(&ToolCall) -> Result<BoxFuture<'static, Result<Content, BoxError>>> + Send + Sync>;

/// Tools with their functions, for [`Chat::run_tools`](super::Chat::run_tools) or a loop of your own.
///
/// A function takes its arguments as a type of yours and returns a [`ToolOutput`]. Cheap to clone.
///
/// ```
/// use openai_compatible::chat::{Tool, ToolSet};
/// use serde_json::json;
///
/// #[derive(serde::Deserialize)]
/// struct Place { city: String }
///
/// let place = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
/// let tools = ToolSet::new().add(
///     Tool::with_schema("weather", "Today's weather in a city", place),
///     |place: Place| async move { format!("4 degrees and rain in {}", place.city) },
/// );
/// # assert_eq!(tools.tools().count(), 1);
/// ```
#[derive(Clone, Default)]
pub struct ToolSet {
    entries: Vec<Entry>,
}

#[derive(Clone)]
struct Entry {
    tool: Tool,
    run: Run,
}

impl ToolSet {
    /// Creates an empty set.
    pub fn new() -> Self {
        ToolSet::default()
    }

    /// Adds a tool and its function. Replaces a tool of the same name.
    ///
    /// The function of a custom tool receives the model's text as a `String`.
    pub fn add<Args, F, R>(mut self, tool: Tool, function: F) -> Self
    where
        Args: DeserializeOwned,
        F: Fn(Args) -> R + Send + Sync + 'static,
        R: Future<Output: ToolOutput> + Send + 'static,
    {
        let run: Run = Arc::new(move |call| {
            let output = function(arguments(call)?);
            Ok(async move { output.await.into_content() }.boxed())
        });
        self.entries.retain(|entry| entry.tool.name() != tool.name());
        self.entries.push(Entry { tool, run });
        self
    }

    /// Adds a function as a tool: its arguments are described by their type. *Feature* `schemars`.
    ///
    /// ```
    /// use openai_compatible::chat::ToolSet;
    ///
    /// #[derive(serde::Deserialize, schemars::JsonSchema)]
    /// struct Place {
    ///     /// Name of a city, in English.
    ///     city: String,
    /// }
    ///
    /// async fn weather(place: Place) -> String {
    ///     format!("4 degrees and rain in {}", place.city)
    /// }
    ///
    /// let tools = ToolSet::new().function("weather", "Today's weather in a city", weather);
    /// # assert_eq!(tools.tools().count(), 1);
    /// ```
    #[cfg(feature = "schemars")]
    pub fn function<Args, F, R>(self, name: impl Into<String>, description: impl Into<String>, function: F) -> Self
    where
        Args: DeserializeOwned + schemars::JsonSchema,
        F: Fn(Args) -> R + Send + Sync + 'static,
        R: Future<Output: ToolOutput> + Send + 'static,
    {
        self.add(Tool::function::<Args>(name, description), function)
    }

    /// Returns the tools, as requests list them.
    pub fn tools(&self) -> impl Iterator<Item = &Tool> {
        self.entries.iter().map(|entry| &entry.tool)
    }

    /// Runs one call, for loops of your own. Never fails: errors and panics become the result for the model.
    ///
    /// ```no_run
    /// # use openai_compatible::chat::{ChatCompletion, ChatRequest, ToolSet};
    /// # async fn run(tools: ToolSet, mut request: ChatRequest, response: ChatCompletion) {
    /// let calls = response.tool_calls().to_vec();
    /// request.messages.push(response.into_message());
    /// for call in &calls {
    ///     request.messages.push(tools.call(call).await.into_message());
    /// }
    /// # }
    /// ```
    pub async fn call(&self, call: &ToolCall) -> ToolResult {
        self.start(call.clone()).await
    }

    /// Runs one call.
    pub(crate) fn start(&self, call: ToolCall) -> BoxFuture<'static, ToolResult> {
        let result = |call, content: Content, outcome| ToolResult { call, content, outcome, error: None };
        let at_once = |result| std::future::ready(result).boxed();
        let Some(entry) = self.entries.iter().find(|entry| entry.tool.name() == call.name()) else {
            let text = self.unknown(call.name());
            return at_once(result(call, text.into(), ToolOutcome::UnknownTool));
        };
        let run = catch_unwind(AssertUnwindSafe(|| (entry.run)(&call)));
        match run.unwrap_or_else(|panic| Ok(std::future::ready(Err(ToolPanic::of(panic))).boxed())) {
            Err(error) => {
                let text = unreadable(&entry.tool, &error);
                at_once(result(call, text.into(), ToolOutcome::InvalidArguments))
            }
            Ok(mut running) => async move {
                let poll = |context: &mut Context<'_>| {
                    let polled = catch_unwind(AssertUnwindSafe(|| running.poll_unpin(context)));
                    polled.unwrap_or_else(|panic| Poll::Ready(Err(ToolPanic::of(panic))))
                };
                match std::future::poll_fn(poll).await {
                    Ok(content) => result(call, content, ToolOutcome::Completed),
                    Err(error) => {
                        let text = format!("Error: {error}");
                        let error = Some(ToolError(Arc::from(error)));
                        ToolResult { error, ..result(call, text.into(), ToolOutcome::Failed) }
                    }
                }
            }
            .boxed(),
        }
    }

    fn unknown(&self, name: &str) -> String {
        let names: Vec<_> = self.tools().map(|tool| format!("`{}`", tool.name())).collect();
        match names.is_empty() {
            true => format!("Unknown tool `{name}`. No tools are available; answer without calling one."),
            false => format!("Unknown tool `{name}`. Available tools: {}.", names.join(", ")),
        }
    }
}

/// A function panicked. The model does not learn why.
#[derive(Debug, thiserror::Error)]
#[error("the function panicked")]
pub(crate) struct ToolPanic {
    source: Option<BoxError>,
}

impl ToolPanic {
    fn of(panic: Box<dyn Any + Send>) -> BoxError {
        let message = panic.downcast::<String>().map(|message| *message);
        let message = message.or_else(|panic| panic.downcast::<&str>().map(|message| (*message).to_owned()));
        Box::new(ToolPanic { source: message.ok().map(BoxError::from) })
    }
}

fn unreadable(tool: &Tool, error: &Error) -> String {
    let schema = match tool {
        Tool::Function(tool) => tool.function.parameters.as_ref(),
        _ => None,
    };
    match schema {
        Some(schema) => {
            format!("Error: {}. Call the tool again with arguments that match this schema: {schema}", error.message())
        }
        None => format!("Error: {}. Call the tool again.", error.message()),
    }
}

fn arguments<Args: DeserializeOwned>(call: &ToolCall) -> Result<Args> {
    match (&call.function, &call.custom) {
        (None, Some(custom)) => Args::deserialize(Value::String(custom.input.clone())).map_err(|_| {
            Error::new(ErrorKind::Decode, format!("function of custom tool `{}` must take a `String`", custom.name))
        }),
        _ => call.arguments(),
    }
}

impl fmt::Debug for ToolSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.tools().map(Tool::name)).finish()
    }
}

/// The result of a tool call.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ToolResult {
    /// The call.
    pub call: ToolCall,
    /// The result for the model.
    pub content: Content,
    /// How the call ended.
    pub outcome: ToolOutcome,
    /// The error of a function that failed, with its sources. The model receives only its message.
    pub error: Option<ToolError>,
}

/// The error of a function, as it was returned. Equal to its clones only.
#[derive(Clone)]
pub struct ToolError(Arc<dyn StdError + Send + Sync>);

impl ToolError {
    /// Returns the error, to downcast it or to walk its sources.
    pub fn get_ref(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.0
    }
}

impl ToolError {
    pub(crate) fn into_inner(self) -> Arc<dyn StdError + Send + Sync> {
        self.0
    }
}

impl PartialEq for ToolError {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for ToolError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

/// How a tool call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ToolOutcome {
    /// The function returned a result.
    Completed,
    /// The function returned an error.
    Failed,
    /// The call was denied.
    Denied,
    /// The tool is unknown.
    UnknownTool,
    /// The arguments do not match the type of the function.
    InvalidArguments,
}

impl ToolResult {
    pub(crate) fn denied(call: ToolCall, text: String) -> Self {
        ToolResult { call, content: text.into(), outcome: ToolOutcome::Denied, error: None }
    }

    /// Returns the result for the model as text.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        self.content.text()
    }

    /// Returns the message with the result for the model.
    pub fn into_message(self) -> Message {
        Message::tool(self.call.id, self.content)
    }
}

/// A value that the function of a tool may return.
///
/// Text is sent to the model as it is, [`Json`] and [`Value`] as JSON. The value of a `Result` is sent as text or JSON,
/// and its error as text, unless [`fail_on_error`](super::ToolRunner::fail_on_error) is set.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be returned from a tool",
    note = "return a `String`, `Json(value)`, or `Result<T, E>` with a `T: Serialize` and an error type such as `anyhow::Error`"
)]
pub trait ToolOutput {
    /// Returns the content for the model, or the error.
    fn into_content(self) -> Result<Content, Box<dyn StdError + Send + Sync>>;
}

/// A value that is sent to the model as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: Serialize> ToolOutput for Json<T> {
    fn into_content(self) -> Result<Content, BoxError> {
        as_content(&self.0)
    }
}

impl<T: Serialize, E: Into<BoxError>> ToolOutput for Result<T, E> {
    fn into_content(self) -> Result<Content, BoxError> {
        as_content(&self.map_err(Into::into)?)
    }
}

impl ToolOutput for String {
    fn into_content(self) -> Result<Content, BoxError> {
        Ok(self.into())
    }
}

impl ToolOutput for &'static str {
    fn into_content(self) -> Result<Content, BoxError> {
        Ok(self.into())
    }
}

impl ToolOutput for Value {
    fn into_content(self) -> Result<Content, BoxError> {
        as_content(&self)
    }
}

impl ToolOutput for Content {
    fn into_content(self) -> Result<Content, BoxError> {
        Ok(self)
    }
}

/// Text as it is, everything else as JSON.
fn as_content(value: &impl Serialize) -> Result<Content, BoxError> {
    let json = serde_json::to_string(value)?;
    let text = if json.starts_with('"') { serde_json::from_str(&json)? } else { json };
    Ok(Content::Text(text))
}
