//! The numbers of a vector: read from lists or base64, multiplied.

use std::cell::Cell;
use std::fmt;

use base64::Engine as _;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::base64::ENGINE;
use crate::wire::{Read, Seed, Wire, odd_map};

// No `f32` is read alone, so that this can stand beside `Vec<T: Wire>`.
impl Wire for Vec<f32> {
    /// Numbers or base64; each vector is allocated once, in its own size.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Read<Self>, D::Error> {
        struct Vector;
        impl<'de> Visitor<'de> for Vector {
            type Value = Read<Vec<f32>>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a vector")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Self::Value, A::Error> {
                let mut floats = SCRATCH.take();
                floats.clear();
                while let Some(number) = numbers.next_element_seed(Seed::<Option<f64>>::new())? {
                    if let Read::Odd(odd) = number {
                        let mut values: Vec<Value> = floats.iter().map(|float| Value::from(*float)).collect();
                        values.push(odd);
                        while let Some(value) = numbers.next_element()? {
                            values.push(value);
                        }
                        return Ok(Read::Odd(Value::Array(values)));
                    }
                    // What writes JSON writes null for a number that JSON does not have.
                    if let Read::Value(number) = number {
                        floats.push(number.map_or(f32::NAN, |number| number as f32));
                    }
                }
                let vector = floats.as_slice().to_vec();
                if floats.capacity() <= MOST_SCRATCH {
                    SCRATCH.set(floats);
                }
                Ok(Read::Value(vector))
            }

            fn visit_str<E>(self, base64: &str) -> Result<Self::Value, E> {
                Ok(floats_of(base64).map_or_else(|| Read::Odd(Value::from(base64)), Read::Value))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Read::Value(Vec::new()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                odd_map(map)
            }

            odd_scalars!(bool u64 i64 f64);
        }
        deserializer.deserialize_any(Vector)
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
