//! The work for a response grows with its size and not faster: twice the size, twice the work.
//!
//! What counts is the CPU time of this thread, which hardly depends on what else the machine does, for a size and for
//! eight times that size. Linear work takes eight times as long, quadratic work 64 times.

use std::time::Duration;

use bytes::Bytes;
use cpu_time::ThreadTime;
use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::responses::ResponseRequest;
use openai_compatible::{Client, HttpError, RequestBody, ResponseBody};

/// Between 8 and 64.
const MAX_GROWTH: u32 = 22;

/// Checks the work for a body that is made for a size.
fn check(name: &str, body: impl Fn(usize) -> String, work: impl Fn(Bytes)) {
    let measure = |size: usize| {
        let body = Bytes::from(body(size));
        let times = (0..3).map(|_| {
            let started = ThreadTime::now();
            work(body.clone());
            started.elapsed()
        });
        times.min().unwrap()
    };
    // Large enough to be measured.
    let (mut size, mut small) = (64, Duration::ZERO);
    while small < Duration::from_millis(1) {
        size *= 2;
        assert!(size < 1 << 20, "{name}: nothing to measure");
        small = measure(size);
    }
    let large = measure(8 * size);
    assert!(large < small * MAX_GROWTH, "{name}: {size} takes {small:?}, eight times as much {large:?}");
}

fn client(body: Bytes) -> Client {
    let service = move |_: http::Request<RequestBody>| {
        let body = body.clone();
        async move { Ok::<_, HttpError>(http::Response::new(ResponseBody::from(body))) }
    };
    Client::builder().base_url("http://memory/v1").http_service(service).build().unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn request() -> ChatRequest {
    ChatRequest::new("m", [Message::user("Hi")])
}

/// Reads a completion; it may be anything.
fn create(body: Bytes) {
    let _ = block_on(client(body).chat().create(request()).into_future());
}

/// Reads a stream and puts it together.
fn collect(body: Bytes) {
    block_on(async {
        let chunks = client(body).chat().stream(request()).await.unwrap();
        let _ = chunks.collect().await;
    });
}

/// A completion around something.
fn completion(inside: &str) -> String {
    format!(
        r#"{{"choices":[{{"index":0,"message":{{"role":"assistant","content":"a"}},"finish_reason":"stop"}}],{inside}}}"#
    )
}

/// A stream whose one chunk is around something.
fn stream(inside: &str) -> String {
    format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"a\"}},\"finish_reason\":\"stop\"}}],{inside}}}\n\ndata: [DONE]\n\n"
    )
}

