//! Tokens counted by the server: [`TokenCounter`].

use std::borrow::Borrow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::TrimSearch;
use crate::chat::{ChatRequest, Content, Message, Part};
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};

/// Counts prompt tokens with the tokenizer of the server: exact for every model, its chat template included.
///
/// It uses the endpoint that the server has, and remembers it: `/chat/completions/input_tokens` (llama.cpp), `/tokenize` (vLLM,
/// SGLang), `/responses/input_tokens` (OpenAI) or `/utils/token_counter` (LiteLLM).
///
/// ```no_run
/// # async fn run(client: openai_compatible::Client, request: openai_compatible::chat::ChatRequest) -> openai_compatible::Result<()> {
/// use openai_compatible::tokens::TokenCounter;
///
/// let counter = TokenCounter::new(&client);
/// println!("{} tokens", counter.count(&request).await?);
///
/// let mut request = request;
/// let left = counter.trim_to_budget(&mut request, 8_000).await?;
/// println!("{left} tokens in {} messages", request.messages.len());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TokenCounter {
    client: Client,
    /// The position of the endpoint that the server has, once it is known.
    known: Arc<AtomicUsize>,
}

/// An endpoint that counts tokens.
struct Endpoint {
    path: &'static str,
    /// Next to the API, and not below it.
    is_at_root: bool,
    body: fn(&ChatRequest) -> Result<Value>,
    /// The member of the response that is the count.
    member: &'static str,
}

const ENDPOINTS: [Endpoint; 4] = [
    Endpoint {
        path: "chat/completions/input_tokens",
        is_at_root: false,
        body: |request| to_value(request),
        member: "input_tokens",
    },
    Endpoint { path: "tokenize", is_at_root: true, body: |request| prompt(request), member: "count" },
    Endpoint {
        path: "responses/input_tokens",
        is_at_root: false,
        body: |request| as_response(request),
        member: "input_tokens",
    },
    Endpoint { path: "utils/token_counter", is_at_root: true, body: |request| prompt(request), member: "total_tokens" },
];

impl TokenCounter {
    /// Creates a counter. Clones share what they have learned.
    pub fn new(client: &Client) -> Self {
        TokenCounter { client: client.clone(), known: Arc::new(AtomicUsize::new(usize::MAX)) }
    }

    /// Returns the number of prompt tokens of a request.
    ///
    /// # Errors
    ///
    /// [`is_not_found`](Error::is_not_found) if the server has none of the endpoints: count with the feature `tokens` then.
    pub async fn count(&self, request: impl Borrow<ChatRequest>) -> Result<u64> {
        let request = request.borrow();
        if let Some(known) = ENDPOINTS.get(self.known.load(Ordering::Relaxed)) {
            return self.ask(known, request).await;
        }
        let mut missing = None;
        for (position, endpoint) in ENDPOINTS.iter().enumerate() {
            match self.ask(endpoint, request).await {
                Ok(count) => {
                    self.known.store(position, Ordering::Relaxed);
                    return Ok(count);
                }
                Err(error) if is_missing(&error) => drop(missing.get_or_insert(error)),
                Err(error) => return Err(error),
            }
        }
        Err(missing
            .unwrap_or_else(no_endpoint)
            .with_context("the server has no endpoint that counts tokens".to_owned()))
    }

    /// Removes messages until the request fits the budget, as [`trim_to_budget`](super::trim_to_budget) does. Returns the
    /// number of tokens left.
    ///
    /// # Errors
    ///
    /// The same as those of [`count`](Self::count). The request is then as it was.
    pub async fn trim_to_budget(&self, request: &mut ChatRequest, budget: usize) -> Result<usize> {
        let mut search = TrimSearch::new(&request.messages, budget);
        let mut counted = request.clone();
        while let Some(candidate) = search.candidate(&request.messages) {
            counted.messages = candidate;
            let count = usize::try_from(self.count(&counted).await?).unwrap_or(usize::MAX);
            search.record(count, std::mem::take(&mut counted.messages));
        }
        Ok(search.finish(&mut request.messages))
    }

    async fn ask(&self, endpoint: &Endpoint, request: &ChatRequest) -> Result<u64> {
        let body = (endpoint.body)(request)?;
        let client = if endpoint.is_at_root { self.client.at_server_root() } else { self.client.clone() };
        let answer: Value = client.post(endpoint.path, &body).await?;
        // llama.cpp has a `/tokenize` that knows no messages.
        answer.get(endpoint.member).and_then(Value::as_u64).ok_or_else(no_endpoint)
    }
}

fn no_endpoint() -> Error {
    Error::new(ErrorKind::Decode, "response has no number of tokens")
}

/// True if another endpoint should be asked: this one is missing, or does not know such a request.
fn is_missing(error: &Error) -> bool {
    matches!(error.status().map(|status| status.as_u16()), Some(400 | 404 | 405 | 422 | 501))
        || error.kind() == ErrorKind::Decode
}

fn to_value(value: &impl serde::Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| Error::new(ErrorKind::Encode, error.to_string()).with_source(error))
}

fn prompt(request: &ChatRequest) -> Result<Value> {
    let mut body = json!({ "model": request.model, "messages": to_value(&request.messages)? });
    if let (Value::Object(body), false) = (&mut body, request.tools.is_empty()) {
        body.insert("tools".to_owned(), to_value(&request.tools)?);
    }
    Ok(body)
}

/// The same prompt for the Responses API, where tool calls and their results are items of their own.
fn as_response(request: &ChatRequest) -> Result<Value> {
    let mut input = Vec::new();
    for message in &request.messages {
        let text = message.text();
        match message {
            Message::Assistant(answer) => {
                if !text.is_empty() {
                    input.push(json!({ "role": "assistant", "content": text }));
                }
                for call in &answer.tool_calls {
                    let (name, arguments) = (call.name(), call.arguments_text());
                    let item =
                        json!({ "type": "function_call", "call_id": call.id, "name": name, "arguments": arguments });
                    input.push(item);
                }
            }
            Message::Tool(result) => {
                input.push(json!({ "type": "function_call_output", "call_id": result.tool_call_id, "output": text }));
            }
            Message::User(user) => input.push(json!({ "role": "user", "content": input_content(&user.content) })),
            other => input.push(json!({ "role": other.kind(), "content": text })),
        }
    }
    let functions = request.tools.iter().map(|tool| {
        let mut tool = to_value(tool)?;
        let function = tool.get_mut("function").map(Value::take);
        if let (Value::Object(tool), Some(Value::Object(function))) = (&mut tool, function) {
            tool.remove("function");
            tool.extend(function);
        }
        Ok(tool)
    });
    let tools = functions.collect::<Result<Vec<Value>>>()?;
    Ok(json!({ "model": request.model, "input": input, "tools": tools }))
}

fn input_content(content: &Content) -> Value {
    let Content::Parts(parts) = content else { return json!(content.text()) };
    let part = |part: &Part| match part {
        Part::ImageUrl(image) => json!({
            "type": "input_image",
            "image_url": image.image_url.url,
            "detail": image.image_url.detail.as_ref().map_or("auto", |detail| detail.as_str()),
        }),
        Part::Text(part) => json!({ "type": "input_text", "text": part.text }),
        // Audio and files are not counted.
        _ => json!({ "type": "input_text", "text": "" }),
    };
    parts.iter().map(part).collect()
}
