//! What networks and servers break: replies and streams cut at every byte, resets, stalls, lies about the length, and
//! readers that are slow or leave.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "this is test code, which clippy sees in test functions only"
)]

use std::task::Poll;
use std::time::Duration;

use futures::future::BoxFuture;

use openai_compatible::chat::{ChatCompletion, ChatRequest, ChatStream, Message};
use openai_compatible::{Client, ErrorKind, HttpError, HttpService, RequestBody, ResponseBody, Result};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

mod support;
use support::{Reply, Server};

const LONG: Duration = Duration::from_secs(3600);

fn request() -> ChatRequest {
    ChatRequest::new("m", [Message::user("Hi")])
}

fn client(server: &Server) -> Client {
    Client::builder().base_url(server.base_url()).max_retries(0).build().unwrap()
}

fn whole() -> Value {
    json!({ "id": "a", "choices": [{ "index": 0, "message": { "role": "assistant", "content": "é😀" }, "finish_reason": "stop" }] })
}

fn event(content: &str) -> String {
    format!("data: {}\n\n", json!({ "id": "a", "choices": [{ "index": 0, "delta": { "content": content } }] }))
}

const FINISH: &str = "data: {\"id\":\"a\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";

fn stream_body() -> String {
    event("é") + &event("😀") + FINISH + DONE
}

fn events(body: impl Into<bytes::Bytes>) -> Reply {
    Reply::status(200).header("content-type", "text/event-stream").piece(body)
}

async fn open(server: &Server) -> ChatStream {
    client(server).chat().stream(request()).await.unwrap()
}

/// The texts of the chunks, and the error behind them.
async fn read(mut stream: ChatStream) -> (String, Option<ErrorKind>) {
    let mut text = String::new();
    loop {
        match stream.try_next().await {
            Ok(Some(chunk)) => text += &chunk.text(),
            Ok(None) => return (text, None),
            Err(error) => {
                assert!(stream.try_next().await.unwrap().is_none(), "a stream ends behind its error");
                return (text, Some(error.kind()));
            }
        }
    }
}

/// More bytes than any of the replies here has, head included.
const MOST: usize = 700;

