//! Health checks: `client.health()`.

use std::fmt;
use std::time::Duration;

use http::Method;

use crate::call::Call;
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::BodyMode;
use crate::transport::decode::{BufferedResponse, excerpt};
use crate::transport::request::{Body, WireRequest};

/// Paths below the server's root, the most specific first. LiteLLM's `/health` calls all its models and costs money, so
/// its other paths come before it.
const ROUTES: [&[&str]; 3] = [&["health", "readiness"], &["health", "liveliness"], &["health"]];
/// The timeout of one check.
const LIMIT: Duration = Duration::from_secs(5);

/// The result of [`Client::health`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Health {
    /// The state of the server.
    pub state: HealthState,
    /// The path that answered, such as `/health`.
    pub path: Option<String>,
    /// The error, if the server is not healthy.
    pub error: Option<Error>,
}

/// The state of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HealthState {
    /// The server is ready.
    Healthy,
    /// The server is loading its model (503).
    Loading,
    /// The server reports a failure (5xx).
    Unhealthy,
    /// The server is reachable, but has no health endpoint or rejects the key.
    Unknown,
    /// The server cannot be reached.
    Unreachable,
}

impl Health {
    fn new(state: HealthState, path: Option<String>, error: Option<Error>) -> Self {
        Health { state, path, error }
    }

    /// Returns `true` if the server is ready.
    pub fn is_healthy(&self) -> bool {
        self.state == HealthState::Healthy
    }
}

impl fmt::Display for HealthState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            HealthState::Healthy => "healthy",
            HealthState::Loading => "loading",
            HealthState::Unhealthy => "unhealthy",
            HealthState::Unknown => "unknown",
            HealthState::Unreachable => "unreachable",
        })
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.state)?;
        match (&self.path, &self.error) {
            (Some(path), Some(error)) => write!(f, " ({path}: {error})"),
            (Some(path), None) => write!(f, " ({path})"),
            (None, Some(error)) => write!(f, " ({error})"),
            (None, None) => Ok(()),
        }
    }
}

impl Client {
    /// Checks whether the server is ready, with the endpoints that servers have for it: `GET /health/readiness` and
    /// `/health/liveliness` (LiteLLM), `/health` (vLLM, llama.cpp, TGI, SGLang), and `GET {base URL}/models` if there
    /// are none (OpenAI, Ollama, LM Studio).
    ///
    /// The first three are next to the API: `/health` for the base URL `http://host/v1`. Each check times out after
    /// five seconds and is not retried; the first one detects an unreachable server. Never fails.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) {
    /// use std::time::Duration;
    ///
    /// while !client.health().await.is_healthy() {
    ///     tokio::time::sleep(Duration::from_secs(1)).await; // a model takes its time to load
    /// }
    /// # }
    /// ```
    pub async fn health(&self) -> Health {
        let beside = self.at_server_root();
        let mut last = None;
        for (client, segments) in ROUTES.map(|path| (&beside, path)).into_iter().chain([(self, &["models"][..])]) {
            let asked = Call::new(
                &client.settings,
                WireRequest::new(Method::GET, segments, Body::Empty),
                BodyMode::Buffer,
                whole,
            );
            let path = Some(format!("{}/{}", path_of(client.base_url()), segments.join("/")));
            let error = match asked.timeout(LIMIT).max_retries(0).await {
                Ok(()) => return Health::new(HealthState::Healthy, path, None),
                Err(error) => error,
            };
            let state = match (error.kind(), error.status().map(|status| status.as_u16())) {
                (ErrorKind::Connect | ErrorKind::Timeout | ErrorKind::Transport, _) => HealthState::Unreachable,
                (_, Some(503)) => HealthState::Loading,
                (_, Some(500..)) => HealthState::Unhealthy,
                _ => {
                    last = Some((path, error));
                    continue;
                }
            };
            return Health::new(state, path, Some(error));
        }
        let (path, error) = last.unzip();
        Health::new(HealthState::Unknown, path.flatten(), error)
    }
}

/// Any success means healthy, except for a web page, which comes from something else.
fn whole(response: &mut crate::transport::RawResponse) -> Result<()> {
    let BufferedResponse { body, .. } = &response.buffered;
    match body.trim_ascii_start().starts_with(b"<") {
        true => Err(response
            .buffered
            .error(ErrorKind::Decode, format!("unexpected HTML response: {}", excerpt(&response.buffered.text())))),
        false => Ok(()),
    }
}

fn path_of(base_url: &str) -> &str {
    let host = base_url.split_once("://").map_or(base_url, |(_, rest)| rest);
    host.find('/').and_then(|start| host.get(start..)).unwrap_or_default()
}
