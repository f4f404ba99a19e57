//! async-openai 0.43.

use std::any::Any;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use async_openai::types::InputSource;
use async_openai::types::chat::{
    ChatCompletionRequestSystemMessageArgs, ChatCompletionRequestUserMessageArgs, ChatCompletionResponseStream,
    CreateChatCompletionRequest, CreateChatCompletionRequestArgs, CreateChatCompletionStreamResponse,
};
use async_openai::types::embeddings::{CreateEmbeddingRequest, CreateEmbeddingRequestArgs, EncodingFormat};
use async_openai::types::files::{CreateFileRequest, FileInput, FilePurpose};
use bytes::Bytes;
use futures::StreamExt;
use peers::corpus::{self, Seen};
use peers::measure;
use peers::rows::{Done, Peer, why};

struct AsyncOpenai;

fn main() {
    peers::rows::main::<AsyncOpenai>();
}

fn client(base: &str) -> Client<OpenAIConfig> {
    Client::with_config(OpenAIConfig::new().with_api_base(base).with_api_key("key"))
}

fn request(model: &str, text: String) -> Done<CreateChatCompletionRequest> {
    let system = ChatCompletionRequestSystemMessageArgs::default().content(corpus::SYSTEM).build().map_err(why)?;
    let user = ChatCompletionRequestUserMessageArgs::default().content(text).build().map_err(why)?;
    CreateChatCompletionRequestArgs::default()
        .model(model)
        .messages([system.into(), user.into()])
        .temperature(0.2)
        .build()
        .map_err(why)
}

fn take(chunk: CreateChatCompletionStreamResponse, seen: &mut Seen) {
    seen.items += 1;
    if let Some(text) = chunk.choices.first().and_then(|choice| choice.delta.content.as_deref()) {
        seen.text(text);
    }
    std::hint::black_box(&chunk);
}

async fn take_all(mut chunks: ChatCompletionResponseStream) -> Done {
    let mut seen = Seen::new();
    while let Some(chunk) = chunks.next().await {
        take(chunk.map_err(why)?, &mut seen);
    }
    Ok(seen)
}

impl Peer for AsyncOpenai {
    async fn decode(pieces: &'static [Bytes]) -> Done {
        let service = tower::service_fn(move |_: HttpRequestFactory| async move {
            let pieces = futures::stream::iter(pieces).map(|piece| Ok::<_, std::io::Error>(piece.clone()));
            let response = http::Response::builder().header("content-type", "text/event-stream");
            let response = response.body(reqwest::Body::wrap_stream(pieces)).expect("a response");
            Ok::<_, OpenAIError>(reqwest::Response::from(response))
        });
        let client = client("http://memory/v1").with_http_service(service);
        take_all(client.chat().create_stream(request("m", String::new())?).await.map_err(why)?).await
    }

    async fn stream(base: &str, model: &str, times: u64) -> Done {
        let client = client(base);
        let mut sum = Seen::default();
        for _ in 0..times {
            let chunks = client.chat().create_stream(request(model, corpus::QUESTION.into())?).await.map_err(why)?;
            let seen = take_all(chunks).await?;
            sum = Seen { items: sum.items + seen.items, size: sum.size + seen.size, hash: seen.hash };
        }
        Ok(sum)
    }

    async fn calls(base: &str, times: u64) -> Done {
        let client = client(base);
        let mut seen = Seen::new();
        for _ in 0..times {
            let reply = client.chat().create(request("small", corpus::QUESTION.into())?).await.map_err(why)?;
            seen.items += 1;
            seen.text(reply.choices[0].message.content.as_deref().unwrap_or_default());
        }
        Ok(seen)
    }

    async fn prompt(base: &str, text: String) -> Done {
        let client = client(base);
        let request = request("small", text)?;
        measure::mark();
        let reply = client.chat().create(request).await.map_err(why)?;
        let mut seen = Seen { items: 1, ..Seen::new() };
        seen.text(reply.choices[0].message.content.as_deref().unwrap_or_default());
        Ok(seen)
    }

    async fn embeddings(base: &str, model: &str, times: u64) -> Done {
        let client = client(base);
        let mut seen = Seen::new();
        for _ in 0..times {
            let is_base64 = model.starts_with("base64");
            let request: CreateEmbeddingRequest = CreateEmbeddingRequestArgs::default()
                .model(model)
                .input(["text"])
                .encoding_format(if is_base64 { EncodingFormat::Base64 } else { EncodingFormat::Float })
                .build()
                .map_err(why)?;
            if is_base64 {
                let reply = client.embeddings().create_base64(request).await.map_err(why)?;
                for item in reply.data {
                    let vector: Vec<f32> = item.embedding.into();
                    corpus::see_vector(&mut seen, vector.into_iter());
                }
            } else {
                let reply = client.embeddings().create(request).await.map_err(why)?;
                reply.data.iter().for_each(|item| corpus::see_vector(&mut seen, item.embedding.iter().copied()));
            }
        }
        Ok(seen)
    }

    fn build(base: &str) -> Done<Box<dyn Any>> {
        Ok(Box::new(client(base)))
    }

    async fn upload(base: &str, path: &str) -> Done {
        let file = FileInput { source: InputSource::Path { path: path.into() } };
        let request = CreateFileRequest { file, purpose: FilePurpose::Batch, expires_after: None };
        let reply = client(base).files().create(request).await.map_err(why)?;
        Ok(Seen { items: 1, size: u64::from(reply.bytes.unwrap_or(0)), hash: 0 })
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

async fn first_chunk(client: &Client<OpenAIConfig>, model: &str) -> Done<ChatCompletionResponseStream> {
    let mut chunks = client.chat().create_stream(request(model, corpus::QUESTION.into())?).await.map_err(why)?;
    chunks.next().await.ok_or("ended early")?.map_err(why)?;
    Ok(chunks)
}
