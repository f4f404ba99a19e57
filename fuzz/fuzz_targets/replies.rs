//! No reply panics the decoders, and what was read is read the same way again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use openai_compatible::chat::{Accumulator, ChatChunk, ChatCompletion, ChatRequest, Message};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn read<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(text: &str) -> Option<T> {
    let value: T = serde_json::from_str(text).ok()?;
    let written = serde_json::to_string(&value).expect("what was read can be written");
    let again: T = serde_json::from_str(&written).expect("what was written can be read");
    // Numbers in texts and other spellings are evened out once, and stay then.
    assert_eq!(written, serde_json::to_string(&again).expect("it can be written again"));
    Some(value)
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(reply) = read::<ChatCompletion>(text) {
        let _ = (reply.text().len(), reply.reasoning(), reply.tool_calls().len());
        let _ = Message::from(reply);
    }
    read::<ChatRequest>(text);
    // Each line is a chunk of one stream.
    let mut accumulator = Accumulator::new();
    for chunk in text.lines().filter_map(read::<ChatChunk>) {
        let _ = (chunk.text().len(), chunk.reasoning(), chunk.usage());
        accumulator.add(chunk);
    }
    accumulator.finish();
});
