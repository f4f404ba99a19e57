//! Every body of an error gives an error, and every body that is not empty gives a message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use openai_compatible::ApiError;

fuzz_target!(|bytes: &[u8]| {
    let _ = ApiError::from_body(bytes);
});
