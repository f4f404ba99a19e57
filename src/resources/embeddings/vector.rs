//! The numbers of a vector: read from lists or base64, multiplied.

use std::cell::Cell;

use base64::Engine as _;

use crate::base64::ENGINE;
use crate::wire::{Json, NotJson, Read, Wire, Writer};

// No `f32` is read alone, so that this can stand beside `Vec<T: Wire>`.
impl Wire for Vec<f32> {
    /// Numbers or base64; each vector is allocated once, in its own size.
    fn read(&mut self, json: &mut Json<'_>) -> Result<Read, NotJson> {
        match json.peek()? {
            b'[' => {}
            b'"' => {
                let base64 = json.string()?;
                return Ok(match floats_of(&base64) {
                    Some(floats) => {
                        *self = floats;
                        Read::Fits
                    }
                    None => Read::Odd(base64.into()),
                });
            }
            _ => {
                self.clear();
                return json.value().map(|value| if value.is_null() { Read::Fits } else { Read::Odd(value) });
            }
        }
        let start = json.clone();
        let mut floats = SCRATCH.take();
        floats.clear();
        let mut is_odd = false;
        json.items(|json| {
            // What writes JSON writes null for a number that JSON does not have.
            let number = match json.peek()? {
                b'0'..=b'9' | b'-' => json.float()?,
                b'n' => json.null().map(|()| f64::NAN)?,
                _ => {
                    let mut number = 0.0;
                    is_odd |= !matches!(number.read(json)?, Read::Fits);
                    number
                }
            };
            floats.push(number as f32);
            Ok(())
        })?;
        if is_odd {
            *json = start;
            return json.value().map(Read::Odd);
        }
        *self = floats.as_slice().to_vec();
        if floats.capacity() <= MOST_SCRATCH {
            SCRATCH.set(floats);
        }
        Ok(Read::Fits)
    }

    fn write(&self, writer: &mut Writer) {
        writer.json(self);
    }

    fn blank() -> Self {
        Vec::new()
    }

    fn is_blank(&self) -> bool {
        self.is_empty()
    }
}

thread_local! {
    /// Where a list of unknown length grows.
    static SCRATCH: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// Longer scratch is given back.
const MOST_SCRATCH: usize = 16 * 1024;

/// Decodes block by block, so that no buffer but the vector grows with the text.
fn floats_of(base64: &str) -> Option<Vec<f32>> {
    /// Each block but the last is whole floats: 16 characters are 12 bytes are 3 floats.
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
        // Each is four bytes, so that the number of floats is known before.
        vector.extend(floats.map(|bytes| bytes.try_into().map_or(f32::NAN, f32::from_le_bytes)));
    }
    // Padding inside the text ends a block early.
    (vector.len() * size_of::<f32>() == length).then_some(vector)
}

/// Eight sums side by side: compilers make vector instructions of them, and they lose fewer bits than one.
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
