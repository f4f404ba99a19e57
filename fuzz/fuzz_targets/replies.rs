//! Decoding a response never panics, and the serialized value is stable after one round trip.
#![no_main]

use libfuzzer_sys::fuzz_target;
use openai_compatible::chat::{Accumulator, ChatChunk, ChatCompletion, ChatRequest, Message};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn read<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(text: &str) -> Option<T> {
    let value: T = serde_json::from_str(text).ok()?;
    let written = serde_json::to_string(&value).expect("a decoded value can be serialized");
    let again: T = serde_json::from_str(&written).expect("a serialized value can be decoded");
    // The first round trip normalizes the value, for example numbers sent as strings; the second must not change it.
    assert_eq!(written, serde_json::to_string(&again).expect("a decoded value can be serialized"));
    Some(value)
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(completion) = read::<ChatCompletion>(text) {
        let _ = (completion.text().len(), completion.reasoning(), completion.tool_calls().len());
        let _ = Message::from(completion);
    }
    read::<ChatRequest>(text);
    // Each line is one chunk of a stream.
    let mut accumulator = Accumulator::new();
    for chunk in text.lines().filter_map(read::<ChatChunk>) {
        let _ = (chunk.text().len(), chunk.reasoning(), chunk.usage());
        accumulator.push(chunk);
    }
    accumulator.finish();
});
