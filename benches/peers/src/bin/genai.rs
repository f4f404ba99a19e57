//! genai 0.7. It shows text, not chunks, and has neither uploads nor downloads.

use std::any::Any;

use futures::StreamExt;
use genai::adapter::AdapterKind;
use genai::chat::{ChatMessage, ChatOptions, ChatRequest, ChatStream, ChatStreamEvent};
use genai::embed::EmbedOptions;
use genai::resolver::{AuthData, Endpoint, ServiceTargetResolver};
use genai::{Client, ModelIden, ServiceTarget};
use peers::corpus::{self, Seen};
use peers::measure;
use peers::rows::{Done, Peer, why};

struct Genai;

fn main() {
    peers::rows::main::<Genai>();
}

fn client(base: &str) -> Client {
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
    Client::builder().with_service_target_resolver(resolver).build().expect("a client")
}

fn request(text: String) -> ChatRequest {
    ChatRequest::new(vec![ChatMessage::system(corpus::SYSTEM), ChatMessage::user(text)])
}

fn options() -> ChatOptions {
    ChatOptions::default().with_temperature(0.2)
}

async fn open(client: &Client, model: &str) -> Done<ChatStream> {
    let request = request(corpus::QUESTION.into());
    Ok(client.exec_chat_stream(model, request, Some(&options())).await.map_err(why)?.stream)
}

impl Peer for Genai {
    async fn stream(base: &str, model: &str, times: u64) -> Done {
        let client = client(base);
        let mut sum = Seen::default();
        for _ in 0..times {
            let mut seen = Seen { items: 0, ..Seen::new() };
            let mut events = open(&client, model).await?;
            while let Some(event) = events.next().await {
                match event.map_err(why)? {
                    ChatStreamEvent::Chunk(chunk) => seen.text(&chunk.content),
                    event => drop(std::hint::black_box(event)),
                }
            }
            sum = Seen { items: 0, size: sum.size + seen.size, hash: seen.hash };
        }
        Ok(sum)
    }

    async fn calls(base: &str, times: u64) -> Done {
        let client = client(base);
        let mut seen = Seen::new();
        for _ in 0..times {
            let reply =
                client.exec_chat("small", request(corpus::QUESTION.into()), Some(&options())).await.map_err(why)?;
            seen.items += 1;
            seen.text(reply.first_text().unwrap_or_default());
        }
        Ok(seen)
    }

    async fn prompt(base: &str, text: String) -> Done {
        let client = client(base);
        let request = request(text);
        measure::mark();
        let reply = client.exec_chat("small", request, Some(&options())).await.map_err(why)?;
        let mut seen = Seen { items: 1, ..Seen::new() };
        seen.text(reply.first_text().unwrap_or_default());
        Ok(seen)
    }

    async fn embeddings(base: &str, model: &str, times: u64) -> Done {
        let client = client(base);
        let mut seen = Seen::new();
        for _ in 0..times {
            let format = if model.starts_with("base64") { "base64" } else { "float" };
            let options = EmbedOptions::default().with_encoding_format(format);
            let reply = client.embed(model, "text", Some(&options)).await.map_err(why)?;
            reply.embeddings.iter().for_each(|item| corpus::see_vector(&mut seen, item.vector.iter().copied()));
        }
        Ok(seen)
    }

    fn build(base: &str) -> Done<Box<dyn Any>> {
        Ok(Box::new(client(base)))
    }

    async fn idle(base: &str, many: u64) -> Done<Box<dyn Any>> {
        let client = client(base);
        let mut opened = Vec::new();
        for _ in 0..many {
            opened.push(first_chunk(&client, "idle").await?);
        }
        Ok(Box::new((client, opened)))
    }

    async fn pause(base: &str) -> Done<Box<dyn Any>> {
        let client = client(base);
        let opened = first_chunk(&client, "flood").await?;
        Ok(Box::new((client, opened)))
    }
}

async fn first_chunk(client: &Client, model: &str) -> Done<ChatStream> {
    let mut events = open(client, model).await?;
    loop {
        if let ChatStreamEvent::Chunk(_) = events.next().await.ok_or("ended early")?.map_err(why)? {
            return Ok(events);
        }
    }
}
