//! Tools as the Responses API writes them: flat, where chat completions nest them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::chat::{self, Custom, Function, Location, ToolChoiceMode};
use crate::wire::{Input, InvalidInput, Output, ReadOutcome, SecretString, Wire, to_value};

open_union! {
    /// A tool that the model may call: a function or custom tool of yours, or one that the server runs.
    ///
    /// Converts from [`chat::Tool`], so that both APIs share their definitions, and from
    /// [`ToolSet`](crate::chat::ToolSet)s in [`run_tools`](crate::responses::Responses::run_tools).
    pub enum Tool by "type" {
        /// A function with JSON arguments.
        Function(FunctionTool) = "function",
        /// A tool that takes free text or text of a grammar.
        Custom(CustomTool) = "custom",
        /// The tools of an MCP server, called by the server.
        Mcp(McpTool) = "mcp",
        /// Web search, run by the server.
        WebSearch(WebSearchTool) = "web_search",
        /// File search, run by the server.
        FileSearch(FileSearchTool) = "file_search",
        /// Code execution, run by the server.
        CodeInterpreter(CodeInterpreterTool) = "code_interpreter",
        /// Image generation, run by the server.
        ImageGeneration(ImageGenerationTool) = "image_generation",
    }
}

wire_struct! {
    /// A function with JSON arguments.
    pub struct FunctionTool {
        /// Name: letters, digits, `_` and `-`, at most 128 characters.
        pub name: String = always,
        /// What the function does and when to call it; the model reads this.
        pub description: Option<String>,
        /// JSON schema of the arguments.
        pub parameters: Option<Value>,
        /// Whether arguments must follow the schema exactly. Servers take a missing value for `true`.
        pub strict: Option<bool>,
        /// JSON schema of the output.
        pub output_schema: Option<Value>,
        /// Whether the tool is loaded when it is needed.
        pub defer_loading: Option<bool>,
        /// Who may call the tool: `direct`, `programmatic`.
        pub allowed_callers: Vec<String>,
    }

    /// A tool that takes free text or text of a grammar.
    pub struct CustomTool {
        /// Name of the tool.
        pub name: String = always,
        /// What the tool does and when to call it; the model reads this.
        pub description: Option<String>,
        /// Format of the input: `{"type": "text"}`, or `{"type": "grammar", "syntax": …, "definition": …}`.
        pub format: Option<Value>,
        /// Whether the tool is loaded when it is needed.
        pub defer_loading: Option<bool>,
        /// Who may call the tool: `direct`, `programmatic`.
        pub allowed_callers: Vec<String>,
    }

    /// The tools of an MCP server.
    pub struct McpTool {
        /// Label of the server, which its calls refer to.
        pub server_label: String = always,
        /// URL of the server.
        pub server_url: Option<String>,
        /// Id of a connector of the provider, instead of a URL.
        pub connector_id: Option<String>,
        /// Id of a tunnel, instead of a URL.
        pub tunnel_id: Option<String>,
        /// Access token for the server.
        pub authorization: Option<SecretString>,
        /// What the server offers.
        pub server_description: Option<String>,
        /// Headers sent to the server.
        pub headers: BTreeMap<String, SecretString>,
        /// The allowed tools: an array of names, or a filter.
        pub allowed_tools: Option<Value>,
        /// Who may call the tools: `direct`, `programmatic`.
        pub allowed_callers: Vec<String>,
        /// Which calls need approval: `always`, `never`, or filters.
        pub require_approval: Option<Value>,
        /// Whether the tools are loaded when they are needed.
        pub defer_loading: Option<bool>,
    }

    /// Web search.
    pub struct WebSearchTool {
        /// Restricts the search: `{"allowed_domains": […]}`.
        pub filters: Option<Value>,
        /// Amount of search results to read: `low`, `medium` or `high`.
        pub search_context_size: Option<String>,
        /// Approximate location of the user.
        pub user_location: Option<UserLocation>,
        /// Whether to fetch live pages.
        pub external_web_access: Option<bool>,
    }

    /// The approximate location of the user.
    pub struct UserLocation {
        /// The literal `approximate`.
        pub type_ as "type": String,
        /// Two-letter country code (ISO 3166-1).
        pub country: Option<String>,
        /// Region.
        pub region: Option<String>,
        /// City.
        pub city: Option<String>,
        /// Time zone, such as `Europe/Oslo`.
        pub timezone: Option<String>,
    }

    /// File search in vector stores.
    pub struct FileSearchTool {
        /// Ids of the vector stores.
        pub vector_store_ids: Vec<String> = always,
        /// Maximum number of results, from 1 to 50.
        pub max_num_results: Option<u32>,
        /// How results are ranked.
        pub ranking_options: Option<Value>,
        /// Restricts the search by attributes of the files.
        pub filters: Option<Value>,
    }

    /// Code execution.
    pub struct CodeInterpreterTool {
        /// Id of a container, or `{"type": "auto", …}` for a new one.
        pub container: Option<Value>,
        /// Who may call the tool: `direct`, `programmatic`.
        pub allowed_callers: Vec<String>,
    }

    /// Image generation.
    pub struct ImageGenerationTool {
        /// Id of the image model.
        pub model: Option<String>,
        /// `generate`, `edit` or `auto`.
        pub action: Option<String>,
        /// Background of the image: `transparent`, `opaque` or `auto`.
        pub background: Option<String>,
        /// Fidelity to the input images: `high` or `low`.
        pub input_fidelity: Option<String>,
        /// Mask of the image to edit: `{"image_url": …}` or `{"file_id": …}`.
        pub input_image_mask: Option<Value>,
        /// Strictness of content moderation: `low` or `auto`.
        pub moderation: Option<String>,
        /// Compression level of `jpeg` and `webp`, from 0 to 100 percent.
        pub output_compression: Option<u32>,
        /// Format of the file: `png`, `webp` or `jpeg`.
        pub output_format: Option<String>,
        /// Number of previews in a stream, from 0 to 3.
        pub partial_images: Option<u32>,
        /// Quality of the image: `low`, `medium`, `high` or `auto`.
        pub quality: Option<String>,
        /// Width and height in pixels, such as `1536x1024`, or `auto`.
        pub size: Option<String>,
    }
}

