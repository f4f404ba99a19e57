//! Structured output over both APIs: [`Parse`], which asks again, and items while they stream.

mod parse;
mod stream;

pub use self::parse::{Parse, Parsed};
pub use self::stream::partial_json;
