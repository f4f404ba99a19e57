//! A mock with images, files, moderations and errors, which is another reading of the API.

use openai_compatible::chat::{ChatRequest, Message, Tool, ToolSet};
use openai_compatible::files::{FileListRequest, Purpose};
use openai_compatible::images::ImageRequest;
use openai_compatible::moderations::ModerationRequest;
use openai_compatible::{Client, FileSource};
use serde_json::{Value, json};

fn client() -> Client {
    super::client("AIMOCK")
}

fn ask(question: &str) -> ChatRequest {
    ChatRequest::new("gpt-4o", [Message::user(question)])
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn completions_and_streams_say_the_same_in_every_script() {
    let chat = client().chat();
    let reply = chat.create(ask("rivers")).await.unwrap();
    assert!(reply.text().contains("日本語 🎉"), "{}", reply.text());
    assert_eq!(chat.stream(ask("rivers")).await.unwrap().collect().await.unwrap().text(), reply.text());
    let error = chat.create(ask("limit me")).await.unwrap_err();
    assert!(error.is_rate_limited(), "{error:#?}");
    let error = chat.stream(ask("limit me")).await.unwrap_err();
    assert!(error.is_rate_limited(), "{error:#?}");
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn a_tool_run_ends_with_the_answer() {
    let place = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let tools = ToolSet::new().add(Tool::with_schema("get_weather", "Weather", place), |_: Value| async { "rain" });
    let run = client().chat().run_tools(ask("weather"), &tools).await.unwrap();
    assert_eq!((&*run.text(), run.rounds), ("It is raining in Oslo, 4 degrees.", 2));
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn images_are_files() {
    let images = client().images().generate(ImageRequest::new("gpt-image-2", "a lighthouse")).await.unwrap();
    assert_eq!(&images.data[0].bytes().unwrap()[1..4], b"PNG");
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn files_are_stored_listed_read_and_deleted() {
    let files = client().files();
    let file = files.upload(FileSource::bytes("in.jsonl", "{}\n"), Purpose::Batch).await.unwrap();
    assert_eq!((file.filename.as_str(), file.bytes.is_some()), ("in.jsonl", true));
    assert_eq!(files.get(&file.id).await.unwrap().id, file.id);
    let listed = files.list(FileListRequest::new()).await.unwrap().data;
    assert!(listed.iter().any(|listed| listed.id == file.id));
    assert!(files.delete(&file.id).await.unwrap().deleted);
    assert!(files.get(&file.id).await.unwrap_err().is_not_found());
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn moderations_have_categories_and_scores() {
    let results = client().moderations().create(ModerationRequest::new("A river.")).await.unwrap().results;
    assert!(!results[0].flagged && results[0].categories.contains_key("hate/threatening"), "{results:?}");
    assert_eq!(results[0].flagged_categories().count(), 0);
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn a_route_that_it_lacks_is_not_found() {
    let request = openai_compatible::rerank::RerankRequest::new("m", "rivers", ["a", "b"]);
    assert!(client().rerank().create(&request).await.unwrap_err().is_not_found());
}
