//! Batches: requests, responses, and the lines of input and output files.
mod support;

use futures::TryStreamExt;
use openai_compatible::batches::{Batch, BatchLine, BatchOutput, BatchRequest, BatchStatus};
use openai_compatible::chat::{ChatCompletion, ChatRequest, Message};
use openai_compatible::{Client, ErrorKind, ListRequest};
use serde_json::{Value, json};
use support::{Reply, Server};

const CHAT: &str = "/v1/chat/completions";

fn client(server: &Server) -> Client {
    Client::builder().base_url(server.base_url()).max_retries(0).build().unwrap()
}

fn batch(id: &str) -> Value {
    json!({
        "id": id, "object": "batch", "endpoint": CHAT, "input_file_id": "file-1", "completion_window": "24h",
        "status": "validating", "created_at": 1,
    })
}

// Requests

#[tokio::test]
async fn create_sends_input_file_and_endpoint() {
    let server = Server::start([Reply::ok_json(&batch("batch_1"))]).await;
    let created = client(&server).batches().create(BatchRequest::new("file-1", CHAT)).await.unwrap();
    assert_eq!((created.id.as_str(), created.status), ("batch_1", BatchStatus::Validating));

    let sent = &server.requests()[0];
    assert_eq!((&*sent.method, &*sent.target), ("POST", "/v1/batches"));
    assert_eq!(sent.json(), json!({ "input_file_id": "file-1", "endpoint": CHAT, "completion_window": "24h" }));
}

#[tokio::test]
async fn create_sends_every_field_of_the_request() {
    let request = BatchRequest::new("file-1", "/v1/embeddings")
        .completion_window("7d")
        .metadata("run", "7")
        .metadata("by", "me")
        .output_expires_after(3600)
        .extra("priority", 2);
    let server = Server::start([Reply::ok_json(&batch("batch_1"))]).await;
    client(&server).batches().create(&request).await.unwrap();
    let expected = json!({
        "input_file_id": "file-1", "endpoint": "/v1/embeddings", "completion_window": "7d",
        "metadata": { "by": "me", "run": "7" },
        "output_expires_after": { "anchor": "created_at", "seconds": 3600 },
        "priority": 2,
    });
    assert_eq!(server.requests()[0].json(), expected);
    let json = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<BatchRequest>(&json).unwrap(), request);
}

#[tokio::test]
async fn create_fails_before_sending_without_file_or_endpoint() {
    let server = Server::start([Reply::ok_json(&batch("batch_1"))]).await;
    let batches = client(&server).batches();
    for request in [BatchRequest::new("", CHAT), BatchRequest::new("file-1", "")] {
        assert_eq!(batches.create(request).await.unwrap_err().kind(), ErrorKind::Config);
    }
    assert_eq!(batches.get("").await.unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(batches.cancel("..").await.unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn get_and_cancel_use_their_endpoints() {
    let server = Server::start([Reply::ok_json(&batch("batch_1"))]).await;
    let batches = client(&server).batches();
    assert_eq!(batches.get("batch_1").await.unwrap().id, "batch_1");
    assert_eq!(batches.cancel("batch_1").await.unwrap().id, "batch_1");
    let requests = server.requests();
    let lines: Vec<_> = requests.iter().map(|request| format!("{} {}", request.method, request.target)).collect();
    assert_eq!(lines, ["GET /v1/batches/batch_1", "POST /v1/batches/batch_1/cancel"]);
    assert!(requests.iter().all(|request| request.body.is_empty()));
}

// Responses

#[tokio::test]
async fn every_batch_field_round_trips() {
    let complete = json!({
        "id": "batch_1", "object": "batch", "endpoint": CHAT, "model": "gpt-5", "input_file_id": "file-1",
        "completion_window": "24h", "status": "completed", "output_file_id": "file-2", "error_file_id": "file-3",
        "errors": {
            "object": "list",
            "data": [{ "code": "invalid_json_line", "message": "no JSON", "param": "body", "line": 3 }],
        },
        "created_at": 1, "in_progress_at": 2, "expires_at": 3, "finalizing_at": 4, "completed_at": 5, "failed_at": 6,
        "expired_at": 7, "cancelling_at": 8, "cancelled_at": 9,
        "request_counts": { "total": 100, "completed": 95, "failed": 5 },
        "usage": {
            "input_tokens": 10, "input_tokens_details": { "cached_tokens": 4 }, "output_tokens": 20,
            "output_tokens_details": { "reasoning_tokens": 6 }, "total_tokens": 30,
        },
        "metadata": { "run": "7" },
    });
    let server = Server::start([Reply::ok_json(&complete)]).await;
    let batch = client(&server).batches().get("batch_1").await.unwrap();
    assert_eq!(serde_json::to_value(&batch).unwrap(), complete);

    assert!(batch.extra.is_empty(), "{:?}", batch.extra);
    assert_eq!(batch.model.as_deref(), Some("gpt-5"));
    let error = &batch.errors.as_ref().unwrap().data[0];
    assert_eq!((error.code.as_str(), error.param.as_deref(), error.line), ("invalid_json_line", Some("body"), Some(3)));
    let times = [batch.created_at, batch.in_progress_at, batch.expires_at, batch.finalizing_at, batch.completed_at];
    assert_eq!(times, [1, 2, 3, 4, 5].map(Some));
    let times = [batch.failed_at, batch.expired_at, batch.cancelling_at, batch.cancelled_at];
    assert_eq!(times, [6, 7, 8, 9].map(Some));
    let counts = batch.request_counts.as_ref().unwrap();
    assert_eq!((counts.total, counts.completed, counts.failed), (100, 95, 5));
    let usage = batch.usage.as_ref().unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.total_tokens), (10, 20, 30));
    assert_eq!(usage.input_tokens_details.as_ref().unwrap().cached_tokens, Some(4));
    assert_eq!(usage.output_tokens_details.as_ref().unwrap().reasoning_tokens, Some(6));
    assert_eq!(batch.metadata["run"], "7");
}

#[test]
fn null_batch_fields_are_read_as_missing() {
    let mut with_nulls = batch("batch_1");
    for name in ["errors", "model", "output_file_id", "in_progress_at", "request_counts", "usage", "metadata"] {
        with_nulls[name] = Value::Null;
    }
    let read: Batch = serde_json::from_value(with_nulls).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), batch("batch_1"));
}

