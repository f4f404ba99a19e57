//! Completions: the bytes that go out, and what comes of the replies and streams of all servers.

mod support;

use futures::TryStreamExt;
use openai_compatible::chat::FinishReason;
use openai_compatible::completions::{CompletionRequest, Prompt};
use openai_compatible::{Client, ErrorKind};
use serde_json::{Value, json};
use support::{Reply, Server};

async fn serving(reply: Reply) -> (Server, Client) {
    let server = Server::start([reply]).await;
    let client = Client::builder().base_url(server.base_url()).max_retries(0).build().unwrap();
    (server, client)
}

fn request() -> CompletionRequest {
    CompletionRequest::new("m", "Hi")
}

/// The body as an event stream with these data.
fn events(data: &[Value]) -> String {
    data.iter().map(|data| format!("data: {data}\n\n")).collect::<String>() + "data: [DONE]\n\n"
}

fn piece(index: u32, text: &str, finish_reason: Option<&str>) -> Value {
    json!({ "id": "c", "object": "text_completion", "created": 1, "model": "m-1",
            "choices": [{ "index": index, "text": text, "logprobs": null, "finish_reason": finish_reason }] })
}

// ---- requests ----

#[tokio::test]
async fn only_what_is_set_is_sent() {
    let (server, client) = serving(Reply::ok_json(&piece(0, "!", Some("stop")))).await;

    client.completions().create(request()).await.unwrap();

    let sent = &server.requests()[0];
    assert_eq!((sent.method.as_str(), sent.target.as_str()), ("POST", "/v1/completions"));
    assert_eq!(sent.body, r#"{"model":"m","prompt":"Hi"}"#);
}

#[test]
fn every_field_is_written_under_its_name() {
    let request = request()
        .best_of(3)
        .echo(false)
        .frequency_penalty(0.0)
        .logit_bias(50256, -100)
        .logprobs(0)
        .max_tokens(16)
        .n(2)
        .presence_penalty(-0.5)
        .seed(-7)
        .stop(["\n", "END"])
        .include_usage(true)
        .suffix("}")
        .temperature(0.2)
        .top_p(0.9)
        .user("u")
        .extra("min_p", 0.05);

    let expected = json!({
        "model": "m", "prompt": "Hi", "best_of": 3, "echo": false, "frequency_penalty": 0.0,
        "logit_bias": { "50256": -100 }, "logprobs": 0, "max_tokens": 16, "n": 2, "presence_penalty": -0.5, "seed": -7,
        "stop": ["\n", "END"], "stream_options": { "include_usage": true }, "suffix": "}", "temperature": 0.2,
        "top_p": 0.9, "user": "u", "min_p": 0.05,
    });
    assert_eq!(serde_json::to_value(&request).unwrap(), expected);
    assert_eq!(serde_json::from_value::<CompletionRequest>(expected).unwrap(), request);
}

#[test]
fn a_prompt_is_text_texts_tokens_token_lists_or_any_json() {
    let owned = vec!["a".to_owned(), "b".to_owned()];
    for (prompt, json) in [
        (Prompt::from("a"), json!("a")),
        (Prompt::from("a".to_owned()), json!("a")),
        (Prompt::from(["a", "b"]), json!(["a", "b"])),
        (Prompt::from(vec!["a", "b"]), json!(["a", "b"])),
        (Prompt::from(&owned), json!(["a", "b"])),
        (Prompt::from(&["a", "b"]), json!(["a", "b"])),
        (Prompt::from(owned.clone()), json!(["a", "b"])),
        (Prompt::from(owned.iter().collect::<Vec<_>>()), json!(["a", "b"])),
        (Prompt::from([1, 2]), json!([1, 2])),
        (Prompt::from(vec![1, 2]), json!([1, 2])),
        (Prompt::from(vec![vec![1], vec![2, 3]]), json!([[1], [2, 3]])),
        (Prompt::from(json!([12, "mixed"])), json!([12, "mixed"])),
    ] {
        assert_eq!(serde_json::to_value(&prompt).unwrap(), json);
        assert_eq!(serde_json::from_value::<Prompt>(json).unwrap(), prompt);
    }
}

#[tokio::test]
async fn streaming_is_the_methods_decision() {
    let (server, client) = serving(Reply::sse(&events(&[piece(0, "!", Some("stop"))]))).await;

    client.completions().stream(request().extra("stream", false)).await.unwrap();

    assert_eq!(server.requests()[0].body, r#"{"model":"m","prompt":"Hi","stream":true}"#);
}

#[tokio::test]
async fn an_empty_model_is_refused_before_anything_is_sent() {
    let (server, client) = serving(Reply::status(200)).await;

    let request = CompletionRequest::new("", "a secret prompt");
    let error = client.completions().create(&request).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(!format!("{error} {error:?} {:?}", client.completions().create(&request)).contains("secret"));
    assert_eq!(client.completions().stream(&request).await.unwrap_err().kind(), ErrorKind::Config);
    assert!(server.requests().is_empty());
}

// ---- replies ----

#[tokio::test]
async fn a_reply_has_its_text_reason_and_usage() {
    let (_server, client) = serving(Reply::ok_json(&json!({
        "id": "cmpl-1", "object": "text_completion", "created": 1589478378, "model": "m-2024", "system_fingerprint": "fp",
        "choices": [
            { "index": 1, "text": "two", "logprobs": null, "finish_reason": "stop" },
            { "index": 0, "text": "one", "logprobs": null, "finish_reason": "length" },
        ],
        "usage": { "prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12 },
    })))
    .await;

    let reply = client.completions().create(request()).await.unwrap();

    assert_eq!(reply.text(), "one");
    assert_eq!(reply.finish_reason(), Some(FinishReason::Length));
    assert_eq!(reply.usage.as_ref().unwrap().total_tokens, 12);
    assert_eq!((reply.created, reply.model.as_str()), (Some(1_589_478_378), "m-2024"));
    assert_eq!(reply.system_fingerprint.as_deref(), Some("fp"));
}

#[tokio::test]
async fn only_the_choices_are_needed() {
    let (_server, client) = serving(Reply::ok_json(&json!({ "choices": [{ "text": "x" }] }))).await;

    let reply = client.completions().create(request()).await.unwrap();

    assert_eq!(reply.text(), "x");
    assert_eq!(reply.finish_reason(), None);
}

#[tokio::test]
async fn logprobs_are_parallel_lists_whose_first_entries_may_be_null() {
    let (_server, client) = serving(Reply::ok_json(&json!({ "choices": [{ "text": "Hi you", "logprobs": {
        "tokens": ["Hi", " you"],
        "token_logprobs": [null, -0.5],
        "top_logprobs": [null, { " you": -0.5, " there": -1.25 }],
        "text_offset": [0, 2],
    } }] })))
    .await;

    let reply = client.completions().create(request()).await.unwrap();

    let logprobs = reply.choices[0].logprobs.as_ref().unwrap();
    assert_eq!(logprobs.tokens, ["Hi", " you"]);
    assert_eq!(logprobs.token_logprobs, [None, Some(-0.5)]);
    assert_eq!(logprobs.top_logprobs[0], None);
    assert_eq!(logprobs.top_logprobs[1].as_ref().unwrap()[" there"], -1.25);
    assert_eq!(logprobs.text_offset, [0, 2]);
    assert_eq!(logprobs.iter().collect::<Vec<_>>(), [("Hi", None), (" you", Some(-0.5))]);
}

#[tokio::test]
async fn logprobs_in_the_shape_of_chats_are_read_too() {
    let llama_cpp = json!({ "choices": [{ "text": " a", "logprobs": { "content": [
        { "id": 264, "token": " a", "bytes": [32, 97], "logprob": -0.25,
          "top_logprobs": [{ "id": 264, "token": " a", "bytes": [32, 97], "logprob": -0.25 }] },
    ] } }] });
    let (_server, client) = serving(Reply::ok_json(&llama_cpp)).await;

    let reply = client.completions().create(request()).await.unwrap();

    let logprobs = reply.choices[0].logprobs.as_ref().unwrap();
    assert_eq!(logprobs.content.as_ref().unwrap()[0].top_logprobs[0].token, " a");
    assert_eq!(logprobs.iter().collect::<Vec<_>>(), [(" a", Some(-0.25))]);
}

#[tokio::test]
async fn bare_logprobs_are_kept_and_lose_no_answer() {
    for bare in [json!([-0.1, -0.2]), json!(-0.5)] {
        let body = json!({ "choices": [{ "text": "x", "logprobs": bare }] });
        let (_server, client) = serving(Reply::ok_json(&body)).await;

        let reply = client.completions().create(request()).await.unwrap();

        assert_eq!(reply.text(), "x");
        assert_eq!(reply.choices[0].logprobs, None);
        assert_eq!(reply.choices[0].extra.get("logprobs"), Some(&bare));
    }
}

#[tokio::test]
async fn vendor_members_are_kept() {
    let body = json!({ "choices": [{ "text": "x", "stop_reason": 2 }], "timings": { "prompt_n": 4 } });
    let (_server, client) = serving(Reply::ok_json(&body)).await;

    let reply = client.completions().create(request()).await.unwrap();

    assert_eq!(reply.extra.get("timings"), Some(&json!({ "prompt_n": 4 })));
    assert_eq!(reply.choices[0].extra.get("stop_reason"), Some(&json!(2)));
}

#[tokio::test]
async fn an_error_with_status_200_is_an_error() {
    let (_server, client) = serving(Reply::ok_json(&json!({ "error": { "message": "no slot" } }))).await;

    let error = client.completions().create(request()).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Api);
    assert_eq!(error.api_error().unwrap().message, "no slot");
}

// ---- streams ----

#[tokio::test]
async fn a_stream_gives_the_text_piece_by_piece() {
    let body = events(&[piece(0, "The ", None), piece(1, "An", None), piece(0, "Nile", Some("stop"))]);
    let (_server, client) = serving(Reply::sse(&body).byte_wise()).await;

    let pieces: Vec<_> = client.completions().stream(request()).await.unwrap().try_collect().await.unwrap();

    assert_eq!(pieces.iter().map(|piece| piece.text()).collect::<Vec<_>>(), ["The ", "", "Nile"]);
    assert_eq!(pieces[2].finish_reason(), Some(FinishReason::Stop));
}

#[tokio::test]
async fn a_collected_stream_is_the_whole_completion() {
    let logprobs = |token: &str, logprob: f64| {
        json!({ "index": 0, "text": token, "token_ids": [1], "logprobs": {
            "tokens": [token], "token_logprobs": [logprob], "top_logprobs": [{ token: logprob }], "text_offset": [0] } })
    };
    let body = events(&[
        json!({ "id": "", "model": "", "choices": [{ "index": 1, "text": "b" }], "usage": { "total_tokens": 1 } }),
        json!({ "id": "c", "model": "m-1", "created": 3, "choices": [logprobs("x", -1.0)], "timings": { "n": 1 } }),
        json!({ "id": "c", "choices": [logprobs("y", -2.0)], "timings": { "n": 2 } }),
        json!({ "id": "c", "choices": [{ "index": 0, "text": "", "finish_reason": "length" }] }),
        json!({ "id": "c", "choices": [{ "index": 1, "text": "", "finish_reason": "stop" }] }),
        json!({ "id": "c", "choices": [], "usage": { "prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5 } }),
    ]);
    let (_server, client) = serving(Reply::sse(&body)).await;

    let reply = client.completions().stream(request()).await.unwrap().collect().await.unwrap();

    assert_eq!((reply.id.as_str(), reply.model.as_str(), reply.created), ("c", "m-1", Some(3)));
    assert_eq!(reply.choices.iter().map(|choice| choice.text.as_str()).collect::<Vec<_>>(), ["xy", "b"]);
    assert_eq!(reply.finish_reason(), Some(FinishReason::Length));
    assert_eq!(reply.choices[1].finish_reason, Some(FinishReason::Stop));
    let logprobs = reply.choices[0].logprobs.as_ref().unwrap();
    assert_eq!(logprobs.iter().collect::<Vec<_>>(), [("x", Some(-1.0)), ("y", Some(-2.0))]);
    assert_eq!((logprobs.top_logprobs.len(), logprobs.text_offset.len()), (2, 2));
    assert_eq!(reply.choices[0].extra.get("token_ids"), Some(&json!([1, 1])));
    assert_eq!(reply.extra.get("timings"), Some(&json!({ "n": 2 })));
    assert_eq!(reply.usage.unwrap().total_tokens, 5);
}

#[tokio::test]
async fn a_finish_reason_beside_the_choices_ends_a_stream() {
    let together = "data: {\"choices\":[{\"text\":\"a\",\"logprobs\":-0.5}],\"finish_reason\":null}\n\n\
                    data: {\"choices\":[{\"text\":\"b\",\"logprobs\":-0.1}],\"finish_reason\":\"eos\"}\n\n";
    let (_server, client) = serving(Reply::sse(together)).await;

    let reply = client.completions().stream(request()).await.unwrap().collect().await.unwrap();

    assert_eq!(reply.text(), "ab");
    assert_eq!(reply.finish_reason().unwrap(), "eos");
}

#[tokio::test]
async fn an_empty_finish_reason_ends_nothing() {
    let tgi = format!("data: {}\n\n", piece(0, "a", Some("")));
    let (_server, client) = serving(Reply::sse(&tgi)).await;

    let error = client.completions().stream(request()).await.unwrap().collect().await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Stream);
}

#[tokio::test]
async fn a_stream_that_stops_early_is_an_error_after_what_came() {
    let body = format!("data: {}\n\n", piece(0, "half", None));
    let (_server, client) = serving(Reply::sse(&body)).await;

    let mut pieces = client.completions().stream(request()).await.unwrap();

    assert_eq!(pieces.try_next().await.unwrap().unwrap().text(), "half");
    assert_eq!(pieces.try_next().await.unwrap_err().kind(), ErrorKind::Stream);
    assert!(pieces.try_next().await.unwrap().is_none());
}

#[tokio::test]
async fn an_error_in_the_midst_of_a_stream_is_an_error() {
    let body = events(&[piece(0, "half", None), json!({ "error": { "message": "out of memory", "code": 500 } })]);
    let (_server, client) = serving(Reply::sse(&body)).await;

    let mut pieces = client.completions().stream(request()).await.unwrap();

    assert_eq!(pieces.try_next().await.unwrap().unwrap().text(), "half");
    assert_eq!(pieces.try_next().await.unwrap_err().api_error().unwrap().message, "out of memory");
}

#[tokio::test]
async fn a_whole_completion_in_place_of_a_stream_is_one_piece() {
    let (_server, client) = serving(Reply::ok_json(&json!({ "choices": [{ "text": "all at once" }] }))).await;

    let mut pieces = client.completions().stream(request()).await.unwrap();

    let piece = pieces.try_next().await.unwrap().unwrap();
    assert_eq!((piece.text(), piece.finish_reason()), ("all at once", Some(FinishReason::Stop)));
    assert!(pieces.try_next().await.unwrap().is_none());
}
