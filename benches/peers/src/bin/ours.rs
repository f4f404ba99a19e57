//! This crate.

use std::any::Any;

use bytes::Bytes;
use futures::StreamExt;
use openai_compatible::batches::Batch;
use openai_compatible::chat::{ChatChunk, ChatCompletion, ChatRequest, Message};
use openai_compatible::embeddings::EmbeddingRequest;
use openai_compatible::files::Purpose;
use openai_compatible::responses::ResponseRequest;
use openai_compatible::sse::Decoder;
use openai_compatible::{Client, EventStream, FileSource, HttpError, RequestBody, ResponseBody};
use peers::corpus::{self, Dialect, Role, Seen};
use peers::measure;
use peers::rows::{Done, Peer, why};

struct Ours;

fn main() {
    peers::rows::main::<Ours>();
}

/// A client whose responses have this body.
fn in_memory(pieces: &'static [Bytes]) -> Done<Client> {
    let service = move |_: http::Request<RequestBody>| {
        let pieces = futures::stream::iter(pieces).map(|piece| Ok::<_, HttpError>(piece.clone()));
        async move { Ok::<_, HttpError>(http::Response::new(ResponseBody::streamed(pieces))) }
    };
    Client::builder().base_url("http://memory/v1").http_service(service).build().map_err(why)
}

fn question(model: &str) -> ChatRequest {
    let messages = [Message::system(corpus::SYSTEM), Message::user(corpus::QUESTION)];
    ChatRequest::new(model, messages).temperature(0.2)
}

fn request(messages: Vec<corpus::Message>) -> ChatRequest {
    let message = |corpus::Message { role, text }| match role {
        Role::System => Message::system(text),
        Role::User => Message::user(text),
        Role::Assistant => Message::assistant(text),
    };
    ChatRequest::new("digest", messages.into_iter().map(message)).temperature(0.2)
}

fn take(chunk: ChatChunk, seen: &mut Seen) {
    seen.items += 1;
    seen.text(&chunk.text());
    std::hint::black_box(&chunk);
}

async fn take_all(mut chunks: EventStream<ChatChunk>) -> Done {
    let mut seen = Seen::new();
    while let Some(chunk) = chunks.try_next().await.map_err(why)? {
        take(chunk, &mut seen);
    }
    Ok(seen)
}

impl Peer for Ours {
    type Client = Client;

    fn client(base: &str) -> Done<Client> {
        Client::builder().base_url(base).api_key("key").build().map_err(why)
    }

    fn decode(_: Dialect, pieces: &'static [Bytes]) -> Done<impl AsyncFn() -> Done> {
        let (client, request) = (in_memory(pieces)?, question("m"));
        Ok(async move || take_all(client.chat().stream(&request).await.map_err(why)?).await)
    }

    fn decode_sync(_: Dialect, pieces: &'static [Bytes]) -> Done {
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

    fn responses(pieces: &'static [Bytes]) -> Done<impl AsyncFn() -> Done> {
        let (client, request) = (in_memory(pieces)?, ResponseRequest::new("m", corpus::QUESTION));
        Ok(async move || {
            let mut seen = Seen::new();
            let mut events = client.responses().stream(&request).await.map_err(why)?;
            while let Some(event) = events.try_next().await.map_err(why)? {
                seen.items += 1;
                seen.text(event.text_delta());
                std::hint::black_box(&event);
            }
            Ok(seen)
        })
    }

    fn from_str(chunks: &[String]) -> Done {
        let mut seen = Seen::new();
        for chunk in chunks {
            take(serde_json::from_str(chunk).map_err(why)?, &mut seen);
        }
        Ok(seen)
    }

    fn to_vec(messages: Vec<corpus::Message>) -> Done<impl Fn() -> Done<Vec<u8>>> {
        let request = request(messages);
        Ok(move || serde_json::to_vec(&request).map_err(why))
    }

    fn batch_rows(pieces: &'static [Bytes]) -> Done<impl AsyncFn() -> Done> {
        let client = in_memory(pieces)?;
        let batch: Batch = serde_json::from_str(r#"{"id":"batch-1","output_file_id":"file-1"}"#).map_err(why)?;
        Ok(async move || {
            let mut seen = Seen::new();
            let mut rows = client.batches().results::<ChatCompletion>(&batch);
            while let Some(row) = rows.try_next().await.map_err(why)? {
                seen.items += 1;
                seen.text(&row.custom_id);
                seen.text(&row.result.as_ref().map_err(why)?.text());
                std::hint::black_box(&row);
            }
            Ok(seen)
        })
    }

    async fn stream(client: &Client, model: &str) -> Done {
        take_all(client.chat().stream(question(model)).await.map_err(why)?).await
    }

    async fn call(client: &Client) -> Done {
        let completion = client.chat().create(question("small")).await.map_err(why)?;
        Ok(Seen::one(&completion.text()))
    }

    async fn send(client: &Client, messages: Vec<corpus::Message>, times: u64) -> Done {
        let request = request(messages);
        measure::mark();
        let mut seen = Seen::default();
        for _ in 0..times {
            let completion = client.chat().create(&request).await.map_err(why)?;
            seen = seen.then(Seen::one(&completion.text()));
        }
        Ok(seen)
    }

    async fn embeddings(client: &Client, model: &str) -> Done {
        let mut seen = Seen::new();
        let format = if model.starts_with("base64") { "base64" } else { "float" };
        let request = EmbeddingRequest::new(model, ["text"]).encoding_format(format);
        let list = client.embeddings().create(&request).await.map_err(why)?;
        list.data.iter().for_each(|item| corpus::see_vector(&mut seen, item.embedding.iter().copied()));
        Ok(seen)
    }

    async fn models(client: &Client, fields: bool) -> Done {
        let list = client.models().list().await.map_err(why)?;
        let mut seen = Seen::new();
        for model in &list.data {
            seen.items += 1;
            seen.text(&model.id);
            if fields {
                let field = |name: &str, pointer: &str| model.extra.get(name)?.pointer(pointer)?.as_str();
                seen.text(field("description", "").unwrap_or_default());
                seen.text(field("pricing", "/completion").unwrap_or_default());
                seen.text(field("supported_parameters", "/11").unwrap_or_default());
            }
        }
        std::hint::black_box(&list);
        Ok(seen)
    }

    async fn upload(client: &Client, path: &str) -> Done {
        let file = client.files().upload(FileSource::path(path), Purpose::Batch).await.map_err(why)?;
        Ok(Seen { items: 1, size: file.bytes.unwrap_or(0), hash: 0 })
    }

    async fn download(client: &Client, id: &str) -> Done {
        let mut pieces = client.files().content(id).await.map_err(why)?;
        let mut seen = Seen { items: 1, size: 0, hash: 0 };
        while let Some(piece) = pieces.next().await {
            seen.size += piece.map_err(why)?.len() as u64;
        }
        Ok(seen)
    }

    async fn open(client: &Client, model: &str) -> Done<Box<dyn Any>> {
        let mut chunks = client.chat().stream(question(model)).await.map_err(why)?;
        chunks.try_next().await.map_err(why)?.ok_or("ended early")?;
        Ok(Box::new(chunks))
    }
}
