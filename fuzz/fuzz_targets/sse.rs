//! Any chunking of the same bytes yields the same events, within the size limit.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use openai_compatible::sse::{Decoder, Event};

fn events(chunks: impl Iterator<Item = Bytes>) -> Option<Vec<Event>> {
    let mut decoder = Decoder::with_max_event_size(1 << 16);
    let mut events = Vec::new();
    for chunk in chunks {
        decoder.push(chunk);
        while let Some(event) = decoder.next_event().ok()? {
            events.push(event);
        }
    }
    events.extend(std::iter::from_fn(|| decoder.finish()));
    Some(events)
}

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = input;
    let single = events(std::iter::once(Bytes::copy_from_slice(bytes)));
    let chunked = events(bytes.chunks(usize::from(size).max(1)).map(Bytes::copy_from_slice));
    assert_eq!(single, chunked);
});
