//! What a server can do: [`probe`].

use std::fmt;
use std::future::Future;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::chat::{ChatCompletion, ChatRequest, Message, Part, ResponseFormat, Tool, ToolChoice};
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::health::HealthState;

/// What a probe found out about a server. `Display` is a table, [`to_markdown`](Probe::to_markdown) one for documents;
/// it serialises to JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Probe {
    /// The server.
    pub base_url: String,
    /// The model that was asked.
    pub model: String,
    /// One finding for each feature, in the order in which they were tried.
    pub findings: Vec<Finding>,
}

/// One feature and whether the server has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finding {
    /// Name of the feature.
    pub feature: String,
    /// Whether it works.
    pub verdict: Verdict,
    /// What was seen.
    pub note: String,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
}

/// Whether a feature works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// It does.
    Yes,
    /// The server takes the request, and the reply is not all it should be.
    Partly,
    /// It does not.
    No,
    /// It was not found out: no answer in time, or no server.
    Unknown,
}

impl Verdict {
    fn sign(self) -> &'static str {
        match self {
            Verdict::Yes => "yes",
            Verdict::Partly => "partly",
            Verdict::No => "no",
            Verdict::Unknown => "?",
        }
    }
}

/// Whether it works, and what was seen.
type Seen = (Verdict, String);

/// Tries what a server can do, feature by feature, each within a time limit and without retries; `watch` sees each
/// finding as it comes. Without a model, the first one that the server lists is asked.
///
/// A feature that a model is too small for shows as `Partly`. A server that is not there gives `Unknown` for all, at once.
///
/// ```no_run
/// # async fn run(client: openai_compatible::Client) {
/// use std::time::Duration;
/// use openai_compatible::probe::probe;
///
/// let found = probe(&client, None, Duration::from_secs(30), |_| {}).await;
/// println!("{found}");
/// # }
/// ```
pub async fn probe(client: &Client, model: Option<&str>, limit: Duration, watch: impl Fn(&Finding)) -> Probe {
    let mut findings = Findings { limit, watch, found: Vec::new(), is_down: false };
    let mut listed = None;
    findings.add("health", health(client)).await;
    findings
        .add("models", async {
            let models: Value = client.get("models").max_retries(0).await?;
            let list = models.get("data").unwrap_or(&models).as_array().cloned().unwrap_or_default();
            listed = list.first().and_then(|model| model.get("id")?.as_str()).map(str::to_owned);
            Ok((Verdict::Yes, format!("{} listed", list.len())))
        })
        .await;
    let model = model.map(str::to_owned).or(listed).unwrap_or_else(|| "default".to_owned());
    let asking = Asking { client, model: &model };
    findings.add("chat", asking.chat()).await;
    findings.add("streaming", asking.streaming()).await;
    findings.add("usage in streams", asking.usage_in_streams()).await;
    findings.add("tools", asking.tools(false)).await;
    findings.add("forced tool", asking.tools(true)).await;
    findings.add("JSON mode", asking.json_mode()).await;
    findings.add("JSON schema (strict)", asking.json_schema()).await;
    findings.add("logprobs", asking.logprobs()).await;
    findings.add("seed", asking.seed()).await;
    findings.add("n", asking.n()).await;
    findings.add("vision", asking.vision()).await;
    findings.add("completions", asking.completions()).await;
    findings.add("embeddings", asking.embeddings("float")).await;
    findings.add("embeddings as base64", asking.embeddings("base64")).await;
    findings.add("responses", asking.responses()).await;
    let found = findings.found;
    Probe { base_url: client.base_url().to_owned(), model, findings: found }
}

struct Findings<W> {
    limit: Duration,
    watch: W,
    found: Vec<Finding>,
    is_down: bool,
}

impl<W: Fn(&Finding)> Findings<W> {
    async fn add(&mut self, feature: &str, attempt: impl Future<Output = Result<Seen>>) {
        let started = Instant::now();
        let (verdict, note) = if self.is_down {
            (Verdict::Unknown, "the server is not there".to_owned())
        } else {
            match timeout(self.limit, attempt).await {
                Ok(Ok(seen)) => seen,
                Ok(Err(error)) => {
                    self.is_down = error.kind() == ErrorKind::Connect;
                    refusal(&error)
                }
                Err(_) => (Verdict::Unknown, format!("no answer within {:?}", self.limit)),
            }
        };
        let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let finding = Finding { feature: feature.to_owned(), verdict, note, milliseconds };
        (self.watch)(&finding);
        self.found.push(finding);
    }
}

