//! Decoding an error body never panics, whatever the body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use openai_compatible::ApiError;

fuzz_target!(|bytes: &[u8]| {
    let _ = ApiError::from_body(bytes);
});
