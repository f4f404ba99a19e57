//! openai-oxide 0.17.

use std::any::Any;

use bytes::Bytes;
use futures::StreamExt;
use openai_oxide::streaming::SseStream;
use openai_oxide::types::chat::{
    ChatCompletionChunk, ChatCompletionMessageParam, ChatCompletionRequest, ChatCompletionResponse, UserContent,
};
use openai_oxide::types::embedding::EmbeddingRequest;
use openai_oxide::types::file::FilePurpose;
use openai_oxide::types::responses::ResponseStreamEvent;
use openai_oxide::{ClientConfig, OpenAI};
use peers::corpus::{self, Dialect, Role, Seen};
use peers::measure;
use peers::rows::{Done, Peer, why};

struct OpenaiOxide;

fn main() {
    peers::rows::main::<OpenaiOxide>();
}

fn question(model: &str) -> ChatCompletionRequest {
    let system = ChatCompletionMessageParam::System { content: corpus::SYSTEM.into(), name: None };
    let user = ChatCompletionMessageParam::User { content: UserContent::Text(corpus::QUESTION.into()), name: None };
    request(model, vec![system, user])
}

fn request(model: &str, messages: Vec<ChatCompletionMessageParam>) -> ChatCompletionRequest {
    let mut request = ChatCompletionRequest::new(model, messages);
    request.temperature = Some(0.2);
    request
}

fn digest_request(messages: Vec<corpus::Message>) -> ChatCompletionRequest {
    let message = |corpus::Message { role, text }| match role {
        Role::System => ChatCompletionMessageParam::System { content: text, name: None },
        Role::User => ChatCompletionMessageParam::User { content: UserContent::Text(text), name: None },
        Role::Assistant => {
            ChatCompletionMessageParam::Assistant { content: Some(text), name: None, tool_calls: None, refusal: None }
        }
    };
    request("digest", messages.into_iter().map(message).collect())
}

fn take(chunk: ChatCompletionChunk, seen: &mut Seen) {
    seen.items += 1;
    if let Some(text) = chunk.choices.first().and_then(|choice| choice.delta.content.as_deref()) {
        seen.text(text);
    }
    std::hint::black_box(&chunk);
}

async fn take_all(mut chunks: SseStream<ChatCompletionChunk>) -> Done {
    let mut seen = Seen::new();
    while let Some(chunk) = chunks.next().await {
        take(chunk.map_err(why)?, &mut seen);
    }
    Ok(seen)
}

fn see(completion: &ChatCompletionResponse) -> Seen {
    Seen::one(completion.choices[0].message.content.as_deref().unwrap_or_default())
}

impl Peer for OpenaiOxide {
    type Client = OpenAI;

    fn client(base: &str) -> Done<OpenAI> {
        Ok(OpenAI::with_config(ClientConfig::new("key").base_url(base)))
    }

    fn decode(_: Dialect, pieces: &'static [Bytes]) -> Done<impl AsyncFn() -> Done> {
        Ok(async move || {
            let pieces = futures::stream::iter(pieces).map(|piece| Ok::<_, std::io::Error>(piece.clone()));
            let response = http::Response::new(reqwest::Body::wrap_stream(pieces));
            take_all(SseStream::new(reqwest::Response::from(response))).await
        })
    }

    fn responses(pieces: &'static [Bytes]) -> Done<impl AsyncFn() -> Done> {
        Ok(async move || {
            let pieces = futures::stream::iter(pieces).map(|piece| Ok::<_, std::io::Error>(piece.clone()));
            let response = http::Response::new(reqwest::Body::wrap_stream(pieces));
            let mut events = SseStream::<ResponseStreamEvent>::new(reqwest::Response::from(response));
            let mut seen = Seen::new();
            while let Some(event) = events.next().await {
                let event = event.map_err(why)?;
                seen.items += 1;
                if let ResponseStreamEvent::ResponseOutputTextDelta(event) = &event {
                    seen.text(&event.delta);
                }
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
        let request = digest_request(messages);
        Ok(move || serde_json::to_vec(&request).map_err(why))
    }

    async fn stream(client: &OpenAI, model: &str) -> Done {
        take_all(client.chat().completions().create_stream(question(model)).await.map_err(why)?).await
    }

    async fn call(client: &OpenAI) -> Done {
        Ok(see(&client.chat().completions().create(question("small")).await.map_err(why)?))
    }

    async fn send(client: &OpenAI, messages: Vec<corpus::Message>, times: u64) -> Done {
        let request = digest_request(messages);
        measure::mark();
        let mut seen = Seen::default();
        for request in std::iter::repeat_n(request, times as usize) {
            seen = seen.then(see(&client.chat().completions().create(request).await.map_err(why)?));
        }
        Ok(seen)
    }

    async fn embeddings(client: &OpenAI, model: &str) -> Done {
        let mut seen = Seen::new();
        let mut request = EmbeddingRequest::new("text", model);
        let format = if model.starts_with("base64") { "\"base64\"" } else { "\"float\"" };
        request.encoding_format = Some(serde_json::from_str(format).map_err(why)?);
        let list = client.embeddings().create(request).await.map_err(why)?;
        for item in &list.data {
            let vector = item.embedding.as_ref().ok_or("does not decode base64")?;
            corpus::see_vector(&mut seen, vector.iter().map(|number| *number as f32));
        }
        Ok(seen)
    }

    async fn models(client: &OpenAI, fields: bool) -> Done {
        let list = client.models().list().await.map_err(why)?;
        if fields {
            return Err("keeps four fields of a model".to_owned());
        }
        let mut seen = Seen { items: list.data.len() as u64, ..Seen::new() };
        list.data.iter().for_each(|model| seen.text(&model.id));
        Ok(seen)
    }

    async fn upload(client: &OpenAI, path: &str) -> Done {
        let file = client.files().create_from_path(path, FilePurpose::Batch).await.map_err(why)?;
        Ok(Seen { items: 1, size: file.bytes as u64, hash: 0 })
    }

    async fn download(client: &OpenAI, id: &str) -> Done {
        let content = client.files().content(id).await.map_err(why)?;
        Ok(Seen { items: 1, size: content.len() as u64, hash: 0 })
    }

    async fn open(client: &OpenAI, model: &str) -> Done<Box<dyn Any>> {
        let mut chunks = client.chat().completions().create_stream(question(model)).await.map_err(why)?;
        chunks.next().await.ok_or("ended early")?.map_err(why)?;
        Ok(Box::new(chunks))
    }
}
