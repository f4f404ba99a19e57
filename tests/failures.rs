//! Failures that look like successes, and successes that look like failures, one table for each class.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use openai_compatible::audio::TranscriptionRequest;
use openai_compatible::batches::BatchInput;
use openai_compatible::chat::{
    AssistantMessage, ChatCompletion, ChatRequest, Message, Permission, Tool, ToolCall, ToolSet,
};
use openai_compatible::completions::CompletionRequest;
use openai_compatible::images::ImageRequest;
use openai_compatible::responses::ResponseRequest;
use openai_compatible::{Client, Error, ErrorKind, FileSource, HttpError, RequestBody, ResponseBody};
use serde_json::{Value, json};
use tokio::time::Instant;

mod support;
use support::{Reply, Server};

const SECOND: Duration = Duration::from_secs(1);
const FINISH: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";

fn hello() -> ChatRequest {
    ChatRequest::new("m", [Message::user("Hi")])
}

fn client(server: &Server) -> Client {
    Client::builder().base_url(server.base_url()).max_retries(0).build().unwrap()
}

async fn create(reply: Reply) -> Result<ChatCompletion, Error> {
    client(&Server::start([reply]).await).chat().create(hello()).await
}

async fn collect(reply: Reply) -> Result<ChatCompletion, Error> {
    client(&Server::start([reply]).await).chat().stream(hello()).await?.collect().await
}

fn text(text: &str) -> String {
    format!("data: {}\n\n", json!({ "choices": [{ "index": 0, "delta": { "content": text } }] }))
}

fn event(value: &Value) -> String {
    format!("data: {value}\n\n")
}

// Failures that look like successes.

