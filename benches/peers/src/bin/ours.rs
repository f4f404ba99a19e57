//! This crate.

use std::any::Any;

use bytes::Bytes;
use futures::StreamExt;
use openai_compatible::chat::{ChatChunk, ChatRequest, Message};
use openai_compatible::embeddings::EmbeddingRequest;
use openai_compatible::files::Purpose;
use openai_compatible::sse::Decoder;
use openai_compatible::{Client, EventStream, FileSource, HttpError, RequestBody, ResponseBody};
use peers::corpus::{self, Seen};
use peers::measure;
use peers::rows::{Done, Peer, why};

struct Ours;

fn main() {
    peers::rows::main::<Ours>();
}

fn client(base: &str) -> Done<Client> {
    Client::builder().base_url(base).api_key("key").build().map_err(why)
}

fn request(model: &str, text: impl Into<String>) -> ChatRequest {
    ChatRequest::new(model, [Message::system(corpus::SYSTEM), Message::user(text.into())]).temperature(0.2)
}

fn take(chunk: ChatChunk, seen: &mut Seen) {
    seen.items += 1;
    seen.text(&chunk.text());
    std::hint::black_box(&chunk);
}

impl Peer for Ours {
    /// The whole road but the socket.
    async fn decode(pieces: &'static [Bytes]) -> Done {
        let service = move |_: http::Request<RequestBody>| {
            let pieces = futures::stream::iter(pieces).map(|piece| Ok::<_, HttpError>(piece.clone()));
            async move { Ok::<_, HttpError>(http::Response::new(ResponseBody::streamed(pieces))) }
        };
        let client = Client::builder().base_url("http://memory/v1").http_service(service).build().map_err(why)?;
        let mut chunks = client.chat().stream(request("m", "")).await.map_err(why)?;
        let mut seen = Seen::new();
        while let Some(chunk) = chunks.try_next().await.map_err(why)? {
            take(chunk, &mut seen);
        }
        Ok(seen)
    }

    /// Decoder and types alone.
    async fn decode_sync(pieces: &'static [Bytes]) -> Done {
        let mut seen = Seen::new();
        let mut decoder = Decoder::new();
        for piece in pieces {
            decoder.push(piece.clone());
            while let Some(event) = decoder.next_event().map_err(why)? {
                if !event.data.starts_with(b"[DONE]") {
                    take(serde_json::from_str(&event.text()).map_err(why)?, &mut seen);
                }
            }
        }
        Ok(seen)
    }

    async fn stream(base: &str, model: &str, times: u64) -> Done {
        let client = client(base)?;
        let mut sum = Seen::default();
        for _ in 0..times {
            let mut seen = Seen::new();
            let mut chunks = client.chat().stream(request(model, corpus::QUESTION)).await.map_err(why)?;
            while let Some(chunk) = chunks.try_next().await.map_err(why)? {
                take(chunk, &mut seen);
            }
            sum = Seen { items: sum.items + seen.items, size: sum.size + seen.size, hash: seen.hash };
        }
        Ok(sum)
    }

    async fn calls(base: &str, times: u64) -> Done {
        let client = client(base)?;
        let mut seen = Seen::new();
        for _ in 0..times {
            let reply = client.chat().create(request("small", corpus::QUESTION)).await.map_err(why)?;
            seen.items += 1;
            seen.text(&reply.text());
        }
        Ok(seen)
    }

    async fn prompt(base: &str, text: String) -> Done {
        let client = client(base)?;
        let request = request("small", text);
        measure::mark();
        let reply = client.chat().create(&request).await.map_err(why)?;
        let mut seen = Seen { items: 1, ..Seen::new() };
        seen.text(&reply.text());
        Ok(seen)
    }

    async fn embeddings(base: &str, model: &str, times: u64) -> Done {
        let client = client(base)?;
        let mut seen = Seen::new();
        for _ in 0..times {
            let format = if model.starts_with("base64") { "base64" } else { "float" };
            let request = EmbeddingRequest::new(model, ["text"]).encoding_format(format);
            let reply = client.embeddings().create(&request).await.map_err(why)?;
            reply.data.iter().for_each(|item| corpus::see_vector(&mut seen, item.embedding.iter().copied()));
        }
        Ok(seen)
    }

    fn build(base: &str) -> Done<Box<dyn Any>> {
        Ok(Box::new(client(base)?))
    }

    async fn upload(base: &str, path: &str) -> Done {
        let reply = client(base)?.files().upload(FileSource::path(path), Purpose::Batch).await.map_err(why)?;
        Ok(Seen { items: 1, size: reply.bytes.unwrap_or(0), hash: 0 })
    }

    async fn download(base: &str, id: &str) -> Done {
        let mut pieces = client(base)?.files().content(id).await.map_err(why)?;
        let mut seen = Seen { items: 1, size: 0, hash: 0 };
        while let Some(piece) = pieces.next().await {
            seen.size += piece.map_err(why)?.len() as u64;
        }
        Ok(seen)
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

async fn first_chunk(client: &Client, model: &str) -> Done<EventStream<ChatChunk>> {
    let mut chunks = client.chat().stream(request(model, corpus::QUESTION)).await.map_err(why)?;
    chunks.try_next().await.map_err(why)?.ok_or("ended early")?;
    Ok(chunks)
}
