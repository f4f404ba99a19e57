//! The floor: a memchr line scanner, `serde_json` into complete types, and plain reqwest.

use std::any::Any;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Bytes, BytesMut};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use peers::corpus::{self, Dialect, Seen};
use peers::measure;
use peers::rows::{Done, Peer, why};
use serde::Serialize;
use serde::de::DeserializeOwned;

mod responses;
mod types;

use types::*;

struct Floor;

fn main() {
    rustls::crypto::ring::default_provider().install_default().expect("the first provider");
    peers::rows::main::<Floor>();
}

struct Client {
    http: reqwest::Client,
    base: String,
}

fn question(model: &str, stream: Option<bool>) -> Request<'_> {
    let system = Message { role: "system", content: corpus::SYSTEM };
    let user = Message { role: "user", content: corpus::QUESTION };
    Request { model, messages: vec![system, user], temperature: Some(0.2), stream }
}

fn request(messages: &[corpus::Message]) -> Request<'_> {
    let messages = messages.iter().map(|message| Message { role: message.role.name(), content: &message.text });
    Request { model: "digest", messages: messages.collect(), temperature: Some(0.2), stream: None }
}

/// Lines, found with memchr; an incomplete line waits in one buffer.
#[derive(Default)]
struct Lines {
    rest: BytesMut,
}

impl Lines {
    fn feed(&mut self, piece: &[u8], mut take: impl FnMut(&[u8]) -> Done<()>) -> Done<()> {
        let mut piece = piece;
        while let Some(end) = memchr::memchr(b'\n', piece) {
            let (line, tail) = (&piece[..end], &piece[end + 1..]);
            if self.rest.is_empty() {
                take(line)?;
            } else {
                self.rest.extend_from_slice(line);
                take(&self.rest)?;
                self.rest.clear();
            }
            piece = tail;
        }
        self.rest.extend_from_slice(piece);
        Ok(())
    }
}

fn take_line<C: DeserializeOwned + Text>(line: &[u8], seen: &mut Seen) -> Done<()> {
    match line.strip_prefix(b"data: ") {
        Some(data) if data != b"[DONE]" => {
            take(serde_json::from_slice::<C>(data).map_err(why)?, seen);
            Ok(())
        }
        _ => Ok(()),
    }
}

async fn decode<C: DeserializeOwned + Text>(pieces: &'static [Bytes]) -> Done {
    let mut seen = Seen::new();
    let mut lines = Lines::default();
    let mut pieces = body(pieces);
    while let Some(piece) = pieces.next().await {
        lines.feed(&piece?, |line| take_line::<C>(line, &mut seen))?;
    }
    Ok(seen)
}

fn decode_sync<C: DeserializeOwned + Text>(pieces: &'static [Bytes]) -> Done {
    let mut seen = Seen::new();
    let mut lines = Lines::default();
    for piece in pieces {
        lines.feed(piece, |line| take_line::<C>(line, &mut seen))?;
    }
    Ok(seen)
}

fn take(chunk: impl Text, seen: &mut Seen) {
    seen.items += 1;
    if let Some(text) = chunk.text() {
        seen.text(text);
    }
    std::hint::black_box(&chunk);
}

/// New text of the first choice.
trait Text {
    fn text(&self) -> Option<&str>;
}

impl Text for Chunk {
    fn text(&self) -> Option<&str> {
        self.choices.first()?.delta.content.as_deref()
    }
}

impl Text for VllmChunk {
    fn text(&self) -> Option<&str> {
        self.choices.first()?.delta.content.as_deref()
    }
}

impl Text for LlamaChunk {
    fn text(&self) -> Option<&str> {
        self.choices.first()?.delta.content.as_deref()
    }
}

impl Text for Completion {
    fn text(&self) -> Option<&str> {
        self.choices.first()?.message.content.as_deref()
    }
}

