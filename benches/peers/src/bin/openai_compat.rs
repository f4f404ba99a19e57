//! openai-compat 0.5.

use std::any::Any;

use bytes::Bytes;
use futures::StreamExt;
use openai_compat::types::chat::ChatCompletionChunk;
use openai_compat::types::embeddings::{EmbeddingRequest, EmbeddingVector};
use openai_compat::types::files::FileUpload;
use openai_compat::{ChatCompletionRequest, Client, EventStream, Message, SseDecoder};
use peers::corpus::{self, Dialect, Role, Seen};
use peers::measure;
use peers::rows::{Done, Peer, why};

struct OpenaiCompat;

fn main() {
    peers::rows::main::<OpenaiCompat>();
}

fn question(model: &str) -> ChatCompletionRequest {
    let messages = vec![Message::system(corpus::SYSTEM), Message::user(corpus::QUESTION)];
    ChatCompletionRequest::new(model, messages).temperature(0.2)
}

fn digest_request(messages: Vec<corpus::Message>) -> ChatCompletionRequest {
    let message = |corpus::Message { role, text }| match role {
        Role::System => Message::system(text),
        Role::User => Message::user(text),
        Role::Assistant => Message::assistant(text),
    };
    ChatCompletionRequest::new("digest", messages.into_iter().map(message).collect()).temperature(0.2)
}

fn take(chunk: ChatCompletionChunk, seen: &mut Seen) {
    seen.items += 1;
    if let Some(text) = chunk.content() {
        seen.text(text);
    }
    std::hint::black_box(&chunk);
}

async fn open(client: &Client, model: &str) -> Done<EventStream<ChatCompletionChunk>> {
    client.chat().completions().create_stream(question(model)).await.map_err(why)
}

impl Peer for OpenaiCompat {
    type Client = Client;

    fn client(base: &str) -> Done<Client> {
        Client::builder().base_url(base).api_key("key").build().map_err(why)
    }

    /// Its stream accepts no body from outside: the decoder, and what the stream does with an event.
    fn decode(_: Dialect, pieces: &'static [Bytes]) -> Done<impl AsyncFn() -> Done> {
        Ok(async move || {
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
        let request = digest_request(messages);
        Ok(move || serde_json::to_vec(&request).map_err(why))
    }

    async fn stream(client: &Client, model: &str) -> Done {
        let mut seen = Seen::new();
        let mut chunks = open(client, model).await?;
        while let Some(chunk) = chunks.next().await {
            take(chunk.map_err(why)?, &mut seen);
        }
        Ok(seen)
    }

    async fn call(client: &Client) -> Done {
        let completion = client.chat().completions().create(question("small")).await.map_err(why)?;
        Ok(Seen::one(completion.content().unwrap_or_default()))
    }

    async fn send(client: &Client, messages: Vec<corpus::Message>, times: u64) -> Done {
        let request = digest_request(messages);
        measure::mark();
        let mut seen = Seen::default();
        for request in std::iter::repeat_n(request, times as usize) {
            let completion = client.chat().completions().create(request).await.map_err(why)?;
            seen = seen.then(Seen::one(completion.content().unwrap_or_default()));
        }
        Ok(seen)
    }

    async fn embeddings(client: &Client, model: &str) -> Done {
        let mut seen = Seen::new();
        let mut request = EmbeddingRequest::new(model, "text");
        request.encoding_format = Some(if model.starts_with("base64") { "base64" } else { "float" }.to_owned());
        let list = client.embeddings().create(request).await.map_err(why)?;
        for item in &list.data {
            match &item.embedding {
                EmbeddingVector::Floats(vector) => corpus::see_vector(&mut seen, vector.iter().copied()),
                _ => return Err("does not decode base64".to_owned()),
            }
        }
        Ok(seen)
    }

    async fn models(client: &Client, fields: bool) -> Done {
        let list = client.models().list().await.map_err(why)?;
        if fields {
            return Err("keeps four fields of a model".to_owned());
        }
        let mut seen = Seen { items: list.data.len() as u64, ..Seen::new() };
        list.data.iter().for_each(|model| seen.text(&model.id));
        Ok(seen)
    }

    async fn upload(client: &Client, path: &str) -> Done {
        let file = FileUpload::from_path(path).await.map_err(why)?;
        let file = client.files().create(file, "batch").await.map_err(why)?;
        Ok(Seen { items: 1, size: serde_json::to_value(&file).map_err(why)?["bytes"].as_u64().unwrap_or(0), hash: 0 })
    }

    async fn download(client: &Client, id: &str) -> Done {
        let content = client.files().content(id).await.map_err(why)?;
        Ok(Seen { items: 1, size: content.len() as u64, hash: 0 })
    }

    async fn open(client: &Client, model: &str) -> Done<Box<dyn Any>> {
        let mut chunks = open(client, model).await?;
        chunks.next().await.ok_or("ended early")?.map_err(why)?;
        Ok(Box::new(chunks))
    }
}
