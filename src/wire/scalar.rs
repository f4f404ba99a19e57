//! Strings, numbers, booleans, options and boxes.

use serde_json::Value;

use super::{Input, InvalidInput, Output, ReadOutcome, Wire};

/// Reads a string, or a scalar as one. Null is empty.
#[inline]
pub(crate) fn read_string(input: Input<'_>, put: impl FnOnce(&str)) -> Result<ReadOutcome, InvalidInput> {
    if let Input::String(text) = input {
        put(text);
        return Ok(ReadOutcome::Matched);
    }
    Ok(match scalar_text(input)? {
        Ok(text) => {
            put(&text);
            ReadOutcome::Matched
        }
        Err(mismatched) => ReadOutcome::mismatched(mismatched),
    })
}

/// Identifiers and codes come as numbers from some servers.
#[cold]
fn scalar_text(input: Input<'_>) -> Result<Result<String, Value>, InvalidInput> {
    Ok(match input.value()? {
        Value::Null => Ok(String::new()),
        mismatched @ (Value::Array(_) | Value::Object(_)) => Err(mismatched),
        scalar => Ok(scalar.to_string()),
    })
}

/// Reads the string of an `open_enum!`. Null is empty, and everything else a mismatch.
pub(crate) fn read_enum_str(input: Input<'_>, put: &mut dyn FnMut(&str)) -> Result<ReadOutcome, InvalidInput> {
    match input {
        Input::String(text) => put(text),
        Input::Null => put(""),
        other => return other.mismatch(),
    }
    Ok(ReadOutcome::Matched)
}

#[inline]
fn read_number<N>(
    place: &mut N,
    input: Input<'_>,
    number: fn(&Input<'_>) -> Option<N>,
) -> Result<ReadOutcome, InvalidInput> {
    if let Some(number) = number(&input) {
        *place = number;
        return Ok(ReadOutcome::Matched);
    }
    let value = input.value()?;
    // Where any crate of the program enables `arbitrary_precision`, serde_json hands out numbers as objects.
    match value.as_number().and_then(|value| number(&value.into())) {
        Some(number) => {
            *place = number;
            Ok(ReadOutcome::Matched)
        }
        None => Ok(ReadOutcome::mismatched(value)),
    }
}

/// An integer that is not unsigned; of a float or a numeric string, the whole part. Null is 0.
fn integer(input: &Input<'_>) -> Option<i128> {
    // The cast saturates, so that a number out of range does not come back the same.
    let whole = |float: f64| Some(float.trunc() as i128).filter(|whole| *whole as f64 == float.trunc());
    match input {
        Input::Null => Some(0),
        Input::Signed(number) => Some(i128::from(*number)),
        Input::Float(number) => whole(*number),
        Input::String(text) => text.trim().parse().ok().or_else(|| text.trim().parse().ok().and_then(whole)),
        _ => None,
    }
}

impl Wire for String {
    fn read(&mut self, input: Input<'_>) -> Result<ReadOutcome, InvalidInput> {
        read_string(input, |text| *self = text.to_owned())
    }

    fn output(&self) -> Output<'_> {
        Output::String(self)
    }

    fn default_value() -> Self {
        String::new()
    }

    fn is_default_value(&self) -> bool {
        self.is_empty()
    }

    #[cfg(test)]
    fn sample() -> Value {
        Value::from("text")
    }
}

/// Counters and timestamps.
macro_rules! wire_integer {
    ($($name:ident)*) => {$(
        impl Wire for $name {
            fn read(&mut self, input: Input<'_>) -> Result<ReadOutcome, InvalidInput> {
                if let Input::Unsigned(number) = input {
                    let narrowed: Option<$name> = number.try_into().ok();
                    if let Some(number) = narrowed {
                        *self = number;
                        return Ok(ReadOutcome::Matched);
                    }
                }
                read_number(self, input, |input| integer(input)?.try_into().ok())
            }

            fn output(&self) -> Output<'_> {
                i64::try_from(*self).map_or(Output::Unsigned(*self as u64), Output::Signed)
            }

            fn default_value() -> Self {
                0
            }

            #[cfg(test)]
            fn sample() -> Value {
                Value::from(7)
            }
        }
    )*};
}
wire_integer!(u8 u16 u32 u64 i32 i64);

impl Wire for f64 {
    fn read(&mut self, input: Input<'_>) -> Result<ReadOutcome, InvalidInput> {
        read_number(self, input, |input| match input {
            Input::Null => Some(0.0),
            Input::Float(number) => Some(*number),
            Input::Unsigned(number) => Some(*number as f64),
            Input::Signed(number) => Some(*number as f64),
            // `NaN` and `1e400` as well: see `repair.rs`.
            Input::String(text) => text.trim().parse().ok(),
            _ => None,
        })
    }

