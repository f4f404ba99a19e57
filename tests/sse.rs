//! Server-sent events: the vectors under every cut, a naive reference, and a peer's decoder as judge.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "this is test code, which clippy sees in test functions only"
)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use eventsource_stream::Eventsource;
use futures::StreamExt;
use openai_compatible::sse::{Decoder, Event};
use openai_compatible::{Client, ErrorKind};
use serde_json::{Value, json};

mod support;
use support::{Reply, Server, fixture_json};

fn cases() -> Vec<Value> {
    fixture_json("vectors/sse.json")["cases"].as_array().unwrap().clone()
}

fn chunks(case: &Value) -> Vec<Vec<u8>> {
    let bytes = |chunk: &Value| match (chunk["utf8"].as_str(), chunk["b64"].as_str()) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (None, Some(text)) => STANDARD.decode(text).unwrap(),
        (None, None) => chunk["repeat"].as_str().unwrap().repeat(chunk["times"].as_u64().unwrap() as usize).into(),
    };
    case["chunks"].as_array().unwrap().iter().map(bytes).collect()
}

/// Takes the events after each chunk; at the end of input also the unfinished one, where that is asked for.
fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, at_end: bool) -> Vec<Event> {
    let mut decoder = Decoder::new();
    let mut events = Vec::new();
    for chunk in chunks {
        decoder.push(Bytes::copy_from_slice(chunk));
        while let Some(event) = decoder.next_event().unwrap() {
            events.push(event);
        }
    }
    if at_end {
        events.extend(std::iter::from_fn(|| decoder.finish()));
    }
    events
}

/// As the vectors write it; long data by its length and its one letter.
fn shown(event: &Event) -> Value {
    let mut shown = json!({ "event": event.event, "id": event.id.as_deref(), "retry": event.retry });
    if event.data.len() < 10_000 {
        shown["data"] = event.text().into();
    } else {
        let (first, rest) = event.data.split_first().unwrap();
        assert!(rest.iter().all(|byte| byte == first));
        shown["data_len_bytes"] = event.data.len().into();
    }
    shown
}

#[test]
fn every_vector_decodes_alike_however_it_is_cut() {
    let cases = cases();
    let mut replays = 0;
    let mut failures = Vec::new();
    for case in &cases {
        let chunks = chunks(case);
        let all = chunks.concat();
        for at_end in [false, true] {
            let expected = match case.get("expected_events_if_flushing_at_eof") {
                Some(expected) if at_end => expected,
                _ => &case["expected_events"],
            };
            let mut expected = expected.as_array().unwrap().clone();
            for event in &mut expected {
                event.as_object_mut().unwrap().remove("data_sha256");
            }
            let mut check = |parts: Vec<&[u8]>| {
                replays += 1;
                let cuts: Vec<_> = parts.iter().map(|part| part.len()).collect();
                let found: Vec<_> = decode(parts, at_end).iter().map(shown).collect();
                if found != expected {
                    failures.push(format!("{} cut {cuts:?}: {found:?}", case["name"]));
                }
            };
            check(chunks.iter().map(Vec::as_slice).collect());
            check(vec![&all]);
            check(all.chunks(1).collect());
            let step = if all.len() > 1000 { 997 } else { 1 };
            for first in (0..=all.len()).step_by(step) {
                let (start, rest) = all.split_at(first);
                check(vec![start, rest]);
                for second in (0..=rest.len()).step_by(9 * step) {
                    let (middle, end) = rest.split_at(second);
                    check(vec![start, middle, end]);
                }
            }
        }
    }
    assert_eq!(failures, Vec::<String>::new());
    assert_eq!(cases.len(), 69);
    assert!(replays > 10_000, "{replays}");
}

/// What a stream of JSON makes of the events of a vector: the values, and the error it ends with.
fn json_layer(events: &[Value], body: &[u8]) -> (Vec<Value>, Option<ErrorKind>) {
    if body.starts_with(b"{") {
        return (Vec::new(), Some(ErrorKind::Api));
    }
    let mut values = Vec::new();
    let mut is_empty = true;
    for event in events {
        let long = || format!("\"{}\"", "x".repeat(event["data_len_bytes"].as_u64().unwrap() as usize));
        let data = event["data"].as_str().map_or_else(long, str::to_owned);
        match (event["event"].as_str(), serde_json::from_str(&data)) {
            _ if data.trim().is_empty() => continue,
            _ if data.starts_with("[DONE]") => return (values, None),
            (Some("error"), _) => return (values, Some(ErrorKind::Stream)),
            (_, Ok(value)) => values.push(value),
            // A vendor's own event may be anything.
            (Some(_), Err(_)) => {}
            // After good events, it was damaged on its way.
            (None, Err(_)) => return (values, Some(if is_empty { ErrorKind::Decode } else { ErrorKind::Stream })),
        }
        is_empty = false;
    }
    // No event and no end mark: nothing came.
    (values, is_empty.then_some(ErrorKind::Stream))
}

