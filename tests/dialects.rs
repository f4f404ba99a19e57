//! What real servers answer, provider by provider: each case of `fixtures/dialects/manifest.json` over a real socket.

use openai_compatible::chat::{ChatCompletion, ChatRequest, Message};
use openai_compatible::embeddings::EmbeddingRequest;
use openai_compatible::responses::ResponseRequest;
use openai_compatible::{Client, Error, ErrorKind};
use serde_json::{Value, json};

mod support;
use support::{Reply, Server, fixture, fixture_json};

fn request() -> ChatRequest {
    ChatRequest::new("m", [Message::user("Hi")])
}

/// The same facts about a reply as the manifest tells.
fn facts(reply: &ChatCompletion) -> Value {
    json!({
        "text": reply.text(),
        "reasoning": reply.reasoning().unwrap_or_default(),
        "tools": reply.tool_calls().len(),
    })
}

fn failed(error: &Error) -> Value {
    json!({
        "error": true,
        "status": error.status().map(|status| status.as_u16()),
        "message": error.api_error().map(|api| api.message.clone()),
        // An error keeps what was read of the reply.
        "text": error.completion().map(|completion| completion.text().into_owned()),
    })
}

async fn chat(client: &Client) -> Value {
    match client.chat().create(request()).await {
        Ok(reply) => facts(&reply),
        Err(error) => failed(&error),
    }
}

async fn chat_stream(client: &Client) -> Value {
    let mut chunks = match client.chat().stream(request()).await {
        Ok(chunks) => chunks,
        Err(error) => return failed(&error),
    };
    let mut accumulator = openai_compatible::chat::Accumulator::new();
    let error = loop {
        match chunks.try_next().await {
            Ok(Some(chunk)) => accumulator.push(chunk),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    let reply = accumulator.finish();
    let text = reply.as_ref().map(|reply| reply.text().into_owned()).unwrap_or_default();
    match error {
        Some(error) => {
            assert!(matches!(error.kind(), ErrorKind::Stream), "{error}");
            let mut facts = failed(&error);
            facts["text_before"] = json!(text);
            facts
        }
        None => reply.as_ref().map(facts).unwrap_or_default(),
    }
}

/// The one place that knows which kinds are asked raw: a resource moves its kind to an arm of its own.
async fn ask(client: &Client, kind: &str) -> Value {
    match kind {
        "chat" | "error" => chat(client).await,
        "chat_stream" => chat_stream(client).await,
        "models" => match client.models().list().await {
            Ok(models) => json!({ "n": models.data.len() }),
            Err(error) => failed(&error),
        },
        "embeddings" => match client.embeddings().create(EmbeddingRequest::new("m", "a")).await {
            Ok(vectors) => json!({ "dims": vectors.data[0].embedding.len() }),
            Err(error) => failed(&error),
        },
        "responses" => match client.responses().create(ResponseRequest::new("m", "Hi")).await {
            Ok(response) => json!({ "text": response.text() }),
            Err(error) => failed(&error),
        },
        "responses_stream" => {
            let mut events = client.responses().stream(ResponseRequest::new("m", "Hi")).await.unwrap();
            let mut items = 0;
            loop {
                match events.try_next().await {
                    Ok(Some(_)) => items += 1,
                    Ok(None) => return json!({ "items": items }),
                    // A truncated stream, whose events count all the same.
                    Err(error) if error.api_error().is_none() => return json!({ "items": items }),
                    Err(error) => return failed(&error),
                }
            }
        }
        other => panic!("the manifest has a new kind: {other}"),
    }
}

/// What the manifest expects and does not find.
fn missed(expected: &Value, found: &Value) -> Vec<String> {
    let holds = |name: &str, expected: &Value| match name {
        "error_or_text" => found["error"] == json!(true) || found["text"] == *expected,
        "message" => {
            let message = found["message"].as_str();
            message.is_some_and(|message| message.contains(expected.as_str().unwrap()))
        }
        name => found[name] == *expected,
    };
    let expected = expected.as_object().unwrap().iter();
    let missed = expected.filter(|(name, expected)| !holds(name, expected));
    missed.map(|(name, expected)| format!("{name} should be {expected}, found {found}")).collect()
}

#[tokio::test]
async fn every_dialect_of_the_manifest_is_understood() {
    let manifest = fixture_json("dialects/manifest.json");
    let cases = manifest.as_array().unwrap();
    let mut failures = Vec::new();
    for case in cases {
        let (file, kind) = (case["file"].as_str().unwrap(), case["kind"].as_str().unwrap());
        let mut reply = Reply::status(u16::try_from(case["status"].as_u64().unwrap()).unwrap())
            .header("content-type", case["content_type"].as_str().unwrap())
            .body(fixture(&format!("dialects/{file}")));
        for (name, value) in case["headers"].as_object().unwrap() {
            reply = reply.header(name, value.as_str().unwrap());
        }
        let server = Server::start([reply]).await;
        let client = Client::builder().base_url(server.base_url()).max_retries(0).build().unwrap();
        let found = ask(&client, kind).await;
        failures.extend(missed(&case["expect"], &found).iter().map(|missed| format!("{file}: {missed}")));
    }
    assert_eq!(cases.len(), 47);
    assert_eq!(failures, Vec::<String>::new());
}

#[tokio::test]
async fn a_thought_signature_travels_back_with_the_next_request() {
    let body = fixture_json("dialects/gemini_chat_tool_empty_id.json");
    let server = Server::start([Reply::ok_json(&body)]).await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();

    let reply = client.chat().create(request()).await.unwrap();
    client.chat().create(request().message(reply)).await.unwrap();

    let sent = server.requests()[1].json();
    let call = &body["choices"][0]["message"]["tool_calls"][0];
    assert!(call["extra_content"].is_object());
    assert_eq!(sent["messages"][1]["tool_calls"][0]["extra_content"], call["extra_content"]);
}
