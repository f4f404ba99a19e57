//! Tools: definitions, tool choice, and tool calls.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::error::{Error, ErrorKind, Result};
use crate::wire::{Input, InvalidInput, Output, ReadOutcome, Wire, string_or_json, to_value};

open_union! {
    /// A tool that the model may call.
    pub enum Tool by "type" {
        /// A function with JSON arguments.
        Function(FunctionTool) = "function",
        /// A tool that takes free text or text of a grammar.
        Custom(CustomTool) = "custom",
    }
}

wire_struct! {
    /// A function tool.
    pub struct FunctionTool {
        /// The definition of the function.
        pub function: Function = always,
    }

    /// The definition of a function that the model may call.
    pub struct Function {
        /// Name: letters, digits, `_` and `-`, at most 64 characters.
        pub name: String = always,
        /// What the function does and when to call it; the model reads this.
        pub description: Option<String>,
        /// JSON schema of the arguments. `None` for a function without arguments.
        pub parameters: Option<Value>,
        /// Whether arguments must follow the schema exactly.
        pub strict: Option<bool>,
    }

    /// A custom tool.
    pub struct CustomTool {
        /// The definition of the tool.
        pub custom: Custom = always,
    }

    /// The definition of a tool whose input is text, not JSON.
    pub struct Custom {
        /// Name of the tool.
        pub name: String = always,
        /// What the tool does and when to call it; the model reads this.
        pub description: Option<String>,
        /// Format of the input: `{"type": "text"}`, or `{"type": "grammar", "grammar": {…}}`.
        pub format: Option<Value>,
    }

    /// A tool call requested by the model.
    pub struct ToolCall {
        /// Id that the tool result refers to; empty on some servers (Gemini).
        pub id: String = always,
        /// `function` or `custom`; missing on some servers (Mistral).
        pub type_ as "type": String,
        /// The called function and its arguments.
        pub function: Option<FunctionCall>,
        /// The called custom tool and its input.
        pub custom: Option<CustomCall>,
    }

    /// A called function and its arguments.
    pub struct FunctionCall {
        /// Name of the function.
        pub name: String = always,
        /// Arguments as JSON text, possibly malformed. Read them with [`ToolCall::arguments`].
        pub arguments: String = with(string_or_json),
    }

    /// A called custom tool and its input.
    pub struct CustomCall {
        /// Name of the tool.
        pub name: String = always,
        /// Input as text.
        pub input: String = always,
    }
}

impl Tool {
    /// Creates a function tool from a name and the JSON schema of its arguments.
    ///
    /// ```
    /// use openai_compatible::chat::Tool;
    /// use serde_json::json;
    ///
    /// let tool = Tool::with_schema("weather", "Today's weather in a city", json!({
    ///     "type": "object",
    ///     "properties": { "city": { "type": "string" } },
    ///     "required": ["city"],
    /// }));
    /// # let _ = tool;
    /// ```
    pub fn with_schema(name: impl Into<String>, description: impl Into<String>, parameters: Value) -> Self {
        Function::new(name).description(description).parameters(parameters).into()
    }

    /// Creates a tool whose input is free text. For a grammar, see [`Custom::grammar`].
    pub fn custom(name: impl Into<String>, description: impl Into<String>) -> Self {
        Custom::new(name).description(description).into()
    }

    /// Requires arguments to follow the schema exactly; has no effect on custom tools.
    pub fn strict(mut self, strict: bool) -> Self {
        if let Tool::Function(tool) = &mut self {
            tool.function.strict = Some(strict);
        }
        self
    }

    /// Returns the name of the tool.
    pub fn name(&self) -> &str {
        match self {
            Tool::Function(tool) => &tool.function.name,
            Tool::Custom(tool) => &tool.custom.name,
            Tool::Other(members) => members.get("name").and_then(Value::as_str).unwrap_or_default(),
        }
    }
}

impl Function {
    /// Creates a function of this name, without arguments yet.
    pub fn new(name: impl Into<String>) -> Self {
        Function { name: name.into(), ..Function::default_value() }
    }
}

setters! { Function {
    description: impl Into<String>,
    parameters: impl Into<Value>,
    strict: bool,
} }

impl From<Function> for Tool {
    fn from(function: Function) -> Self {
        Tool::Function(FunctionTool { function, ..FunctionTool::default_value() })
    }
}

impl Custom {
    /// Creates a custom tool of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Custom { name: name.into(), ..Custom::default_value() }
    }

    /// Requires the input to follow a grammar; `syntax` is `lark` or `regex`.
    pub fn grammar(self, syntax: impl Into<String>, definition: impl Into<String>) -> Self {
        let (syntax, definition) = (syntax.into(), definition.into());
        self.format(json!({"type": "grammar", "grammar": {"syntax": syntax, "definition": definition}}))
    }
}

setters! { Custom {
    description: impl Into<String>,
    format: impl Into<Value>,
} }

impl From<Custom> for Tool {
    fn from(custom: Custom) -> Self {
        Tool::Custom(CustomTool { custom, ..CustomTool::default_value() })
    }
}

impl FunctionCall {
    /// Creates a function call from a name and the JSON text of its arguments.
    pub fn new(name: impl Into<String>, arguments: impl Into<String>) -> Self {
        FunctionCall { name: name.into(), arguments: arguments.into(), ..FunctionCall::default_value() }
    }
}

