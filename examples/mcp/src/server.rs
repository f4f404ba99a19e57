//! An MCP server with one tool.

use rmcp::handler::server::wrapper::Parameters;
use rmcp::{ServiceExt, schemars, tool, tool_router, transport};

/// Serves the tools on the standard input and output, until they are closed.
pub async fn serve() -> Result<(), Box<dyn std::error::Error>> {
    Weather.serve(transport::stdio()).await?.waiting().await?;
    Ok(())
}

pub struct Weather;

#[derive(serde::Deserialize, schemars::JsonSchema)]
pub struct Place {
    /// Name of a city, in English.
    city: String,
}

#[tool_router(server_handler)]
impl Weather {
    #[tool(description = "Today's weather in a city")]
    fn weather(&self, Parameters(place): Parameters<Place>) -> String {
        format!("4 degrees and rain in {}", place.city)
    }
}
