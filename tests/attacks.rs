//! The inputs of an attacker: each file of `fixtures/attacks/` against a client.

use std::time::Duration;

use openai_compatible::batches::{BatchRows, BatchStatus};
use openai_compatible::chat::{ChatCompletion, ChatRequest, Message};
use openai_compatible::{Client, ErrorKind, Failover, FailoverTarget, FileSource};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

mod support;
use support::{Reply, Server, fixture};

const KEY: &str = "sk-SECRET/1234+567890=xyz";

fn hello() -> ChatRequest {
    ChatRequest::new("m", [Message::user("Hi")])
}

fn completion() -> Reply {
    Reply::ok_json(&json!({ "choices": [{ "message": { "content": "Hi" }, "finish_reason": "stop" }] }))
}

fn client(server: &Server) -> Client {
    Client::builder().base_url(server.base_url()).api_key(KEY).max_retries(0).build().unwrap()
}

/// The reply in a file of raw HTTP.
fn reply(file: &str) -> Reply {
    let text = String::from_utf8(fixture(&format!("attacks/{file}"))).unwrap().replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.filter_map(|line| line.split_once(": ")).filter(|(name, _)| *name == "retry-after");
    let reply = headers.fold(Reply::status(status), |reply, (name, value)| reply.header(name, value));
    reply.body(body.trim_end().to_owned())
}

#[test]
fn every_attack_has_a_test() {
    let files = std::fs::read_dir(format!("{}/tests/fixtures/attacks", env!("CARGO_MANIFEST_DIR"))).unwrap();
    // 02 and 06 are programs that write what `growth.rs` writes.
    assert_eq!(files.count(), 9);
}

#[tokio::test(start_paused = true)]
async fn a_wait_beyond_all_limits_leads_to_the_next_target_and_back() {
    let values = ["1e309", "99999999999999999999999", "18446744073709551615", "Fri, 31 Dec 9999 23:59:59 GMT", "86400"];
    let others = values.map(|value| Reply::status(429).header("retry-after", value).body("{}"));
    for bad in [reply("01-failover-panic.http")].into_iter().chain(others) {
        let (bad, good) = (Server::start([bad, completion()]).await, Server::start([completion()]).await);
        let targets =
            Failover::new([FailoverTarget::new(client(&bad), "bad"), FailoverTarget::new(client(&good), "good")]);
        assert_eq!(targets.chat(hello()).await.unwrap().text(), "Hi");
        assert_eq!(good.requests().len(), 1);
        tokio::time::sleep(Duration::from_secs(121)).await;
        targets.chat(hello()).await.unwrap();
        assert_eq!(bad.requests().len(), 2, "the target is asked again");
        targets.cooldown(Duration::MAX).chat(hello()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn one_poll_does_not_end_a_wait_nor_make_it_endless() {
    let state = |status: &str| Reply::ok_json(&json!({ "id": "b", "status": status }));
    let server =
        Server::start([state("in_progress"), reply("03-batch-poll-never-again.http"), state("completed")]).await;
    let started = Instant::now();
    let done = client(&server).batches().wait("b").await.unwrap();
    assert_eq!(done.status, BatchStatus::Completed);
    assert!(started.elapsed() < Duration::from_secs(200), "{:?}", started.elapsed());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_false_length_reserves_no_more_than_a_little() {
    let peak = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmPeak")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let _ = socket.read(&mut [0; 4096]).await;
                let _ = socket.write_all(&fixture("attacks/04-content-length-lie-first-piece.http")).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
                let _ = socket.write_all(b" ").await;
                std::future::pending::<()>().await;
            });
        }
    });
    let client = Client::builder().base_url(format!("http://{address}/v1")).max_retries(0).build().unwrap();
    let call = || async { client.chat().create(hello()).timeout(Duration::from_millis(600)).await };
    assert_eq!(call().await.unwrap_err().kind(), ErrorKind::Timeout);
    let before = peak();
    let calls = futures::future::join_all((0..8).map(|_| call())).await;
    assert!(calls.iter().all(Result::is_err));
    assert!(peak() - before < 100 << 10, "{} KiB more", peak() - before);
}

#[tokio::test]
async fn a_key_that_a_server_repeats_stays_in() {
    let lines = String::from_utf8(fixture("attacks/05-key-echoes.jsonl")).unwrap();
    let cases: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut bodies: Vec<String> = cases.iter().filter_map(|case| case["body"].as_str()).map(str::to_owned).collect();
    // Those that are cut: at what an error keeps, and at what is read.
    bodies.extend([65_521, 1_048_561].map(|length| "x".repeat(length) + KEY));
    assert_eq!((cases.len(), bodies.len()), (6, 6));
    for body in bodies {
        for status in [401, 200] {
            let server = Server::start([Reply::status(status).body(body.clone())]).await;
            let error = client(&server).chat().create(hello()).await.unwrap_err();
            let api = error.api_error().cloned().unwrap_or_default();
            let kept = String::from_utf8_lossy(error.body().unwrap());
            for text in
                [format!("{error}"), format!("{error:?}"), format!("{error:#?}"), format!("{api:?}"), kept.into()]
            {
                let text = text.to_ascii_lowercase();
                for part in ["sk-secret", "secret/1234", "secret\\/1234", "secret%2f1234", "u002dsecret", "+567890"] {
                    assert!(!text.contains(part), "{part} in {}", &text[text.len().saturating_sub(200)..]);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_choice_beyond_the_first_64_ends_by_itself() {
    let server =
        Server::start([Reply::sse(&String::from_utf8(fixture("attacks/07-choice-63-unfinished.sse")).unwrap())]).await;
    let error = client(&server).chat().stream(hello()).await.unwrap().collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stream);
    assert!(error.completion().is_some(), "what was read is kept");
}

#[tokio::test]
async fn a_batch_row_with_a_lone_surrogate_is_read() {
    let rows = BatchRows::<ChatCompletion>::read(FileSource::bytes(
        "out.jsonl",
        fixture("attacks/08-batch-row-with-a-half.jsonl"),
    ));
    let results = rows.by_id().await.unwrap();
    let error = results.rows["a"].as_ref().unwrap_err();
    assert_eq!(error.api_error().unwrap().message, "cut \u{FFFD}");
    assert!(results.unreadable.is_empty());
}