    fn output(&self) -> Output<'_> {
        Output::Float(*self)
    }

    fn default_value() -> Self {
        0.0
    }

    #[cfg(test)]
    fn sample() -> Value {
        Value::from(0.5)
    }
}

impl Wire for bool {
    fn read(&mut self, input: Input<'_>) -> Result<ReadOutcome, InvalidInput> {
        *self = match input {
            Input::Bool(flag) => flag,
            Input::Null | Input::Unsigned(0) | Input::String("false") => false,
            Input::Unsigned(1) | Input::String("true") => true,
            other => return other.mismatch(),
        };
        Ok(ReadOutcome::Matched)
    }

    fn output(&self) -> Output<'_> {
        Output::Bool(*self)
    }

    fn default_value() -> Self {
        false
    }

    #[cfg(test)]
    fn sample() -> Value {
        Value::from(true)
    }
}

impl Wire for Value {
    fn read(&mut self, input: Input<'_>) -> Result<ReadOutcome, InvalidInput> {
        *self = input.value()?;
        Ok(ReadOutcome::Matched)
    }

    fn output(&self) -> Output<'_> {
        Output::Value(self)
    }

    fn default_value() -> Self {
        Value::Null
    }

    #[cfg(test)]
    fn sample() -> Value {
        serde_json::json!({ "any": [1, null] })
    }
}

impl<T: Wire> Wire for Option<T> {
    fn read(&mut self, input: Input<'_>) -> Result<ReadOutcome, InvalidInput> {
        if matches!(input, Input::Null) {
            return Ok(ReadOutcome::Matched);
        }
        let value = self.insert(T::default_value());
        let outcome = value.read(input)?;
        if matches!(outcome, ReadOutcome::Mismatched(_)) || value.reads_as_none() {
            *self = None;
        }
        Ok(outcome)
    }

    fn output(&self) -> Output<'_> {
        match self {
            Some(value) => value.output(),
            None => Output::Null,
        }
    }

    fn default_value() -> Self {
        None
    }

    fn is_default_value(&self) -> bool {
        self.is_none()
    }

    #[cfg(test)]
    fn sample() -> Value {
        T::sample()
    }
}

impl<T: Wire> Wire for Box<T> {
    fn read(&mut self, input: Input<'_>) -> Result<ReadOutcome, InvalidInput> {
        T::read(self, input)
    }

    fn output(&self) -> Output<'_> {
        T::output(self)
    }

    fn default_value() -> Self {
        Box::new(T::default_value())
    }

    #[cfg(test)]
    fn sample() -> Value {
        T::sample()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::{from_str, from_value};

    /// What a text is read as, `None` for a mismatch; the same through a `Value`.
    fn read<T: Wire + PartialEq + std::fmt::Debug>(text: &str) -> Option<T> {
        let mut place = T::default_value();
        let read = from_str(text, &mut place).unwrap();
        let place = matches!(read, ReadOutcome::Matched).then_some(place);
        let value: Value = serde_json::from_str(text).unwrap();
        if !value.is_null() {
            assert_eq!(from_value::<T>(&value), place, "{text}");
        }
        place
    }

    #[test]
    fn floats_are_read_from_numbers_null_and_numeric_strings() {
        for (text, expected) in [
            ("null", Some(0.0)),
            ("7", Some(7.0)),
            ("-7", Some(-7.0)),
            ("0.5", Some(0.5)),
            ("18446744073709551615", Some(18_446_744_073_709_551_615.0)),
            (r#"" 1.5 ""#, Some(1.5)),
            (r#""one""#, None),
            ("true", None),
            ("[1]", None),
        ] {
            assert_eq!(read::<f64>(text), expected, "{text}");
        }
    }

    #[test]
    fn integers_are_read_from_numbers_null_and_numeric_strings() {
        for (text, expected) in [
            ("null", Some(0)),
            ("7", Some(7)),
            ("7.0", Some(7)),
            ("7.9", Some(7)),
            ("1e3", Some(1000)),
            (r#""7""#, Some(7)),
            (r#"" 7.5 ""#, Some(7)),
            ("18446744073709551615", Some(u64::MAX)),
            ("-1", None),
            ("1e300", None),
            ("18446744073709551616", None),
            (r#""seven""#, None),
            ("false", None),
        ] {
            assert_eq!(read::<u64>(text), expected, "{text}");
        }
        assert_eq!(
            (read::<i64>("-7"), read::<i64>("-7.9"), read::<i64>("9223372036854775808")),
            (Some(-7), Some(-7), None)
        );
        assert_eq!((read::<u8>("255"), read::<u8>("256")), (Some(255), None));
    }

    #[test]
    fn numbers_are_written_as_they_are() {
        let written = json!([crate::wire::to_value(&u64::MAX), crate::wire::to_value(&-7_i64)]);
        assert_eq!(written, json!([u64::MAX, -7]));
    }
}
