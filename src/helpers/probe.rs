//! [`probe`]: detects the features that a server supports.

use std::fmt;
use std::future::Future;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::chat::{ChatCompletion, ChatRequest, Message, Part, ResponseFormat, Tool, ToolCall, ToolChoice};
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::helpers::health::{Health, HealthState};
use crate::responses::{Response, ResponseRequest};

/// The features that a server supports. `Display` is a table, [`to_markdown`](ProbeReport::to_markdown) one for
/// documents; it serializes to JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProbeReport {
    /// Base URL of the server.
    pub base_url: String,
    /// Model that was used.
    pub model: String,
    /// One finding per feature, in the order in which they were tested.
    pub findings: Vec<Finding>,
}

/// A feature, and whether the server supports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finding {
    /// Name of the feature.
    pub feature: String,
    /// Whether the server supports it.
    pub support: Support,
    /// Details.
    pub note: String,
    /// Duration of the test, in milliseconds.
    pub milliseconds: u64,
}

/// Whether a server supports a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Support {
    /// The feature works.
    Supported,
    /// The request is accepted, but the response lacks something.
    Partial,
    /// The feature does not work.
    Unsupported,
    /// Unknown: the probe timed out or the server was unreachable.
    Unknown,
}

impl Support {
    fn sign(self) -> &'static str {
        match self {
            Support::Supported => "yes",
            Support::Partial => "partly",
            Support::Unsupported => "no",
            Support::Unknown => "?",
        }
    }
}

/// Whether a feature works, and details.
type Seen = (Support, String);

