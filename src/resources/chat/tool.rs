//! Tools: what the model may call, which of it, and what it calls.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::error::{Error, ErrorKind, Result};
use crate::wire::{Json, NotJson, Read, Wire, Writer, text_of_any};

open_union! {
    /// Something that the model may call.
    #[doc(alias = "ChatCompletionTool")]
    pub enum Tool by "type" {
        /// A function with JSON arguments.
        Function(FunctionTool) = "function",
        /// A tool with free text or a grammar as its input.
        Custom(CustomTool) = "custom",
    }
}

wire! {
    /// A function tool.
    pub struct FunctionTool {
        /// The function.
        pub function: Function = always,
    }

    /// A function that the model may call.
    pub struct Function {
        /// Name: letters, digits, `_` and `-`, at most 64.
        pub name: String = always,
        /// What it does and when to call it: the model reads this.
        pub description: Option<String>,
        /// JSON schema of its arguments. Without one, it has none.
        pub parameters: Option<Value>,
        /// Makes the arguments follow the schema exactly.
        pub strict: Option<bool>,
    }

    /// A custom tool.
    pub struct CustomTool {
        /// The tool.
        pub custom: Custom = always,
    }

    /// A tool whose input is no JSON.
    pub struct Custom {
        /// Name that the model calls.
        pub name: String = always,
        /// What it does and when to call it.
        pub description: Option<String>,
        /// What its input looks like: `{"type": "text"}`, or `{"type": "grammar", "grammar": {…}}`.
        pub format: Option<Value>,
    }

    /// A tool that the model wants called.
    #[doc(alias = "ChatCompletionMessageToolCall")]
    pub struct ToolCall {
        /// Id that the result names; empty on some servers (Gemini).
        pub id: String = always,
        /// `function` or `custom`; missing on some servers (Mistral).
        pub type_ as "type": String,
        /// The function and its arguments.
        pub function: Option<FunctionCall>,
        /// The custom tool and its input.
        pub custom: Option<CustomCall>,
    }

    /// A function and the arguments for it.
    pub struct FunctionCall {
        /// Name of the function.
        pub name: String = always,
        /// Arguments as JSON text. The model may get them wrong: read them with [`ToolCall::arguments`].
        pub arguments: String = by(text_of_any),
    }

    /// A custom tool and the input for it.
    pub struct CustomCall {
        /// Name of the tool.
        pub name: String = always,
        /// Input as text.
        pub input: String = always,
    }
}

impl Tool {
    /// A function and the JSON schema of its arguments.
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

    /// A tool whose input is free text. One with a grammar: [`Custom::grammar`].
    pub fn custom(name: impl Into<String>, description: impl Into<String>) -> Self {
        Custom::new(name).description(description).into()
    }

    /// Makes the arguments follow the schema exactly; tools other than functions stay as they are.
    pub fn strict(mut self, strict: bool) -> Self {
        if let Tool::Function(tool) = &mut self {
            tool.function.strict = Some(strict);
        }
        self
    }

    /// Name that the model calls.
    pub fn name(&self) -> &str {
        match self {
            Tool::Function(tool) => &tool.function.name,
            Tool::Custom(tool) => &tool.custom.name,
            Tool::Other(members) => members.get("name").and_then(Value::as_str).unwrap_or_default(),
        }
    }
}

impl Function {
    /// A function of this name, without arguments yet.
    pub fn new(name: impl Into<String>) -> Self {
        Function { name: name.into(), ..Function::blank() }
    }
}

setters! { Function {
    description: impl Into<String>,
    parameters: impl Into<Value>,
    strict: bool,
} }

impl From<Function> for Tool {
    fn from(function: Function) -> Self {
        Tool::Function(FunctionTool { function, ..FunctionTool::blank() })
    }
}

impl Custom {
    /// A tool of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Custom { name: name.into(), ..Custom::blank() }
    }

    /// Makes its input follow a grammar; `syntax` is `lark` or `regex`.
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
        Tool::Custom(CustomTool { custom, ..CustomTool::blank() })
    }
}

