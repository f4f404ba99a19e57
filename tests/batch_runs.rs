//! Batches end to end: requests as lines, runs and polling, rows of the result files.
mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use openai_compatible::batches::{
    Batch, BatchInput, BatchLine, BatchResponseBody, BatchResults, BatchRow, BatchRows, BatchStatus, BatchableRequest,
};
use openai_compatible::chat::{ChatCompletion, ChatRequest, Message};
use openai_compatible::completions::{Completion, CompletionRequest};
use openai_compatible::embeddings::{EmbeddingList, EmbeddingRequest};
use openai_compatible::{Client, Error, ErrorKind, FileSource, files::Purpose};
use serde_json::{Value, json};
use support::{Folder, Recorded, Reply, Server};
use tokio::time::{Instant, timeout};

const CHAT: &str = "/v1/chat/completions";

fn client(server: &Server) -> Client {
    Client::builder().base_url(server.base_url()).max_retries(0).build().unwrap()
}

fn prompt(text: &str) -> ChatRequest {
    ChatRequest::new("m", [Message::user(text)])
}

fn input() -> BatchInput {
    let mut input = BatchInput::new();
    input.push("one", &prompt("1?")).unwrap();
    input.push("two", &prompt("2?")).unwrap();
    input
}

fn batch(status: &str) -> Value {
    json!({ "id": "batch_1", "object": "batch", "endpoint": CHAT, "input_file_id": "file-in", "status": status })
}

fn state(status: &str) -> Reply {
    Reply::ok_json(&batch(status))
}

fn uploaded() -> Reply {
    Reply::ok_json(&json!({ "id": "file-in", "object": "file", "purpose": "batch" }))
}