impl Tool {
    /// Returns the name of the tool; its type, for a tool without a name.
    pub fn name(&self) -> &str {
        match self {
            Tool::Function(function) => &function.name,
            Tool::Custom(custom) => &custom.name,
            Tool::Mcp(mcp) => &mcp.server_label,
            other => other.kind(),
        }
    }
}

impl From<chat::Tool> for Tool {
    fn from(tool: chat::Tool) -> Self {
        match tool {
            chat::Tool::Function(tool) => tool.function.into(),
            chat::Tool::Custom(tool) => tool.custom.into(),
            chat::Tool::Other(fields) => Tool::Other(fields),
        }
    }
}

impl From<Function> for FunctionTool {
    /// What is not set means the same as in a chat request: not strict, and no arguments. Here, servers would otherwise
    /// take it for strict and refuse it.
    fn from(function: Function) -> Self {
        FunctionTool {
            name: function.name,
            description: function.description,
            parameters: function.parameters.or_else(|| Some(json!({"type": "object", "properties": {}}))),
            strict: function.strict.or(Some(false)),
            extra: function.extra,
            ..FunctionTool::default_value()
        }
    }
}

impl From<Custom> for CustomTool {
    fn from(custom: Custom) -> Self {
        let format = custom.format.map(|mut format| match format.get_mut("grammar") {
            Some(Value::Object(grammar)) => {
                grammar.insert("type".to_owned(), "grammar".into());
                Value::Object(std::mem::take(grammar))
            }
            _ => format,
        });
        let (name, description, extra) = (custom.name, custom.description, custom.extra);
        CustomTool { name, description, format, extra, ..CustomTool::default_value() }
    }
}

impl From<Function> for Tool {
    fn from(function: Function) -> Self {
        Tool::Function(function.into())
    }
}

impl From<Custom> for Tool {
    fn from(custom: Custom) -> Self {
        Tool::Custom(custom.into())
    }
}

setters! { FunctionTool {
    description: impl Into<String>,
    parameters: impl Into<Value>,
    strict: bool,
    output_schema: impl Into<Value>,
    defer_loading: bool,
    allowed_callers: [String],
} }

setters! { CustomTool {
    description: impl Into<String>,
    format: impl Into<Value>,
    defer_loading: bool,
    allowed_callers: [String],
} }

macro_rules! from_variants {
    ($($variant:ident($name:ident),)*) => {$(
        impl From<$name> for Tool {
            fn from(tool: $name) -> Self {
                Tool::$variant(tool)
            }
        }
    )*};
}
from_variants! {
    Function(FunctionTool),
    Custom(CustomTool),
    Mcp(McpTool),
    WebSearch(WebSearchTool),
    FileSearch(FileSearchTool),
    CodeInterpreter(CodeInterpreterTool),
    ImageGeneration(ImageGenerationTool),
}

impl McpTool {
    /// Refers to an MCP server by a label and its URL.
    pub fn new(server_label: impl Into<String>, server_url: impl Into<String>) -> Self {
        McpTool { server_label: server_label.into(), server_url: Some(server_url.into()), ..McpTool::default_value() }
    }

    /// Adds a header sent to the server.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<SecretString>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }
}

setters! { McpTool {
    connector_id: impl Into<String>,
    tunnel_id: impl Into<String>,
    authorization: impl Into<SecretString>,
    server_description: impl Into<String>,
    allowed_tools: impl Into<Value>,
    allowed_callers: [String],
    require_approval: impl Into<Value>,
    defer_loading: bool,
} }

