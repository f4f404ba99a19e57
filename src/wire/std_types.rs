//! How the types of the standard library are read and written.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::json::Token;
use super::{Json, NotJson, Read, Wire, Writer};

impl<'de> Json<'de> {
    /// Text, or what can be read as text; a list or an object is none. Null is empty.
    #[inline]
    pub(crate) fn text(&mut self) -> Result<Result<Cow<'de, str>, Value>, NotJson> {
        match self.peek()? {
            b'"' => self.string().map(Ok),
            _ => self.other_as_text(),
        }
    }

    /// Identifiers and codes come as numbers from some servers.
    #[inline(never)]
    fn other_as_text(&mut self) -> Result<Result<Cow<'de, str>, Value>, NotJson> {
        Ok(match self.value()? {
            Value::Null => Ok("".into()),
            Value::String(text) => Ok(text.into()),
            odd @ (Value::Array(_) | Value::Object(_)) => Err(odd),
            scalar => Ok(scalar.to_string().into()),
        })
    }

    /// Text of `open_enum!`; anything else is odd, but null, which is empty.
    pub(crate) fn word(&mut self) -> Result<Result<Cow<'de, str>, Value>, NotJson> {
        match self.token()? {
            Token::Text(text) => Ok(Ok(text)),
            Token::Null => Ok(Ok("".into())),
            other => self.value_of(other).map(Err),
        }
    }

    /// An integer; of a float and of numeric text, the whole part. Null is 0.
    fn integer(&mut self) -> Result<Result<i128, Value>, NotJson> {
        // The cast saturates, so that what is out of range does not come back the same.
        let whole = |float: f64| Some(float.trunc() as i128).filter(|whole| *whole as f64 == float.trunc());
        let token = self.token()?;
        let number = match &token {
            Token::Null => Some(0),
            Token::Unsigned(number) => Some(i128::from(*number)),
            Token::Signed(number) => Some(i128::from(*number)),
            Token::Float(number) => whole(*number),
            Token::Text(text) => text.trim().parse().ok().or_else(|| text.trim().parse().ok().and_then(whole)),
            _ => None,
        };
        match number {
            Some(number) => Ok(Ok(number)),
            None => self.value_of(token).map(Err),
        }
    }
}

impl Wire for String {
    fn read(&mut self, json: &mut Json<'_>) -> Result<Read, NotJson> {
        Ok(Read::of(json.text()?, |text| *self = text.into_owned()))
    }

    fn write(&self, writer: &mut Writer) {
        writer.text(self);
    }

    fn blank() -> Self {
        String::new()
    }