#[tokio::test]
async fn every_vector_arrives_as_json_through_a_client() {
    let mut failures = Vec::new();
    let mut passed = 0;
    for case in cases() {
        let name = case["name"].as_str().unwrap();
        let mut chunks = chunks(&case);
        if name == "long_line_100k" {
            // The only change: quotes make it JSON.
            chunks = vec![b"data: \"".to_vec(), chunks.swap_remove(1), b"\"\n\n".to_vec()];
        }
        // What is pending at the end of input is delivered, when it is whole.
        let events = case.get("expected_events_if_flushing_at_eof").unwrap_or(&case["expected_events"]);
        let expected = json_layer(events.as_array().unwrap(), &chunks.concat());
        let open = Reply::status(200).header("content-type", "text/event-stream");
        let server = Server::start([chunks.into_iter().fold(open, Reply::piece)]).await;
        let client = Client::builder().base_url(server.base_url()).max_retries(0).build().unwrap();
        let mut stream = client.post_stream::<Value>("events", &json!({})).await.unwrap();
        let mut found = Vec::new();
        let end = loop {
            match stream.try_next().await {
                Ok(Some(value)) => found.push(value),
                Ok(None) => break None,
                Err(error) => break Some(error.kind()),
            }
        };
        if (&found, end) == (&expected.0, expected.1) {
            passed += 1;
        } else {
            failures.push(format!("{name}: {found:?} and {end:?} in place of {expected:?}"));
        }
        assert_eq!(stream.try_next().await.unwrap(), None, "{name} goes on behind its end");
    }
    assert_eq!(failures, Vec::<String>::new());
    assert_eq!(passed, 69);
}

/// Name, data, last id, retry.
type Plain = (Option<String>, Vec<u8>, Option<String>, Option<u64>);

fn plain(event: Event) -> Plain {
    (event.event.map(String::from), event.data.to_vec(), event.id.map(|id| id.to_string()), event.retry)
}

/// What a decoder gave: events, whether it then failed, and what the end of input added.
#[derive(Debug, PartialEq, Eq, Default)]
struct Outcome {
    events: Vec<Plain>,
    too_large: bool,
    at_end: Option<Plain>,
}

