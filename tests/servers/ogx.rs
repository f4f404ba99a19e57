//! OGX, which stores responses and conversations.

use std::time::Duration;

use futures::TryStreamExt;
use openai_compatible::batches::BatchInput;
use openai_compatible::chat::{ChatCompletion, ChatRequest, Message, Tool};
use openai_compatible::conversations::ConversationRequest;
use openai_compatible::embeddings::EmbeddingRequest;
use openai_compatible::files::{FileListRequest, Purpose};
use openai_compatible::responses::{Item, ItemListRequest, ResponseGetRequest, ResponseRequest, ResponseStatus};
use openai_compatible::{Client, ErrorKind, FileSource};
use serde_json::{Value, json};

fn client() -> Client {
    super::client("OGX")
}

fn ask(question: &str) -> ResponseRequest {
    let model = super::variable("OGX_MODEL");
    ResponseRequest::new(model, question).max_output_tokens(24).temperature(0.0)
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn response_is_stored_listed_and_deleted() {
    let responses = client().responses();
    let created = responses.create(ask("Name three rivers.")).await.unwrap();
    assert!(!created.text().is_empty() && created.status.is_terminal(), "{created:?}");

    let stored = responses.get(&created.id).await.unwrap();
    assert_eq!((stored.text(), &stored.id), (created.text(), &created.id));
    let items = responses.input_items(&created.id, ItemListRequest::new()).await.unwrap().data;
    let Some(Item::Message(message)) = items.first() else { panic!("{items:?}") };
    assert_eq!(message.content.text(), "Name three rivers.");

    assert_eq!(responses.delete(&created.id).await.unwrap().id, created.id);
    let error = responses.get(&created.id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Api);
    assert!(error.is_not_found(), "{error}");
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn stream_gives_the_response_that_the_server_stores() {
    let responses = client().responses();
    let mut events = responses.stream(ask("Say hello.")).await.unwrap();
    let (mut text, mut deltas) = (String::new(), 0);
    while let Some(event) = events.try_next().await.unwrap() {
        deltas += usize::from(!event.text_delta().is_empty());
        text += event.text_delta();
    }
    let collected = events.collect().await.unwrap();
    assert!(deltas > 3, "{deltas} deltas");
    assert_eq!(text, collected.text());
    assert_eq!(responses.get(&collected.id).await.unwrap().text(), text);
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn follow_up_refers_to_the_stored_response() {
    let responses = client().responses();
    let request = ask("Say hello.");
    let first = responses.create(&request).await.unwrap();
    let request = request.follow_up(&first, "Say it again.");
    assert_eq!(request.previous_response_id.as_ref(), Some(&first.id));
    let second = responses.create(&request).await.unwrap();
    assert_eq!(second.previous_response_id.as_ref(), Some(&first.id));
    let input = |response: &openai_compatible::responses::Response| response.usage.as_ref().unwrap().input_tokens;
    assert!(input(&second) > input(&first), "the second response knows the first turn");
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn background_response_is_waited_for() {
    let responses = client().responses();
    let mut job =
        responses.run(ask("Name three rivers.")).poll_interval(Duration::from_millis(50), Duration::from_millis(200));
    let mut states = Vec::new();
    while let Some(response) = job.try_next().await.unwrap() {
        states.push(response.status);
    }
    assert!(!states[0].is_terminal(), "{states:?}");
    assert!(states.last().unwrap().is_terminal(), "{states:?}");
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn background_response_is_cancelled() {
    let responses = client().responses();
    let created = responses.create(ask("Tell a long story.").max_output_tokens(200).background(true)).await.unwrap();
    assert!(!created.status.is_terminal(), "{}", created.status);
    let cancelled = responses.cancel(&created.id).await.unwrap();
    assert_eq!(cancelled.status, ResponseStatus::Cancelled);
    let ended = responses.wait(&created.id).await.unwrap();
    assert_eq!(ended.status, ResponseStatus::Cancelled);
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn conversation_keeps_the_items_of_its_responses() {
    let client = client();
    let conversation =
        client.conversations().create(ConversationRequest::new().metadata("topic", "rivers")).await.unwrap();
    let request = ask("Name a river.").conversation(&conversation.id);
    let response = client.responses().create(&request).await.unwrap();
    client.responses().create(request.follow_up(&response, "Name another.")).await.unwrap();

    let items = client.conversations().items(&conversation.id);
    let listed: Vec<Item> =
        items.list(ItemListRequest::new()).await.unwrap().into_stream().try_collect().await.unwrap();
    let texts: Vec<_> = listed
        .iter()
        .filter_map(|item| match item {
            Item::Message(message) => Some(message.content.text().into_owned()),
            _ => None,
        })
        .collect();
    assert!(texts.len() >= 4 && texts.iter().any(|text| text == "Name another."), "{texts:?}");

    let got = client.conversations().get(&conversation.id).await.unwrap();
    assert_eq!(got.metadata["topic"], "rivers");
    client.conversations().delete(&conversation.id).await.unwrap();
    assert!(client.conversations().get(&conversation.id).await.unwrap_err().is_not_found());
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn unknown_response_and_unknown_model_are_not_found() {
    let responses = client().responses();
    let error = responses.get(ResponseGetRequest::new("resp_unknown")).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
    let error = responses.create(ResponseRequest::new("no-such-model", "Hi")).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn completion_is_what_the_server_wrote_whole_and_streamed() {
    let client = client();
    let question = Message::user("Name three rivers.");
    let request = ChatRequest::new(super::variable("OGX_MODEL"), [question]).max_tokens(24).temperature(0.0);
    let raw: Value = client.post("chat/completions", &request).await.unwrap();
    let completion = client.chat().create(&request).await.unwrap();
    assert_eq!(completion.text(), raw["choices"][0]["message"]["content"].as_str().unwrap());
    assert_eq!(completion.finish_reason().unwrap().as_str(), raw["choices"][0]["finish_reason"].as_str().unwrap());
    assert_eq!(completion.usage.as_ref().unwrap().total_tokens, raw["usage"]["total_tokens"].as_u64().unwrap());

    let streamed = client.chat().stream(request.include_usage(true)).await.unwrap().collect().await.unwrap();
    assert_eq!(streamed.text(), completion.text());
    assert_eq!(streamed.usage.unwrap().total_tokens, completion.usage.unwrap().total_tokens);
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn tool_is_called_with_typed_arguments() {
    let schema =
        json!({"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}}, "required": ["city"]});
    let request = ask("Weather in Oslo?").max_output_tokens(100).tools([Tool::with_schema(
        "weather",
        "Weather in a city",
        schema,
    )]);
    let response = client().responses().create(&request).await.unwrap();
    let call = response.tool_calls().next().expect("a call of the tool");
    assert!(call.arguments::<Value>().unwrap()["city"].is_string(), "{call:?}");
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn dropping_a_stream_frees_the_model() {
    let request = ask("Tell a long story.").max_output_tokens(1900).extra("ignore_eos", true);
    let mut events = client().responses().stream(&request).await.unwrap();
    while events.try_next().await.unwrap().is_some_and(|event| event.text_delta().is_empty()) {}
    drop(events);
    super::expect_idle_model().await;
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn file_is_uploaded_listed_downloaded_and_deleted() {
    let files = client().files();
    let text = "The Nile, the Rhine, the Mekong.\n".repeat(1000);
    let file = files.upload(FileSource::bytes("rivers.txt", text.clone()), Purpose::Assistants).await.unwrap();
    assert_eq!((file.filename.as_str(), file.bytes), ("rivers.txt", Some(text.len() as u64)));

    let all: Vec<_> = files.list(FileListRequest::new()).await.unwrap().into_stream().try_collect().await.unwrap();
    assert!(all.iter().any(|listed| listed.id == file.id), "{all:?}");
    assert_eq!(files.get(&file.id).await.unwrap().filename, "rivers.txt");
    assert_eq!(files.content(&file.id).await.unwrap().text().await.unwrap(), text);

    assert!(files.delete(&file.id).await.unwrap().deleted);
    let error = files.get(&file.id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Api);
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn batch_runs_from_requests_to_rows() {
    let client = client();
    let mut input = BatchInput::new();
    for river in ["Nile", "Rhine"] {
        let question = Message::user(format!("Where does the {river} flow?"));
        input.push(river, &ChatRequest::new(super::variable("OGX_MODEL"), [question]).max_tokens(16)).unwrap();
    }

    let submitted = client.batches().submit(input).await.unwrap();
    let (fastest, slowest) = (Duration::from_millis(200), Duration::from_secs(1));
    let batch = client.batches().wait(&submitted.id).poll_interval(fastest, slowest).await.unwrap();
    let counts = batch.request_counts.as_ref().unwrap();
    assert_eq!((counts.total, counts.completed, counts.failed), (2, 2, 0));

    let rows: Vec<_> = client.batches().results::<ChatCompletion>(&batch).try_collect().await.unwrap();
    let mut ids: Vec<_> = rows.iter().map(|row| (row.custom_id.as_str(), row.result.is_ok())).collect();
    ids.sort_unstable();
    assert_eq!(ids, [("Nile", true), ("Rhine", true)]);
    for completion in rows.iter().filter_map(|row| row.result.as_ref().ok()) {
        assert!(!completion.text().is_empty() && completion.usage.is_some(), "{completion:?}");
    }
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn rejected_batch_names_its_line() {
    let mut input = BatchInput::new();
    input.push("unknown", &ChatRequest::new("no-such-model", [Message::user("Hi")])).unwrap();
    let error = client().batches().run(input).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Api);
    assert!(error.to_string().contains("line 1: Model 'no-such-model'"), "{error}");
    assert!(error.batch().unwrap().status.is_terminal());
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn embeddings_pass_through() {
    let texts = ["a river", "a mountain", "a lake"];
    let models = client().models().list().await.unwrap().data;
    let model = models.iter().find(|model| model.id.contains("embed")).expect("a model of embeddings");
    let request = EmbeddingRequest::new(&model.id, texts);
    let embeddings = client().embeddings().create(request).await.unwrap();
    assert_eq!(embeddings.data.len(), texts.len());
    assert!(embeddings.data.iter().all(|item| item.embedding.len() == 576));
}
