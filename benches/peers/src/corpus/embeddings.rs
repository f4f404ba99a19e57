//! Embeddings, as floats and as base64.

use super::Seen;

/// Numbers in a vector.
pub const DIMENSIONS: usize = 1536;

/// One number of one vector: about 0.02 in size, as OpenAI's.
fn number(vector: usize, at: usize) -> f32 {
    let mixed = ((vector * DIMENSIONS + at) as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 40) as f32 / (1u64 << 24) as f32 * 0.08 - 0.04
}

pub fn expected_vectors(n: usize) -> Seen {
    let mut seen = Seen::new();
    for vector in 0..n {
        see_vector(&mut seen, (0..DIMENSIONS).map(|at| number(vector, at)));
    }
    seen
}

/// Records a vector: its length, and the bits of every 128th number.
pub fn see_vector(seen: &mut Seen, numbers: impl Iterator<Item = f32>) {
    seen.items += 1;
    for (at, number) in numbers.enumerate() {
        seen.size += 1;
        if at % 128 == 0 {
            seen.hash = (seen.hash ^ u64::from(number.to_bits())).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// The response to a request for embeddings.
pub fn embeddings(n: usize, base64: bool) -> String {
    use std::fmt::Write;
    let mut json = String::with_capacity(n * DIMENSIONS * if base64 { 6 } else { 15 });
    json += r#"{"object":"list","data":["#;
    for vector in 0..n {
        if vector > 0 {
            json.push(',');
        }
        write!(json, r#"{{"object":"embedding","index":{vector},"embedding":"#).unwrap();
        if base64 {
            let bytes: Vec<u8> = (0..DIMENSIONS).flat_map(|at| number(vector, at).to_le_bytes()).collect();
            json.push('"');
            encode_base64(&bytes, &mut json);
            json.push('"');
        } else {
            for at in 0..DIMENSIONS {
                let separator = if at == 0 { '[' } else { ',' };
                write!(json, "{separator}{}", number(vector, at)).unwrap();
            }
            json.push(']');
        }
        json.push('}');
    }
    json + r#"],"model":"text-embedding-3-small","usage":{"prompt_tokens":8,"total_tokens":8}}"#
}

fn encode_base64(bytes: &[u8], into: &mut String) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for three in bytes.chunks(3) {
        let bits = three.iter().chain([&0, &0]).take(3).fold(0usize, |bits, byte| bits << 8 | usize::from(*byte));
        for digit in 0..4 {
            let is_padding = digit > three.len();
            into.push(if is_padding { '=' } else { DIGITS[bits >> (18 - 6 * digit) & 63] as char });
        }
    }
}