    fn is_blank(&self) -> bool {
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
            fn read(&mut self, json: &mut Json<'_>) -> Result<Read, NotJson> {
                let start = json.clone();
                Ok(match json.integer()?.map($name::try_from) {
                    Ok(Ok(number)) => {
                        *self = number;
                        Read::Fits
                    }
                    Ok(Err(_)) => Read::Odd({ *json = start; json.value()? }),
                    Err(odd) => Read::Odd(odd),
                })
            }

            fn write(&self, writer: &mut Writer) {
                writer.json(self);
            }

            fn blank() -> Self {
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
    fn read(&mut self, json: &mut Json<'_>) -> Result<Read, NotJson> {
        let token = json.token()?;
        let number = match &token {
            Token::Null => Some(0.0),
            Token::Float(number) => Some(*number),
            Token::Unsigned(number) => Some(*number as f64),
            Token::Signed(number) => Some(*number as f64),
            Token::Text(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
            _ => None,
        };
        match number {
            Some(number) => {
                *self = number;
                Ok(Read::Fits)
            }
            None => json.value_of(token).map(Read::Odd),
        }
    }

    fn write(&self, writer: &mut Writer) {
        writer.json(self);
    }

    fn blank() -> Self {
        0.0
    }

    #[cfg(test)]
    fn sample() -> Value {
        Value::from(0.5)
    }
}

impl Wire for bool {
    fn read(&mut self, json: &mut Json<'_>) -> Result<Read, NotJson> {
        *self = match json.token()? {
            Token::Bool(flag) => flag,
            Token::Null | Token::Unsigned(0) => false,
            Token::Unsigned(1) => true,
            Token::Text(text) if text == "true" => true,
            Token::Text(text) if text == "false" => false,
            other => return json.value_of(other).map(Read::Odd),
        };
        Ok(Read::Fits)
    }

    fn write(&self, writer: &mut Writer) {
        writer.json(self);
    }

    fn blank() -> Self {
        false
    }

    #[cfg(test)]
    fn sample() -> Value {
        Value::from(true)
    }
}

impl Wire for Value {
    fn read(&mut self, json: &mut Json<'_>) -> Result<Read, NotJson> {
        *self = json.value()?;
        Ok(Read::Fits)
    }

    fn write(&self, writer: &mut Writer) {
        writer.json(self);
    }

    fn blank() -> Self {
        Value::Null
    }

    #[cfg(test)]
    fn sample() -> Value {
        serde_json::json!({ "any": [1, null] })
    }
}

/// A value that may be missing.
trait Maybe {
    fn some(&mut self) -> &mut dyn Wire;

    fn none(&mut self);
}

impl<T: Wire> Maybe for Option<T> {
    fn some(&mut self) -> &mut dyn Wire {
        self.insert(T::blank())
    }

    fn none(&mut self) {
        *self = None;
    }
}

fn read_maybe(place: &mut dyn Maybe, json: &mut Json<'_>) -> Result<Read, NotJson> {
    if json.is_null()? {
        return Ok(Read::Fits);
    }
    let value = place.some();
    let read = value.read(json)?;
    if matches!(read, Read::Odd(_)) || value.is_nothing() {
        place.none();
    }
    Ok(read)
}

impl<T: Wire> Wire for Option<T> {
    fn read(&mut self, json: &mut Json<'_>) -> Result<Read, NotJson> {
        read_maybe(self, json)
    }

    fn write(&self, writer: &mut Writer) {
        match self {
            Some(value) => value.write(writer),
            None => writer.null(),
        }
    }

    fn blank() -> Self {
        None
    }

    fn is_blank(&self) -> bool {
        self.is_none()
    }

    #[cfg(test)]
    fn sample() -> Value {
        T::sample()
    }
}

impl<T: Wire> Wire for Box<T> {
    fn read(&mut self, json: &mut Json<'_>) -> Result<Read, NotJson> {
        T::read(self, json)
    }

    fn write(&self, writer: &mut Writer) {
        T::write(self, writer);
    }

    fn blank() -> Self {
        Box::new(T::blank())
    }

    #[cfg(test)]
    fn sample() -> Value {
        T::sample()
    }
}

/// Members of any name.
trait Entries {
    fn clear(&mut self);

    fn entry(&mut self, name: String) -> &mut dyn Wire;
}

impl<T: Wire> Entries for BTreeMap<String, T> {
    fn clear(&mut self) {
        self.clear();
    }

    fn entry(&mut self, name: String) -> &mut dyn Wire {
        self.entry(name).or_insert_with(T::blank)
    }
}

/// Reads an object whose members are all of one type: one that does not fit makes all of it odd.
fn read_entries(entries: &mut dyn Entries, json: &mut Json<'_>) -> Result<Read, NotJson> {
    let start = json.clone();
    match json.peek()? {
        b'{' => entries.clear(),
        b'n' => return json.null().map(|()| Read::Fits),
        _ => return json.value().map(Read::Odd),
    }
    let mut is_odd = false;
    json.members(|json, name| {
        is_odd |= !matches!(entries.entry(name.into_owned()).read(json)?, Read::Fits);
        Ok(())
    })?;
    if is_odd {
        entries.clear();
        *json = start;
        return json.value().map(Read::Odd);
    }
    Ok(Read::Fits)
}

impl<T: Wire> Wire for BTreeMap<String, T> {
    fn read(&mut self, json: &mut Json<'_>) -> Result<Read, NotJson> {
        read_entries(self, json)
    }

    fn write(&self, writer: &mut Writer) {
        writer.open(b'{');
        self.iter().for_each(|(name, value)| writer.member(name, value));
        writer.close(b'}');
    }

    fn blank() -> Self {
        BTreeMap::new()
    }

    fn is_blank(&self) -> bool {
        self.is_empty()
    }

    #[cfg(test)]
    fn sample() -> Value {
        super::proof::object(|| vec![("name", T::sample())])
    }
}