#[tokio::test]
async fn together_batch_is_unwrapped_from_its_envelope() {
    let wrapped = json!({
        "job": {
            "id": "37f9c3ab", "user_id": "u-1", "input_file_id": "file-1", "file_size_bytes": 120,
            "status": "IN_PROGRESS", "job_deadline": "2026-01-03T03:04:05Z", "created_at": "2026-01-02T03:04:05Z",
            "endpoint": CHAT, "progress": 0.0, "output_file_id": "",
        },
        "warning": "the model is slow today",
    });
    let server = Server::start([Reply::ok_json(&wrapped)]).await;
    let batch = client(&server).batches().create(BatchRequest::new("file-1", CHAT)).await.unwrap();
    assert_eq!((batch.id.as_str(), &batch.status), ("37f9c3ab", &BatchStatus::InProgress));
    assert_eq!(batch.created_at, None);
    assert_eq!(batch.extra.get_as::<String>("created_at").as_deref(), Some("2026-01-02T03:04:05Z"));
    assert_eq!(batch.extra.get_as::<String>("warning").as_deref(), Some("the model is slow today"));
    assert_eq!(batch.extra.get_as::<String>("user_id").as_deref(), Some("u-1"));
    assert!(!batch.extra.contains_key("job"));
}

#[tokio::test]
async fn response_without_batch_fields_is_an_error() {
    let error = Reply::ok_json(&json!({ "error": { "message": "no room" } }));
    let server = Server::start([error, Reply::ok_json(&json!({ "job": {} })), Reply::ok_json(&json!({}))]).await;
    let batches = client(&server).batches();
    assert_eq!(batches.get("batch_1").await.unwrap_err().kind(), ErrorKind::Api);
    assert_eq!(batches.get("batch_1").await.unwrap_err().kind(), ErrorKind::Decode);
    assert_eq!(batches.get("batch_1").await.unwrap_err().kind(), ErrorKind::Decode);
}

#[test]
fn batch_status_accepts_all_spellings_and_unknown_values() {
    let known = [
        (BatchStatus::Validating, false, ["validating", "VALIDATING"]),
        (BatchStatus::InProgress, false, ["in_progress", "IN_PROGRESS"]),
        (BatchStatus::Finalizing, false, ["finalizing", "FINALIZING"]),
        (BatchStatus::Cancelling, false, ["cancelling", "CANCELING"]),
        (BatchStatus::Completed, true, ["completed", "COMPLETED"]),
        (BatchStatus::Failed, true, ["failed", "FAILED"]),
        (BatchStatus::Expired, true, ["expired", "EXPIRED"]),
        (BatchStatus::Cancelled, true, ["cancelled", "CANCELLED"]),
    ];
    for (status, is_terminal, spellings) in known {
        assert_eq!(status.is_terminal(), is_terminal, "{status}");
        for spelling in spellings {
            assert_eq!(BatchStatus::from(spelling), status);
            assert_eq!(BatchStatus::from(spelling.to_owned()), status);
            assert_eq!(serde_json::from_value::<BatchStatus>(json!(spelling)).unwrap(), status);
        }
        assert_eq!(status.as_str(), spellings[0]);
    }
    let other: BatchStatus = serde_json::from_value(json!("QUEUED")).unwrap();
    assert!(!other.is_terminal());
    assert_eq!(serde_json::to_value(other).unwrap(), json!("QUEUED"));
}

