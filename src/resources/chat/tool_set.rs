//! Tools with the functions behind them: [`ToolSet`].

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Content, Message, Tool, ToolCall};
use crate::error::{Error, ErrorKind, Result};

type BoxError = Box<dyn StdError + Send + Sync>;
type Run = Arc<dyn Fn(&ToolCall) -> Result<BoxFuture<'static, Result<Content, BoxError>>> + Send + Sync>;

/// Tools and the functions that do their work, for [`Chat::run_tools`](super::Chat::run_tools) or a loop of your own.
///
/// A function takes its arguments as a type of yours and gives a [`ToolOutput`]. Cloning the set is cheap.
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
    /// No tools yet.
    pub fn new() -> Self {
        ToolSet::default()
    }

    /// Adds a tool and its function; one of the same name is replaced.
    ///
    /// The function of a custom tool gets the model's text: let it take a `String`.
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

    /// The tools, as requests list them.
    pub fn tools(&self) -> impl Iterator<Item = &Tool> {
        self.entries.iter().map(|entry| &entry.tool)
    }

    /// Runs one call, for loops of your own. It does not fail: what goes wrong is told to the model.
    ///
    /// ```no_run
    /// # use openai_compatible::chat::{ChatCompletion, ChatRequest, ToolSet};
    /// # async fn run(tools: ToolSet, mut request: ChatRequest, reply: ChatCompletion) {
    /// let calls = reply.tool_calls().to_vec();
    /// request.messages.push(reply.into_message());
    /// for call in &calls {
    ///     request.messages.push(tools.call(call).await.into_message());
    /// }
    /// # }
    /// ```
    pub async fn call(&self, call: &ToolCall) -> ToolResult {
        self.start(call.clone()).await.0
    }

    /// One call, with the error of its function.
    pub(super) fn start(&self, call: ToolCall) -> BoxFuture<'static, (ToolResult, Option<BoxError>)> {
        let result = |call, content: Content, outcome| ToolResult { call, content, outcome };
        let at_once = |result| std::future::ready((result, None)).boxed();
        let Some(entry) = self.entries.iter().find(|entry| entry.tool.name() == call.name()) else {
            let text = self.unknown(call.name());
            return at_once(result(call, text.into(), ToolOutcome::Unknown));
        };
        match (entry.run)(&call) {
            Err(error) => {
                let text = unreadable(&entry.tool, &error);
                at_once(result(call, text.into(), ToolOutcome::BadArguments))
            }
            Ok(running) => async move {
                match running.await {
                    Ok(content) => (result(call, content, ToolOutcome::Done), None),
                    Err(error) => {
                        let text = format!("Error: {error}");
                        (result(call, text.into(), ToolOutcome::Failed), Some(error))
                    }
                }
            }
            .boxed(),
        }
    }

    fn unknown(&self, name: &str) -> String {
        let names: Vec<_> = self.tools().map(|tool| format!("`{}`", tool.name())).collect();
        match names.is_empty() {
            true => format!("There is no tool `{name}`, and no other. Answer without tools."),
            false => format!("There is no tool `{name}`. The tools are: {}. Call one of these.", names.join(", ")),
        }
    }
}

fn unreadable(tool: &Tool, error: &Error) -> String {
    let schema = match tool {
        Tool::Function(tool) => tool.function.parameters.as_ref(),
        _ => None,
    };
    match schema {
        Some(schema) => format!("Error: {}. Call it again with arguments of this schema: {schema}", error.message()),
        None => format!("Error: {}. Call it again.", error.message()),
    }
}

fn arguments<Args: DeserializeOwned>(call: &ToolCall) -> Result<Args> {
    match (&call.function, &call.custom) {
        (None, Some(custom)) => Args::deserialize(Value::String(custom.input.clone())).map_err(|_| {
            Error::new(ErrorKind::Decode, format!("the function of the custom tool `{}` takes no text", custom.name))
        }),
        _ => call.arguments(),
    }
}

impl fmt::Debug for ToolSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.tools().map(Tool::name)).finish()
    }
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ToolResult {
    /// The call.
    pub call: ToolCall,
    /// What the model is told.
    pub content: Content,
    /// How it went.
    pub outcome: ToolOutcome,
}

/// How a call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ToolOutcome {
    /// The function gave its result.
    Done,
    /// The function gave an error.
    Failed,
    /// The hook denied the call.
    Denied,
    /// There is no such tool.
    Unknown,
    /// The arguments do not fit.
    BadArguments,
}

impl ToolResult {
    pub(super) fn denied(call: ToolCall, text: String) -> Self {
        ToolResult { call, content: text.into(), outcome: ToolOutcome::Denied }
    }

    /// What the model is told, as text.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        self.content.text()
    }

    /// The message for the model.
    pub fn into_message(self) -> Message {
        Message::tool(self.call.id, self.content)
    }
}

/// What the function of a tool gives.
///
/// Text goes to the model as it is; [`Json`] and [`Value`] go as JSON. A `Result` of anything that serde writes goes as
/// text or JSON, and its error as text, unless the run is to end then.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the result of a tool",
    note = "give a `String`, `Json(value)`, or `Result<T, E>` with a `T: Serialize` and an error type such as `anyhow::Error`"
)]
pub trait ToolOutput {
    /// What the model is told, or the error.
    fn into_content(self) -> Result<Content, Box<dyn StdError + Send + Sync>>;
}

/// A value that the model gets as JSON.
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