fn jsonl(rows: &[Value]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

fn completion(text: &str) -> Value {
    json!({ "id": "c", "choices": [{ "index": 0, "message": { "role": "assistant", "content": text } }] })
}

fn good(id: &str, body: impl Into<Value>) -> Value {
    let response = json!({ "status_code": 200, "request_id": format!("req-{id}"), "body": body.into() });
    json!({ "id": "batch_req", "custom_id": id, "response": response, "error": null })
}

fn failed(id: &str, status: u16, code: &str) -> Value {
    let body = json!({ "error": { "message": "No.", "type": "invalid_request_error", "code": code } });
    let response = json!({ "status_code": status, "request_id": format!("req-{id}"), "body": body });
    json!({ "id": "batch_req", "custom_id": id, "response": response, "error": null })
}

fn request_lines(requests: &[Recorded]) -> Vec<String> {
    requests.iter().map(|request| format!("{} {}", request.method, request.target)).collect()
}

/// Uploads an input and returns the lines that the server received.
async fn uploaded_lines(input: BatchInput) -> Vec<Value> {
    let server = Server::start([uploaded()]).await;
    client(&server).files().upload(input.into_source().unwrap(), Purpose::Batch).await.unwrap();
    let form = server.requests()[0].form();
    let text =
        String::from_utf8(form.iter().find(|part| part.parameter("name") == Some("file")).unwrap().data.to_vec());
    text.unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Reads the rows of a file, including errors of unreadable ones.
async fn rows<T: BatchResponseBody>(text: impl Into<String>) -> Vec<Result<BatchRow<T>, Error>> {
    BatchRows::read(FileSource::bytes("out.jsonl", text.into())).collect().await
}

async fn row<T: BatchResponseBody>(row: Value) -> BatchRow<T> {
    rows(jsonl(&[row])).await.remove(0).unwrap()
}

// Input

#[tokio::test]
async fn requests_become_lines_for_their_endpoint() {
    fn line<R: BatchableRequest>(request: &R) -> BatchInput {
        let mut input = BatchInput::new();
        input.push("a", request).unwrap();
        assert_eq!(input.endpoint(), Some(R::ENDPOINT));
        input
    }
    let cases = [
        (line(&prompt("Hi").temperature(0.2)), CHAT, {
            json!({ "model": "m", "messages": [{ "role": "user", "content": "Hi" }], "temperature": 0.2 })
        }),
        (line(&CompletionRequest::new("m", "Once")), "/v1/completions", json!({ "model": "m", "prompt": "Once" })),
        (line(&EmbeddingRequest::new("m", ["red"])), "/v1/embeddings", json!({ "model": "m", "input": ["red"] })),
    ];
    for (input, url, body) in cases {
        let expected = json!({ "custom_id": "a", "method": "POST", "url": url, "body": body });
        assert_eq!(uploaded_lines(input).await, [expected]);
    }
}

#[tokio::test]
async fn batch_line_supports_any_other_endpoint() {
    let line = BatchLine::new("a", "/v1/moderations", &json!({ "input": "x" })).unwrap();
    let mut input = BatchInput::new();
    input.push_line(&line).unwrap();
    assert_eq!(input.endpoint(), Some("/v1/moderations"));
    assert_eq!(uploaded_lines(input).await, [serde_json::to_value(line).unwrap()]);
}

#[tokio::test]
async fn batch_line_never_sets_stream() {
    let mut input = BatchInput::new();
    input.push("a", &prompt("Hi").extra("stream", true).extra("top_k", 4)).unwrap();
    let body = uploaded_lines(input).await[0]["body"].clone();
    assert_eq!((body.get("stream"), &body["top_k"]), (None, &json!(4)));
}

#[tokio::test]
async fn requests_without_custom_ids_are_numbered() {
    let input = BatchInput::from_requests(&[prompt("1?"), prompt("2?")]).unwrap();
    let ids: Vec<_> = uploaded_lines(input).await.iter().map(|line| line["custom_id"].clone()).collect();
    assert_eq!(ids, ["row-1", "row-2"]);
}

#[tokio::test]
async fn input_on_disk_equals_input_in_memory() {
    let folder = Folder::new();
    let mut on_disk = BatchInput::on_disk(folder.path().join("in.jsonl")).unwrap();
    on_disk.push("one", &prompt("1?")).unwrap();
    on_disk.push("two", &prompt("2?")).unwrap();
    assert_eq!(on_disk.bytes(), input().bytes());
    assert_eq!(uploaded_lines(on_disk).await, uploaded_lines(input()).await);
}

#[test]
fn unwritable_input_file_error_names_the_path() {
    let error = BatchInput::on_disk("/no/such/folder/in.jsonl").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("/no/such/folder/in.jsonl"), "{error}");
}

#[test]
fn rejected_request_leaves_the_input_unchanged() {
    let mut full = input().max_requests(2);
    let limit = input().bytes() + 10;
    let mut heavy = input().max_bytes(limit);
    let mut open = input();
    let cases = [
        (open.push("one", &prompt("again")), "duplicate"),
        (open.push("", &prompt("nameless")), "empty"),
        (open.push("three", &ChatRequest::new("", [Message::user("Hi")])), "model"),
        (open.push("three", &EmbeddingRequest::new("m", ["red"])), "/v1/embeddings"),
        (full.push("three", &prompt("too many")), "2 requests"),
        (heavy.push("three", &prompt("too long")), "bytes"),
    ];
    for (result, word) in cases {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(word), "{error}");
    }
    for input in [&open, &full, &heavy] {
        assert_eq!((input.len(), input.bytes(), input.contains("three")), (2, limit - 10, false));
    }
    open.push("three", &prompt("3?")).unwrap();
}

#[test]
fn input_may_reach_its_limits_exactly() {
    let bytes = input().bytes();
    let mut exact = BatchInput::new().max_requests(2).max_bytes(bytes);
    exact.push("one", &prompt("1?")).unwrap();
    exact.push("two", &prompt("2?")).unwrap();
    assert_eq!(exact.bytes(), bytes);
}

#[test]
fn input_debug_output_contains_no_prompt() {
    assert!(!format!("{:?}", input()).contains("1?"));
}

// The run