/// The three ways to tell where a body ends.
fn framings(body: &str) -> [(&'static str, Reply); 3] {
    let head = || Reply::status(200).header("content-type", "text/event-stream");
    [
        ("length", head().body(body.to_owned())),
        ("chunked", head().piece(body.to_owned())),
        ("close", head().body(body.to_owned()).close_delimited()),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_reply_cut_anywhere_is_whole_or_an_error() {
    for (framing, reply) in framings(&whole().to_string()) {
        for resets in [false, true] {
            let cut = |bytes| if resets { reply.clone().reset_after(bytes) } else { reply.clone().cut_after(bytes) };
            let server = Server::start((0..MOST).map(cut)).await;
            let client = client(&server);
            let mut outcomes = [0, 0, 0];
            for bytes in 0..MOST {
                let at = format!("{framing}, {bytes} bytes, reset {resets}");
                let call = client.chat().create(request());
                match timeout(LONG, call).await.expect(&at) {
                    Ok(reply) => {
                        assert_eq!(serde_json::to_value(reply).unwrap(), whole(), "{at}");
                        outcomes[0] += 1;
                    }
                    Err(error) if error.kind() == ErrorKind::Transport => outcomes[1] += 1,
                    // A body that ends with its connection cannot tell a cut from its end, JSON can.
                    Err(error) if framing == "close" && error.kind() == ErrorKind::Decode => outcomes[2] += 1,
                    Err(error) => panic!("{at}: {error:?}"),
                }
            }
            let [good, broken, undecodable] = outcomes;
            // A reset at the end of a body that ends with its connection is a cut, too.
            assert_eq!(good > 100, framing != "close" || !resets, "{framing}, reset {resets}: {outcomes:?}");
            assert_eq!(undecodable > 100, framing == "close" && !resets, "{framing}, reset {resets}: {outcomes:?}");
            assert!(broken > 50, "{framing}, reset {resets}: {outcomes:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_cut_anywhere_is_whole_or_an_error() {
    for (framing, reply) in framings(&stream_body()) {
        for resets in [false, true] {
            let cut = |bytes| if resets { reply.clone().reset_after(bytes) } else { reply.clone().cut_after(bytes) };
            let server = Server::start((0..MOST).map(cut)).await;
            let client = client(&server);
            let (mut good, mut late, mut early) = (0, 0, 0);
            for bytes in 0..MOST {
                let at = format!("{framing}, {bytes} bytes, reset {resets}");
                let outcome =
                    timeout(LONG, async { Result::<_>::Ok(read(client.chat().stream(request()).await?).await) });
                match outcome.await.expect(&at) {
                    Ok((text, None)) => {
                        assert_eq!(text, "é😀", "{at}");
                        good += 1;
                    }
                    Ok((text, Some(ErrorKind::Stream))) => {
                        assert!("é😀".starts_with(&text), "{at}: {text}");
                        late += 1;
                    }
                    Err(error) if error.kind() == ErrorKind::Transport => early += 1,
                    other => panic!("{at}: {other:?}"),
                }
            }
            assert!(good > 100 && late > 100 && early > 50, "{framing}: {good} {late} {early}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_reply_is_asked_for_again_and_a_cut_stream_is_not() {
    let server = Server::start([Reply::ok_json(&whole()).cut_after(150), Reply::ok_json(&whole())]).await;
    let client = Client::builder().base_url(server.base_url()).max_retries(1).build().unwrap();
    let reply = client.chat().create(request()).with_response().await.unwrap();
    assert_eq!((reply.text(), reply.attempts()), ("é😀".into(), 2));

    let server = Server::start([events(stream_body()).cut_after(200), events(stream_body())]).await;
    let client = Client::builder().base_url(server.base_url()).max_retries(1).build().unwrap();
    let (_, error) = read(client.chat().stream(request()).await.unwrap()).await;
    assert_eq!((error, server.requests().len()), (Some(ErrorKind::Stream), 1));
}

#[tokio::test(start_paused = true)]
async fn reset_after_the_request_is_retried() {
    let server = Server::start([Reply::ok_json(&whole()).reset_after(0)]).await;
    let client = Client::builder().base_url(server.base_url()).max_retries(1).build().unwrap();
    for error in
        [client.chat().create(request()).await.unwrap_err(), client.chat().stream(request()).await.unwrap_err()]
    {
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Transport, 2));
    }
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_length_that_is_too_short_or_too_long_is_an_error() {
    let body = whole().to_string();
    let create = async |reply: Reply| {
        let server = Server::start([reply]).await;
        client(&server).chat().create(request()).timeout(Duration::from_secs(60)).await.map_err(|error| error.kind())
    };
    let reply = || Reply::status(200).body(body.clone());
    assert_eq!(create(reply().content_length(body.len() - 1)).await.unwrap_err(), ErrorKind::Decode);
    assert_eq!(
        create(reply().content_length(body.len() + 1).keep_alive(false)).await.unwrap_err(),
        ErrorKind::Transport
    );
    assert_eq!(create(reply().content_length(body.len() + 1)).await.unwrap_err(), ErrorKind::Timeout);

    let stream = async |body: String, length: usize| {
        let server = Server::start([events(body).content_length(length).keep_alive(false)]).await;
        read(open(&server).await).await
    };
    let short = event("é").len() + 5;
    assert_eq!(stream(stream_body(), short).await, ("é".into(), Some(ErrorKind::Stream)));
    let unfinished = event("é");
    assert_eq!(stream(unfinished.clone(), unfinished.len() + 9).await, ("é".into(), Some(ErrorKind::Stream)));
    // The finish reason has come: what else was announced does not matter.
    let answered = event("é") + FINISH;
    assert_eq!(stream(answered.clone(), answered.len() + 9).await, ("é".into(), None));
    // The end mark has come: what else was announced does not matter.
    assert_eq!(stream(stream_body(), 9999).await, ("é😀".into(), None));
}

#[tokio::test(start_paused = true)]
async fn a_stream_arrives_alike_in_single_bytes_and_in_one_packet() {
    let texts: Vec<String> = (0..64).map(|n| format!("{n} é😀 ")).collect();
    let body: String = texts.iter().map(|text| event(text)).collect::<String>() + FINISH + DONE;
    for reply in [events(body.clone()).byte_wise(), events(body.clone()), events(format!("\u{feff}{body}"))] {
        let server = Server::start([reply]).await;
        let mut stream = open(&server).await;
        for text in &texts {
            assert_eq!(stream.try_next().await.unwrap().unwrap().text(), *text);
        }
        assert_eq!(read(stream).await, (String::new(), None));
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_of_8_mb_arrives_and_one_beyond_the_limit_is_an_error() {
    let long = "é".repeat(4 << 20);
    let server = Server::start([events(event("a") + &event(&long) + FINISH + DONE)]).await;
    let (text, error) = read(open(&server).await).await;
    assert_eq!((text.len(), error), (1 + (8 << 20), None));

    let client = Client::builder().base_url(server.base_url()).max_event_size(1 << 20).build().unwrap();
    let stream = client.chat().stream(request()).await.unwrap();
    assert_eq!(read(stream).await, ("a".into(), Some(ErrorKind::Stream)));
}

/// A stream of events and comments, one every 20 seconds, behind a first event.
fn ticking(pieces: impl IntoIterator<Item = String>) -> Reply {
    let first = events(event("a"));
    pieces.into_iter().fold(first, |reply, piece| reply.pause(Duration::from_secs(20)).piece(piece))
}

#[tokio::test(start_paused = true)]
async fn silence_ends_in_a_timeout_and_signs_of_life_without_data_are_silence() {
    let pings = [
        ("nothing", events(event("a")).hang_after(usize::MAX)),
        ("comments", ticking(std::iter::repeat_n(": ping\n\n".to_owned(), 100))),
        ("bare colons", ticking(std::iter::repeat_n(":\n".to_owned(), 100))),
        ("empty data", ticking(std::iter::repeat_n("data:\n\n".to_owned(), 100))),
        ("named pings", ticking(std::iter::repeat_n("event: ping\ndata: {\"a\":1}\n\n".to_owned(), 100))),
        ("JSON pings", ticking(std::iter::repeat_n("data: {\"type\":\"keepalive\"}\n\n".to_owned(), 100))),
    ];
    for (what, reply) in pings {
        let server = Server::start([reply]).await;
        let call = client(&server).chat().stream(request()).idle_timeout(Duration::from_secs(50));
        let mut stream = call.await.unwrap();
        assert_eq!(stream.try_next().await.unwrap().unwrap().text(), "a");
        let start = Instant::now();
        let error = stream.try_next().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{what}");
        assert_eq!(start.elapsed().as_secs(), 50, "{what}");
        assert!(stream.try_next().await.unwrap().is_none());
        timeout(LONG, server.closed()).await.expect("the connection is closed");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_delivers_never_times_out() {
    let server = Server::start([ticking((0..100).map(|_| event("b")).chain([FINISH.into(), DONE.into()]))]).await;
    let call = client(&server).chat().stream(request()).idle_timeout(Duration::from_secs(21));
    assert_eq!(read(call.await.unwrap()).await, (format!("a{}", "b".repeat(100)), None));

    let server = Server::start([ticking([FINISH.into(), DONE.into()])]).await;
    let call = client(&server).chat().stream(request()).idle_timeout(Duration::MAX);
    assert_eq!(read(call.await.unwrap()).await, ("a".into(), None), "the longest timeout is none");
}

#[tokio::test(start_paused = true)]
async fn slow_reader_does_not_trigger_the_idle_timeout() {
    let server = Server::start([ticking((0..5).map(|_| event("b")).chain([FINISH.into(), DONE.into()]))]).await;
    let call = client(&server).chat().stream(request()).idle_timeout(Duration::from_secs(21));
    let mut stream = call.await.unwrap();
    let mut text = String::new();
    while let Some(chunk) = stream.try_next().await.unwrap() {
        text += &chunk.text();
        sleep(Duration::from_secs(100)).await;
    }
    assert_eq!(text, "abbbbb");
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_holds_the_server_back() {
    let piece = event(&"x".repeat(1000));
    let all = 50_000 * piece.len();
    let server =
        Server::start([Reply::status(200).header("content-type", "text/event-stream").repeat(piece, 50_000)]).await;
    let mut stream = open(&server).await;
    for _ in 0..5 {
        stream.try_next().await.unwrap().unwrap();
        sleep(Duration::from_secs(10)).await;
    }
    let written = server.bytes_written();
    assert!(written < 4 << 20, "{written} of {all} bytes were taken for 5 events");
    sleep(Duration::from_secs(100)).await;
    assert_eq!(server.bytes_written(), written, "nothing is read ahead");
}

#[tokio::test(start_paused = true)]
async fn dropping_a_stream_closes_its_connection() {
    let server = Server::start([events(event("a")).hang_after(usize::MAX)]).await;
    let mut stream = open(&server).await;
    stream.try_next().await.unwrap();
    assert_eq!(server.open_connections(), 1);
    drop(stream);
    timeout(LONG, server.closed()).await.expect("the connection is closed");
    assert_eq!(server.open_connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn dropping_a_call_or_a_wait_closes_or_keeps_its_connection() {
    let server = Server::start([Reply::status(200).hang_before_headers()]).await;
    let call = client(&server).chat().create(request());
    assert!(timeout(Duration::from_secs(1), call).await.is_err());
    timeout(LONG, server.closed()).await.expect("a dropped call closes its connection");

    let server = Server::start([ticking([event("b"), FINISH.into(), DONE.into()])]).await;
    let mut stream = open(&server).await;
    stream.try_next().await.unwrap();
    assert!(timeout(Duration::from_secs(1), stream.try_next()).await.is_err());
    assert_eq!(read(stream).await, ("b".into(), None), "a dropped wait loses nothing");
}

#[tokio::test(start_paused = true)]
async fn the_end_mark_ends_the_stream_whatever_the_connection_does() {
    let open_forever = events(stream_body()).hang_after(usize::MAX);
    let goes_on = events(stream_body() + &event("more")).piece(event("and more")).hang_after(usize::MAX);
    let breaks = events(stream_body()).piece("data: x\n\n").reset_after(600);
    for reply in [open_forever, goes_on, breaks] {
        let server = Server::start([reply]).await;
        let stream = open(&server).await;
        let start = Instant::now();
        assert_eq!(read(stream).await, ("é😀".into(), None));
        assert!(start.elapsed() < Duration::from_millis(50), "it ends at once");
        timeout(LONG, server.closed()).await.expect("the connection is closed");
    }
}

#[tokio::test]
async fn connection_is_reused_after_a_complete_stream() {
    let body = stream_body;
    let length = Reply::sse(&body());
    let one_packet = events(body()).at_once();
    let no_end_mark = events(event("é") + &event("😀") + FINISH);
    for (what, reply) in
        [("a length", length), ("the last chunk in the same packet", one_packet), ("no end mark", no_end_mark)]
    {
        let server = Server::start([reply]).await;
        let client = client(&server);
        for _ in 0..5 {
            let stream = client.chat().stream(request()).await.unwrap();
            assert_eq!(read(stream).await, ("é😀".into(), None), "{what}");
        }
        assert_eq!(server.connections(), 1, "{what}");
    }
}

#[tokio::test]
async fn lone_surrogates_are_replaced_or_joined() {
    let surrogates = r#"{"id":"a\udc00","choices":[{"message":{"content":"x\ud83d, \ud83d\ude00, \ude00"}}]}"#;
    let server = Server::start([Reply::status(200).body(surrogates)]).await;
    let client = client(&server);
    let reply: ChatCompletion = client.chat().create(request()).await.unwrap();
    assert_eq!((reply.id.as_str(), reply.text()), ("a\u{FFFD}", "x\u{FFFD}, 😀, \u{FFFD}".into()));
    let raw: Value = client.post("any", &json!({})).await.unwrap();
    assert_eq!(raw["id"], json!("a\u{FFFD}"));

    let chunk = |index: u32, text: &str| {
        format!("data: {{\"choices\":[{{\"index\":{index},\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
    };
    let body = chunk(0, "a\\ud83d") + &chunk(1, "b\\ud83d") + &chunk(0, "\\ude00a") + &chunk(1, "b") + DONE;
    let server = Server::start([events(body)]).await;
    let reply = open(&server).await.collect().await.unwrap();
    let texts: Vec<_> = reply.choices.iter().map(|choice| choice.message.text()).collect();
    assert_eq!(texts, ["a😀a", "b\u{FFFD}b"]);
}

#[tokio::test]
async fn malformed_http_is_an_interrupted_connection() {
    let server = Server::start([Reply::status(200).garbage("SSH-2.0-OpenSSH_9.6\r\n")]).await;
    for error in [
        client(&server).chat().create(request()).await.unwrap_err(),
        client(&server).chat().stream(request()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Transport);
    }
}

#[tokio::test]
async fn without_an_end_mark_a_stream_is_whole_when_every_choice_that_began_has_ended() {
    let chunk = |index: u64, reason: Value| {
        let choice = json!({ "index": index, "delta": { "content": "a" }, "finish_reason": reason });
        format!("data: {}\n\n", json!({ "id": "a", "choices": [choice] }))
    };
    for second in [1, 2, 40, 63] {
        let begun = chunk(0, Value::Null) + &chunk(second, Value::Null) + &chunk(0, json!("stop"));
        let whole = begun.clone() + &chunk(second, json!("stop"));
        let server = Server::start([events(begun), events(whole)]).await;

        assert_eq!(read(open(&server).await).await.1, Some(ErrorKind::Stream), "choice {second} has not ended");
        assert_eq!(read(open(&server).await).await.1, None, "choice {second}");
    }
}

#[tokio::test]
async fn a_stream_without_events_says_so() {
    let server = Server::start([events(": hello\n\n"), events(event("a"))]).await;
    let mut empty = open(&server).await;
    assert!(empty.try_next().await.unwrap_err().to_string().contains("without any event"));

    let mut cut = open(&server).await;
    cut.try_next().await.unwrap();
    assert!(cut.try_next().await.unwrap_err().to_string().contains("before `[DONE]` or a finish reason"));
}

#[tokio::test]
async fn a_body_in_place_of_a_stream_is_read_up_to_the_limit() {
    let body = whole().to_string();
    let (start, rest) = body.split_at(body.len() / 2);
    let reply =
        || Reply::status(200).header("content-type", "application/json").piece(start.to_owned()).piece(rest.to_owned());
    for (limit, outcome) in [(body.len(), None), (body.len() - 1, Some(ErrorKind::Decode))] {
        let server = Server::start([reply().at_once(), reply()]).await;
        let client =
            Client::builder().base_url(server.base_url()).max_retries(0).max_event_size(limit).build().unwrap();
        for _ in 0..2 {
            assert_eq!(read(client.chat().stream(request()).await.unwrap()).await.1, outcome, "limit {limit}");
        }
    }
}

#[tokio::test]
async fn json_in_place_of_a_stream_is_an_error_of_the_server_only_if_it_says_so() {
    for (body, kind) in [
        (r#"{"message":"no"}"#, ErrorKind::Api),
        (r#"{"message":"no","choices":[]}"#, ErrorKind::Api),
        (r#"{"choices":[]}"#, ErrorKind::Decode),
        (r#""no""#, ErrorKind::Decode),
    ] {
        let server = Server::start([Reply::status(200).header("content-type", "application/json").body(body)]).await;
        let mut stream = client(&server).post_stream::<Value>("any", &json!({})).await.unwrap();
        assert_eq!(stream.try_next().await.unwrap_err().kind(), kind, "{body}");
    }
}

/// A body that must not be asked on behind its end, as that of an async block must not.
struct EndsOnce(&'static str);

impl HttpService for EndsOnce {
    fn call(
        &self,
        _: http::Request<RequestBody>,
    ) -> BoxFuture<'static, Result<http::Response<ResponseBody>, HttpError>> {
        let mut left = Some(Some(bytes::Bytes::from(self.0)));
        let body = futures::stream::poll_fn(move |_| match left.take() {
            Some(Some(bytes)) => {
                left = Some(None);
                Poll::Ready(Some(Ok(bytes)))
            }
            Some(None) => Poll::Ready(None),
            None => panic!("asked on behind its end"),
        });
        let reply = http::Response::builder().header("content-type", "text/event-stream");
        let reply = reply.body(ResponseBody::streamed(body)).unwrap();
        Box::pin(async { Ok(reply) })
    }
}

#[tokio::test]
async fn body_is_not_polled_after_its_end() {
    let finished = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\n";
    for end in ["", "data: [DONE]", "data: [DONE]\n\n"] {
        let body: &'static str = format!("{finished}{end}").leak();
        let client = Client::builder().base_url("http://x").http_service(EndsOnce(body)).build().unwrap();
        let stream = client.chat().stream(request()).await.unwrap();
        assert_eq!(read(stream).await.1, None, "{body}");
    }
}
