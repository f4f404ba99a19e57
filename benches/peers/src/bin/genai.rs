//! genai 0.7. It exposes text instead of chunks, and has neither uploads nor downloads.

use std::any::Any;

use futures::StreamExt;
use genai::adapter::AdapterKind;
use genai::chat::{ChatMessage, ChatOptions, ChatRequest, ChatResponse, ChatStream, ChatStreamEvent};
use genai::embed::EmbedOptions;
use genai::resolver::{AuthData, Endpoint, ServiceTargetResolver};
use genai::{Client, ModelIden, ServiceTarget};
use peers::corpus::{self, Role, Seen};
use peers::measure;
use peers::rows::{Done, Peer, why};

struct Genai;

fn main() {
    peers::rows::main::<Genai>();
}

fn question() -> ChatRequest {
    ChatRequest::new(vec![ChatMessage::system(corpus::SYSTEM), ChatMessage::user(corpus::QUESTION)])
}

fn options() -> ChatOptions {
    ChatOptions::default().with_temperature(0.2)
}

async fn open(client: &Client, model: &str) -> Done<ChatStream> {
    Ok(client.exec_chat_stream(model, question(), Some(&options())).await.map_err(why)?.stream)
}

fn see(response: &ChatResponse) -> Seen {
    Seen::one(response.first_text().unwrap_or_default())
}

impl Peer for Genai {
    type Client = Client;

    fn client(base: &str) -> Done<Client> {
        let base = format!("{base}/");
        let resolver = ServiceTargetResolver::from_resolver_fn(
            move |target: ServiceTarget| -> Result<ServiceTarget, genai::resolver::Error> {
                Ok(ServiceTarget {
                    endpoint: Endpoint::from_owned(base.clone()),
                    auth: AuthData::from_single("key"),
                    model: ModelIden::new(AdapterKind::OpenAI, target.model.model_name),
                })
            },
        );
        Ok(Client::builder().with_service_target_resolver(resolver).build().expect("a client"))
    }

    async fn stream(client: &Client, model: &str) -> Done {
        let mut seen = Seen { items: 0, ..Seen::new() };
        let mut events = open(client, model).await?;
        while let Some(event) = events.next().await {
            match event.map_err(why)? {
                ChatStreamEvent::Chunk(chunk) => seen.text(&chunk.content),
                event => drop(std::hint::black_box(event)),
            }
        }
        Ok(seen)
    }

    async fn call(client: &Client) -> Done {
        Ok(see(&client.exec_chat("small", question(), Some(&options())).await.map_err(why)?))
    }

    async fn send(client: &Client, messages: Vec<corpus::Message>, times: u64) -> Done {
        let message = |corpus::Message { role, text }| match role {
            Role::System => ChatMessage::system(text),
            Role::User => ChatMessage::user(text),
            Role::Assistant => ChatMessage::assistant(text),
        };
        let request = ChatRequest::new(messages.into_iter().map(message).collect());
        measure::mark();
        let mut seen = Seen::default();
        for request in std::iter::repeat_n(request, times as usize) {
            seen = seen.then(see(&client.exec_chat("digest", request, Some(&options())).await.map_err(why)?));
        }
        Ok(seen)
    }

    async fn embeddings(client: &Client, model: &str) -> Done {
        let mut seen = Seen::new();
        let format = if model.starts_with("base64") { "base64" } else { "float" };
        let options = EmbedOptions::default().with_encoding_format(format);
        let list = client.embed(model, "text", Some(&options)).await.map_err(why)?;
        list.embeddings.iter().for_each(|item| corpus::see_vector(&mut seen, item.vector.iter().copied()));
        Ok(seen)
    }

    async fn models(_: &Client, _: bool) -> Done {
        Err("keeps the names of models only".to_owned())
    }

    async fn open(client: &Client, model: &str) -> Done<Box<dyn Any>> {
        let mut events = open(client, model).await?;
        loop {
            if let ChatStreamEvent::Chunk(_) = events.next().await.ok_or("ended early")?.map_err(why)? {
                return Ok(Box::new(events));
            }
        }
    }
}