impl FileSearchTool {
    /// Searches in these vector stores.
    pub fn new(vector_store_ids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        FileSearchTool {
            vector_store_ids: vector_store_ids.into_iter().map(Into::into).collect(),
            ..FileSearchTool::default_value()
        }
    }
}

setters! { FileSearchTool {
    max_num_results: u32,
    ranking_options: impl Into<Value>,
    filters: impl Into<Value>,
} }

impl CodeInterpreterTool {
    /// Runs code in a new container.
    pub fn new() -> Self {
        CodeInterpreterTool::default().container(json!({"type": "auto"}))
    }
}

setters! { CodeInterpreterTool {
    container: impl Into<Value>,
    allowed_callers: [String],
} }

empty_options! { WebSearchTool, ImageGenerationTool }

setters! { WebSearchTool {
    filters: impl Into<Value>,
    search_context_size: impl Into<String>,
    user_location: impl Into<UserLocation>,
    external_web_access: bool,
} }

setters! { ImageGenerationTool {
    model: impl Into<String>,
    action: impl Into<String>,
    background: impl Into<String>,
    input_fidelity: impl Into<String>,
    input_image_mask: impl Into<Value>,
    moderation: impl Into<String>,
    output_compression: u32,
    output_format: impl Into<String>,
    partial_images: u32,
    quality: impl Into<String>,
    size: impl Into<String>,
} }

impl From<Location> for UserLocation {
    fn from(location: Location) -> Self {
        UserLocation {
            type_: "approximate".to_owned(),
            country: location.country,
            region: location.region,
            city: location.city,
            timezone: location.timezone,
            extra: location.extra,
        }
    }
}

/// Controls which tools the model may or must call.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ToolChoice {
    /// `none`, `auto` or `required`.
    Mode(ToolChoiceMode),
    /// The model must call this function.
    Function(String),
    /// The model must call this custom tool.
    Custom(String),
    /// The model must call a tool of this type that the server runs, such as `web_search`.
    Hosted(String),
    /// The model must call a tool of this MCP server.
    Mcp {
        /// Label of the server.
        server_label: String,
        /// Name of the tool; any tool without it.
        name: Option<String>,
    },
    /// The model may (`auto`) or must (`required`) call one of these tools.
    Allowed {
        /// `auto` or `required`.
        mode: ToolChoiceMode,
        /// The allowed tools, by type and name.
        tools: Vec<Value>,
    },
    /// Any other JSON.
    Other(Value),
}

impl ToolChoice {
    /// Makes the model call this function.
    pub fn function(name: impl Into<String>) -> Self {
        ToolChoice::Function(name.into())
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
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let name = || text("name").unwrap_or_default();
        *self = match (value.as_str(), text("type").as_deref()) {
            (Some(mode), _) => ToolChoice::Mode(mode.into()),
            (None, Some("function")) => ToolChoice::Function(name()),
            (None, Some("custom")) => ToolChoice::Custom(name()),
            (None, Some("mcp")) => {
                ToolChoice::Mcp { server_label: text("server_label").unwrap_or_default(), name: text("name") }
            }
            (None, Some("allowed_tools")) => ToolChoice::Allowed {
                mode: text("mode").unwrap_or_default().as_str().into(),
                tools: value.get("tools").and_then(Value::as_array).cloned().unwrap_or_default(),
            },
            (None, Some(hosted)) => ToolChoice::Hosted(hosted.to_owned()),
            (None, None) => ToolChoice::Other(Value::Null),
        };
        // Fields that the variants have no place for are kept, too.
        if to_value(self) != value {
            *self = ToolChoice::Other(value);
        }
        Ok(ReadOutcome::Matched)
    }

    fn output(&self) -> Output<'_> {
        Output::Owned(match self {
            ToolChoice::Mode(mode) => return mode.output(),
            ToolChoice::Other(value) => return Output::Value(value),
            ToolChoice::Function(name) => json!({"type": "function", "name": name}),
            ToolChoice::Custom(name) => json!({"type": "custom", "name": name}),
            ToolChoice::Hosted(hosted) => json!({"type": hosted}),
            ToolChoice::Mcp { server_label, name: None } => json!({"type": "mcp", "server_label": server_label}),
            ToolChoice::Mcp { server_label, name } => {
                json!({"type": "mcp", "server_label": server_label, "name": name})
            }
            ToolChoice::Allowed { mode, tools } => {
                json!({"type": "allowed_tools", "mode": mode.as_str(), "tools": tools})
            }
        })
    }

    fn default_value() -> Self {
        ToolChoice::Other(Value::Null)
    }

    #[cfg(test)]
    fn sample() -> Value {
        json!({ "type": "function", "name": "text" })
    }
}