/// What happens while a server is probed.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum ProbeEvent<'a> {
    /// The test of a feature begins.
    Testing(&'a str),
    /// The test of a feature is over.
    Found(&'a Finding),
}

/// Tests the features of a server one by one, each within a time limit and without retries; `watch` receives the name of
/// each feature before its test, and the finding after it. Without a model, the first one that the server lists is used.
///
/// A feature that a model is too small for is `Partial`. If the server stops while it is probed, the features that are
/// left are `Unknown`.
///
/// ```no_run
/// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
/// use std::time::Duration;
/// use openai_compatible::probe::probe;
///
/// let found = probe(&client, None, Duration::from_secs(30), |_| {}).await?;
/// println!("{found}");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Returns an [`ErrorKind::Connect`] if the server is unreachable.
pub async fn probe(
    client: &Client,
    model: Option<&str>,
    limit: Duration,
    watch: impl Fn(ProbeEvent<'_>),
) -> Result<ProbeReport> {
    let mut findings = Report { limit, watch, found: Vec::new(), is_down: false };
    let mut listed = None;
    (findings.watch)(ProbeEvent::Testing("health"));
    let started = Instant::now();
    let mut health = client.health().await;
    if let Some(error) = health.error.take_if(|error| error.kind() == ErrorKind::Connect) {
        return Err(error);
    }
    findings.record("health", started, health_support(&health));
    findings
        .add("models", async {
            let models: Value = client.get("models").max_retries(0).await?;
            let list = models.get("data").unwrap_or(&models).as_array().cloned().unwrap_or_default();
            listed = list.first().and_then(|model| model.get("id")?.as_str()).map(str::to_owned);
            Ok((Support::Supported, format!("{} listed", list.len())))
        })
        .await;
    let model = model.map(str::to_owned).or(listed).unwrap_or_else(|| "default".to_owned());
    let checks = Checks { client, model: &model };
    findings.add("chat", checks.chat()).await;
    findings.add("streaming", checks.streaming()).await;
    findings.add("usage in streams", checks.usage_in_streams()).await;
    findings.add("tools", checks.tools(false)).await;
    findings.add("forced tool", checks.tools(true)).await;
    findings.add("JSON mode", checks.json_mode()).await;
    findings.add("JSON schema (strict)", checks.json_schema()).await;
    findings.add("logprobs", checks.logprobs()).await;
    findings.add("seed", checks.seed()).await;
    findings.add("n", checks.n()).await;
    findings.add("vision", checks.vision()).await;
    findings.add("completions", checks.completions()).await;
    findings.add("embeddings", checks.embeddings("float")).await;
    findings.add("embeddings as base64", checks.embeddings("base64")).await;
    findings.add("responses", checks.responses()).await;
    findings.add("responses in streams", checks.response_stream()).await;
    findings.add("responses with tools", checks.response_tools()).await;
    findings.add("stored responses", checks.stored_responses()).await;
    findings.add("background responses", checks.background_responses()).await;
    let found = findings.found;
    Ok(ProbeReport { base_url: client.base_url().to_owned(), model, findings: found })
}

struct Report<W> {
    limit: Duration,
    watch: W,
    found: Vec<Finding>,
    is_down: bool,
}

impl<W: Fn(ProbeEvent<'_>)> Report<W> {
    async fn add(&mut self, feature: &str, attempt: impl Future<Output = Result<Seen>>) {
        (self.watch)(ProbeEvent::Testing(feature));
        let started = Instant::now();
        let seen = if self.is_down {
            (Support::Unknown, "server unreachable".to_owned())
        } else {
            match timeout(self.limit, attempt).await {
                Ok(Ok(seen)) => seen,
                Ok(Err(error)) => {
                    self.is_down = error.kind() == ErrorKind::Connect;
                    refusal(&error)
                }
                Err(_) => (Support::Unknown, format!("timed out after {:?}", self.limit)),
            }
        };
        self.record(feature, started, seen);
    }

    fn record(&mut self, feature: &str, started: Instant, (support, note): Seen) {
        let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let finding = Finding { feature: feature.to_owned(), support, note, milliseconds };
        (self.watch)(ProbeEvent::Found(&finding));
        self.found.push(finding);
    }
}

fn refusal(error: &Error) -> Seen {
    let support = match (error.kind(), error.status().map(|status| status.as_u16())) {
        (ErrorKind::Connect | ErrorKind::Timeout | ErrorKind::Transport, _) => Support::Unknown,
        // Caused by the key or a rate limit, not by the feature.
        (_, Some(401 | 402 | 403 | 408 | 429)) => Support::Unknown,
        _ => Support::Unsupported,
    };
    let status = error.status().map(|status| format!("{}: ", status.as_u16())).unwrap_or_default();
    let message = match error.api_error() {
        Some(api) if !api.message.is_empty() => api.message.clone(),
        _ => error.to_string(),
    };
    (support, format!("{status}{}", crate::transport::decode::excerpt(&message)))
}

fn health_support(health: &Health) -> Seen {
    let support = match health.state {
        HealthState::Healthy => Support::Supported,
        HealthState::Loading | HealthState::Unhealthy => Support::Partial,
        HealthState::Unknown | HealthState::Unreachable => Support::Unknown,
    };
    (support, crate::transport::decode::excerpt(&health.to_string()))
}

struct Checks<'a> {
    client: &'a Client,
    model: &'a str,
}

impl Checks<'_> {
    fn request(&self, question: &str) -> ChatRequest {
        ChatRequest::new(self.model, [Message::user(question)]).max_tokens(64).temperature(0.0)
    }

    async fn ask(&self, request: ChatRequest) -> Result<ChatCompletion> {
        self.client.chat().create(request).max_retries(0).await
    }

    async fn chat(&self) -> Result<Seen> {
        let reply = self.ask(self.request("Say hello.")).await?;
        Ok(match reply.text().trim() {
            "" if reply.reasoning().is_some() => {
                (Support::Partial, "reasoning only, no content within 64 tokens".to_owned())
            }
            "" => (Support::Partial, "empty content".to_owned()),
            text => (Support::Supported, format!("{:?}", crate::transport::decode::excerpt(text))),
        })
    }

    async fn streaming(&self) -> Result<Seen> {
        let mut chunks = self.client.chat().stream(self.request("Count to ten.")).max_retries(0).await?;
        let mut pieces = 0;
        while let Some(chunk) = chunks.try_next().await? {
            pieces += usize::from(!chunk.text().is_empty() || chunk.reasoning().is_some());
        }
        Ok((if pieces > 1 { Support::Supported } else { Support::Partial }, format!("{pieces} pieces")))
    }

    async fn usage_in_streams(&self) -> Result<Seen> {
        let request = self.request("Say hello.").include_usage(true);
        let reply = self.client.chat().stream(request).max_retries(0).await?.collect().await?;
        Ok(match reply.usage {
            Some(usage) => (Support::Supported, usage.to_string()),
            None => (Support::Unsupported, "not sent".to_owned()),
        })
    }

    async fn tools(&self, forced: bool) -> Result<Seen> {
        let mut request = self.request("What is the weather in Oslo? Use the tool.").tools([weather()]);
        if forced {
            request = request.tool_choice(ToolChoice::function("get_weather"));
        }
        let reply = self.ask(request).await?;
        Ok(match reply.tool_calls() {
            [] if forced => (Support::Unsupported, "not called".to_owned()),
            calls => arguments_of(calls.first().cloned()),
        })
    }

    async fn json_mode(&self) -> Result<Seen> {
        let request = self
            .request("Repeat this JSON object: {\"city\": \"Oslo\"}")
            .response_format(ResponseFormat::json_object());
        Ok(json_of(&self.ask(request.max_tokens(200)).await?, Value::is_object))
    }

    async fn json_schema(&self) -> Result<Seen> {
        let schema = json!({
            "type": "object",
            "properties": {"answer": {"type": "string", "enum": ["alpha", "beta"]}},
            "required": ["answer"],
            "additionalProperties": false,
        });
        let request = self.request("Choose one.").response_format(ResponseFormat::json_schema("choice", schema));
        Ok(json_of(&self.ask(request).await?, |json| {
            json.get("answer").and_then(Value::as_str).is_some_and(|answer| ["alpha", "beta"].contains(&answer))
        }))
    }

    async fn logprobs(&self) -> Result<Seen> {
        let reply = self.ask(self.request("Say yes.").logprobs(true).top_logprobs(2)).await?;
        let logprobs = reply.choices.first().and_then(|choice| choice.logprobs.as_ref());
        let tokens = logprobs.and_then(|logprobs| logprobs.content.as_ref()).map_or(0, Vec::len);
        Ok(match (tokens, logprobs) {
            (0, Some(_)) => (Support::Partial, "nonstandard format".to_owned()),
            (0, None) => (Support::Unsupported, "not sent".to_owned()),
            (tokens, _) => (Support::Supported, format!("{tokens} tokens")),
        })
    }

    async fn seed(&self) -> Result<Seen> {
        let request = self.request("Invent a name.").temperature(1.0).seed(42);
        let (first, second) = (self.ask(request.clone()).await?, self.ask(request).await?);
        Ok(match first.text() == second.text() {
            true => (Support::Supported, "deterministic".to_owned()),
            false => (Support::Partial, "accepted, but outputs differ".to_owned()),
        })
    }

    async fn n(&self) -> Result<Seen> {
        // vLLM refuses several choices at temperature 0: they would be the same.
        let reply = self.ask(self.request("Say something.").temperature(1.0).n(2)).await?;
        let answers = reply.choices.len();
        Ok((if answers == 2 { Support::Supported } else { Support::Unsupported }, format!("{answers} of 2 answers")))
    }

    async fn vision(&self) -> Result<Seen> {
        // One red pixel.
        const PIXEL: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
        let message = Message::user([Part::text("Which colour is this?"), Part::image_url(PIXEL)]);
        let reply = self.ask(ChatRequest::new(self.model, [message]).max_tokens(32)).await?;
        Ok((Support::Supported, format!("{:?}", crate::transport::decode::excerpt(&reply.text()))))
    }

    async fn post(&self, route: &str, body: Value) -> Result<Value> {
        self.client.post(route, &body).max_retries(0).await
    }

    async fn completions(&self) -> Result<Seen> {
        let body = json!({"model": self.model, "prompt": "One, two,", "max_tokens": 8});
        let reply = self.post("completions", body).await?;
        Ok(match reply.pointer("/choices/0/text").and_then(Value::as_str) {
            Some(text) => (Support::Supported, format!("{text:?}")),
            None => (Support::Partial, "a reply without text".to_owned()),
        })
    }

    async fn embeddings(&self, format: &str) -> Result<Seen> {
        let body = json!({"model": self.model, "input": "river", "encoding_format": format});
        let reply = self.post("embeddings", body).await?;
        Ok(match (reply.pointer("/data/0/embedding"), format) {
            (Some(Value::Array(numbers)), "float") => (Support::Supported, format!("{} numbers", numbers.len())),
            (Some(Value::String(text)), "base64") => (Support::Supported, format!("{} characters", text.len())),
            (Some(Value::Array(_)), _) => (Support::Partial, "accepted, but returned floats".to_owned()),
            _ => (Support::Unsupported, "a reply without a vector".to_owned()),
        })
    }

    fn response_request(&self, question: &str) -> ResponseRequest {
        ResponseRequest::new(self.model, question).max_output_tokens(64)
    }

    async fn respond(&self, request: ResponseRequest) -> Result<Response> {
        self.client.responses().create(request).max_retries(0).await
    }

    async fn responses(&self) -> Result<Seen> {
        let response = self.respond(self.response_request("Say hello.").store(false)).await?;
        Ok(match response.text().trim() {
            "" if response.reasoning().is_some() => {
                (Support::Partial, "reasoning only, no text within 64 tokens".to_owned())
            }
            "" => (Support::Partial, format!("no text, {}", response.status)),
            text => (Support::Supported, format!("{:?}", crate::transport::decode::excerpt(text))),
        })
    }

    async fn response_stream(&self) -> Result<Seen> {
        let request = self.response_request("Count to ten.").store(false);
        let mut events = self.client.responses().stream(request).max_retries(0).await?;
        let mut pieces = 0;
        while let Some(event) = events.try_next().await? {
            pieces += usize::from(!event.text_delta().is_empty() || !event.reasoning_delta().is_empty());
        }
        Ok((if pieces > 1 { Support::Supported } else { Support::Partial }, format!("{pieces} pieces")))
    }

    async fn response_tools(&self) -> Result<Seen> {
        let request = self.response_request("What is the weather in Oslo? Use the tool.").store(false);
        let response = self.respond(request.tools([weather()])).await?;
        Ok(arguments_of(response.tool_calls().next()))
    }

    async fn stored_responses(&self) -> Result<Seen> {
        let created = self.respond(self.response_request("Say hello.").store(true)).await?;
        let stored = self.client.responses().get(&created.id).max_retries(0).await?;
        let is_same = stored.text() == created.text();
        Ok(match self.client.responses().delete(&created.id).max_retries(0).await {
            _ if !is_same => (Support::Partial, "got, but with another text".to_owned()),
            Ok(_) => (Support::Supported, "got and deleted".to_owned()),
            Err(error) => (Support::Partial, format!("got, but not deleted: {}", refusal(&error).1)),
        })
    }

    async fn background_responses(&self) -> Result<Seen> {
        let created = self.respond(self.response_request("Say hello.").background(true)).await?;
        if created.status.is_terminal() {
            return Ok((Support::Partial, "accepted, but not run in the background".to_owned()));
        }
        let finished = self.client.responses().wait(&created.id).await?;
        Ok((Support::Supported, format!("{}, then {}", created.status, finished.status)))
    }
}

