//! The floor: a memchr line scanner, `serde_json::from_slice` into complete types, and plain reqwest.

use std::any::Any;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::BoxStream;
use peers::corpus::{self, Seen};
use peers::measure;
use peers::rows::{Done, Peer, why};
use serde::{Deserialize, Serialize};

struct Floor;

fn main() {
    rustls::crypto::ring::default_provider().install_default().expect("the first provider");
    peers::rows::main::<Floor>();
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Chunk {
    id: String,
    object: String,
    created: u64,
    model: String,
    #[serde(default)]
    service_tier: Option<String>,
    #[serde(default)]
    system_fingerprint: Option<String>,
    choices: Vec<ChunkChoice>,
    #[serde(default)]
    usage: Option<Usage>,
    #[serde(default)]
    obfuscation: Option<String>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct ChunkChoice {
    index: u32,
    delta: Delta,
    #[serde(default)]
    logprobs: Option<Logprobs>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Delta {
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<ToolCall>>,
    #[serde(default)]
    function_call: Option<FunctionCall>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct ToolCall {
    index: u32,
    #[serde(default)]
    id: Option<String>,
    #[serde(default, rename = "type")]
    type_: Option<String>,
    #[serde(default)]
    function: Option<FunctionCall>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct FunctionCall {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    arguments: Option<String>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Logprobs {
    #[serde(default)]
    content: Option<Vec<TokenLogprob>>,
    #[serde(default)]
    refusal: Option<Vec<TokenLogprob>>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct TokenLogprob {
    token: String,
    logprob: f64,
    bytes: Option<Vec<u8>>,
    #[serde(default)]
    top_logprobs: Vec<TokenLogprob>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    #[serde(default)]
    prompt_tokens_details: Option<Details>,
    #[serde(default)]
    completion_tokens_details: Option<Details>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Details {
    #[serde(default)]
    cached_tokens: Option<u64>,
    #[serde(default)]
    audio_tokens: Option<u64>,
    #[serde(default)]
    reasoning_tokens: Option<u64>,
    #[serde(default)]
    accepted_prediction_tokens: Option<u64>,
    #[serde(default)]
    rejected_prediction_tokens: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Completion {
    id: String,
    object: String,
    created: u64,
    model: String,
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<Usage>,
    #[serde(default)]
    service_tier: Option<String>,
    #[serde(default)]
    system_fingerprint: Option<String>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Choice {
    index: u32,
    message: Delta,
    #[serde(default)]
    logprobs: Option<Logprobs>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'a str,
    content: &'a str,
}

fn request<'a>(model: &'a str, text: &'a str, stream: Option<bool>) -> Request<'a> {
    let messages = vec![Message { role: "system", content: corpus::SYSTEM }, Message { role: "user", content: text }];
    Request { model, messages, temperature: Some(0.2), stream }
}

/// Lines of a stream, found with memchr; what is unfinished waits in one buffer.
#[derive(Default)]
struct Scanner {
    rest: BytesMut,
}

impl Scanner {
    fn feed(&mut self, piece: &[u8], mut event: impl FnMut(&[u8]) -> Done<()>) -> Done<()> {
        let mut piece = piece;
        while let Some(end) = memchr::memchr(b'\n', piece) {
            let (line, tail) = (&piece[..end], &piece[end + 1..]);
            if self.rest.is_empty() {
                Self::line(line, &mut event)?;
            } else {
                self.rest.extend_from_slice(line);
                Self::line(&self.rest, &mut event)?;
                self.rest.clear();
            }
            piece = tail;
        }
        self.rest.extend_from_slice(piece);
        Ok(())
    }

    fn line(line: &[u8], event: &mut impl FnMut(&[u8]) -> Done<()>) -> Done<()> {
        match line.strip_prefix(b"data: ") {
            Some(data) if data != b"[DONE]" => event(data),
            _ => Ok(()),
        }
    }
}

fn take(data: &[u8], seen: &mut Seen) -> Done<()> {
    let chunk: Chunk = serde_json::from_slice(data).map_err(why)?;
    seen.items += 1;
    if let Some(text) = chunk.choices.first().and_then(|choice| choice.delta.content.as_deref()) {
        seen.text(text);
    }
    std::hint::black_box(&chunk);
    Ok(())
}

#[derive(Deserialize)]
struct Embeddings<E> {
    data: Vec<Embedding<E>>,
}

#[derive(Deserialize)]
struct Embedding<E> {
    embedding: E,
}

#[derive(Serialize)]
struct EmbeddingRequest<'a> {
    model: &'a str,
    input: [&'a str; 1],
    encoding_format: &'a str,
}

impl Peer for Floor {
    async fn decode(pieces: &'static [Bytes]) -> Done {
        let mut seen = Seen::new();
        let mut scanner = Scanner::default();
        // Boxed, as the body of a reply is.
        let mut pieces: BoxStream<'static, Done<Bytes>> =
            futures::stream::iter(pieces).map(|piece| Ok(piece.clone())).boxed();
        while let Some(piece) = pieces.next().await {
            scanner.feed(&piece?, |data| take(data, &mut seen))?;
        }
        Ok(seen)
    }

    async fn decode_sync(pieces: &'static [Bytes]) -> Done {
        let mut seen = Seen::new();
        let mut scanner = Scanner::default();
        for piece in pieces {
            scanner.feed(piece, |data| take(data, &mut seen))?;
        }
        Ok(seen)
    }

    async fn stream(base: &str, model: &str, times: u64) -> Done {
        let client = reqwest::Client::new();
        let mut sum = Seen::default();
        for _ in 0..times {
            let mut seen = Seen::new();
            let body = serde_json::to_vec(&request(model, corpus::QUESTION, Some(true))).map_err(why)?;
            let response = client
                .post(format!("{base}/chat/completions"))
                .header("authorization", "Bearer key")
                .header("content-type", "application/json")
                .body(body)
                .send()
                .await
                .map_err(why)?;
            let mut pieces = response.error_for_status().map_err(why)?.bytes_stream();
            let mut scanner = Scanner::default();
            while let Some(piece) = pieces.next().await {
                scanner.feed(&piece.map_err(why)?, |data| take(data, &mut seen))?;
            }
            sum = Seen { items: sum.items + seen.items, size: sum.size + seen.size, hash: seen.hash };
        }
        Ok(sum)
    }

    async fn calls(base: &str, times: u64) -> Done {
        let client = reqwest::Client::new();
        let mut seen = Seen::new();
        for _ in 0..times {
            let reply: Completion = call(&client, base, &request("small", corpus::QUESTION, None)).await?;
            seen.items += 1;
            seen.text(reply.choices[0].message.content.as_deref().unwrap_or_default());
        }
        Ok(seen)
    }

    async fn prompt(base: &str, text: String) -> Done {
        let client = reqwest::Client::new();
        let request = request("small", &text, None);
        measure::mark();
        let reply: Completion = call(&client, base, &request).await?;
        let mut seen = Seen { items: 1, ..Seen::new() };
        seen.text(reply.choices[0].message.content.as_deref().unwrap_or_default());
        Ok(seen)
    }

    async fn embeddings(base: &str, model: &str, times: u64) -> Done {
        let client = reqwest::Client::new();
        let mut seen = Seen::new();
        for _ in 0..times {
            let encoding_format = if model.starts_with("base64") { "base64" } else { "float" };
            let request = EmbeddingRequest { model, input: ["text"], encoding_format };
            let body = post(&client, &format!("{base}/embeddings"), &request).await?;
            if encoding_format == "float" {
                let reply: Embeddings<Vec<f32>> = serde_json::from_slice(&body).map_err(why)?;
                reply.data.iter().for_each(|item| corpus::see_vector(&mut seen, item.embedding.iter().copied()));
            } else {
                let reply: Embeddings<String> = serde_json::from_slice(&body).map_err(why)?;
                let vectors: Vec<Vec<f32>> = reply
                    .data
                    .iter()
                    .map(|item| {
                        let bytes = BASE64.decode(&item.embedding).map_err(why)?;
                        Ok(bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect())
                    })
                    .collect::<Done<_>>()?;
                vectors.iter().for_each(|vector| corpus::see_vector(&mut seen, vector.iter().copied()));
            }
        }
        Ok(seen)
    }

    fn build(_: &str) -> Done<Box<dyn Any>> {
        Ok(Box::new(reqwest::Client::new()))
    }

    async fn upload(base: &str, path: &str) -> Done {
        let file = tokio::fs::File::open(path).await.map_err(why)?;
        let length = file.metadata().await.map_err(why)?.len();
        let pieces = tokio_util::io::ReaderStream::with_capacity(file, 256 << 10);
        let part = reqwest::multipart::Part::stream_with_length(reqwest::Body::wrap_stream(pieces), length);
        let form = reqwest::multipart::Form::new().text("purpose", "batch").part("file", part.file_name("in.jsonl"));
        let response =
            reqwest::Client::new().post(format!("{base}/files")).multipart(form).send().await.map_err(why)?;
        let reply: serde_json::Value = serde_json::from_slice(&response.bytes().await.map_err(why)?).map_err(why)?;
        Ok(Seen { items: 1, size: reply["bytes"].as_u64().unwrap_or(0), hash: 0 })
    }

    async fn download(base: &str, id: &str) -> Done {
        let response = reqwest::Client::new().get(format!("{base}/files/{id}/content")).send().await.map_err(why)?;
        let mut pieces = response.bytes_stream();
        let mut seen = Seen { items: 1, size: 0, hash: 0 };
        while let Some(piece) = pieces.next().await {
            seen.size += piece.map_err(why)?.len() as u64;
        }
        Ok(seen)
    }

    async fn idle(base: &str, many: u64) -> Done<Box<dyn Any>> {
        let client = reqwest::Client::new();
        let mut open = Vec::new();
        for _ in 0..many {
            open.push(first_piece(&client, base, "idle").await?);
        }
        Ok(Box::new((client, open)))
    }

    async fn pause(base: &str) -> Done<Box<dyn Any>> {
        let client = reqwest::Client::new();
        let open = first_piece(&client, base, "flood").await?;
        Ok(Box::new((client, open)))
    }
}

const BASE64: base64::engine::GeneralPurpose = base64::engine::general_purpose::STANDARD;
use base64::Engine as _;

async fn first_piece(client: &reqwest::Client, base: &str, model: &str) -> Done<Box<dyn Any>> {
    let body = serde_json::to_vec(&request(model, corpus::QUESTION, Some(true))).map_err(why)?;
    let response = client
        .post(format!("{base}/chat/completions"))
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await
        .map_err(why)?;
    let mut pieces = response.bytes_stream();
    let mut scanner = Scanner::default();
    let mut seen = Seen::new();
    while seen.items == 0 {
        let piece = pieces.next().await.ok_or("ended early")?.map_err(why)?;
        scanner.feed(&piece, |data| take(data, &mut seen))?;
    }
    Ok(Box::new((pieces, scanner)))
}

async fn post(client: &reqwest::Client, url: &str, body: &impl Serialize) -> Done<Bytes> {
    let response = client
        .post(url)
        .header("authorization", "Bearer key")
        .header("content-type", "application/json")
        .body(serde_json::to_vec(body).map_err(why)?)
        .send()
        .await
        .map_err(why)?;
    response.error_for_status().map_err(why)?.bytes().await.map_err(why)
}

async fn call(client: &reqwest::Client, base: &str, request: &Request<'_>) -> Done<Completion> {
    let body = post(client, &format!("{base}/chat/completions"), request).await?;
    serde_json::from_slice(&body).map_err(why)
}