impl FunctionCall {
    /// A function and the JSON text of its arguments.
    pub fn new(name: impl Into<String>, arguments: impl Into<String>) -> Self {
        FunctionCall { name: name.into(), arguments: arguments.into(), ..FunctionCall::blank() }
    }
}

impl ToolCall {
    /// A call of a custom tool, for conversations written by hand.
    pub fn custom(id: impl Into<String>, name: impl Into<String>, input: impl Into<String>) -> Self {
        let custom = CustomCall { name: name.into(), input: input.into(), ..CustomCall::blank() };
        ToolCall { id: id.into(), type_: "custom".to_owned(), custom: Some(custom), ..ToolCall::blank() }
    }

    /// A function call, for conversations written by hand.
    pub fn function(id: impl Into<String>, name: impl Into<String>, arguments: impl Into<String>) -> Self {
        let function = FunctionCall::new(name, arguments);
        ToolCall { id: id.into(), type_: "function".to_owned(), function: Some(function), ..ToolCall::blank() }
    }

    /// Name of what is called.
    pub fn name(&self) -> &str {
        match (&self.function, &self.custom) {
            (Some(call), _) => &call.name,
            (None, Some(call)) => &call.name,
            (None, None) => "",
        }
    }

    /// Arguments as the model wrote them: JSON for a function, any text for a custom tool.
    pub fn arguments_text(&self) -> &str {
        match (&self.function, &self.custom) {
            (Some(call), _) => &call.arguments,
            (None, Some(call)) => &call.input,
            (None, None) => "",
        }
    }

    /// Arguments as a type of yours. No arguments at all read as `{}`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] when they do not fit: tell the model, and it may try again.
    pub fn arguments<T: DeserializeOwned>(&self) -> Result<T> {
        let text = match self.arguments_text().trim() {
            "" => "{}",
            text => text,
        };
        super::schema::read(text).map_err(|what| {
            Error::new(ErrorKind::Decode, format!("the arguments of `{}` do not fit: {what}", self.name()))
        })
    }
}

/// Which tools the model may or must call.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ToolChoice {
    /// `none`, `auto`, `required`, or a vendor's word such as Mistral's `any`.
    Mode(ToolChoiceMode),
    /// This function.
    Function(String),
    /// This custom tool.
    Custom(String),
    /// Some of the tools.
    Allowed {
        /// `auto` or `required`.
        mode: ToolChoiceMode,
        /// The tools, by type and name.
        tools: Vec<Value>,
    },
    /// Any other JSON.
    Other(Value),
}

open_enum! {
    /// Whether the model calls tools.
    pub enum ToolChoiceMode {
        /// It calls none.
        None = "none",
        /// It decides.
        Auto = "auto",
        /// It calls one or more.
        Required = "required",
    }
}

impl ToolChoice {
    /// The model must call this function.
    pub fn function(name: impl Into<String>) -> Self {
        ToolChoice::Function(name.into())
    }

    /// The model may (`auto`) or must (`required`) call one of these functions.
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
    fn read(&mut self, json: &mut Json<'_>) -> Result<Read, NotJson> {
        let value = json.value()?;
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
        // Members that the variants have no place for are kept, too.
        if Writer::value_of(self) != value {
            *self = ToolChoice::Other(value);
        }
        Ok(Read::Fits)
    }

    fn write(&self, writer: &mut Writer) {
        match self {
            ToolChoice::Mode(mode) => mode.write(writer),
            ToolChoice::Function(name) => writer.json(&json!({"type": "function", "function": {"name": name}})),
            ToolChoice::Custom(name) => writer.json(&json!({"type": "custom", "custom": {"name": name}})),
            ToolChoice::Allowed { mode, tools } => {
                let allowed = json!({"mode": mode.as_str(), "tools": tools});
                writer.json(&json!({"type": "allowed_tools", "allowed_tools": allowed}));
            }
            ToolChoice::Other(value) => writer.json(value),
        }
    }

    fn blank() -> Self {
        ToolChoice::Other(Value::Null)
    }

    #[cfg(test)]
    fn sample() -> Value {
        json!({ "type": "function", "function": { "name": "text" } })
    }
}
