//! Integers as users write them.

use serde_json::{Number, Value};

use super::Extra;

/// An integer of any primitive type: what the number setters of requests accept, so that `512`, a `u32` of a
/// configuration and a `usize` can be passed as they are.
///
/// An integer that a field cannot hold is sent all the same, because some servers give a meaning to, for example, a
/// `max_tokens` of -1: it is kept in `extra`. This trait is sealed.
pub trait Integer: sealed::Sealed {}

mod sealed {
    pub trait Sealed {
        fn into_number(self) -> i128;
    }
}

macro_rules! integers {
    ($($name:ident)*) => {$(
        impl Integer for $name {}

        impl sealed::Sealed for $name {
            fn into_number(self) -> i128 {
                self as i128
            }
        }
    )*};
}
integers!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

/// Returns the value of an integer field; a number that does not fit goes to `extra`, which wins over the field.
pub(crate) fn set_integer<N: TryFrom<i128>>(number: impl Integer, name: &str, extra: &mut Extra) -> Option<N> {
    let number = number.into_number();
    let value = N::try_from(number).ok();
    // The last setter counts.
    if extra.get(name).is_some_and(Value::is_number) {
        extra.remove(name);
    }
    if let (None, Some(number)) = (&value, Number::from_i128(number)) {
        extra.insert(name, number);
    }
    value
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::chat::ChatRequest;

    #[test]
    fn every_integer_type_is_accepted() {
        let request = ChatRequest::default().max_tokens(512).n(2u8).seed(7usize).top_logprobs(3u64);
        assert_eq!(
            (request.max_tokens, request.n, request.seed, request.top_logprobs),
            (Some(512), Some(2), Some(7), Some(3))
        );
        assert!(request.extra.is_empty());
    }

    #[test]
    fn an_integer_that_does_not_fit_is_sent_as_it_is() {
        let request = ChatRequest::default().max_tokens(-1).n(u64::MAX).seed(u64::MAX);
        let sent = serde_json::to_value(&request).unwrap();
        assert_eq!((&sent["max_tokens"], &sent["n"], &sent["seed"]), (&json!(-1), &json!(u64::MAX), &json!(u64::MAX)));
    }

    #[test]
    fn the_last_setter_counts() {
        let request = ChatRequest::default().max_tokens(-1).max_tokens(5);
        assert_eq!(serde_json::to_value(&request).unwrap()["max_tokens"], 5);
    }
}