/// Boxed, as the body of a response is: every client pays this per piece.
fn body(pieces: &'static [Bytes]) -> BoxStream<'static, Done<Bytes>> {
    futures::stream::iter(pieces).map(|piece| Ok(piece.clone())).boxed()
}

impl Peer for Floor {
    type Client = Client;

    fn client(base: &str) -> Done<Client> {
        Ok(Client { http: reqwest::Client::new(), base: base.to_owned() })
    }

    fn decode(dialect: Dialect, pieces: &'static [Bytes]) -> Done<impl AsyncFn() -> Done> {
        Ok(async move || match dialect {
            Dialect::OpenAi | Dialect::Heads => decode::<Chunk>(pieces).await,
            Dialect::Vllm => decode::<VllmChunk>(pieces).await,
            Dialect::LlamaCpp => decode::<LlamaChunk>(pieces).await,
        })
    }

    fn decode_sync(_: Dialect, pieces: &'static [Bytes]) -> Done {
        decode_sync::<Chunk>(pieces)
    }

    fn responses(pieces: &'static [Bytes]) -> Done<impl AsyncFn() -> Done> {
        Ok(async move || {
            let mut events = responses::Events::new();
            let mut lines = Lines::default();
            let mut pieces = body(pieces);
            while let Some(piece) = pieces.next().await {
                lines.feed(&piece?, |line| events.take_line(line))?;
            }
            Ok(events.seen)
        })
    }

    fn from_str(chunks: &[String]) -> Done {
        let mut seen = Seen::new();
        for chunk in chunks {
            take(serde_json::from_str::<Chunk>(chunk).map_err(why)?, &mut seen);
        }
        Ok(seen)
    }

    fn to_vec(messages: Vec<corpus::Message>) -> Done<impl Fn() -> Done<Vec<u8>>> {
        // Leaked: the request borrows them.
        let request = request(Vec::leak(messages));
        Ok(move || serde_json::to_vec(&request).map_err(why))
    }

    fn batch_rows(pieces: &'static [Bytes]) -> Done<impl AsyncFn() -> Done> {
        Ok(async move || {
            let mut seen = Seen::new();
            let mut lines = Lines::default();
            let mut pieces = body(pieces);
            while let Some(piece) = pieces.next().await {
                lines.feed(&piece?, |line| {
                    let row: BatchRow = serde_json::from_slice(line).map_err(why)?;
                    let response = row.response.as_ref().ok_or("no response")?;
                    seen.items += 1;
                    seen.text(&row.custom_id);
                    seen.text(response.body.text().unwrap_or_default());
                    std::hint::black_box(&row);
                    Ok(())
                })?;
            }
            Ok(seen)
        })
    }

    async fn stream(client: &Client, model: &str) -> Done {
        let mut seen = Seen::new();
        let mut lines = Lines::default();
        let mut pieces = open(client, model).await?;
        while let Some(piece) = pieces.next().await {
            lines.feed(&piece.map_err(why)?, |line| take_line::<Chunk>(line, &mut seen))?;
        }
        Ok(seen)
    }

    async fn call(client: &Client) -> Done {
        Ok(Seen::one(&call(client, &question("small", None)).await?))
    }

    async fn send(client: &Client, messages: Vec<corpus::Message>, times: u64) -> Done {
        let request = request(&messages);
        measure::mark();
        let mut seen = Seen::default();
        for _ in 0..times {
            seen = seen.then(Seen::one(&call(client, &request).await?));
        }
        Ok(seen)
    }

    async fn embeddings(client: &Client, model: &str) -> Done {
        let mut seen = Seen::new();
        let encoding_format = if model.starts_with("base64") { "base64" } else { "float" };
        let request = EmbeddingRequest { model, input: ["text"], encoding_format };
        let body = post(client, "/embeddings", &request).await?;
        if encoding_format == "float" {
            let list: Embeddings<Vec<f32>> = serde_json::from_slice(&body).map_err(why)?;
            list.data.iter().for_each(|item| corpus::see_vector(&mut seen, item.embedding.iter().copied()));
        } else {
            let list: Embeddings<String> = serde_json::from_slice(&body).map_err(why)?;
            let decode = |item: &Embedding<String>| {
                let bytes = BASE64.decode(&item.embedding).map_err(why)?;
                Ok(bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect())
            };
            let vectors: Vec<Vec<f32>> = list.data.iter().map(decode).collect::<Done<_>>()?;
            vectors.iter().for_each(|vector| corpus::see_vector(&mut seen, vector.iter().copied()));
        }
        Ok(seen)
    }

    async fn models(client: &Client, fields: bool) -> Done {
        let response = client.http.get(format!("{}/models", client.base)).header("authorization", "Bearer key").send();
        let body = response.await.and_then(|response| response.error_for_status()).map_err(why)?.bytes().await;
        let list: ModelList = serde_json::from_slice(&body.map_err(why)?).map_err(why)?;
        let mut seen = Seen::new();
        for model in &list.data {
            seen.items += 1;
            seen.text(&model.id);
            if fields {
                seen.text(&model.description);
                seen.text(&model.pricing.completion);
                seen.text(model.supported_parameters.last().map_or("", |name| name));
            }
        }
        std::hint::black_box(&list);
        Ok(seen)
    }

    async fn upload(client: &Client, path: &str) -> Done {
        let file = tokio::fs::File::open(path).await.map_err(why)?;
        let length = file.metadata().await.map_err(why)?.len();
        let pieces = tokio_util::io::ReaderStream::with_capacity(file, 256 << 10);
        let part = reqwest::multipart::Part::stream_with_length(reqwest::Body::wrap_stream(pieces), length);
        let form = reqwest::multipart::Form::new().text("purpose", "batch").part("file", part.file_name("in.jsonl"));
        let response = client.http.post(format!("{}/files", client.base)).multipart(form).send().await.map_err(why)?;
        let file: serde_json::Value = serde_json::from_slice(&response.bytes().await.map_err(why)?).map_err(why)?;
        Ok(Seen { items: 1, size: file["bytes"].as_u64().unwrap_or(0), hash: 0 })
    }

    async fn download(client: &Client, id: &str) -> Done {
        let response = client.http.get(format!("{}/files/{id}/content", client.base)).send().await.map_err(why)?;
        let mut pieces = response.bytes_stream();
        let mut seen = Seen { items: 1, size: 0, hash: 0 };
        while let Some(piece) = pieces.next().await {
            seen.size += piece.map_err(why)?.len() as u64;
        }
        Ok(seen)
    }

    async fn open(client: &Client, model: &str) -> Done<Box<dyn Any>> {
        let mut pieces = open(client, model).await?;
        let mut lines = Lines::default();
        let mut seen = Seen::new();
        while seen.items == 0 {
            let piece = pieces.next().await.ok_or("ended early")?.map_err(why)?;
            lines.feed(&piece, |line| take_line::<Chunk>(line, &mut seen))?;
        }
        Ok(Box::new((pieces, lines)))
    }
}

async fn open(client: &Client, model: &str) -> Done<impl Stream<Item = reqwest::Result<Bytes>> + Unpin + use<>> {
    Ok(send(client, "/chat/completions", &question(model, Some(true))).await?.bytes_stream())
}

async fn send(client: &Client, path: &str, body: &impl Serialize) -> Done<reqwest::Response> {
    let request = client
        .http
        .post(format!("{}{path}", client.base))
        .header("authorization", "Bearer key")
        .header("content-type", "application/json")
        .body(serde_json::to_vec(body).map_err(why)?);
    request.send().await.and_then(|response| response.error_for_status()).map_err(why)
}

async fn post(client: &Client, path: &str, body: &impl Serialize) -> Done<Bytes> {
    send(client, path, body).await?.bytes().await.map_err(why)
}

async fn call(client: &Client, request: &Request<'_>) -> Done<String> {
    let body = post(client, "/chat/completions", request).await?;
    let mut completion: Completion = serde_json::from_slice(&body).map_err(why)?;
    Ok(completion.choices[0].message.content.take().unwrap_or_default())
}