fn refusal(error: &Error) -> Seen {
    let verdict = match (error.kind(), error.status().map(|status| status.as_u16())) {
        (ErrorKind::Connect | ErrorKind::Timeout | ErrorKind::Transport, _) => Verdict::Unknown,
        // The key or the limit is in the way, not the feature.
        (_, Some(401 | 402 | 403 | 408 | 429)) => Verdict::Unknown,
        _ => Verdict::No,
    };
    let status = error.status().map(|status| format!("{}: ", status.as_u16())).unwrap_or_default();
    let message = match error.api() {
        Some(api) if !api.message.is_empty() => api.message.clone(),
        _ => error.to_string(),
    };
    (verdict, format!("{status}{}", crate::transport::decode::start_of(&message)))
}

async fn health(client: &Client) -> Result<Seen> {
    let health = client.health().await;
    let verdict = match health.state {
        HealthState::Healthy => Verdict::Yes,
        HealthState::Loading | HealthState::Unhealthy => Verdict::Partly,
        HealthState::Unknown | HealthState::Unreachable => Verdict::Unknown,
    };
    match health.error {
        Some(error) if error.kind() == ErrorKind::Connect => Err(error),
        _ => Ok((verdict, crate::transport::decode::start_of(&health.to_string()))),
    }
}

struct Asking<'a> {
    client: &'a Client,
    model: &'a str,
}