/// The rules, written for clarity: lines first, then what they mean.
fn reference(stream: &[u8], limit: usize) -> Outcome {
    let mut lines: Vec<Vec<u8>> = vec![vec![]];
    let mut bytes = stream.iter().peekable();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\r' => {
                bytes.next_if_eq(&&b'\n');
                lines.push(vec![]);
            }
            b'\n' => lines.push(vec![]),
            _ => lines.last_mut().unwrap().push(byte),
        }
    }
    let unfinished = lines.len() - 1;
    let mut out = Outcome::default();
    let (mut name, mut data, mut retry) = (String::new(), None::<Vec<u8>>, None);
    let mut id = String::new();
    let mut size = 0;
    lines.push(vec![]);
    for (number, line) in lines.iter().enumerate() {
        size += line.len();
        if size > limit {
            out.too_large = true;
            return out;
        }
        // The last line is the blank one that the end of input stands for.
        if line.is_empty() && (number < unfinished || number == unfinished + 1) {
            let event = data.take().map(|mut data| {
                data.pop();
                let name = (!name.is_empty()).then(|| name.clone());
                (name, data, (!id.is_empty()).then(|| id.clone()), retry)
            });
            (name, retry, size) = (String::new(), None, 0);
            if number < unfinished {
                out.events.extend(event);
            } else {
                out.at_end = event;
            }
            continue;
        }
        let mut line = line.as_slice();
        if number == 0 {
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (field, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        let text = String::from_utf8_lossy(value).into_owned();
        let mut append = || {
            let data = data.get_or_insert_with(Vec::new);
            data.extend_from_slice(value);
            data.push(b'\n');
        };
        match field {
            b"data" => append(),
            b"error" => {
                append();
                name = "error".into();
            }
            b"event" => name = text,
            b"id" if !value.contains(&0) => id = text,
            b"retry" if value.iter().all(u8::is_ascii_digit) => retry = text.parse().ok().or(retry),
            _ => {}
        }
    }
    out
}

fn outcome(chunks: &[&[u8]], limit: usize, take_between: bool) -> Outcome {
    let mut decoder = Decoder::with_max_event_size(limit);
    let mut out = Outcome::default();
    let take = |decoder: &mut Decoder, out: &mut Outcome| {
        loop {
            match decoder.next_event() {
                Ok(Some(event)) => out.events.push(plain(event)),
                Ok(None) => return,
                Err(error) => {
                    assert_eq!(error.limit, limit);
                    out.too_large = true;
                    return;
                }
            }
        }
    };
    for chunk in chunks {
        decoder.push(Bytes::copy_from_slice(chunk));
        if take_between {
            take(&mut decoder, &mut out);
        }
    }
    take(&mut decoder, &mut out);
    out.at_end = decoder.finish().map(plain);
    assert_eq!(decoder.finish(), None);
    assert_eq!(decoder.next_event().is_err(), out.too_large);
    out
}

/// What random streams are made of; the second half is what the peer's decoder does not survive or reads otherwise.
const TOKENS: [&[u8]; 40] = [
    b"\n",
    b"\n",
    b"\n",
    b"\n",
    b"\n",
    b"\r",
    b"\r",
    b"\r\n",
    b"\r\n",
    b"\n\n",
    b"\n\n",
    b"\n\n",
    b"\r\n\r\n",
    b"data: ",
    b"data: ",
    b"data: ",
    b"data: ",
    b"data:",
    b"data",
    b"event: ",
    b"id: ",
    b"id",
    b"retry: ",
    b"retry:",
    b"x\0y",
    b":",
    b" ",
    b"foo: ",
    b"12",
    b"{\"a\":1}",
    b"abc",
    "é\u{2028}".as_bytes(),
    b"\xEF\xBB\xBF",
    b"\xEF\xBB\xBF",
    b"error: ",
    b"error",
    b"retry: +5",
    b"retry: -5",
    b"\xFF",
    b"\xE2\x82",
];
const PLAIN_TOKENS: usize = 32;

fn random_stream(random: &mut fastrand::Rng, tokens: usize, longest: usize) -> Vec<u8> {
    let mut stream = Vec::new();
    for _ in 0..random.usize(0..40) {
        match random.usize(0..tokens + 1) {
            long if long == tokens => stream.extend(std::iter::repeat_n(b'x', random.usize(0..longest))),
            token => stream.extend_from_slice(TOKENS[token]),
        }
    }
    stream
}

fn random_cuts<'a>(random: &mut fastrand::Rng, mut stream: &'a [u8]) -> Vec<&'a [u8]> {
    let most = [1, 12, 5000, usize::MAX][random.usize(0..4)];
    let mut chunks = Vec::new();
    while !stream.is_empty() {
        let (chunk, rest) = stream.split_at(random.usize(1..=most).min(stream.len()));
        chunks.push(chunk);
        stream = rest;
    }
    chunks
}

#[test]
fn random_streams_decode_as_the_rules_say() {
    for seed in 0..4000 {
        let random = &mut fastrand::Rng::with_seed(seed);
        let stream = random_stream(random, TOKENS.len(), 6000);
        let chunks = random_cuts(random, &stream);
        let limit = if random.bool() { usize::MAX } else { random.usize(0..60) };
        let take_between = random.bool();
        assert_eq!(outcome(&chunks, limit, take_between), reference(&stream, limit), "seed {seed}");
    }
}

#[test]
fn random_streams_decode_as_eventsource_stream_says() {
    for seed in 0..2000 {
        let random = &mut fastrand::Rng::with_seed(seed);
        let mut stream = random_stream(random, PLAIN_TOKENS, 60);
        // It holds a CR back until the next byte.
        stream.extend(b"\r:end\n");
        let chunks = random_cuts(random, &stream);
        let theirs = futures::stream::iter(chunks.iter().map(Ok::<_, ()>)).eventsource();
        let theirs: Vec<_> = futures::executor::block_on(theirs.collect());
        let theirs: Vec<Plain> = theirs
            .into_iter()
            .map(|event| {
                let event = event.unwrap();
                let name = Some(event.event).filter(|name| name != "message");
                let retry = event.retry.map(|time| u64::try_from(time.as_millis()).unwrap());
                (name, event.data.into_bytes(), Some(event.id).filter(|id| !id.is_empty()), retry)
            })
            .collect();
        assert_eq!(outcome(&chunks, usize::MAX, true).events, theirs, "seed {seed}");
    }
}

#[test]
fn a_decoder_shows_sizes_and_no_content_and_its_error_the_limit() {
    let mut decoder = Decoder::with_max_event_size(12);
    decoder.push(Bytes::from_static(b"data: secret"));
    assert_eq!(decoder.next_event(), Ok(None));
    assert_eq!(format!("{decoder:?}"), "Decoder { event_size: 12, limit: 12, .. }");
    decoder.push(Bytes::from_static(b"s"));
    assert_eq!(decoder.next_event().unwrap_err().to_string(), "server-sent event exceeds the limit of 12 bytes");
}