fn weather() -> Tool {
    let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    Tool::with_schema("get_weather", "Today's weather in a city", parameters)
}

fn arguments_of(call: Option<ToolCall>) -> Seen {
    match call.map(|call| call.arguments::<Value>()) {
        None => (Support::Partial, "accepted, but the model did not call the tool".to_owned()),
        Some(Ok(arguments)) if arguments.get("city").is_none_or(|city| !city.is_string()) => {
            (Support::Partial, format!("called without the required argument: {arguments}"))
        }
        Some(Ok(arguments)) => (Support::Supported, arguments.to_string()),
        Some(Err(_)) => (Support::Partial, "called with invalid JSON arguments".to_owned()),
    }
}

fn json_of(reply: &ChatCompletion, is_right: impl Fn(&Value) -> bool) -> Seen {
    let text = reply.text();
    match serde_json::from_str::<Value>(&text) {
        Ok(json) if is_right(&json) => (Support::Supported, crate::transport::decode::excerpt(&json.to_string())),
        Ok(json) => (Support::Partial, crate::transport::decode::excerpt(&json.to_string())),
        Err(_) if text.trim_start().starts_with('{') => {
            (Support::Partial, "JSON truncated at the token limit".to_owned())
        }
        Err(_) => (Support::Unsupported, "not JSON".to_owned()),
    }
}

impl ProbeReport {
    /// Returns the findings as a Markdown table.
    pub fn to_markdown(&self) -> String {
        let mut table =
            format!("`{}` at {}\n\n| feature | supported | details |\n|---|---|---|\n", self.model, self.base_url);
        for finding in &self.findings {
            let note = finding.note.replace('|', "\\|");
            table.push_str(&format!("| {} | {} | {note} |\n", finding.feature, finding.support.sign()));
        }
        table
    }
}

impl fmt::Display for ProbeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} at {}", self.model, self.base_url)?;
        self.findings.iter().try_for_each(|finding| writeln!(f, "{finding}"))
    }
}

impl fmt::Display for Finding {
    /// A row of the table, within 80 columns: the details may be cut.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WIDTH: usize = 38;
        let mut note: String = self.note.chars().take(WIDTH).collect();
        if note.len() < self.note.len() {
            note.pop();
            note.push('…');
        }
        write!(f, "  {:20}  {:6} {:>6} ms  {note}", self.feature, self.support.sign(), self.milliseconds)
    }
}
