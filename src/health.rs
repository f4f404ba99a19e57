//! Is the server there, and ready? `client.health()`.

use std::fmt;
use std::time::Duration;

use http::Method;

use crate::call::Call;
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::Expect;
use crate::transport::decode::{Whole, start_of};
use crate::transport::request::{Body, WireRequest};

/// Paths below the server's root, the most telling first. LiteLLM's `/health` asks all its models and costs money: its
/// other routes come before it.
const ROUTES: [&[&str]; 3] = [&["health", "readiness"], &["health", "liveliness"], &["health"]];
/// How long one question may take.
const LIMIT: Duration = Duration::from_secs(5);

/// What [`Client::health`] found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Health {
    /// How the server is.
    pub state: HealthState,
    /// The path that told it, such as `/health`.
    pub route: Option<String>,
    /// What went wrong, where something did.
    pub error: Option<Error>,
}

/// How a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HealthState {
    /// It is ready.
    Healthy,
    /// It is there, and not ready yet: it loads its model (503).
    Loading,
    /// It is there, and out of order.
    Unhealthy,
    /// Something answers, and does not tell: it has no such route, or refuses the key.
    Unknown,
    /// Nobody answers.
    Unreachable,
}

impl Health {
    fn new(state: HealthState, route: Option<String>, error: Option<Error>) -> Self {
        Health { state, route, error }
    }

    /// True when the server is ready.
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
        match (&self.route, &self.error) {
            (Some(route), Some(error)) => write!(f, " ({route}: {error})"),
            (Some(route), None) => write!(f, " ({route})"),
            (None, Some(error)) => write!(f, " ({error})"),
            (None, None) => Ok(()),
        }
    }
}

impl Client {
    /// Asks whether the server is there and ready, by the routes that servers have for it: `GET /health/readiness`
    /// and `/health/liveliness` (LiteLLM), `/health` (vLLM, llama.cpp, TGI, SGLang), and `GET {base URL}/models` where
    /// there are none (OpenAI, Ollama, LM Studio).
    ///
    /// The first three stand beside the API: `/health` where the base URL is `http://host/v1`. Each may take five
    /// seconds and is not tried again; a server that is not there shows at the first. It does not fail.
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
        for (client, segments) in ROUTES.map(|route| (&beside, route)).into_iter().chain([(self, &["models"][..])]) {
            let asked = Call::new(client, WireRequest::new(Method::GET, segments, Body::Empty), Expect::Whole, whole);
            let route = Some(format!("{}/{}", path_of(client.base_url()), segments.join("/")));
            let error = match asked.timeout(LIMIT).max_retries(0).await {
                Ok(()) => return Health::new(HealthState::Healthy, route, None),
                Err(error) => error,
            };
            let state = match (error.kind(), error.status().map(|status| status.as_u16())) {
                (ErrorKind::Connect | ErrorKind::Timeout | ErrorKind::Transport, _) => HealthState::Unreachable,
                (_, Some(503)) => HealthState::Loading,
                (_, Some(500..)) => HealthState::Unhealthy,
                _ => {
                    last = Some((route, error));
                    continue;
                }
            };
            return Health::new(state, route, Some(error));
        }
        let (route, error) = last.unzip();
        Health::new(HealthState::Unknown, route.flatten(), error)
    }
}

/// A reply with a good status says that all is well, whatever it says; but a web page is from somebody else.
fn whole(answer: &mut crate::transport::Answer) -> Result<()> {
    let Whole { body, .. } = &answer.whole;
    match body.trim_ascii_start().starts_with(b"<") {
        true => Err(answer.whole.error(ErrorKind::Decode, format!("a web page: {}", start_of(&answer.whole.text())))),
        false => Ok(()),
    }
}

fn path_of(base_url: &str) -> &str {
    let host = base_url.split_once("://").map_or(base_url, |(_, rest)| rest);
    host.find('/').and_then(|start| host.get(start..)).unwrap_or_default()
}