#[tokio::test]
async fn error_beside_missing_choices_is_the_servers_error() {
    for (beside, words) in [
        (json!({ "base_resp": { "status_code": 2013, "status_msg": "invalid params" } }), "invalid params"),
        (json!({ "error_code": 336003, "error_msg": "the max length is 4800" }), "max length"),
        (json!({ "code": "1301", "msg": "sensitive content" }), "sensitive content"),
        (json!({ "detail": "model is loading" }), "model is loading"),
        (json!({ "message": { "reason": "no capacity" } }), "no capacity"),
    ] {
        for choices in [Value::Null, json!([])] {
            let mut body = json!({ "id": "a", "object": "chat.completion", "model": "m", "choices": choices });
            body.as_object_mut().unwrap().extend(beside.as_object().unwrap().clone());
            for error in [
                create(Reply::ok_json(&body)).await.unwrap_err(),
                collect(Reply::sse(&event(&body))).await.unwrap_err(),
                collect(Reply::sse(&(event(&body) + DONE))).await.unwrap_err(),
                collect(Reply::ok_json(&body)).await.unwrap_err(),
            ] {
                assert!(error.to_string().contains(words), "{beside}: {error}");
                assert!(error.api_error().is_some(), "{beside}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn empty_error_next_to_a_response_is_ignored() {
    for empty in
        [json!(""), json!({}), json!([]), json!(0), json!(false), json!(null), json!({ "message": "", "code": null })]
    {
        let whole = json!({ "error": empty, "choices": [{ "message": { "content": "a" }, "finish_reason": "stop" }] });
        assert_eq!(create(Reply::ok_json(&whole)).await.unwrap().text(), "a", "{empty}");
        let chunk = json!({ "error": empty, "choices": [{ "delta": { "content": "a" }, "finish_reason": "stop" }] });
        assert_eq!(collect(Reply::sse(&(event(&chunk) + DONE))).await.unwrap().text(), "a", "{empty}");
        let server = Server::start([Reply::sse(&(event(&chunk) + DONE))]).await;
        let mut any = client(&server).post_stream::<Value>("any", &json!({})).await.unwrap();
        assert!(any.try_next().await.unwrap().is_some(), "{empty}");
    }
}

#[tokio::test]
async fn stream_without_a_choice_is_an_error() {
    let usage = event(&json!({ "id": "a", "choices": [], "usage": { "prompt_tokens": 1 } }));
    for body in [DONE.to_owned(), usage.clone() + DONE, event(&json!({ "id": "a", "choices": [] })) + DONE] {
        let error = collect(Reply::sse(&body)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Stream, "{body}");
    }
}

#[tokio::test]
async fn error_of_a_choice_keeps_what_was_read() {
    let broken = [
        json!({ "error": { "message": "upstream", "code": 502 }, "finish_reason": null }),
        json!({ "error": "upstream" }),
        json!({ "finish_reason": "error", "error": { "message": "upstream" } }),
    ];
    for end in broken {
        let mut whole = end.clone();
        whole["message"] = json!({ "content": "Hel" });
        let mut last = end.clone();
        last["delta"] = json!({ "content": "l" });
        for error in [
            create(Reply::ok_json(&json!({ "choices": [whole] }))).await.unwrap_err(),
            collect(Reply::sse(&(text("He") + &event(&json!({ "choices": [last] })) + DONE))).await.unwrap_err(),
            collect(Reply::ok_json(&json!({ "choices": [whole] }))).await.unwrap_err(),
        ] {
            assert!(error.to_string().contains("upstream"), "{error}");
            assert!(error.completion().is_none_or(|completion| completion.text() == "Hel"), "{end}");
        }
    }
    let reply = Reply::ok_json(&json!({ "choices": [{ "text": "Hel", "finish_reason": "error" }] }));
    let server = Server::start([reply]).await;
    let error = client(&server).completions().create(CompletionRequest::new("m", "Hi")).await.unwrap_err();
    assert_eq!(error.text_completion().unwrap().text(), "Hel");
}

#[tokio::test]
async fn error_of_a_stream_keeps_what_was_read() {
    for end in ["data: {\"error\":{\"message\":\"no\"}}\n\n", "data: x\n\n", "data: {\"a\"", ""] {
        let server = Server::start([Reply::sse(&(text("Hel") + end)), Reply::sse(&(text("Hel") + end))]).await;
        let chat = client(&server).chat();
        let error = chat.stream(hello()).await.unwrap().collect().await.unwrap_err();
        assert_eq!(error.completion().unwrap().text(), "Hel", "{end}");
        let mut events = chat.stream(hello()).await.unwrap().events();
        let error = loop {
            match events.try_next().await {
                Ok(event) => assert!(event.is_some(), "{end}"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.completion().unwrap().text(), "Hel", "{end}");
        assert_eq!(events.snapshot().unwrap().text(), "Hel", "{end}");
    }
}

fn counting(count: &Arc<AtomicUsize>) -> ToolSet {
    let count = count.clone();
    ToolSet::new().add(Tool::with_schema("f", "Counts.", json!({ "type": "object" })), move |_: Value| {
        count.fetch_add(1, Ordering::Relaxed);
        async { "done" }
    })
}

fn calling(reason: &str) -> Value {
    let call = ToolCall::function("c1", "f", "{}");
    json!({ "choices": [{ "message": { "content": "Wait.", "tool_calls": [call] }, "finish_reason": reason }] })
}

#[tokio::test]
async fn tool_calls_of_a_truncated_completion_do_not_run() {
    for reason in ["length", "content_filter", "error"] {
        for streamed in [false, true] {
            let count = Arc::new(AtomicUsize::new(0));
            let server = Server::start([Reply::ok_json(&calling(reason))]).await;
            let run = client(&server).chat().run_tools(hello(), &counting(&count));
            let run = if streamed { run.stream() } else { run.events() };
            let error = run.finish().await.unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
            assert_eq!(count.load(Ordering::Relaxed), 0, "{reason}");
        }
    }
}

#[tokio::test]
async fn tool_that_panics_is_an_error_of_the_run() {
    let tool = || Tool::with_schema("f", "Panics.", json!({ "type": "object" }));
    let late = ToolSet::new().add(tool(), |_: Value| async { if true { panic!("with a secret") } else { "" } });
    let early = ToolSet::new().add(tool(), |value: Value| {
        assert!(value.is_null(), "with a secret");
        async { "" }
    });
    for tools in [late, early] {
        let server = Server::start([Reply::ok_json(&calling("tool_calls"))]).await;
        let run = client(&server).chat().run_tools(hello(), &tools).on_tool_call(|_| async { Permission::Allow });
        let error = run.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tool);
        assert!(error.to_string().contains("tool `f` failed"), "{error}");
        assert!(error.completion().is_some());
        let result = tools.call(&ToolCall::function("c1", "f", "{}")).await;
        assert_eq!(result.text(), "Error: the function panicked");
    }
}

// Successes that look like failures.

#[tokio::test]
async fn create_reads_events_where_json_was_requested() {
    let stream = text("Hel") + &text("lo") + FINISH + DONE;
    let whole = json!({ "choices": [{ "message": { "content": "Hello" }, "finish_reason": "stop" }] }).to_string();
    let bodies = [
        stream.clone(),
        format!(": hello\n\n{stream}"),
        format!("\u{feff}event: message\n{stream}"),
        format!("data: {whole}\n\n"),
        format!("data: {whole}\n\ndata: [DONE]\n\n"),
        format!("{whole}\n\ndata: [DONE]\n\n"),
        format!("{whole}[DONE]"),
        format!("{whole}\n: ping\n\n"),
    ];
    for body in bodies {
        for content_type in ["text/event-stream", "application/json", "text/plain"] {
            let reply = Reply::status(200).header("content-type", content_type).body(body.clone());
            let completion = create(reply).await.unwrap_or_else(|error| panic!("{body}: {error}"));
            assert_eq!(completion.text(), "Hello", "{body}");
        }
    }
    let error = create(Reply::sse(&text("Hel"))).await.unwrap_err();
    assert_eq!(error.completion().unwrap().text(), "Hel", "a cut is no end");
    let error = create(Reply::sse(&(event(&json!({ "error": { "message": "no" } })) + DONE))).await.unwrap_err();
    assert_eq!((error.kind(), error.api_error().unwrap().message.as_str()), (ErrorKind::Api, "no"));
}

#[tokio::test]
async fn other_resources_read_events_where_json_was_requested() {
    let piece = |text: &str, reason: Value| {
        event(&json!({ "choices": [{ "index": 0, "text": text, "finish_reason": reason }] }))
    };
    let replies = [
        Reply::sse(&(piece("Hel", Value::Null) + &piece("lo", json!("stop")) + DONE)),
        Reply::sse(
            &(event(&json!({ "type": "transcript.text.delta", "delta": "Hel" }))
                + &event(&json!({ "type": "transcript.text.done", "text": "Hello" }))),
        ),
        Reply::sse(
            &(event(&json!({ "type": "response.created", "response": { "id": "r", "status": "in_progress" } }))
                + &event(
                    &json!({ "type": "response.completed", "response": { "id": "r", "status": "completed", "output": [
                { "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "Hello" }] }
            ] } }),
                )),
        ),
    ];
    let server = Server::start(replies).await;
    let client = client(&server);
    assert_eq!(client.completions().create(CompletionRequest::new("m", "Hi")).await.unwrap().text(), "Hello");
    let request = TranscriptionRequest::new("m", FileSource::bytes("a.wav", "RIFF"));
    assert_eq!(client.audio().transcribe(request).await.unwrap().text, "Hello");
    assert_eq!(client.responses().create(ResponseRequest::new("m", "Hi")).await.unwrap().text(), "Hello");
}

#[tokio::test(start_paused = true)]
async fn silence_after_the_finish_reason_ends_the_stream() {
    let usage = event(&json!({ "choices": [], "usage": { "total_tokens": 9 } }));
    let finished = || Reply::status(200).header("content-type", "text/event-stream").piece(text("a") + FINISH);
    for (what, reply, seconds) in [
        ("nothing", finished().hang_after(usize::MAX), 5),
        ("the usage, then nothing", finished().pause(SECOND).piece(usage.clone()).hang_after(usize::MAX), 6),
        ("comments, then nothing", finished().pause(4 * SECOND).piece(": ping\n\n").hang_after(usize::MAX), 9),
        ("a part of the end marker", finished().piece("data: [DO").hang_after(usize::MAX), 5),
        ("the end marker without its blank line", finished().piece("data: [DONE]\n").hang_after(usize::MAX), 0),
        ("a cut", finished().cut_after(100_000), 0),
        ("a reset", finished().reset_after(100_000), 0),
        ("a cut end marker", finished().piece("data: [D").at_once(), 0),
    ] {
        let started = Instant::now();
        let completion = collect(reply).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(completion.text(), "a", "{what}");
        assert_eq!(started.elapsed().as_secs(), seconds, "{what}");
        assert_eq!(completion.usage.is_some(), what.starts_with("the usage"), "{what}");
    }
    // A choice that has not finished is waited for.
    let second = event(&json!({ "choices": [{ "index": 1, "delta": { "content": "b" } }] }));
    let reply = Reply::status(200).header("content-type", "text/event-stream").piece(second + FINISH);
    let started = Instant::now();
    assert_eq!(collect(reply.hang_after(usize::MAX)).await.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(started.elapsed().as_secs(), 300);
}

#[tokio::test(start_paused = true)]
async fn arriving_event_restarts_the_idle_timeout() {
    let long = text(&"x".repeat(40));
    let slow = |body: &str| {
        let pieces = body.as_bytes().chunks(8).map(<[u8]>::to_vec);
        let start = Reply::status(200).header("content-type", "text/event-stream").piece(text("a"));
        pieces.fold(start, |reply, piece| reply.pause(10 * SECOND).piece(piece))
    };
    for (body, ends_well) in [
        (long.clone() + FINISH + DONE, true),
        (format!(": {}\n\n{long}{FINISH}{DONE}", "x".repeat(200)), false),
        (format!("event: ping\ndata: {{\"type\":\"ping\",\"pad\":\"{}\"}}\n\n", "x".repeat(20)).repeat(9), false),
    ] {
        let server = Server::start([slow(&body)]).await;
        let stream = client(&server).chat().stream(hello()).idle_timeout(45 * SECOND).await.unwrap();
        let outcome = stream.collect().await.map_err(|error| error.kind());
        assert_eq!(outcome.map(|_| ()), if ends_well { Ok(()) } else { Err(ErrorKind::Timeout) }, "{body}");
    }
}

#[tokio::test]
async fn keep_alives_forwarded_as_data_are_skipped() {
    for ping in [": OPENROUTER PROCESSING", ":", "ping", "[PING]", "keep-alive", "heartbeat", "{\"type\":\"ping\"}", ""]
    {
        let ping = format!("data: {ping}\n\n");
        let body = ping.clone() + &text("a") + &ping + FINISH + &ping + DONE;
        assert_eq!(collect(Reply::sse(&body)).await.unwrap().text(), "a", "{ping}");
    }
}

#[tokio::test]
async fn numbers_that_json_does_not_have_are_read_anywhere() {
    for number in ["NaN", "Infinity", "-Infinity", "1e400", "-1e999"] {
        let logprobs = format!(r#"{{"content":[{{"token":"a","logprob":{number},"top_logprobs":[]}}]}}"#);
        let choice =
            format!(r#"{{"index":0,"message":{{"content":"a"}},"logprobs":{logprobs},"finish_reason":"stop"}}"#);
        let body = format!(r#"{{"zz":{number},"created":{number},"choices":[{choice}],"usage":{{"cost":{number}}}}}"#);
        let completion = create(Reply::status(200).body(body.clone())).await.unwrap();
        let logprob = completion.choices[0].logprobs.as_ref().unwrap().content.as_ref().unwrap()[0].logprob;
        assert!(!logprob.is_finite(), "{number}");
        assert!(completion.extra.contains_key("zz"), "{number}");
        let chunk = body.replace("message", "delta");
        assert_eq!(collect(Reply::sse(&format!("data: {chunk}\n\n{DONE}"))).await.unwrap().text(), "a");
    }
}

#[tokio::test]
async fn arguments_that_follow_an_empty_object_replace_it() {
    let piece = |function: Value| {
        event(
            &json!({ "choices": [{ "index": 0, "delta": { "tool_calls": [{ "index": 0, "function": function }] } }] }),
        )
    };
    for (first, rest, expected) in [
        (json!({}), vec![json!("{\"a\":"), json!("1}")], r#"{"a":1}"#),
        (json!("{}"), vec![json!("{\"a\":1}")], r#"{"a":1}"#),
        (json!({}), vec![json!({ "a": 1 })], r#"{"a":1}"#),
        (json!({}), vec![json!("")], "{}"),
        (json!(""), vec![json!("{}")], "{}"),
    ] {
        let mut body = piece(json!({ "name": "f", "arguments": first }));
        rest.iter().for_each(|arguments| body += &piece(json!({ "arguments": arguments })));
        let completion = collect(Reply::sse(&(body + FINISH + DONE))).await.unwrap();
        let [call] = completion.tool_calls() else { panic!("{completion:?}") };
        assert_eq!(call.arguments_text(), expected);
    }
}

#[tokio::test]
async fn tool_call_without_its_list_is_read() {
    let call = json!({ "id": "c1", "type": "function", "function": { "name": "f", "arguments": "{}" } });
    let whole = json!({ "choices": [{ "message": { "tool_calls": call }, "finish_reason": "tool_calls" }] });
    let chunk = json!({ "choices": [{ "delta": { "tool_calls": call }, "finish_reason": "tool_calls" }] });
    for completion in
        [create(Reply::ok_json(&whole)).await.unwrap(), collect(Reply::sse(&(event(&chunk) + DONE))).await.unwrap()]
    {
        assert_eq!(completion.tool_calls().len(), 1);
        assert_eq!(completion.tool_calls()[0].name(), "f");
    }
}

#[tokio::test]
async fn images_are_found_wherever_a_server_puts_them() {
    let image = json!({ "url": "data:image/png;base64,bWVvdw==" });
    for body in [
        json!({ "data": [image] }),
        json!({ "images": [image] }),
        json!([image]),
        json!({ "output": ["data:image/png;base64,bWVvdw=="] }),
        json!({ "data": { "url": "data:image/png;base64,bWVvdw==" } }),
        json!({ "images": ["bWVvdw=="] }),
        json!({ "b64_json": "bWVvdw==" }),
    ] {
        let server = Server::start([Reply::ok_json(&body)]).await;
        let images = client(&server).images().generate(ImageRequest::new("m", "A cat.")).await.unwrap();
        assert_eq!(images.data.len(), 1, "{body}");
        assert_eq!(images.data[0].bytes().unwrap(), "meow", "{body}");
    }
}

#[tokio::test]
async fn usage_within_a_choice_is_the_usage() {
    let usage = json!({ "prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9 });
    let whole = json!({ "choices": [{ "message": { "content": "a" }, "finish_reason": "stop", "usage": usage }] });
    let chunk = json!({ "choices": [{ "delta": { "content": "a" }, "finish_reason": "stop", "usage": usage }] });
    assert_eq!(create(Reply::ok_json(&whole)).await.unwrap().usage.unwrap().total_tokens, 9);
    assert_eq!(collect(Reply::sse(&(event(&chunk) + DONE))).await.unwrap().usage.unwrap().total_tokens, 9);
}

// Messages.

#[tokio::test]
async fn message_equals_itself_whichever_way_it_went() {
    let body = json!({ "choices": [{ "message": { "role": "assistant", "content": "Hi" }, "finish_reason": "stop" }] });
    assert_eq!(create(Reply::ok_json(&body)).await.unwrap().into_message(), Message::assistant("Hi"));
    let chunks = event(&json!({ "choices": [{ "delta": { "role": "assistant", "content": "Hi" } }] })) + FINISH + DONE;
    assert_eq!(collect(Reply::sse(&chunks)).await.unwrap().into_message(), Message::assistant("Hi"));

    let calls = [ToolCall::function("c1", "f", "{}")];
    for message in [
        Message::system("a"),
        Message::developer("a"),
        Message::user_with_image("a", "data:,"),
        Message::assistant("a").name("b"),
        AssistantMessage::new().tool_calls(calls.clone()).into(),
        AssistantMessage::new().audio("audio_1").into(),
        create(Reply::ok_json(&calling("tool_calls"))).await.unwrap().into_message(),
        Message::tool("c1", "a"),
        Message::function("f", "a"),
    ] {
        let json = serde_json::to_string(&message).unwrap();
        assert_eq!(serde_json::from_str::<Message>(&json).unwrap(), message, "{json}");
    }
}

#[test]
fn assistant_message_with_tool_calls_alone_has_null_content() {
    let calls = [ToolCall::function("c1", "f", "{}")];
    let message = Message::from(AssistantMessage::new().tool_calls(calls.clone()));
    assert_eq!(serde_json::to_value(&message).unwrap()["content"], json!(null));
    assert!(serde_json::to_value(&message).unwrap().as_object().unwrap().contains_key("content"));
    let with_text = Message::from(AssistantMessage::new().content("a").tool_calls(calls));
    assert_eq!(serde_json::to_value(&with_text).unwrap()["content"], json!("a"));
    assert_eq!(serde_json::to_value(Message::from(AssistantMessage::new())).unwrap(), json!({ "role": "assistant" }));
}

// What a caller gets wrong.

#[test]
fn call_outside_of_a_runtime_is_an_error() {
    let service =
        |_: http::Request<RequestBody>| async { Ok::<_, HttpError>(http::Response::new(ResponseBody::from("{}"))) };
    let client = Client::builder().base_url("http://memory/v1").http_service(service).build().unwrap();
    let error = futures::executor::block_on(client.chat().create(hello()).into_future()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("Tokio runtime"), "{error}");
}

#[test]
fn number_that_cannot_be_sent_is_an_error_of_the_request() {
    let mut input = BatchInput::new();
    let error = input.push("a", &hello().temperature(f64::NAN)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Encode);
    assert!(input.is_empty());
}

#[cfg(unix)]
#[tokio::test]
async fn pipe_or_file_without_length_is_refused_before_sending() {
    let folder = support::Folder::new();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let files = [pipe, std::path::PathBuf::from("/proc/self/status"), std::path::PathBuf::from("/dev/zero")];
    for path in files.into_iter().filter(|path| path.exists()) {
        let server = Server::start([Reply::status(500)]).await;
        let request = TranscriptionRequest::new("m", FileSource::path(&path));
        let started = std::time::Instant::now();
        let error = client(&server).audio().transcribe(request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(started.elapsed() < SECOND);
        assert_eq!(server.connections(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_is_too_long_is_not_sent_again_whatever_the_status() {
    let message = "input is too large to process. increase the physical batch size";
    let server = Server::start([Reply::status(500).json(&json!({"error": {"code": 500, "message": message}}))]).await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    let error = client.chat().create(ChatRequest::new("m", [Message::user("Hi")])).await.unwrap_err();
    assert!(error.is_context_length_exceeded(), "{error}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn an_event_that_is_damaged_after_good_ones_is_as_retryable_as_a_cut() {
    let good = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n";
    let server = Server::start([Reply::sse(&format!("{good}data: {{\"cho\n\n")), Reply::sse("data: {\"cho\n\n")]).await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    let request = ChatRequest::new("m", [Message::user("Hi")]);
    let error = client.chat().stream(&request).await.unwrap().collect().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Stream, true), "{error}");
    assert_eq!(error.completion().unwrap().text(), "a");
    // What was never readable is another kind of server.
    let error = client.chat().stream(&request).await.unwrap().collect().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Decode, false), "{error}");
}

#[tokio::test]
async fn data_in_place_of_json_is_named_and_not_shown() {
    let sound = Reply::status(200).header("content-type", "audio/wav").body(&b"RIFF$\x00\x01\x00WAVEfmt "[..]);
    let server = Server::start([sound]).await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    let error = client.post::<Value>("audio/speech", &json!({})).await.unwrap_err();
    assert!(error.to_string().contains("got 16 bytes of `audio/wav`"), "{error}");
}
