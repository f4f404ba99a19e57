//! openai-oxide 0.17.

use std::any::Any;

use bytes::Bytes;
use futures::StreamExt;
use openai_oxide::streaming::SseStream;
use openai_oxide::types::chat::{ChatCompletionChunk, ChatCompletionMessageParam, ChatCompletionRequest, UserContent};
use openai_oxide::types::embedding::EmbeddingRequest;
use openai_oxide::types::file::FilePurpose;
use openai_oxide::{ClientConfig, OpenAI};
use peers::corpus::{self, Seen};
use peers::measure;
use peers::rows::{Done, Peer, why};

struct OpenaiOxide;

fn main() {
    peers::rows::main::<OpenaiOxide>();
}

fn client(base: &str) -> OpenAI {
    OpenAI::with_config(ClientConfig::new("key").base_url(base))
}

fn request(model: &str, text: String) -> ChatCompletionRequest {
    let messages = vec![
        ChatCompletionMessageParam::System { content: corpus::SYSTEM.into(), name: None },
        ChatCompletionMessageParam::User { content: UserContent::Text(text), name: None },
    ];
    let mut request = ChatCompletionRequest::new(model, messages);
    request.temperature = Some(0.2);
    request
}

async fn take_all(mut chunks: SseStream<ChatCompletionChunk>) -> Done {
    let mut seen = Seen::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(why)?;
        seen.items += 1;
        if let Some(text) = chunk.choices.first().and_then(|choice| choice.delta.content.as_deref()) {
            seen.text(text);
        }
        std::hint::black_box(&chunk);
    }
    Ok(seen)
}

impl Peer for OpenaiOxide {
    async fn decode(pieces: &'static [Bytes]) -> Done {
        let pieces = futures::stream::iter(pieces).map(|piece| Ok::<_, std::io::Error>(piece.clone()));
        let response = http::Response::new(reqwest::Body::wrap_stream(pieces));
        take_all(SseStream::new(reqwest::Response::from(response))).await
    }

    async fn stream(base: &str, model: &str, times: u64) -> Done {
        let client = client(base);
        let mut sum = Seen::default();
        for _ in 0..times {
            let request = request(model, corpus::QUESTION.into());
            let seen = take_all(client.chat().completions().create_stream(request).await.map_err(why)?).await?;
            sum = Seen { items: sum.items + seen.items, size: sum.size + seen.size, hash: seen.hash };
        }
        Ok(sum)
    }

    async fn calls(base: &str, times: u64) -> Done {
        let client = client(base);
        let mut seen = Seen::new();
        for _ in 0..times {
            let request = request("small", corpus::QUESTION.into());
            let reply = client.chat().completions().create(request).await.map_err(why)?;
            seen.items += 1;
            seen.text(reply.choices[0].message.content.as_deref().unwrap_or_default());
        }
        Ok(seen)
    }

    async fn prompt(base: &str, text: String) -> Done {
        let client = client(base);
        let request = request("small", text);
        measure::mark();
        let reply = client.chat().completions().create(request).await.map_err(why)?;
        let mut seen = Seen { items: 1, ..Seen::new() };
        seen.text(reply.choices[0].message.content.as_deref().unwrap_or_default());
        Ok(seen)
    }

    async fn embeddings(base: &str, model: &str, times: u64) -> Done {
        let client = client(base);
        let mut seen = Seen::new();
        for _ in 0..times {
            let mut request = EmbeddingRequest::new("text", model);
            let format = if model.starts_with("base64") { "\"base64\"" } else { "\"float\"" };
            request.encoding_format = Some(serde_json::from_str(format).map_err(why)?);
            let reply = client.embeddings().create(request).await.map_err(why)?;
            for item in &reply.data {
                let vector = item.embedding.as_ref().ok_or("reads no base64")?;
                corpus::see_vector(&mut seen, vector.iter().map(|number| *number as f32));
            }
        }
        Ok(seen)
    }

    fn build(base: &str) -> Done<Box<dyn Any>> {
        Ok(Box::new(client(base)))
    }

    async fn upload(base: &str, path: &str) -> Done {
        let reply = client(base).files().create_from_path(path, FilePurpose::Batch).await.map_err(why)?;
        Ok(Seen { items: 1, size: reply.bytes as u64, hash: 0 })
    }

    async fn download(base: &str, id: &str) -> Done {
        let content = client(base).files().content(id).await.map_err(why)?;
        Ok(Seen { items: 1, size: content.len() as u64, hash: 0 })
    }

    async fn idle(base: &str, many: u64) -> Done<Box<dyn Any>> {
        let client = client(base);
        let mut open = Vec::new();
        for _ in 0..many {
            open.push(first_chunk(&client, "idle").await?);
        }
        Ok(Box::new((client, open)))
    }

    async fn pause(base: &str) -> Done<Box<dyn Any>> {
        let client = client(base);
        let open = first_chunk(&client, "flood").await?;
        Ok(Box::new((client, open)))
    }
}

async fn first_chunk(client: &OpenAI, model: &str) -> Done<SseStream<ChatCompletionChunk>> {
    let request = request(model, corpus::QUESTION.into());
    let mut chunks = client.chat().completions().create_stream(request).await.map_err(why)?;
    chunks.next().await.ok_or("ended early")?.map_err(why)?;
    Ok(chunks)
}