#[tokio::test(start_paused = true)]
async fn run_uploads_creates_polls_and_returns_results() {
    let output = jsonl(&[good("two", completion("2!"))]);
    let errors = jsonl(&[failed("one", 400, "too_hard")]);
    let mut done = batch("completed");
    done["output_file_id"] = json!("file-out");
    done["error_file_id"] = json!("file-err");
    done["request_counts"] = json!({ "total": 2, "completed": 1, "failed": 1 });
    let server = Server::start([
        uploaded(),
        state("validating"),
        state("in_progress"),
        state("in_progress"),
        state("finalizing"),
        Reply::ok_json(&done),
        Reply::status(200).body(output),
        Reply::status(200).body(errors),
    ])
    .await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let progress = seen.clone();
    let batches = client(&server).batches();
    let run = batches.run(input().metadata("run", "7").extra("priority", 2));
    let done = run.on_progress(move |batch| progress.lock().unwrap().push(batch.status.to_string())).await.unwrap();
    assert_eq!(done.request_counts.as_ref().unwrap().failed, 1);
    assert_eq!(*seen.lock().unwrap(), ["validating", "in_progress", "in_progress", "finalizing", "completed"]);

    let results = batches.results::<ChatCompletion>(&done).by_id().await.unwrap();
    assert_eq!(results.reply("two").unwrap().text(), "2!");
    let error = results.rows["one"].as_ref().unwrap_err();
    assert_eq!(error.status().unwrap(), 400);
    assert_eq!(error.api_error().unwrap().code.as_deref(), Some("too_hard"));

    let requests = server.requests();
    let poll = "GET /v1/batches/batch_1".to_owned();
    let mut expected = vec!["POST /v1/files".to_owned(), "POST /v1/batches".to_owned()];
    expected.extend([poll.clone(), poll.clone(), poll.clone(), poll]);
    expected.extend(["output", "error"].map(|kind| format!("GET /v1/files/file-{}/content", &kind[..3])));
    assert_eq!(request_lines(&requests)[..6], expected[..6]);
    let form = requests[0].form();
    assert!(form.contains(&support::FormPart::text("purpose", "batch")), "{form:?}");
    let expected = json!({
        "input_file_id": "file-in", "endpoint": CHAT, "completion_window": "24h", "metadata": { "run": "7" }, "priority": 2,
    });
    assert_eq!(requests[1].json(), expected);
    let waits: Vec<_> = server.delays()[1..5].iter().map(|wait| (wait.as_secs_f64() * 100.0).round() / 100.0).collect();
    assert_eq!(waits, [5.0, 7.5, 11.25, 16.88]);
    assert_eq!(request_lines(&requests)[6..], ["GET /v1/files/file-out/content", "GET /v1/files/file-err/content"]);
}

#[tokio::test(start_paused = true)]
async fn poll_interval_grows_up_to_its_maximum() {
    let server =
        Server::start([state("validating"), state("x"), state("x"), state("x"), state("x"), state("completed")]).await;
    let interval = (Duration::from_secs(10), Duration::from_secs(20));
    client(&server).batches().wait("batch_1").poll_interval(interval.0, interval.1).await.unwrap();
    let waits: Vec<_> = server.delays().iter().map(Duration::as_secs).collect();
    assert_eq!(waits, [10, 15, 20, 20, 20]);
}

