//! Batches end to end: requests into lines, the run and its waits, rows out of the files.
mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use openai_compatible::batches::{
    Batch, BatchInput, BatchItem, BatchLine, BatchReply, BatchResults, BatchRow, BatchRows, BatchStatus,
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

fn question(text: &str) -> ChatRequest {
    ChatRequest::new("m", [Message::user(text)])
}

fn input() -> BatchInput {
    let mut input = BatchInput::new();
    input.push("one", &question("1?")).unwrap();
    input.push("two", &question("2?")).unwrap();
    input
}

fn batch(status: &str) -> Value {
    json!({ "id": "batch_1", "object": "batch", "endpoint": CHAT, "input_file_id": "file-in", "status": status })
}

fn is(status: &str) -> Reply {
    Reply::ok_json(&batch(status))
}

fn uploaded() -> Reply {
    Reply::ok_json(&json!({ "id": "file-in", "object": "file", "purpose": "batch" }))
}

fn jsonl(rows: &[Value]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

fn answer(text: &str) -> Value {
    json!({ "id": "c", "choices": [{ "index": 0, "message": { "role": "assistant", "content": text } }] })
}

fn good(id: &str, body: impl Into<Value>) -> Value {
    let response = json!({ "status_code": 200, "request_id": format!("req-{id}"), "body": body.into() });
    json!({ "id": "batch_req", "custom_id": id, "response": response, "error": null })
}

fn refused(id: &str, status: u16, code: &str) -> Value {
    let body = json!({ "error": { "message": "No.", "type": "invalid_request_error", "code": code } });
    let response = json!({ "status_code": status, "request_id": format!("req-{id}"), "body": body });
    json!({ "id": "batch_req", "custom_id": id, "response": response, "error": null })
}

fn lines_of(requests: &[Recorded]) -> Vec<String> {
    requests.iter().map(|request| format!("{} {}", request.method, request.target)).collect()
}

/// What an input becomes.
async fn uploaded_lines(input: BatchInput) -> Vec<Value> {
    let server = Server::start([uploaded()]).await;
    client(&server).files().upload(input.into_source().unwrap(), Purpose::Batch).await.unwrap();
    let form = server.requests()[0].form();
    let text =
        String::from_utf8(form.iter().find(|part| part.parameter("name") == Some("file")).unwrap().data.to_vec());
    text.unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The rows of a file, unreadable ones as errors.
async fn rows<T: BatchReply>(text: impl Into<String>) -> Vec<Result<BatchRow<T>, Error>> {
    BatchRows::read(FileSource::bytes("out.jsonl", text.into())).collect().await
}

async fn row<T: BatchReply>(row: Value) -> BatchRow<T> {
    rows(jsonl(&[row])).await.remove(0).unwrap()
}

// Input

#[tokio::test]
async fn requests_of_each_kind_become_lines_for_their_route() {
    fn line<R: BatchItem>(request: &R) -> BatchInput {
        let mut input = BatchInput::new();
        input.push("a", request).unwrap();
        assert_eq!(input.endpoint(), Some(R::ENDPOINT));
        input
    }
    let cases = [
        (line(&question("Hi").temperature(0.2)), CHAT, {
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
async fn any_other_request_goes_by_its_route() {
    let line = BatchLine::new("a", "/v1/moderations", &json!({ "input": "x" })).unwrap();
    let mut input = BatchInput::new();
    input.push_line(&line).unwrap();
    assert_eq!(input.endpoint(), Some("/v1/moderations"));
    assert_eq!(uploaded_lines(input).await, [serde_json::to_value(line).unwrap()]);
}

#[tokio::test]
async fn a_line_never_asks_for_a_stream() {
    let mut input = BatchInput::new();
    input.push("a", &question("Hi").extra("stream", true).extra("top_k", 4)).unwrap();
    let body = uploaded_lines(input).await[0]["body"].clone();
    assert_eq!((body.get("stream"), &body["top_k"]), (None, &json!(4)));
}

#[tokio::test]
async fn rows_can_be_numbered() {
    let input = BatchInput::from_requests(&[question("1?"), question("2?")]).unwrap();
    let ids: Vec<_> = uploaded_lines(input).await.iter().map(|line| line["custom_id"].clone()).collect();
    assert_eq!(ids, ["row-1", "row-2"]);
}

#[tokio::test]
async fn an_input_on_disk_is_the_same_as_one_in_memory() {
    let folder = Folder::new();
    let mut on_disk = BatchInput::in_file(folder.path().join("in.jsonl")).unwrap();
    on_disk.push("one", &question("1?")).unwrap();
    on_disk.push("two", &question("2?")).unwrap();
    assert_eq!(on_disk.bytes(), input().bytes());
    assert_eq!(uploaded_lines(on_disk).await, uploaded_lines(input()).await);
}

#[test]
fn an_input_that_cannot_be_written_says_so() {
    let error = BatchInput::in_file("/no/such/folder/in.jsonl").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("/no/such/folder/in.jsonl"), "{error}");
}

#[test]
fn what_cannot_stand_in_a_batch_is_refused_and_changes_nothing() {
    let mut full = input().max_requests(2);
    let most = input().bytes() + 10;
    let mut heavy = input().max_bytes(most);
    let mut open = input();
    let cases = [
        (open.push("one", &question("again")), "twice"),
        (open.push("", &question("nameless")), "empty"),
        (open.push("three", &ChatRequest::new("", [Message::user("Hi")])), "model"),
        (open.push("three", &EmbeddingRequest::new("m", ["red"])), "/v1/embeddings"),
        (full.push("three", &question("too many")), "2 requests"),
        (heavy.push("three", &question("too long")), "bytes"),
    ];
    for (result, word) in cases {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(word), "{error}");
    }
    for input in [&open, &full, &heavy] {
        assert_eq!((input.len(), input.bytes(), input.contains("three")), (2, most - 10, false));
    }
    open.push("three", &question("3?")).unwrap();
}

#[test]
fn a_full_input_is_as_large_as_its_limit() {
    let bytes = input().bytes();
    let mut exact = BatchInput::new().max_requests(2).max_bytes(bytes);
    exact.push("one", &question("1?")).unwrap();
    exact.push("two", &question("2?")).unwrap();
    assert_eq!(exact.bytes(), bytes);
}

#[test]
fn a_debug_text_shows_no_prompt() {
    assert!(!format!("{:?}", input()).contains("1?"));
}

// The run

#[tokio::test(start_paused = true)]
async fn a_run_uploads_starts_waits_and_gives_the_results() {
    let output = jsonl(&[good("two", answer("2!"))]);
    let errors = jsonl(&[refused("one", 400, "too_hard")]);
    let mut done = batch("completed");
    done["output_file_id"] = json!("file-out");
    done["error_file_id"] = json!("file-err");
    done["request_counts"] = json!({ "total": 2, "completed": 1, "failed": 1 });
    let server = Server::start([
        uploaded(),
        is("validating"),
        is("in_progress"),
        is("in_progress"),
        is("finalizing"),
        Reply::ok_json(&done),
        Reply::status(200).body(output),
        Reply::status(200).body(errors),
    ])
    .await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let progress = seen.clone();
    let batches = client(&server).batches();
    let run = batches.run(input()).metadata("run", "7").extra("priority", 2);
    let done = run.on_progress(move |batch| progress.lock().unwrap().push(batch.status.to_string())).await.unwrap();
    assert_eq!(done.request_counts.as_ref().unwrap().failed, 1);
    assert_eq!(*seen.lock().unwrap(), ["validating", "in_progress", "in_progress", "finalizing", "completed"]);

    let results = batches.results::<ChatCompletion>(&done).by_id().await.unwrap();
    assert_eq!(results.reply("two").unwrap().text(), "2!");
    let error = results.rows["one"].as_ref().unwrap_err();
    assert_eq!(error.status().unwrap(), 400);
    assert_eq!(error.api().unwrap().code.as_deref(), Some("too_hard"));

    let requests = server.requests();
    let poll = "GET /v1/batches/batch_1".to_owned();
    let mut expected = vec!["POST /v1/files".to_owned(), "POST /v1/batches".to_owned()];
    expected.extend([poll.clone(), poll.clone(), poll.clone(), poll]);
    expected.extend(["output", "error"].map(|kind| format!("GET /v1/files/file-{}/content", &kind[..3])));
    assert_eq!(lines_of(&requests)[..6], expected[..6]);
    let form = requests[0].form();
    assert!(form.contains(&support::FormPart::text("purpose", "batch")), "{form:?}");
    let expected = json!({
        "input_file_id": "file-in", "endpoint": CHAT, "completion_window": "24h", "metadata": { "run": "7" }, "priority": 2,
    });
    assert_eq!(requests[1].json(), expected);
    let waits: Vec<_> = server.delays()[1..5].iter().map(|wait| (wait.as_secs_f64() * 100.0).round() / 100.0).collect();
    assert_eq!(waits, [5.0, 7.5, 11.25, 16.88]);
    assert_eq!(lines_of(&requests)[6..], ["GET /v1/files/file-out/content", "GET /v1/files/file-err/content"]);
}

#[tokio::test(start_paused = true)]
async fn the_wait_grows_to_its_longest() {
    let server = Server::start([is("validating"), is("x"), is("x"), is("x"), is("x"), is("completed")]).await;
    let interval = (Duration::from_secs(10), Duration::from_secs(20));
    client(&server).batches().wait("batch_1").interval(interval.0, interval.1).await.unwrap();
    let waits: Vec<_> = server.delays().iter().map(Duration::as_secs).collect();
    assert_eq!(waits, [10, 15, 20, 20, 20]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_without_a_pause_is_refused() {
    let server = Server::start([is("in_progress")]).await;
    let wait = client(&server).batches().wait("batch_1").interval(Duration::ZERO, Duration::from_secs(1));
    assert_eq!(wait.await.unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(server.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_batch_can_be_submitted_and_waited_for_later() {
    let server = Server::start([uploaded(), is("validating"), is("completed")]).await;
    let batches = client(&server).batches();
    let submitted = batches.run(input()).purpose("batch-api").submit().await.unwrap();
    assert_eq!((submitted.id.as_str(), server.requests().len()), ("batch_1", 2));
    let purpose = support::FormPart::text("purpose", "batch-api");
    assert!(server.requests()[0].form().contains(&purpose));

    let before = Instant::now();
    let done = batches.wait(submitted.id).await.unwrap();
    assert_eq!(done.status, BatchStatus::Completed);
    assert_eq!(before.elapsed().as_secs(), 0, "a batch that is done is not waited for");
}

#[tokio::test]
async fn an_empty_input_is_not_sent() {
    let server = Server::start([uploaded()]).await;
    let error = client(&server).batches().run(BatchInput::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_batch_that_does_not_start_leaves_a_file_that_is_named() {
    let refusal = Reply::status(400).json(&json!({ "error": { "message": "No." } }));
    let server = Server::start([uploaded(), refusal]).await;
    let error = client(&server).batches().run(input()).await.unwrap_err();
    assert_eq!(error.status().unwrap(), 400);
    assert!(error.to_string().contains("file-in"), "{error}");
    assert!(error.batch().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_failed_batch_is_an_error_that_knows_the_faults() {
    let mut failed = batch("failed");
    let fault = |line: u64| json!({ "code": "invalid_json_line", "message": "Not JSON.", "param": null, "line": line });
    failed["errors"] = json!({ "object": "list", "data": [fault(3), fault(5)] });
    let server = Server::start([uploaded(), is("validating"), Reply::ok_json(&failed)]).await;
    let error = client(&server).batches().run(input()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Api);
    assert!(!error.is_retryable());
    let text = error.to_string();
    assert!(text.contains("`batch_1` failed: line 3: Not JSON. (and 1 more) (code invalid_json_line)"), "{text}");
    let batch = error.batch().unwrap();
    assert_eq!(batch.errors.as_ref().unwrap().data[1].line, Some(5));
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_expired_or_was_cancelled_is_given_with_what_had_run() {
    for status in ["expired", "cancelled"] {
        let mut ended = batch(status);
        ended["output_file_id"] = json!("file-out");
        let output = Reply::status(200).body(jsonl(&[good("one", answer("1!"))]));
        let server = Server::start([is("in_progress"), Reply::ok_json(&ended), output]).await;
        let batches = client(&server).batches();
        let ended = batches.wait("batch_1").await.unwrap();
        assert_eq!(ended.status, *status);
        let results = batches.results::<ChatCompletion>(&ended).by_id().await.unwrap();
        assert_eq!(results.reply("one").unwrap().text(), "1!");
        assert_eq!(results.missing(["one", "two"]), ["two"]);
    }
}

#[tokio::test(start_paused = true)]
async fn polls_that_fail_for_a_while_end_nothing() {
    let down = || Reply::status(503);
    let server = Server::start([is("in_progress"), down(), down(), is("in_progress"), down(), down(), is("completed")]);
    let server = server.await;
    let done = client(&server).batches().wait("batch_1").max_failures(2).await.unwrap();
    assert_eq!(done.status, BatchStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn polls_that_fail_for_long_end_the_wait_and_the_error_knows_the_batch() {
    let server = Server::start([uploaded(), is("in_progress"), Reply::status(503)]).await;
    let error = client(&server).batches().run(input()).max_failures(2).await.unwrap_err();
    assert_eq!(error.status().unwrap(), 503);
    assert_eq!(error.batch().unwrap().id, "batch_1");
    assert_eq!(server.requests().len(), 2 + 3);
}

#[tokio::test(start_paused = true)]
async fn a_poll_waits_as_long_as_the_server_asks() {
    let busy = Reply::status(429).header("retry-after", "300");
    let server = Server::start([is("in_progress"), busy, is("completed")]).await;
    client(&server).batches().wait("batch_1").await.unwrap();
    assert_eq!(server.delays()[1].as_secs(), 300);
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_fails_for_good_ends_the_wait_at_once() {
    let gone = Reply::status(404).json(&json!({ "error": { "message": "No such batch." } }));
    let server = Server::start([is("in_progress"), gone]).await;
    let error = client(&server).batches().wait("batch_1").await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_ends_the_wait_and_not_the_batch() {
    let server = Server::start([uploaded(), is("validating"), is("in_progress")]).await;
    let started = Instant::now();
    let run = client(&server).batches().run(input()).time_limit(Duration::from_secs(3600));
    let error = run.await.unwrap_err();
    assert_eq!(started.elapsed().as_secs(), 3600);
    assert!(error.is_timeout());
    assert!(error.to_string().contains("`batch_1` is not done after 3600s"), "{error}");
    assert_eq!(error.batch().unwrap().status, BatchStatus::InProgress);
    assert!(lines_of(&server.requests()).iter().all(|line| !line.contains("cancel")));
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_covers_the_upload() {
    let server = Server::start([uploaded().hang_before_headers()]).await;
    for submits in [false, true] {
        let run = client(&server).batches().run(input()).time_limit(Duration::from_secs(30));
        let error = if submits { run.submit().await } else { run.await }.unwrap_err();
        assert!(error.is_timeout());
        assert!(error.batch().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_a_run_stops_the_polls() {
    let server = Server::start([uploaded(), is("in_progress")]).await;
    let run = client(&server).batches().run(input());
    timeout(Duration::from_secs(100), run).await.unwrap_err();
    let polled = server.requests().len();
    assert!(polled > 3, "{polled}");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(server.requests().len(), polled);
    assert!(lines_of(&server.requests()).iter().all(|line| !line.contains("cancel")));
}

// Rows

#[tokio::test]
async fn rows_are_typed_by_the_route_they_went_to() {
    let reply = row::<ChatCompletion>(good("a", answer("Hi"))).await;
    assert_eq!((reply.custom_id.as_str(), reply.request_id.as_str()), ("a", "req-a"));
    assert_eq!(reply.result.unwrap().text(), "Hi");
    let vectors = json!({ "data": [{ "index": 0, "embedding": [0.5, 1.0] }], "model": "m" });
    let reply = row::<EmbeddingList>(good("a", vectors)).await.result.unwrap();
    assert_eq!(*reply.data[0].embedding, [0.5, 1.0]);
    let text = json!({ "choices": [{ "index": 0, "text": "upon" }] });
    assert_eq!(row::<Completion>(good("a", text)).await.result.unwrap().choices[0].text, "upon");
    assert_eq!(row::<Value>(good("a", json!({ "score": 1 }))).await.result.unwrap(), json!({ "score": 1 }));
}

#[tokio::test]
async fn a_body_that_is_written_as_text_is_read() {
    let reply = row::<ChatCompletion>(good("a", answer("a\nb").to_string())).await;
    assert_eq!(reply.result.unwrap().text(), "a\nb");
    assert_eq!(row::<Value>(good("a", json!({ "n": 1 }).to_string())).await.result.unwrap(), json!({ "n": 1 }));
    assert_eq!(row::<Value>(good("a", "plain words")).await.result.unwrap(), "plain words");
    let mut error = refused("a", 429, "rate_limit_exceeded");
    error["response"]["body"] = error["response"]["body"].to_string().into();
    assert!(row::<Value>(error).await.result.unwrap_err().is_rate_limited());
}

#[tokio::test]
async fn a_request_that_was_refused_is_an_error_like_that_of_any_call() {
    let error = row::<ChatCompletion>(refused("a", 400, "context_length_exceeded")).await.result.unwrap_err();
    assert!(error.is_context_length());
    assert_eq!((error.status().unwrap().as_u16(), error.request_id()), (400, Some("req-a")));
    assert!(row::<Value>(refused("a", 401, "invalid_api_key")).await.result.unwrap_err().is_auth());
}

#[tokio::test]
async fn a_request_that_never_ran_tells_why() {
    let expired =
        json!({ "custom_id": "a", "response": null, "error": { "code": "batch_expired", "message": "Too late." } });
    let error = row::<ChatCompletion>(expired).await.result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Api);
    let api = error.api().unwrap();
    assert_eq!((api.code.as_deref(), api.message.as_str()), (Some("batch_expired"), "Too late."));
    // vLLM
    let error = json!({ "error": { "message": "Bad prompt.", "type": "BadRequestError", "code": 400 } });
    let row =
        row::<ChatCompletion>(json!({ "custom_id": "a", "response": { "status_code": 400 }, "error": error })).await;
    let error = row.result.unwrap_err();
    assert_eq!((error.status().unwrap().as_u16(), error.api().unwrap().message.as_str()), (400, "Bad prompt."));
}

#[tokio::test]
async fn an_empty_error_beside_a_reply_is_none() {
    for nothing in [json!(null), json!({}), json!(""), json!({ "code": null, "message": null })] {
        let mut line = good("a", answer("Hi"));
        line["error"] = nothing;
        line["response"].as_object_mut().unwrap().remove("status_code");
        assert_eq!(row::<ChatCompletion>(line).await.result.unwrap().text(), "Hi");
    }
}

#[tokio::test]
async fn a_reply_that_is_none_is_an_error_of_its_row() {
    let in_disguise = json!({ "error": { "message": "overloaded" } });
    for line in [good("a", in_disguise.clone()), good("a", in_disguise.to_string())] {
        let chat = row::<ChatCompletion>(line.clone()).await;
        assert_eq!(chat.custom_id, "a");
        assert_eq!(chat.result.unwrap_err().api().unwrap().message, "overloaded");
        assert_eq!(row::<Value>(line).await.result.unwrap_err().api().unwrap().message, "overloaded");
    }
    for line in [good("a", json!({})), good("a", "words"), json!({ "custom_id": "a" })] {
        assert_eq!(row::<ChatCompletion>(line).await.result.unwrap_err().kind(), ErrorKind::Decode);
    }
}

#[tokio::test]
async fn ids_and_statuses_of_another_type_are_read() {
    let line =
        json!({ "custom_id": 7, "response": { "status_code": "200", "request_id": null, "body": answer("Hi") } });
    let row = row::<ChatCompletion>(line).await;
    assert_eq!((row.custom_id.as_str(), row.request_id.as_str()), ("7", ""));
    assert_eq!(row.result.unwrap().text(), "Hi");
}

#[tokio::test]
async fn an_unreadable_row_names_its_line_and_the_others_follow() {
    let (first, last) = (good("a", answer("1")), good("b", answer("2")));
    let text = format!("{first}\n\n{{\"custom_id\": \"secret\n{{}}\n[1]\n{last}");
    let rows = rows::<ChatCompletion>(text).await;
    let told: Vec<_> = rows
        .iter()
        .map(|row| match row {
            Ok(row) => row.custom_id.clone(),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Decode);
                let text = error.to_string();
                assert!(!text.contains("secret") && !format!("{error:?}").contains("secret"), "{error:?}");
                text.split("`out.jsonl`").next().unwrap().rsplit(": ").next().unwrap().to_owned()
            }
        })
        .collect();
    assert_eq!(told, ["a", "line 3 of the file ", "line 4 of the file ", "line 5 of the file ", "b"]);
    assert!(rows[1].as_ref().unwrap_err().body().unwrap().starts_with(b"{\"custom_id\""));
}

#[tokio::test]
async fn a_line_over_the_limit_is_an_unreadable_row() {
    let (small, large) = (good("a", answer("1")), good("b", answer(&"x".repeat(1000))));
    let text = format!("{small}\n{large}\n{small}\n{large}");
    let limit = small.to_string().len();
    // In one piece, and in pieces far smaller than a line.
    let whole = Server::start([Reply::status(200).body(text.clone())]).await;
    let mut pieces = Reply::status(200);
    for piece in text.as_bytes().chunks(64) {
        pieces = pieces.piece(piece.to_vec());
    }
    let cut = Server::start([pieces]).await;
    for server in [whole, cut] {
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
async fn lines_may_be_cut_anywhere() {
    let rows = [good("a", answer("é\r")), good("b", json!({ "n": "💡" }).to_string())];
    let text = format!("\u{feff}{}\r\n\r\n{}", rows[0], rows[1]).into_bytes();
    let cuts = (1..text.len()).map(|at| Reply::status(200).piece(text[..at].to_vec()).piece(text[at..].to_vec()));
    let bytes = Reply::status(200).body(text.clone()).byte_wise();
    let server = Server::start(cuts.chain([bytes])).await;
    let batches = client(&server).batches();
    for cut in 1..=text.len() {
        let results: BatchResults<Value> = batches.results(&with_output()).by_id().await.unwrap();
        assert!(results.unreadable.is_empty(), "cut at {cut}: {:?}", results.unreadable);
        assert_eq!(*results.reply("a").unwrap(), answer("é\r"), "cut at {cut}");
        assert_eq!(*results.reply("b").unwrap(), json!({ "n": "💡" }), "cut at {cut}");
    }
}

#[tokio::test]
async fn many_rows_are_read_one_at_a_time() {
    const ROWS: usize = 50_000;
    let hundred = jsonl(&vec![good("a", answer(&"x".repeat(800))); 100]);
    let size = hundred.len() * ROWS / 100;
    let server = Server::start([Reply::status(200).repeat(hundred.clone(), ROWS / 100)]).await;
    let mut rows = client(&server).batches().results::<ChatCompletion>(&with_output());
    // What the kernel's buffers and one piece of the connection hold.
    let ahead = 8 << 20;
    assert!(size > 5 * ahead);
    let mut read = 0;
    while let Some(row) = rows.try_next().await.unwrap() {
        row.result.unwrap();
        read += 1;
        if read % 5_000 == 0 {
            // A turn for the server, which runs beside this test, to write whatever it is let to.
            for _ in 0..64 {
                tokio::task::yield_now().await;
            }
            let taken = read * hundred.len() / 100;
            assert!(server.bytes_written() < taken + ahead, "{} for {taken}", server.bytes_written());
        }
    }
    assert_eq!(read, ROWS);
}

#[tokio::test]
async fn a_file_that_breaks_off_is_the_last_item() {
    let mut batch = batch("completed");
    (batch["output_file_id"], batch["error_file_id"]) = (json!("file-out"), json!("file-err"));
    let batch: Batch = serde_json::from_value(batch).unwrap();
    let line = jsonl(&[good("a", answer("1"))]);
    let broken = Reply::status(200).body(line.clone() + &line).content_length(10_000).keep_alive(false);
    let server = Server::start([broken]).await;
    let batches = client(&server).batches();
    let rows: Vec<_> = batches.results::<Value>(&batch).collect().await;
    assert_eq!(rows.len(), 3);
    let error = rows[2].as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    assert!(error.to_string().contains("the output file `file-out`"), "{error}");
    assert_eq!(batches.results::<Value>(&batch).by_id().await.unwrap_err().kind(), ErrorKind::Transport);
    assert!(lines_of(&server.requests()).iter().all(|line| line.ends_with("file-out/content")));
}

#[tokio::test]
async fn results_by_id_prefer_replies_and_keep_what_nobody_can_read() {
    let text = jsonl(&[
        refused("a", 500, "x"),
        good("a", json!(1)),
        refused("a", 500, "x"),
        json!("no row"),
        refused("b", 500, "x"),
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
async fn a_batch_without_files_has_no_rows() {
    let server = Server::start([is("x")]).await;
    let batch: Batch = serde_json::from_value(batch("in_progress")).unwrap();
    assert!(client(&server).batches().results::<Value>(&batch).try_next().await.unwrap().is_none());
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_saved_file_that_cannot_be_read_is_the_only_item() {
    let mut rows = BatchRows::<Value>::read(FileSource::path("/no/such/out.jsonl"));
    assert_eq!(rows.try_next().await.unwrap_err().kind(), ErrorKind::Config);
    assert!(rows.try_next().await.unwrap().is_none());
}

#[test]
fn runs_and_rows_can_be_spawned() {
    fn spawned<T: Send + 'static>(_: T) {}
    let client = Client::builder().base_url("http://localhost").build().unwrap();
    let batch: Batch = serde_json::from_value(batch("completed")).unwrap();
    spawned(client.batches().run(input()).into_future());
    spawned(client.batches().run(input()).submit());
    spawned(client.batches().wait("b").into_future());
    spawned(client.batches().results::<ChatCompletion>(&batch).by_id());
    let mut rows = client.batches().results::<ChatCompletion>(&batch);
    spawned(async move { rows.try_next().await });
}
