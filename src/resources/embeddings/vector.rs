//! Vectors: reading from arrays or base64, and products.

use std::cell::Cell;

use base64::Engine as _;
use serde_json::Value;

use crate::wire::base64::ENGINE;
use crate::wire::{Input, InvalidInput, Output, ReadOutcome, Wire, from_value};

// `f32` itself does not implement `Wire`, so that this can coexist with `Vec<T: Wire>`.
impl Wire for Vec<f32> {
    /// Numbers or base64; each vector is allocated once, at its final size.
    fn read(&mut self, input: Input<'_>) -> Result<ReadOutcome, InvalidInput> {
        let array = match input {
            Input::Array(array) => array,
            Input::Null => {
                self.clear();
                return Ok(ReadOutcome::Matched);
            }
            Input::String(base64) => {
                return Ok(match floats_of(base64) {
                    Some(floats) => {
                        *self = floats;
                        ReadOutcome::Matched
                    }
                    None => ReadOutcome::mismatched(base64.into()),
                });
            }
            other => {
                self.clear();
                return other.mismatch();
            }
        };
        let mut numbers = SCRATCH.take();
        numbers.clear();
        let rest = array.numbers(&mut numbers)?;
        let read = numbers.len();
        numbers.extend(rest.iter().map_while(from_value::<f64>));
        if numbers.len() < read + rest.len() {
            let whole = numbers.iter().take(read).map(|number| Value::from(*number)).chain(rest).collect();
            return Ok(ReadOutcome::mismatched(whole));
        }
        *self = numbers.iter().map(|number| *number as f32).collect();
        if numbers.capacity() <= MAX_SCRATCH {
            SCRATCH.set(numbers);
        }
        Ok(ReadOutcome::Matched)
    }

    fn output(&self) -> Output<'_> {
        Output::Floats(self)
    }

    fn default_value() -> Self {
        Vec::new()
    }

    fn is_default_value(&self) -> bool {
        self.is_empty()
    }
}

thread_local! {
    /// Where an array of unknown length grows.
    static SCRATCH: Cell<Vec<f64>> = const { Cell::new(Vec::new()) };
}

/// A larger buffer is freed.
const MAX_SCRATCH: usize = 16 * 1024;

/// Decodes block by block, so that only the vector grows with the text.
fn floats_of(base64: &str) -> Option<Vec<f32>> {
    /// Each block except the last is a whole number of floats: 16 characters are 12 bytes are 3 floats.
    const BLOCK: usize = 4096;
    let length = base64.trim_end_matches('=').len() * 3 / 4;
    if length % size_of::<f32>() != 0 {
        return None;
    }
    let mut vector = Vec::with_capacity(length / size_of::<f32>());
    let mut bytes = [0; BLOCK / 4 * 3];
    for block in base64.as_bytes().chunks(BLOCK) {
        let length = ENGINE.decode_slice(block, &mut bytes).ok()?;
        let floats = bytes.get(..length)?.chunks_exact(size_of::<f32>());
        // Each float is four bytes, so the number of floats is known in advance.
        vector.extend(floats.map(|bytes| bytes.try_into().map_or(f32::NAN, f32::from_le_bytes)));
    }
    // Padding inside the text ends a block early.
    (vector.len() * size_of::<f32>() == length).then_some(vector)
}

/// Eight parallel sums: compilers vectorize them, and they lose less precision than one.
pub(super) fn dot(one: &[f32], other: &[f32]) -> f32 {
    if one.len() != other.len() {
        return f32::NAN;
    }
    let (ones, others) = (one.chunks_exact(8), other.chunks_exact(8));
    let rest = ones.remainder().iter().zip(others.remainder()).map(|(a, b)| a * b).sum::<f32>();
    let mut sums = [0.0; 8];
    for (ones, others) in ones.zip(others) {
        for (sum, (a, b)) in sums.iter_mut().zip(ones.iter().zip(others)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest
}
