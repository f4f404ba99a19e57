//! async-openai 0.43.

use std::any::Any;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use async_openai::types::InputSource;
use async_openai::types::chat::{
    ChatCompletionRequestAssistantMessage, ChatCompletionRequestMessage, ChatCompletionRequestSystemMessage,
    ChatCompletionRequestUserMessage, ChatCompletionResponseStream, CreateChatCompletionRequest,
    CreateChatCompletionRequestArgs, CreateChatCompletionResponse, CreateChatCompletionStreamResponse,
};
use async_openai::types::embeddings::{CreateEmbeddingRequest, CreateEmbeddingRequestArgs, EncodingFormat};
use async_openai::types::files::{CreateFileRequest, FileInput, FilePurpose};
use async_openai::types::responses::{CreateResponseArgs, ResponseStreamEvent};
use bytes::Bytes;
use futures::StreamExt;
use peers::corpus::{self, Dialect, Role, Seen};
use peers::measure;
use peers::rows::{Done, Peer, why};

struct AsyncOpenai;

fn main() {
    peers::rows::main::<AsyncOpenai>();
}

/// A client whose responses have this body.
fn in_memory(pieces: &'static [Bytes]) -> Done<Client<OpenAIConfig>> {
    let service = tower::service_fn(move |_: HttpRequestFactory| async move {
        let pieces = futures::stream::iter(pieces).map(|piece| Ok::<_, std::io::Error>(piece.clone()));
        let response = http::Response::builder().header("content-type", "text/event-stream");
        let response = response.body(reqwest::Body::wrap_stream(pieces)).expect("a response");
        Ok::<_, OpenAIError>(reqwest::Response::from(response))
    });
    Ok(AsyncOpenai::client("http://memory/v1")?.with_http_service(service))
}

fn question(model: &str) -> Done<CreateChatCompletionRequest> {
    let system = ChatCompletionRequestSystemMessage::from(corpus::SYSTEM);
    let user = ChatCompletionRequestUserMessage::from(corpus::QUESTION);
    request(model, vec![system.into(), user.into()])
}

fn request(model: &str, messages: Vec<ChatCompletionRequestMessage>) -> Done<CreateChatCompletionRequest> {
    CreateChatCompletionRequestArgs::default().model(model).messages(messages).temperature(0.2).build().map_err(why)
}

fn digest_request(messages: Vec<corpus::Message>) -> Done<CreateChatCompletionRequest> {
    let message = |corpus::Message { role, text }| match role {
        Role::System => ChatCompletionRequestSystemMessage::from(text).into(),
        Role::User => ChatCompletionRequestUserMessage::from(text).into(),
        Role::Assistant => ChatCompletionRequestAssistantMessage::from(text.as_str()).into(),
    };
    request("digest", messages.into_iter().map(message).collect())
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

fn see(completion: &CreateChatCompletionResponse) -> Seen {
    Seen::one(completion.choices[0].message.content.as_deref().unwrap_or_default())
}

impl Peer for AsyncOpenai {
    type Client = Client<OpenAIConfig>;

    fn client(base: &str) -> Done<Self::Client> {
        Ok(Client::with_config(OpenAIConfig::new().with_api_base(base).with_api_key("key")))
    }

    fn decode(_: Dialect, pieces: &'static [Bytes]) -> Done<impl AsyncFn() -> Done> {
        let (client, request) = (in_memory(pieces)?, question("m")?);
        Ok(async move || take_all(client.chat().create_stream(request.clone()).await.map_err(why)?).await)
    }

    fn responses(pieces: &'static [Bytes]) -> Done<impl AsyncFn() -> Done> {
        let client = in_memory(pieces)?;
        let request = CreateResponseArgs::default().model("m").input(corpus::QUESTION).build().map_err(why)?;
        Ok(async move || {
            let mut seen = Seen::new();
            let mut events = client.responses().create_stream(request.clone()).await.map_err(why)?;
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
        let request = digest_request(messages)?;
        Ok(move || serde_json::to_vec(&request).map_err(why))
    }

    async fn stream(client: &Self::Client, model: &str) -> Done {
        take_all(client.chat().create_stream(question(model)?).await.map_err(why)?).await
    }

    async fn call(client: &Self::Client) -> Done {
        Ok(see(&client.chat().create(question("small")?).await.map_err(why)?))
    }

    async fn send(client: &Self::Client, messages: Vec<corpus::Message>, times: u64) -> Done {
        let request = digest_request(messages)?;
        measure::mark();
        let mut seen = Seen::default();
        for request in std::iter::repeat_n(request, times as usize) {
            seen = seen.then(see(&client.chat().create(request).await.map_err(why)?));
        }
        Ok(seen)
    }

    async fn embeddings(client: &Self::Client, model: &str) -> Done {
        let mut seen = Seen::new();
        let is_base64 = model.starts_with("base64");
        let request: CreateEmbeddingRequest = CreateEmbeddingRequestArgs::default()
            .model(model)
            .input(["text"])
            .encoding_format(if is_base64 { EncodingFormat::Base64 } else { EncodingFormat::Float })
            .build()
            .map_err(why)?;
        if is_base64 {
            let list = client.embeddings().create_base64(request).await.map_err(why)?;
            for item in list.data {
                let vector: Vec<f32> = item.embedding.into();
                corpus::see_vector(&mut seen, vector.into_iter());
            }
        } else {
            let list = client.embeddings().create(request).await.map_err(why)?;
            list.data.iter().for_each(|item| corpus::see_vector(&mut seen, item.embedding.iter().copied()));
        }
        Ok(seen)
    }

    async fn models(client: &Self::Client, fields: bool) -> Done {
        let list = client.models().list().await.map_err(why)?;
        if fields {
            return Err("keeps five fields of a model".to_owned());
        }
        let mut seen = Seen { items: list.data.len() as u64, ..Seen::new() };
        list.data.iter().for_each(|model| seen.text(&model.id));
        Ok(seen)
    }

    async fn upload(client: &Self::Client, path: &str) -> Done {
        let file = FileInput { source: InputSource::Path { path: path.into() } };
        let request = CreateFileRequest { file, purpose: FilePurpose::Batch, expires_after: None };
        let file = client.files().create(request).await.map_err(why)?;
        Ok(Seen { items: 1, size: u64::from(file.bytes.unwrap_or(0)), hash: 0 })
    }

    async fn download(client: &Self::Client, id: &str) -> Done {
        let content = client.files().content(id).await.map_err(why)?;
        Ok(Seen { items: 1, size: content.len() as u64, hash: 0 })
    }

    async fn open(client: &Self::Client, model: &str) -> Done<Box<dyn Any>> {
        let mut chunks = client.chat().create_stream(question(model)?).await.map_err(why)?;
        chunks.next().await.ok_or("ended early")?.map_err(why)?;
        Ok(Box::new(chunks))
    }
}
