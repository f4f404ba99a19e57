//! The tools of an MCP server, for a model on any server: `mcp [COMMAND ARGUMENT…]`, such as `mcp npx -y some-mcp-server`.
//! Without a command, the server is the one below, in a process of its own.
//!
//! Reads OPENAI_BASE_URL, OPENAI_API_KEY and OPENAI_MODEL.

use openai_compatible::Client;
use openai_compatible::chat::{ChatRequest, Message, Tool, ToolEvent, ToolSet};
use rmcp::ServiceExt;
use rmcp::model::{CallToolRequestParams, JsonObject};
use rmcp::service::{RoleClient, RunningService, ServiceError};

use rmcp::transport::TokioChildProcess;
use serde_json::Value;
use tokio::process::Command;

mod server;

/// Each tool of the server, called through its connection.
async fn tools_of(server: &RunningService<RoleClient, ()>) -> Result<ToolSet, ServiceError> {
    let mut tools = ToolSet::new();
    for tool in server.list_all_tools().await? {
        let (peer, name) = (server.peer().clone(), tool.name.clone());
        let call = move |arguments: JsonObject| {
            let call = CallToolRequestParams::new(name.clone()).with_arguments(arguments);
            let peer = peer.clone();
            async move {
                let result = peer.call_tool(call).await?;
                let texts = result.content.iter().filter_map(|content| content.as_text());
                Ok::<_, ServiceError>(texts.map(|content| content.text.as_str()).collect::<Vec<_>>().join("\n"))
            }
        };
        let schema = Value::Object(JsonObject::clone(&tool.input_schema));
        let description = tool.description.unwrap_or_default().into_owned();
        tools = tools.add(Tool::with_schema(tool.name.into_owned(), description, schema), call);
    }
    Ok(tools)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments == ["serve"] {
        return server::serve().await;
    }
    let own = [std::env::current_exe()?.display().to_string(), "serve".to_owned()];
    let words = if arguments.is_empty() { &own[..] } else { &arguments };
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    let server = ().serve(TokioChildProcess::new(command)?).await?;
    let tools = tools_of(&server).await?;

    let model = std::env::var("OPENAI_MODEL").unwrap_or_else(|_| "gpt-6-luna".to_owned());
    let request =
        ChatRequest::new(model, [Message::user("What is the weather in Oslo?")]).temperature(0.0).max_tokens(400);
    let mut run = Client::from_env()?.chat().run_tools(&request, &tools).stream();
    while let Some(event) = run.try_next().await? {
        match event {
            ToolEvent::Chunk(chunk) => print!("{}", chunk.text()),
            ToolEvent::Result(result) => eprintln!("{}: {}", result.call.name(), result.text()),
            _ => {}
        }
    }
    println!();
    server.cancel().await?;
    Ok(())
}
