//! How the types of the standard library read themselves.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Added, Fields, Push, Read, Wire, odd_map, odd_seq};

impl Wire for String {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Read<Self>, D::Error> {
        visit_json! { String:
            visit_str(v: &str) => Read::Value(v.to_owned());
            visit_string(v: String) => Read::Value(v);
            // Identifiers and codes come as numbers from some servers.
            visit_u64(v: u64) => Read::Value(v.to_string());
            visit_i64(v: i64) => Read::Value(v.to_string());
            visit_f64(v: f64) => Read::Value(Value::from(v).to_string());
            visit_bool(v: bool) => Read::Value(v.to_string());
        }
        deserializer.deserialize_any(Json)
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

/// Counters and timestamps: integers, floats (their whole part) and numeric strings.
macro_rules! wire_integer {
    ($($name:ident)*) => {$(
        impl Wire for $name {
            fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Read<Self>, D::Error> {
                fn from_float(v: f64) -> Read<$name> {
                    // The cast saturates, so that what is out of range does not come back the same.
                    let number = v.trunc() as $name;
                    if number as f64 == v.trunc() { Read::Value(number) } else { Read::Odd(Value::from(v)) }
                }
                visit_json! { $name:
                    visit_u64(v: u64) => $name::try_from(v).map_or_else(|_| Read::Odd(Value::from(v)), Read::Value);
                    visit_i64(v: i64) => $name::try_from(v).map_or_else(|_| Read::Odd(Value::from(v)), Read::Value);
                    visit_f64(v: f64) => from_float(v);
                    visit_bool(v: bool) => Read::Odd(Value::from(v));
                    visit_str(v: &str) => match v.trim().parse::<$name>() {
                        Ok(number) => Read::Value(number),
                        Err(_) => match v.trim().parse::<f64>() {
                            Ok(number) => match from_float(number) {
                                Read::Odd(_) => Read::Odd(Value::from(v)),
                                read => read,
                            },
                            Err(_) => Read::Odd(Value::from(v)),
                        },
                    };
                }
                deserializer.deserialize_any(Json)
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
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Read<Self>, D::Error> {
        visit_json! { f64:
            visit_f64(v: f64) => Read::Value(v);
            visit_u64(v: u64) => Read::Value(v as f64);
            visit_i64(v: i64) => Read::Value(v as f64);
            visit_bool(v: bool) => Read::Odd(Value::from(v));
            visit_str(v: &str) => match v.trim().parse::<f64>() {
                Ok(number) if number.is_finite() => Read::Value(number),
                _ => Read::Odd(Value::from(v)),
            };
        }
        deserializer.deserialize_any(Json)
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
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Read<Self>, D::Error> {
        visit_json! { bool:
            visit_bool(v: bool) => Read::Value(v);
            visit_u64(v: u64) => match v { 0 => Read::Value(false), 1 => Read::Value(true), _ => Read::Odd(Value::from(v)) };
            visit_i64(v: i64) => Read::Odd(Value::from(v));
            visit_f64(v: f64) => Read::Odd(Value::from(v));
            visit_str(v: &str) => match v { "true" => Read::Value(true), "false" => Read::Value(false), _ => Read::Odd(Value::from(v)) };
        }
        deserializer.deserialize_any(Json)
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
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Read<Self>, D::Error> {
        Value::deserialize(deserializer).map(Read::Value)
    }

    fn blank() -> Self {
        Value::Null
    }

    #[cfg(test)]
    fn sample() -> Value {
        serde_json::json!({ "any": [1, null] })
    }
}

impl<T: Wire> Wire for Option<T> {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Read<Self>, D::Error> {
        struct Maybe<T>(PhantomData<T>);
        impl<'de, T: Wire> Visitor<'de> for Maybe<T> {
            type Value = Read<Option<T>>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value or null")
            }

            fn visit_none<E>(self) -> Result<Self::Value, E> {
                Ok(Read::Value(None))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Read::Value(None))
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
                Ok(T::read(deserializer)?.map(|value| if value.is_nothing() { None } else { Some(value) }))
            }
        }
        deserializer.deserialize_option(Maybe(PhantomData))
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
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Read<Self>, D::Error> {
        Ok(T::read(deserializer)?.map(Box::new))
    }

    fn blank() -> Self {
        Box::new(T::blank())
    }

    #[cfg(test)]
    fn sample() -> Value {
        T::sample()
    }
}

impl<T: Fields> Fields for Box<T> {
    fn write<M: SerializeMap>(&self, map: &mut M, without: Added<'_>) -> Result<(), M::Error> {
        T::write(self, map, without)
    }

    fn uncover(&mut self) {
        T::uncover(self);
    }
}

impl<T: Wire + Serialize> Wire for Vec<T> {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Read<Self>, D::Error> {
        struct Items<T>(PhantomData<T>);
        impl<'de, T: Wire + Serialize> Visitor<'de> for Items<T> {
            type Value = Read<Vec<T>>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Read::Value(Vec::new()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                let mut whole = None;
                while let Some(read) = seq.next_element_seed(Push(&mut items))? {
                    if whole.is_none() && matches!(read, Read::Value(())) {
                        continue;
                    }
                    if let Some(item) = items.pop() {
                        keep(&mut items, &mut whole, read.map(|()| item))?;
                    }
                }
                Ok(in_part(items, whole))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                odd_map(map)
            }

            odd_scalars!(str bool u64 i64 f64);
        }
        deserializer.deserialize_any(Items(PhantomData))
    }

    fn blank() -> Self {
        Vec::new()
    }

    fn is_blank(&self) -> bool {
        self.is_empty()
    }

    #[cfg(test)]
    fn sample() -> Value {
        match T::sample() {
            Value::Null => Value::Null,
            item => Value::Array(vec![item]),
        }
    }
}

/// Takes an entry of a list: into the items, and into the whole list once there is one entry that does not fit.
pub(crate) fn keep<T, E>(items: &mut Vec<T>, whole: &mut Option<Vec<Value>>, item: Read<T>) -> Result<(), E>
where
    T: Serialize,
    E: serde::de::Error,
{
    if whole.is_none() {
        if let Read::Value(item) = item {
            items.push(item);
            return Ok(());
        }
        let before = items.iter().map(serde_json::to_value).collect::<Result<_, _>>();
        *whole = Some(before.map_err(E::custom)?);
    }
    let original = match item {
        Read::Odd(odd) => odd,
        Read::Value(item) => {
            let original = serde_json::to_value(&item).map_err(E::custom)?;
            items.push(item);
            original
        }
        Read::Part(item, original) => {
            items.push(item);
            original
        }
    };
    whole.get_or_insert_default().push(original);
    Ok(())
}

pub(crate) fn in_part<T>(items: Vec<T>, whole: Option<Vec<Value>>) -> Read<Vec<T>> {
    match whole {
        None => Read::Value(items),
        Some(whole) => Read::Part(items, Value::Array(whole)),
    }
}

impl<T: Wire> Wire for BTreeMap<String, T> {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Read<Self>, D::Error> {
        // Rare and small (metadata, scores): one buffered value keeps the code short.
        let value = Value::deserialize(deserializer)?;
        let Value::Object(members) = value else {
            return Ok(if value.is_null() { Read::Value(BTreeMap::new()) } else { Read::Odd(value) });
        };
        let mut read = BTreeMap::new();
        for (key, value) in &members {
            match T::read(value.clone()) {
                Ok(Read::Value(value)) => read.insert(key.clone(), value),
                _ => return Ok(Read::Odd(Value::Object(members))),
            };
        }
        Ok(Read::Value(read))
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
