//! openai-compat 0.5.

use std::any::Any;

use bytes::Bytes;
use futures::StreamExt;
use openai_compat::types::chat::ChatCompletionChunk;
use openai_compat::types::embeddings::{EmbeddingRequest, EmbeddingVector};
use openai_compat::types::files::FileUpload;
use openai_compat::{ChatCompletionRequest, Client, EventStream, Message, SseDecoder};
use peers::corpus::{self, Seen};
use peers::measure;
use peers::rows::{Done, Peer, why};

struct OpenaiCompat;

fn main() {
    peers::rows::main::<OpenaiCompat>();
}

fn client(base: &str) -> Done<Client> {
    Client::builder().base_url(base).api_key("key").build().map_err(why)
}

fn request(model: &str, text: String) -> ChatCompletionRequest {
    ChatCompletionRequest::new(model, vec![Message::system(corpus::SYSTEM), Message::user(text)]).temperature(0.2)
}

fn take(chunk: ChatCompletionChunk, seen: &mut Seen) {
    seen.items += 1;
    if let Some(text) = chunk.content() {
        seen.text(text);
    }
    std::hint::black_box(&chunk);
}

impl Peer for OpenaiCompat {
    /// Its stream takes no body from outside: its decoder and what the stream does with an event.
    async fn decode(pieces: &'static [Bytes]) -> Done {
        let mut seen = Seen::new();
        let mut decoder = SseDecoder::new();
        for piece in pieces {
            for event in decoder.feed(piece) {
                if event.data.starts_with("[DONE]") {
                    return Ok(seen);
                }
                let value: serde_json::Value = serde_json::from_str(&event.data).map_err(why)?;
                take(serde_json::from_value(value).map_err(why)?, &mut seen);
            }
        }
        Ok(seen)
    }

    async fn stream(base: &str, model: &str, times: u64) -> Done {
        let client = client(base)?;
        let mut sum = Seen::default();
        for _ in 0..times {
            let mut seen = Seen::new();
            let request = request(model, corpus::QUESTION.into());
            let mut chunks = client.chat().completions().create_stream(request).await.map_err(why)?;
            while let Some(chunk) = chunks.next().await {
                take(chunk.map_err(why)?, &mut seen);
            }
            sum = Seen { items: sum.items + seen.items, size: sum.size + seen.size, hash: seen.hash };
        }
        Ok(sum)
    }

    async fn calls(base: &str, times: u64) -> Done {
        let client = client(base)?;
        let mut seen = Seen::new();
        for _ in 0..times {
            let request = request("small", corpus::QUESTION.into());
            let reply = client.chat().completions().create(request).await.map_err(why)?;
            seen.items += 1;
            seen.text(reply.content().unwrap_or_default());
        }
        Ok(seen)
    }

    async fn prompt(base: &str, text: String) -> Done {
        let client = client(base)?;
        let request = request("small", text);
        measure::mark();
        let reply = client.chat().completions().create(request).await.map_err(why)?;
        let mut seen = Seen { items: 1, ..Seen::new() };
        seen.text(reply.content().unwrap_or_default());
        Ok(seen)
    }

    async fn embeddings(base: &str, model: &str, times: u64) -> Done {
        let client = client(base)?;
        let mut seen = Seen::new();
        for _ in 0..times {
            let mut request = EmbeddingRequest::new(model, "text");
            request.encoding_format = Some(if model.starts_with("base64") { "base64" } else { "float" }.to_owned());
            let reply = client.embeddings().create(request).await.map_err(why)?;
            for item in &reply.data {
                match &item.embedding {
                    EmbeddingVector::Floats(vector) => corpus::see_vector(&mut seen, vector.iter().copied()),
                    _ => return Err("leaves base64 to the user".to_owned()),
                }
            }
        }
        Ok(seen)
    }

    fn build(base: &str) -> Done<Box<dyn Any>> {
        Ok(Box::new(client(base)?))
    }

    async fn upload(base: &str, path: &str) -> Done {
        let file = FileUpload::from_path(path).await.map_err(why)?;
        let reply = client(base)?.files().create(file, "batch").await.map_err(why)?;
        Ok(Seen { items: 1, size: serde_json::to_value(&reply).map_err(why)?["bytes"].as_u64().unwrap_or(0), hash: 0 })
    }

    async fn download(base: &str, id: &str) -> Done {
        let content = client(base)?.files().content(id).await.map_err(why)?;
        Ok(Seen { items: 1, size: content.len() as u64, hash: 0 })
    }

    async fn idle(base: &str, many: u64) -> Done<Box<dyn Any>> {
        let client = client(base)?;
        let mut open = Vec::new();
        for _ in 0..many {
            open.push(first_chunk(&client, "idle").await?);
        }
        Ok(Box::new((client, open)))
    }

    async fn pause(base: &str) -> Done<Box<dyn Any>> {
        let client = client(base)?;
        let open = first_chunk(&client, "flood").await?;
        Ok(Box::new((client, open)))
    }
}

async fn first_chunk(client: &Client, model: &str) -> Done<EventStream<ChatCompletionChunk>> {
    let request = request(model, corpus::QUESTION.into());
    let mut chunks = client.chat().completions().create_stream(request).await.map_err(why)?;
    chunks.next().await.ok_or("ended early")?.map_err(why)?;
    Ok(chunks)
}