#[tokio::test(start_paused = true)]
async fn zero_poll_interval_is_an_error() {
    let server = Server::start([state("in_progress")]).await;
    let wait = client(&server).batches().wait("batch_1").poll_interval(Duration::ZERO, Duration::from_secs(1));
    assert_eq!(wait.await.unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(server.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn submitted_batch_can_be_waited_for_later() {
    let server = Server::start([uploaded(), state("validating"), state("completed")]).await;
    let batches = client(&server).batches();
    let submitted = batches.submit(input().purpose("batch-api")).await.unwrap();
    assert_eq!((submitted.id.as_str(), server.requests().len()), ("batch_1", 2));
    let purpose = support::FormPart::text("purpose", "batch-api");
    assert!(server.requests()[0].form().contains(&purpose));

    let before = Instant::now();
    let done = batches.wait(submitted.id).await.unwrap();
    assert_eq!(done.status, BatchStatus::Completed);
    assert_eq!(before.elapsed().as_secs(), 0, "a finished batch is not waited for");
}

#[tokio::test]
async fn empty_input_fails_before_sending() {
    let server = Server::start([uploaded()]).await;
    let error = client(&server).batches().run(BatchInput::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn failed_create_error_names_the_uploaded_file() {
    let rejection = Reply::status(400).json(&json!({ "error": { "message": "No." } }));
    let server = Server::start([uploaded(), rejection]).await;
    let error = client(&server).batches().run(input()).await.unwrap_err();
    assert_eq!(error.status().unwrap(), 400);
    assert!(error.to_string().contains("file-in"), "{error}");
    assert!(error.batch().is_none());
}

#[tokio::test(start_paused = true)]
async fn failed_batch_error_contains_input_file_errors() {
    let mut failed = batch("failed");
    let error = |line: u64| json!({ "code": "invalid_json_line", "message": "Not JSON.", "param": null, "line": line });
    failed["errors"] = json!({ "object": "list", "data": [error(3), error(5)] });
    let server = Server::start([uploaded(), state("validating"), Reply::ok_json(&failed)]).await;
    let error = client(&server).batches().run(input()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Api);
    assert!(!error.is_retryable());
    let text = error.to_string();
    assert!(text.contains("`batch_1` failed: line 3: Not JSON. (and 1 more) (code invalid_json_line)"), "{text}");
    let batch = error.batch().unwrap();
    assert_eq!(batch.errors.as_ref().unwrap().data[1].line, Some(5));
}

#[tokio::test(start_paused = true)]
async fn expired_or_cancelled_batch_returns_partial_results() {
    for status in ["expired", "cancelled"] {
        let mut ended = batch(status);
        ended["output_file_id"] = json!("file-out");
        let output = Reply::status(200).body(jsonl(&[good("one", completion("1!"))]));
        let server = Server::start([state("in_progress"), Reply::ok_json(&ended), output]).await;
        let batches = client(&server).batches();
        let ended = batches.wait("batch_1").await.unwrap();
        assert_eq!(ended.status, *status);
        let results = batches.results::<ChatCompletion>(&ended).by_id().await.unwrap();
        assert_eq!(results.reply("one").unwrap().text(), "1!");
        assert_eq!(results.missing(["one", "two"]), ["two"]);
    }
}

#[tokio::test(start_paused = true)]
async fn transient_poll_failures_do_not_end_the_wait() {
    let down = || Reply::status(503);
    let server =
        Server::start([state("in_progress"), down(), down(), state("in_progress"), down(), down(), state("completed")]);
    let server = server.await;
    let done = client(&server).batches().wait("batch_1").max_poll_failures(2).await.unwrap();
    assert_eq!(done.status, BatchStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn persistent_poll_failures_end_the_wait_with_the_batch() {
    let server = Server::start([uploaded(), state("in_progress"), Reply::status(503)]).await;
    let error = client(&server).batches().run(input()).max_poll_failures(2).await.unwrap_err();
    assert_eq!(error.status().unwrap(), 503);
    assert_eq!(error.batch().unwrap().id, "batch_1");
    assert_eq!(server.requests().len(), 2 + 3);
}

#[tokio::test(start_paused = true)]
async fn poll_delay_honors_retry_after_up_to_the_ceiling() {
    for (requested, waited) in [("90", 90), ("300", 120), ("86400", 120), ("1e309", 120)] {
        let busy = Reply::status(429).header("retry-after", requested);
        let server = Server::start([state("in_progress"), busy, state("completed")]).await;
        client(&server).batches().wait("batch_1").max_poll_failures(1).await.unwrap();
        let last = *server.delays().last().unwrap();
        assert_eq!(last.as_secs(), waited, "{requested}");
    }
}

#[tokio::test(start_paused = true)]
async fn web_page_instead_of_a_state_does_not_end_the_wait() {
    let page = Reply::status(200).header("content-type", "text/html").body("<title>Maintenance</title>");
    let server = Server::start([state("in_progress"), page.clone(), page, state("completed")]).await;
    let done = client(&server).batches().wait("batch_1").await.unwrap();
    assert_eq!(done.status, BatchStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn permanent_poll_failure_ends_the_wait_immediately() {
    let gone = Reply::status(404).json(&json!({ "error": { "message": "No such batch." } }));
    let server = Server::start([state("in_progress"), gone]).await;
    let error = client(&server).batches().wait("batch_1").await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn total_timeout_ends_the_wait_but_not_the_batch() {
    let server = Server::start([uploaded(), state("validating"), state("in_progress")]).await;
    let started = Instant::now();
    let run = client(&server).batches().run(input()).total_timeout(Duration::from_secs(3600));
    let error = run.await.unwrap_err();
    assert_eq!(started.elapsed().as_secs(), 3600);
    assert!(error.is_timeout());
    assert!(error.to_string().contains("batch `batch_1` did not finish within 3600s"), "{error}");
    assert_eq!(error.batch().unwrap().status, BatchStatus::InProgress);
    assert!(request_lines(&server.requests()).iter().all(|line| !line.contains("cancel")));
}

#[tokio::test(start_paused = true)]
async fn total_timeout_covers_the_upload() {
    let server = Server::start([uploaded().hang_before_headers()]).await;
    let error = client(&server).batches().run(input()).total_timeout(Duration::from_secs(30)).await.unwrap_err();
    assert!(error.is_timeout());
    assert!(error.batch().is_none());
}

#[tokio::test(start_paused = true)]
async fn dropping_a_run_stops_polling() {
    let server = Server::start([uploaded(), state("in_progress")]).await;
    let run = client(&server).batches().run(input());
    timeout(Duration::from_secs(100), run).await.unwrap_err();
    let polled = server.requests().len();
    assert!(polled > 3, "{polled}");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(server.requests().len(), polled);
    assert!(request_lines(&server.requests()).iter().all(|line| !line.contains("cancel")));
}

// Rows

#[tokio::test]
async fn rows_decode_into_the_response_type_of_their_endpoint() {
    let chat = row::<ChatCompletion>(good("a", completion("Hi"))).await;
    assert_eq!((chat.custom_id.as_str(), chat.request_id.as_str()), ("a", "req-a"));
    assert_eq!(chat.result.unwrap().text(), "Hi");
    let vectors = json!({ "data": [{ "index": 0, "embedding": [0.5, 1.0] }], "model": "m" });
    let embeddings = row::<EmbeddingList>(good("a", vectors)).await.result.unwrap();
    assert_eq!(*embeddings.data[0].embedding, [0.5, 1.0]);
    let text = json!({ "choices": [{ "index": 0, "text": "upon" }] });
    assert_eq!(row::<Completion>(good("a", text)).await.result.unwrap().choices[0].text, "upon");
    assert_eq!(row::<Value>(good("a", json!({ "score": 1 }))).await.result.unwrap(), json!({ "score": 1 }));
}

#[tokio::test]
async fn row_body_encoded_as_string_is_decoded() {
    let chat = row::<ChatCompletion>(good("a", completion("a\nb").to_string())).await;
    assert_eq!(chat.result.unwrap().text(), "a\nb");
    assert_eq!(row::<Value>(good("a", json!({ "n": 1 }).to_string())).await.result.unwrap(), json!({ "n": 1 }));
    assert_eq!(row::<Value>(good("a", "plain words")).await.result.unwrap(), "plain words");
    let mut error = failed("a", 429, "rate_limit_exceeded");
    error["response"]["body"] = error["response"]["body"].to_string().into();
    assert!(row::<Value>(error).await.result.unwrap_err().is_rate_limited());
}

#[tokio::test]
async fn failed_row_error_has_status_and_predicates() {
    let error = row::<ChatCompletion>(failed("a", 400, "context_length_exceeded")).await.result.unwrap_err();
    assert!(error.is_context_length_exceeded());
    assert_eq!((error.status().unwrap().as_u16(), error.request_id()), (400, Some("req-a")));
    assert!(row::<Value>(failed("a", 401, "invalid_api_key")).await.result.unwrap_err().is_auth());
}

#[tokio::test]
async fn row_of_unprocessed_request_explains_the_cause() {
    let expired =
        json!({ "custom_id": "a", "response": null, "error": { "code": "batch_expired", "message": "Too late." } });
    let error = row::<ChatCompletion>(expired).await.result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Api);
    let api = error.api_error().unwrap();
    assert_eq!((api.code.as_deref(), api.message.as_str()), (Some("batch_expired"), "Too late."));
    // vLLM
    let error = json!({ "error": { "message": "Bad prompt.", "type": "BadRequestError", "code": 400 } });
    let row =
        row::<ChatCompletion>(json!({ "custom_id": "a", "response": { "status_code": 400 }, "error": error })).await;
    let error = row.result.unwrap_err();
    assert_eq!((error.status().unwrap().as_u16(), error.api_error().unwrap().message.as_str()), (400, "Bad prompt."));
}

#[tokio::test]
async fn empty_error_next_to_a_response_is_ignored() {
    for empty in [json!(null), json!({}), json!(""), json!({ "code": null, "message": null })] {
        let mut line = good("a", completion("Hi"));
        line["error"] = empty;
        line["response"].as_object_mut().unwrap().remove("status_code");
        assert_eq!(row::<ChatCompletion>(line).await.result.unwrap().text(), "Hi");
    }
}

#[tokio::test]
async fn invalid_response_is_an_error_of_its_row() {
    let error = json!({ "error": { "message": "overloaded" } });
    for line in [good("a", error.clone()), good("a", error.to_string())] {
        let chat = row::<ChatCompletion>(line.clone()).await;
        assert_eq!(chat.custom_id, "a");
        assert_eq!(chat.result.unwrap_err().api_error().unwrap().message, "overloaded");
        assert_eq!(row::<Value>(line).await.result.unwrap_err().api_error().unwrap().message, "overloaded");
    }
    for line in [good("a", json!({})), good("a", "words"), json!({ "custom_id": "a" })] {
        assert_eq!(row::<ChatCompletion>(line).await.result.unwrap_err().kind(), ErrorKind::Decode);
    }
}

#[tokio::test]
async fn row_ids_and_statuses_of_other_types_decode() {
    let line =
        json!({ "custom_id": 7, "response": { "status_code": "200", "request_id": null, "body": completion("Hi") } });
    let row = row::<ChatCompletion>(line).await;
    assert_eq!((row.custom_id.as_str(), row.request_id.as_str()), ("7", ""));
    assert_eq!(row.result.unwrap().text(), "Hi");
}

#[tokio::test]
async fn unreadable_row_names_its_line_and_later_rows_follow() {
    let (first, last) = (good("a", completion("1")), good("b", completion("2")));
    let text = format!("{first}\n\n{{\"custom_id\": \"secret\n{{}}\n[1]\n{last}");
    let rows = rows::<ChatCompletion>(text).await;
    let seen: Vec<_> = rows
        .iter()
        .map(|row| match row {
            Ok(row) => row.custom_id.clone(),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Decode);
                let text = error.to_string();
                assert!(!text.contains("secret") && !format!("{error:?}").contains("secret"), "{error:?}");
                text.split_once("`out.jsonl`, ").unwrap().1.split(": ").next().unwrap().to_owned()
            }
        })
        .collect();
    assert_eq!(seen, ["a", "line 3", "line 4", "line 5", "b"]);
    assert!(rows[1].as_ref().unwrap_err().body().unwrap().starts_with(b"{\"custom_id\""));
}

#[tokio::test]
async fn line_over_the_limit_is_an_unreadable_row() {
    let (small, large) = (good("a", completion("1")), good("b", completion(&"x".repeat(1000))));
    let text = format!("{small}\n{large}\n{small}\n{large}");
    let limit = small.to_string().len();
    // In one chunk, and in chunks much smaller than a line.
    let single = Server::start([Reply::status(200).body(text.clone())]).await;
    let mut chunks = Reply::status(200);
    for chunk in text.as_bytes().chunks(64) {
        chunks = chunks.piece(chunk.to_vec());
    }
    let chunked = Server::start([chunks]).await;
    for server in [single, chunked] {
        let rows = client(&server).batches().results::<Value>(&with_output()).max_line_size(limit);
        let rows: Vec<_> =
            rows.map(|row| row.map(|row| row.custom_id).map_err(|error| error.to_string())).collect().await;
        assert_eq!((rows[0].as_deref(), rows[2].as_deref()), (Ok("a"), Ok("a")));
        assert!(rows[1].as_ref().unwrap_err().contains("line 2"), "{rows:?}");
        assert!(rows[3].as_ref().unwrap_err().contains("line 4"), "{rows:?}");
        assert_eq!(rows.len(), 4);
    }
}

fn with_output() -> Batch {
    let mut batch = batch("completed");
    batch["output_file_id"] = json!("file-out");
    serde_json::from_value(batch).unwrap()
}

#[tokio::test]
async fn lines_may_be_split_at_any_byte() {
    let rows = [good("a", completion("é\r")), good("b", json!({ "n": "💡" }).to_string())];
    let text = format!("\u{feff}{}\r\n\r\n{}", rows[0], rows[1]).into_bytes();
    let splits = (1..text.len()).map(|at| Reply::status(200).piece(text[..at].to_vec()).piece(text[at..].to_vec()));
    let bytes = Reply::status(200).body(text.clone()).byte_wise();
    let server = Server::start(splits.chain([bytes])).await;
    let batches = client(&server).batches();
    for at in 1..=text.len() {
        let results: BatchResults<Value> = batches.results(&with_output()).by_id().await.unwrap();
        assert!(results.unreadable.is_empty(), "split at {at}: {:?}", results.unreadable);
        assert_eq!(*results.reply("a").unwrap(), completion("é\r"), "split at {at}");
        assert_eq!(*results.reply("b").unwrap(), json!({ "n": "💡" }), "split at {at}");
    }
}

#[tokio::test]
async fn rows_are_read_without_reading_ahead() {
    const ROWS: usize = 50_000;
    let hundred = jsonl(&vec![good("a", completion(&"x".repeat(800))); 100]);
    let size = hundred.len() * ROWS / 100;
    let server = Server::start([Reply::status(200).repeat(hundred.clone(), ROWS / 100)]).await;
    let mut rows = client(&server).batches().results::<ChatCompletion>(&with_output());
    // Capacity of the kernel's socket buffers and one chunk of the connection.
    let buffered = 8 << 20;
    assert!(size > 5 * buffered);
    let mut read = 0;
    while let Some(row) = rows.try_next().await.unwrap() {
        row.result.unwrap();
        read += 1;
        if read % 5_000 == 0 {
            // Let the server, which runs on the same thread, write as much as the connection accepts.
            for _ in 0..64 {
                tokio::task::yield_now().await;
            }
            let consumed = read * hundred.len() / 100;
            assert!(server.bytes_written() < consumed + buffered, "{} for {consumed}", server.bytes_written());
        }
    }
    assert_eq!(read, ROWS);
}

#[tokio::test]
async fn interrupted_file_is_the_last_item() {
    let mut batch = batch("completed");
    (batch["output_file_id"], batch["error_file_id"]) = (json!("file-out"), json!("file-err"));
    let batch: Batch = serde_json::from_value(batch).unwrap();
    let line = jsonl(&[good("a", completion("1"))]);
    let interrupted = Reply::status(200).body(line.clone() + &line).content_length(10_000).keep_alive(false);
    let server = Server::start([interrupted]).await;
    let batches = client(&server).batches();
    let rows: Vec<_> = batches.results::<Value>(&batch).collect().await;
    assert_eq!(rows.len(), 3);
    let error = rows[2].as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    assert!(error.to_string().contains("output file `file-out`"), "{error}");
    assert_eq!(batches.results::<Value>(&batch).by_id().await.unwrap_err().kind(), ErrorKind::Transport);
    assert!(request_lines(&server.requests()).iter().all(|line| line.ends_with("file-out/content")));
}

#[tokio::test]
async fn results_by_id_prefer_responses_and_keep_unreadable_rows() {
    let text = jsonl(&[
        failed("a", 500, "x"),
        good("a", json!(1)),
        failed("a", 500, "x"),
        json!("no row"),
        failed("b", 500, "x"),
    ]);
    let rows = BatchRows::<Value>::read(FileSource::bytes("out.jsonl", text));
    let results = rows.by_id().await.unwrap();
    assert_eq!(results.reply("a"), Some(&json!(1)));
    assert_eq!(results.reply("b"), None);
    assert!(results.rows["b"].is_err());
    assert_eq!(results.unreadable.len(), 1);
    let ids = input().ids().map(str::to_owned).chain(["a".to_owned()]).collect::<Vec<_>>();
    let mut missing = results.missing(&ids);
    missing.sort();
    assert_eq!(missing, ["one", "two"]);
}

#[tokio::test]
async fn batch_without_files_has_no_rows() {
    let server = Server::start([state("x")]).await;
    let batch: Batch = serde_json::from_value(batch("in_progress")).unwrap();
    assert!(client(&server).batches().results::<Value>(&batch).try_next().await.unwrap().is_none());
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn unreadable_saved_file_is_the_only_item() {
    let mut rows = BatchRows::<Value>::read(FileSource::path("/no/such/out.jsonl"));
    assert_eq!(rows.try_next().await.unwrap_err().kind(), ErrorKind::Io);
    assert!(rows.try_next().await.unwrap().is_none());
}

#[test]
fn batch_runs_and_rows_are_send() {
    fn spawned<T: Send + 'static>(_: T) {}
    let client = Client::builder().base_url("http://localhost").build().unwrap();
    let batch: Batch = serde_json::from_value(batch("completed")).unwrap();
    spawned(IntoFuture::into_future(client.batches().run(input())));
    spawned(client.batches().submit(input()));
    spawned(IntoFuture::into_future(client.batches().wait("b")));
    spawned(client.batches().results::<ChatCompletion>(&batch).by_id());
    let mut rows = client.batches().results::<ChatCompletion>(&batch);
    spawned(async move { rows.try_next().await });
}
