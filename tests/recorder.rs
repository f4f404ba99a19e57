//! Recordings of real traffic, and their replay.

mod support;

use std::time::Duration;

use futures::TryStreamExt;
use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::files::Purpose;
use openai_compatible::testing::Recorder;
use openai_compatible::{Client, ErrorKind, FileSource};
use serde_json::json;
use support::{Folder, Reply, Server};
use tokio::time::Instant;

fn ask(question: &str) -> ChatRequest {
    ChatRequest::new("m", [Message::user(question)])
}

fn completion(text: &str) -> Reply {
    Reply::ok_json(&json!({"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}))
        .header("set-cookie", "session=secret-cookie")
        .header("x-request-id", "req_1")
        .header("openai-organization", "org-secretorg123")
}

fn client(url: String, recorder: &Recorder) -> Client {
    let builder = Client::builder().base_url(url).api_key("sk-secret-key-123").organization("org-secretorg123");
    builder.query("token", "secret-token-1").http_service(recorder.clone()).max_retries(0).build().unwrap()
}

#[tokio::test]
async fn exchanges_are_recorded_once_and_replayed_without_the_server() {
    let folder = Folder::new();
    let path = folder.path().join("recordings/rivers.json");
    let chunks = |text: &str| {
        format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n")
    };
    let stream = Reply::sse("").piece(chunks("Ni")).piece(chunks("le ü")).piece("data: [DONE]\n\n");
    let failure =
        Reply::status(429).json(&json!({"error": {"message": "Limit of org-secretorg123, key sk-secret-key-123"}}));
    let server = Server::start([completion("Nile"), stream, failure, Reply::ok_json(&json!({"id": "file-1"}))]).await;

    let recorder = Recorder::new(&path).unwrap();
    assert!(!recorder.is_replaying());
    for replay in [false, true] {
        let recorder = if replay { Recorder::new(&path).unwrap() } else { recorder.clone() };
        assert_eq!(recorder.is_replaying(), replay);
        // Another port when it is replayed: the path counts.
        let client = client(if replay { "http://elsewhere.test/v1".to_owned() } else { server.base_url() }, &recorder);
        let reply = client.chat().create(ask("River?")).with_response().await.unwrap();
        assert_eq!((&*reply.text(), reply.request_id()), ("Nile", Some("req_1")));
        let texts: Vec<String> =
            client.chat().stream(ask("Stream")).await.unwrap().texts().try_collect().await.unwrap();
        assert_eq!(texts, ["Ni", "le ü"]);
        let error = client.chat().create(ask("Too much")).await.unwrap_err();
        assert!(error.is_rate_limited(), "{error}");
        let upload = client.files().upload(FileSource::bytes("a.txt", "hello"), Purpose::UserData).await.unwrap();
        assert_eq!(upload.id, "file-1");
    }
    assert_eq!(server.requests().len(), 4);
    let text = std::fs::read_to_string(&path).unwrap();
    for secret in ["sk-secret", "secret-cookie", "secretorg", "secret-token", "authorization"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert!(text.contains("River?") && text.contains("\"status\": 429"), "{text}");
}

#[tokio::test]
async fn a_request_that_differs_is_an_error_that_says_where() {
    let folder = Folder::new();
    let path = folder.path().join("r.json");
    let server = Server::start([completion("Nile")]).await;
    client(server.base_url(), &Recorder::record(&path)).chat().create(ask("River?")).await.unwrap();

    let recorder = Recorder::replay(&path).unwrap();
    let client = client("http://elsewhere.test/v1".to_owned(), &recorder);
    let error = client.chat().create(ask("Lake?")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("`body.messages[0].content` was \"River?\", is \"Lake?\""), "{error}");
    let error = client.models().list().await.unwrap_err();
    assert!(error.to_string().contains("is `GET /v1/models"), "{error}");
    client.chat().create(ask("River?")).await.unwrap();
    assert_eq!(recorder.remaining(), 0);
    let error = client.chat().create(ask("River?")).await.unwrap_err();
    assert!(error.to_string().contains("no exchange is left for POST /v1/chat/completions"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn streams_are_replayed_at_once_or_with_their_timing() {
    let folder = Folder::new();
    let path = folder.path().join("r.json");
    let event = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let server = Server::start([Reply::sse("").piece(": ok\n\n").pause(Duration::from_secs(3)).piece(event)]).await;
    client(server.base_url(), &Recorder::record(&path)).chat().stream(ask("a")).await.unwrap().collect().await.unwrap();
    for (has_timing, seconds) in [(false, 0), (true, 3)] {
        let recorder = Recorder::replay(&path).unwrap().with_timing(has_timing);
        let started = Instant::now();
        let client = client("http://elsewhere.test/v1".to_owned(), &recorder);
        assert_eq!(client.chat().stream(ask("a")).await.unwrap().collect().await.unwrap().text(), "a");
        assert_eq!(started.elapsed().as_secs(), seconds);
    }
}

#[tokio::test]
async fn an_interrupted_stream_is_one_when_it_is_replayed() {
    let folder = Folder::new();
    let path = folder.path().join("r.json");
    let event = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n";
    let server = Server::start([Reply::sse(event).content_length(10_000).cut_after(usize::MAX)]).await;
    for recorder in [Recorder::record(&path), Recorder::record(folder.path().join("other.json"))] {
        client(server.base_url(), &recorder).chat().stream(ask("a")).await.unwrap().collect().await.unwrap_err();
    }
    let client = client("http://elsewhere.test/v1".to_owned(), &Recorder::replay(&path).unwrap());
    let error = client.chat().stream(ask("a")).await.unwrap().collect().await.unwrap_err();
    assert_eq!(error.completion().unwrap().text(), "a");
}

#[test]
fn a_file_that_is_no_recording_is_an_error_with_its_name() {
    let folder = Folder::new();
    let path = folder.write("bad.json", "{}");
    let error = Recorder::new(path).unwrap_err();
    assert!(error.to_string().contains("bad.json"), "{error}");
    assert_eq!(Recorder::replay("nowhere.json").unwrap_err().kind(), ErrorKind::Io);
}