impl ToolCall {
    /// Creates a call of a custom tool, for conversations written by hand.
    pub fn custom(id: impl Into<String>, name: impl Into<String>, input: impl Into<String>) -> Self {
        let custom = CustomCall { name: name.into(), input: input.into(), ..CustomCall::default_value() };
        ToolCall { id: id.into(), type_: "custom".to_owned(), custom: Some(custom), ..ToolCall::default_value() }
    }

    /// Creates a function call, for conversations written by hand.
    pub fn function(id: impl Into<String>, name: impl Into<String>, arguments: impl Into<String>) -> Self {
        let function = FunctionCall::new(name, arguments);
        ToolCall { id: id.into(), type_: "function".to_owned(), function: Some(function), ..ToolCall::default_value() }
    }

    /// Returns the name of the called tool.
    pub fn name(&self) -> &str {
        match (&self.function, &self.custom) {
            (Some(call), _) => &call.name,
            (None, Some(call)) => &call.name,
            (None, None) => "",
        }
    }

    /// Returns the arguments as the model wrote them: JSON for a function, any text for a custom tool.
    pub fn arguments_text(&self) -> &str {
        match (&self.function, &self.custom) {
            (Some(call), _) => &call.arguments,
            (None, Some(call)) => &call.input,
            (None, None) => "",
        }
    }

    /// Parses the arguments. Missing arguments are read as `{}`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if they do not match `T`. Report the error to the model, and it may correct the call.
    pub fn arguments<T: DeserializeOwned>(&self) -> Result<T> {
        let text = match self.arguments_text().trim() {
            "" => "{}",
            text => text,
        };
        super::schema::read_json(text).map_err(|what| {
            Error::new(ErrorKind::Decode, format!("invalid arguments for tool `{}`: {what}", self.name()))
        })
    }
}

/// Controls which tools the model may or must call.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ToolChoice {
    /// `none`, `auto`, `required`, or a value of the vendor such as Mistral's `any`.
    Mode(ToolChoiceMode),
    /// The model must call this function.
    Function(String),
    /// The model must call this custom tool.
    Custom(String),
    /// A subset of the tools.
    Allowed {
        /// `auto` or `required`.
        mode: ToolChoiceMode,
        /// The allowed tools, by type and name.
        tools: Vec<Value>,
    },
    /// Any other JSON.
    Other(Value),
}

open_enum! {
    /// A tool choice that names no tool.
    pub enum ToolChoiceMode {
        /// The model calls no tool.
        None = "none",
        /// The model decides.
        Auto = "auto",
        /// The model calls at least one tool.
        Required = "required",
    }
}

impl ToolChoice {
    /// Makes the model call this function.
    pub fn function(name: impl Into<String>) -> Self {
        ToolChoice::Function(name.into())
    }

    /// Restricts the model to these functions: it may (`auto`) or must (`required`) call one of them.
    pub fn allowed(mode: impl Into<ToolChoiceMode>, functions: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let tools = functions.into_iter().map(|name| json!({"type": "function", "function": {"name": name.into()}}));
        ToolChoice::Allowed { mode: mode.into(), tools: tools.collect() }
    }
}

impl From<ToolChoiceMode> for ToolChoice {
    fn from(mode: ToolChoiceMode) -> Self {
        ToolChoice::Mode(mode)
    }
}

impl From<&str> for ToolChoice {
    fn from(mode: &str) -> Self {
        ToolChoice::Mode(mode.into())
    }
}

serde_of_wire! { ToolChoice }

impl Wire for ToolChoice {
    fn read(&mut self, input: Input<'_>) -> Result<ReadOutcome, InvalidInput> {
        let value = input.value()?;
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
        *self = match (value.as_str(), text("/type")) {
            (Some(mode), _) => ToolChoice::Mode(mode.into()),
            (None, Some("function")) => ToolChoice::Function(text("/function/name").unwrap_or_default().to_owned()),
            (None, Some("custom")) => ToolChoice::Custom(text("/custom/name").unwrap_or_default().to_owned()),
            (None, Some("allowed_tools")) => ToolChoice::Allowed {
                mode: text("/allowed_tools/mode").unwrap_or_default().into(),
                tools: value.pointer("/allowed_tools/tools").and_then(Value::as_array).cloned().unwrap_or_default(),
            },
            _ => ToolChoice::Other(Value::Null),
        };
        // Fields that the variants have no place for are kept, too.
        if to_value(self) != value {
            *self = ToolChoice::Other(value);
        }
        Ok(ReadOutcome::Matched)
    }

    fn output(&self) -> Output<'_> {
        match self {
            ToolChoice::Mode(mode) => mode.output(),
            ToolChoice::Function(name) => Output::Owned(json!({"type": "function", "function": {"name": name}})),
            ToolChoice::Custom(name) => Output::Owned(json!({"type": "custom", "custom": {"name": name}})),
            ToolChoice::Allowed { mode, tools } => {
                let allowed = json!({"mode": mode.as_str(), "tools": tools});
                Output::Owned(json!({"type": "allowed_tools", "allowed_tools": allowed}))
            }
            ToolChoice::Other(value) => Output::Value(value),
        }
    }

    fn default_value() -> Self {
        ToolChoice::Other(Value::Null)
    }

    #[cfg(test)]
    fn sample() -> Value {
        json!({ "type": "function", "function": { "name": "text" } })
    }
}