// Lists

#[tokio::test]
async fn list_streams_batches_across_pages() {
    let page = |ids: &[&str], has_more: bool| {
        let data: Vec<_> = ids.iter().map(|id| batch(id)).collect();
        let list = json!({ "object": "list", "data": data, "last_id": ids.last(), "has_more": has_more });
        Reply::ok_json(&list)
    };
    let server = Server::start([page(&["a", "b"], true), page(&["c", "d"], true), page(&["e"], false)]).await;
    let first = client(&server).batches().list(ListRequest::new().limit(2)).await.unwrap();
    let all: Vec<Batch> = first.into_stream().try_collect().await.unwrap();
    assert_eq!(all.iter().map(|batch| batch.id.as_str()).collect::<Vec<_>>(), ["a", "b", "c", "d", "e"]);
    let targets: Vec<_> = server.requests().into_iter().map(|request| request.target).collect();
    let expected = ["limit=2", "limit=2&after=b", "limit=2&after=d"].map(|query| format!("/v1/batches?{query}"));
    assert_eq!(targets, expected);
}

#[tokio::test]
async fn bare_json_array_is_a_single_page() {
    let server = Server::start([Reply::ok_json(&json!([batch("a"), batch("b")]))]).await;
    let page = client(&server).batches().list(ListRequest::new()).await.unwrap();
    assert_eq!(page.data.len(), 2);
    assert!(page.next_page().await.unwrap().is_none());
}

// Lines

#[test]
fn batch_line_contains_the_request_as_sent() {
    let request = ChatRequest::new("llama3.2", [Message::user("Hi")]).temperature(0.2).extra("top_k", 40);
    let line = BatchLine::new("greeting", CHAT, &request).unwrap();
    let expected = json!({
        "custom_id": "greeting", "method": "POST", "url": CHAT,
        "body": {
            "model": "llama3.2", "messages": [{ "role": "user", "content": "Hi" }], "temperature": 0.2, "top_k": 40,
        },
    });
    assert_eq!(serde_json::to_value(&line).unwrap(), expected);
    let text = serde_json::to_string(&line).unwrap();
    assert!(!text.contains('\n'), "a line contains no line break");
    assert_eq!(serde_json::from_str::<BatchLine>(&text).unwrap(), line);
}

#[test]
fn batch_line_fails_if_request_is_not_json() {
    let array_keys = std::collections::BTreeMap::from([([1], 2)]);
    let error = BatchLine::new("a", CHAT, &array_keys).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Encode);
}

fn completion() -> Value {
    json!({ "id": "c", "choices": [{ "index": 0, "message": { "role": "assistant", "content": "Hello" } }] })
}

#[test]
fn output_line_contains_a_response() {
    let line = json!({
        "id": "batch_req_1", "custom_id": "greeting",
        "response": { "status_code": 200, "request_id": "req_1", "body": completion() },
        "error": null,
    });
    let output: BatchOutput = serde_json::from_value(line).unwrap();
    assert_eq!((output.id.as_str(), output.custom_id.as_str()), ("batch_req_1", "greeting"));
    assert_eq!(output.error, None);
    let response = output.response.unwrap();
    assert_eq!((response.status_code, response.request_id.as_str()), (200, "req_1"));
    let completion: ChatCompletion = serde_json::from_value(response.body).unwrap();
    assert_eq!(completion.text(), "Hello");
}

#[test]
fn error_line_contains_code_and_message() {
    let expired = json!({
        "id": "batch_req_1", "custom_id": "greeting", "response": null,
        "error": { "code": "batch_expired", "message": "Its time was up." },
    });
    let output: BatchOutput = serde_json::from_value(expired).unwrap();
    assert_eq!(output.response, None);
    let error = output.error.unwrap();
    assert_eq!((error.code.as_str(), error.message.as_str()), ("batch_expired", "Its time was up."));
}

#[test]
fn response_body_encoded_as_string_is_decoded() {
    let read = |body: Value| {
        let line = json!({ "custom_id": "a", "response": { "status_code": "200", "body": body } });
        let response = serde_json::from_value::<BatchOutput>(line).unwrap().response.unwrap();
        assert_eq!(response.status_code, 200);
        response.body
    };
    assert_eq!(read(json!(completion().to_string())), completion());
    assert_eq!(read(json!("Bad Gateway")), json!("Bad Gateway"));
    assert_eq!(read(json!("42")), json!("42"));
    assert_eq!(read(Value::Null), Value::Null);
}