impl Asking<'_> {
    fn request(&self, question: &str) -> ChatRequest {
        ChatRequest::new(self.model, [Message::user(question)]).max_tokens(64).temperature(0.0)
    }

    async fn ask(&self, request: ChatRequest) -> Result<ChatCompletion> {
        self.client.chat().create(request).max_retries(0).await
    }

    async fn chat(&self) -> Result<Seen> {
        let reply = self.ask(self.request("Say hello.")).await?;
        Ok(match reply.text().trim() {
            "" if reply.reasoning().is_some() => (Verdict::Partly, "thoughts, and no answer in 64 tokens".to_owned()),
            "" => (Verdict::Partly, "an empty answer".to_owned()),
            text => (Verdict::Yes, format!("{:?}", crate::transport::decode::start_of(text))),
        })
    }

    async fn streaming(&self) -> Result<Seen> {
        let mut chunks = self.client.chat().stream(self.request("Count to ten.")).max_retries(0).await?;
        let mut pieces = 0;
        while let Some(chunk) = chunks.try_next().await? {
            pieces += usize::from(!chunk.text().is_empty() || chunk.reasoning().is_some());
        }
        Ok((if pieces > 1 { Verdict::Yes } else { Verdict::Partly }, format!("{pieces} pieces")))
    }

    async fn usage_in_streams(&self) -> Result<Seen> {
        let request = self.request("Say hello.").include_usage(true);
        let reply = self.client.chat().stream(request).max_retries(0).await?.collect().await?;
        Ok(match reply.usage {
            Some(usage) => (Verdict::Yes, usage.to_string()),
            None => (Verdict::No, "not sent".to_owned()),
        })
    }

    async fn tools(&self, forced: bool) -> Result<Seen> {
        let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
        let tool = Tool::with_schema("get_weather", "Today's weather in a city", parameters);
        let mut request = self.request("What is the weather in Oslo? Use the tool.").tools([tool]);
        if forced {
            request = request.tool_choice(ToolChoice::function("get_weather"));
        }
        let reply = self.ask(request).await?;
        Ok(match reply.tool_calls() {
            [] if forced => (Verdict::No, "not called".to_owned()),
            [] => (Verdict::Partly, "accepted; the model did not call".to_owned()),
            [call, ..] => match call.arguments::<Value>() {
                Ok(arguments) => (Verdict::Yes, arguments.to_string()),
                Err(_) => (Verdict::Partly, "called with arguments that are no JSON".to_owned()),
            },
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
            (0, Some(_)) => (Verdict::Partly, "in a shape of its own".to_owned()),
            (0, None) => (Verdict::No, "not sent".to_owned()),
            (tokens, _) => (Verdict::Yes, format!("{tokens} tokens")),
        })
    }

    async fn seed(&self) -> Result<Seen> {
        let request = self.request("Invent a name.").temperature(1.0).seed(42);
        let (first, second) = (self.ask(request.clone()).await?, self.ask(request).await?);
        Ok(match first.text() == second.text() {
            true => (Verdict::Yes, "two answers alike".to_owned()),
            false => (Verdict::Partly, "accepted; two answers differ".to_owned()),
        })
    }

    async fn n(&self) -> Result<Seen> {
        let reply = self.ask(self.request("Say something.").n(2)).await?;
        let answers = reply.choices.len();
        Ok((if answers == 2 { Verdict::Yes } else { Verdict::No }, format!("{answers} of 2 answers")))
    }

    async fn vision(&self) -> Result<Seen> {
        // One red pixel.
        const PIXEL: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
        let message = Message::user([Part::text("Which colour is this?"), Part::image_url(PIXEL)]);
        let reply = self.ask(ChatRequest::new(self.model, [message]).max_tokens(32)).await?;
        Ok((Verdict::Yes, format!("{:?}", crate::transport::decode::start_of(&reply.text()))))
    }

    async fn post(&self, route: &str, body: Value) -> Result<Value> {
        self.client.post(route, &body).max_retries(0).await
    }

    async fn completions(&self) -> Result<Seen> {
        let body = json!({"model": self.model, "prompt": "One, two,", "max_tokens": 8});
        let reply = self.post("completions", body).await?;
        Ok(match reply.pointer("/choices/0/text").and_then(Value::as_str) {
            Some(text) => (Verdict::Yes, format!("{text:?}")),
            None => (Verdict::Partly, "a reply without text".to_owned()),
        })
    }

    async fn embeddings(&self, format: &str) -> Result<Seen> {
        let body = json!({"model": self.model, "input": "river", "encoding_format": format});
        let reply = self.post("embeddings", body).await?;
        Ok(match (reply.pointer("/data/0/embedding"), format) {
            (Some(Value::Array(numbers)), "float") => (Verdict::Yes, format!("{} numbers", numbers.len())),
            (Some(Value::String(text)), "base64") => (Verdict::Yes, format!("{} characters", text.len())),
            (Some(Value::Array(_)), _) => (Verdict::Partly, "numbers all the same".to_owned()),
            _ => (Verdict::No, "a reply without a vector".to_owned()),
        })
    }

    async fn responses(&self) -> Result<Seen> {
        let body = json!({"model": self.model, "input": "Say hello.", "max_output_tokens": 32});
        let reply = self.post("responses", body).await?;
        Ok(match reply.get("output") {
            Some(_) => (Verdict::Yes, reply.get("status").and_then(Value::as_str).unwrap_or("no status").to_owned()),
            None => (Verdict::No, "a reply without output".to_owned()),
        })
    }
}

fn json_of(reply: &ChatCompletion, is_right: impl Fn(&Value) -> bool) -> Seen {
    let text = reply.text();
    match serde_json::from_str::<Value>(&text) {
        Ok(json) if is_right(&json) => (Verdict::Yes, crate::transport::decode::start_of(&json.to_string())),
        Ok(json) => (Verdict::Partly, crate::transport::decode::start_of(&json.to_string())),
        Err(_) if text.trim_start().starts_with('{') => {
            (Verdict::Partly, "JSON that is cut at the token limit".to_owned())
        }
        Err(_) => (Verdict::No, "an answer that is no JSON".to_owned()),
    }
}

impl Probe {
    /// The findings as a Markdown table.
    pub fn to_markdown(&self) -> String {
        let mut table = format!("`{}` at {}\n\n| feature | works | seen |\n|---|---|---|\n", self.model, self.base_url);
        for finding in &self.findings {
            let note = finding.note.replace('|', "\\|");
            table.push_str(&format!("| {} | {} | {note} |\n", finding.feature, finding.verdict.sign()));
        }
        table
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} at {}", self.model, self.base_url)?;
        self.findings.iter().try_for_each(|finding| writeln!(f, "{finding}"))
    }
}

impl fmt::Display for Finding {
    /// One line of the table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let note: String = self.note.chars().take(60).collect();
        write!(f, "  {:22} {:7} {:>6} ms  {note}", self.feature, self.verdict.sign(), self.milliseconds)
    }
}
