//! Several targets behind one call.

use std::time::Duration;

use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::responses::ResponseRequest;
use openai_compatible::{Client, ErrorKind, Failover, FailoverTarget};
use serde_json::json;

mod support;
use support::{Reply, Server, refused_url};

fn target(url: String, model: &str) -> FailoverTarget {
    FailoverTarget::new(Client::builder().base_url(url).build().unwrap(), model).name(model)
}

fn request() -> ChatRequest {
    ChatRequest::new("any", [Message::user("Hi")])
}

fn answer(text: &str) -> Reply {
    Reply::ok_json(&json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]}))
}

#[tokio::test(start_paused = true)]
async fn first_available_target_responds_with_its_own_model() {
    let busy = Server::start([Reply::status(429).json(&json!({"error": {"message": "slow down"}}))]).await;
    let good = Server::start([answer("hello")]).await;
    let targets =
        Failover::new([target(refused_url(), "dead"), target(busy.url(), "busy"), target(good.url(), "good")]);
    let reply = targets.chat(request()).await.unwrap();
    assert_eq!((reply.target(), &*reply.text()), ("good", "hello"));
    let failures: Vec<_> = reply.failures().map(|(name, error)| (name.to_owned(), error.kind())).collect();
    assert_eq!(failures, [("dead".to_owned(), ErrorKind::Connect), ("busy".to_owned(), ErrorKind::Api)]);
    assert_eq!(good.requests()[0].json()["model"], "good");
    assert_eq!(busy.requests().len(), 1, "a target that is not the last is tried once");
}

#[tokio::test(start_paused = true)]
async fn failing_target_is_skipped_during_its_cooldown() {
    let first = Server::start([Reply::status(503), answer("back")]).await;
    let second = Server::start([answer("second")]).await;
    let targets =
        Failover::new([target(first.url(), "first"), target(second.url(), "second")]).cooldown(Duration::from_secs(60));
    assert_eq!(targets.chat(request()).await.unwrap().target(), "second");
    assert_eq!(targets.chat(request()).await.unwrap().target(), "second");
    assert_eq!(first.requests().len(), 1);
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(targets.chat(request()).await.unwrap().target(), "first");
}

#[tokio::test(start_paused = true)]
async fn client_errors_do_not_fail_over() {
    let strict = Server::start([Reply::status(400).json(&json!({"error": {"message": "bad temperature"}}))]).await;
    let other = Server::start([answer("no")]).await;
    let targets = Failover::new([target(strict.url(), "strict"), target(other.url(), "other")]);
    let error = targets.chat(request()).await.unwrap_err();
    assert_eq!(error.status().unwrap(), 400);
    assert!(other.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn error_of_the_last_target_contains_those_of_the_others() {
    let missing = Server::start([Reply::status(404).json(&json!({"error": {"message": "no such model"}}))]).await;
    let targets = Failover::new([target(missing.url(), "missing"), target(refused_url(), "dead")]);
    let error = targets.chat(request()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    let text = error.to_string();
    assert!(text.contains("missing") && text.contains("no such model") && text.contains("dead"), "{text}");
    assert_eq!(Failover::new([]).chat(request()).await.unwrap_err().kind(), ErrorKind::Config);
}

#[tokio::test(start_paused = true)]
async fn stream_fails_over_before_its_first_chunk_only() {
    let chunk = |text: &str| format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": text}}]}));
    let failing = Server::start([Reply::sse("data: {\"error\":{\"message\":\"overloaded\"}}\n\n")]).await;
    let cut = Server::start([Reply::sse(&chunk("half"))]).await;
    let spare = Server::start([answer("unused")]).await;
    let targets =
        Failover::new([target(failing.url(), "failing"), target(cut.url(), "cut"), target(spare.url(), "spare")]);
    let mut stream = targets.stream(request()).await.unwrap();
    assert_eq!(stream.target(), "cut");
    assert_eq!(stream.try_next().await.unwrap().unwrap().text(), "half");
    assert_eq!(stream.try_next().await.unwrap_err().kind(), ErrorKind::Stream);
    assert!(spare.requests().is_empty());
}

#[tokio::test]
async fn failover_futures_can_be_spawned() {
    let good = Server::start([answer("hello")]).await;
    let targets = Failover::new([target(good.url(), "good")]);
    let spawned = tokio::spawn(async move { targets.chat(request()).await.map(|reply| reply.text().into_owned()) });
    assert_eq!(spawned.await.unwrap().unwrap(), "hello");
}

// ---- Responses ----

fn respond() -> ResponseRequest {
    ResponseRequest::new("any", "Hi")
}

fn response(text: &str) -> Reply {
    let part = json!({"type": "output_text", "text": text});
    let message = json!({"type": "message", "role": "assistant", "content": [part]});
    Reply::ok_json(&json!({"id": "resp_1", "status": "completed", "output": [message]}))
}

#[tokio::test(start_paused = true)]
async fn server_without_the_responses_api_is_passed_over() {
    for status in [404, 405, 501] {
        let without = Server::start([Reply::status(status).json(&json!({"detail": "Not Found"}))]).await;
        let with = Server::start([response("hello")]).await;
        let targets = Failover::new([target(without.url(), "without"), target(with.url(), "with")]);
        let answer = targets.responses(respond()).await.unwrap();
        assert_eq!((answer.target(), &*answer.text()), ("with", "hello"), "after status {status}");
        assert_eq!(with.requests()[0].json()["model"], "with");
    }
}

#[tokio::test(start_paused = true)]
async fn streamed_response_moves_on_before_its_first_output_and_never_after() {
    let event = |event: serde_json::Value| format!("data: {event}\n\n");
    let created = event(json!({"type": "response.created", "response": {"id": "r", "status": "in_progress"}}));
    let failed = event(json!({"type": "response.failed", "response": {"id": "r", "status": "failed",
        "error": {"code": "server_error", "message": "overloaded"}}}));
    let delta = event(json!({"type": "response.output_text.delta", "output_index": 0, "delta": "half"}));
    let failing = Server::start([Reply::sse(&format!("{created}{failed}"))]).await;
    let cut = Server::start([Reply::sse(&format!("{created}{delta}"))]).await;
    let spare = Server::start([response("unused")]).await;
    let targets =
        Failover::new([target(failing.url(), "failing"), target(cut.url(), "cut"), target(spare.url(), "spare")]);

    let mut stream = targets.stream_responses(respond()).await.unwrap();

    assert_eq!(stream.target(), "cut");
    let kinds = [stream.try_next().await.unwrap().unwrap(), stream.try_next().await.unwrap().unwrap()];
    assert_eq!(kinds.map(|event| event.kind().to_owned()), ["response.created", "response.output_text.delta"]);
    assert_eq!(stream.try_next().await.unwrap_err().kind(), ErrorKind::Stream);
    assert!(spare.requests().is_empty());
}