/// Members that strict JSON takes or refuses, all of them in one response.
const REPEATED: [(&str, &str); 8] = [
    ("plain members", r#""a":1,"#),
    ("lone surrogates", r#""a":"\ud83d","#),
    ("pairs of surrogates", r#""a":"\ud83d\ude00","#),
    ("numbers that JSON does not have", r#""a":[NaN,-Infinity,1e400],"#),
    ("raw line breaks", "\"a\":\"one\ntwo\n\","),
    ("escapes", r#""a":"\\\"\n\\","#),
    ("nested members", r#""a":{"b":[{"c":[{}]}]},"#),
    ("mismatched fields", r#""usage":[{"id":7}],"#),
];

#[test]
fn reading_a_response_is_linear() {
    for (name, member) in REPEATED {
        // One lone surrogate makes every text go through the repair.
        for end in [r#""z":1"#, r#""z":"\ud83d""#] {
            check(name, |size| completion(&(member.repeat(size) + end)), create);
        }
    }
}

#[test]
fn reading_an_event_is_linear() {
    for (name, member) in REPEATED {
        for end in [r#""z":1"#, r#""z":"\ud83d""#] {
            check(name, |size| stream(&(member.repeat(size) + end)), collect);
        }
    }
}

#[test]
fn reading_many_members_below_a_long_name_is_linear() {
    // As an attacker writes it: the path of a place is long, and there are many places.
    let body = |size: usize| {
        let members = (0..size).map(|n| format!(r#""m{n}":1,"#)).collect::<String>();
        format!(r#""{}":{{{members}"z":"\ud83d"}}"#, "n".repeat(20 * size))
    };
    check("whole", |size| completion(&body(size)), create);
    check("streamed", |size| stream(&body(size)), collect);
}

#[test]
fn joining_characters_between_events_is_linear() {
    let half = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\\ud83d\"}}]}\n\n";
    let rest = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\\ude00\"}}]}\n\n";
    check("pairs", |size| (half.to_owned() + rest).repeat(size) + &stream(r#""z":1"#), collect);
    // As many places wait as can.
    let places =
        |size: usize| (0..size).map(|n| half.replace("\"index\":0", &format!("\"index\":{n}"))).collect::<String>();
    check("places", |size| places(size) + &stream(r#""z":1"#), collect);
}

#[test]
fn reading_an_error_is_linear() {
    for (name, member) in REPEATED {
        let body = |size: usize| {
            format!(r#"{{"error":{{"message":"no",{member}"code":"\ud83d"}}}}"#, member = member.repeat(size))
        };
        check(name, body, create);
    }
}

/// A stream of pieces of tool calls.
fn tool_calls(piece: impl Fn(usize) -> String, size: usize) -> String {
    let choice = |delta: &str, reason: &str| {
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{reason}}}]}}\n\n")
    };
    let pieces = (0..size).map(|n| choice(&format!("{{\"tool_calls\":[{}]}}", piece(n)), "null"));
    pieces.collect::<String>() + &choice("{}", "\"tool_calls\"")
}

#[test]
fn assembling_tool_calls_is_linear() {
    let named = |arguments: &str| format!(r#"{{"index":0,"function":{{"name":"f","arguments":"{arguments}"}}}}"#);
    // As an attacker writes them: the name in every piece, and each piece ends like complete arguments.
    check("open text", |size| tool_calls(|n| named(if n == 0 { r#"{\"a\":\""# } else { "xxxxxxxx}" }), size), collect);
    check(
        "open object",
        |size| tool_calls(|n| named(if n == 0 { r#"{\"a\":{"# } else { r#"\"b\":{},\"c\":{}"# }), size),
        collect,
    );
    check("complete calls", |size| tool_calls(|_| named("{}"), size), collect);
    check(
        "ids",
        |size| tool_calls(|n| format!(r#"{{"id":"{n}","function":{{"name":"f","arguments":"{{}}"}}}}"#), size),
        collect,
    );
}

#[test]
fn assembling_a_response_is_linear() {
    let event = |event: &str| format!("data: {event}\n\n");
    let end = event(r#"{"type":"response.completed","response":{"id":"r","status":"completed"}}"#);
    let deltas = |kind: &str, place: fn(usize) -> String, size: usize| {
        let delta = |n| event(&format!(r#"{{"type":"{kind}","sequence_number":{n},{},"delta":"a"}}"#, place(n)));
        (0..size).map(delta).collect::<String>() + &end
    };
    let respond = |body: Bytes| {
        block_on(async {
            let events = client(body).responses().stream(ResponseRequest::new("m", "Hi")).await.unwrap();
            events.collect().await.unwrap();
        });
    };
    let text = "response.output_text.delta";
    check("one text", |size| deltas(text, |_| r#""output_index":0"#.into(), size), respond);
    check("an item in each event", |size| deltas(text, |n| format!(r#""output_index":{n}"#), size), respond);
    check("items by id", |size| deltas(text, |n| format!(r#""item_id":"{}""#, n % 7), size), respond);
    let arguments = "response.function_call_arguments.delta";
    check("arguments", |size| deltas(arguments, |n| format!(r#""output_index":{}"#, n % 2), size), respond);
}

#[test]
fn events_of_a_choice_that_ends_in_every_chunk_are_linear() {
    let chunk = |n: usize| {
        let call = format!(r#"{{"index":{n},"id":"{n}","function":{{"name":"f","arguments":"{{}}"}}}}"#);
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{call}]}},\"finish_reason\":\"stop\"}}]}}\n\n"
        )
    };
    check(
        "finish reasons",
        |size| (0..size).map(chunk).collect(),
        |body| {
            block_on(async {
                let mut events = client(body).chat().stream(request()).await.unwrap().events();
                while let Ok(Some(_)) = events.try_next().await {}
            });
        },
    );
}
