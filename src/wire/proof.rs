//! The proof that wire types hold to the rules in `wire.rs`: each type, each member of it at any depth, each wrong value.

use std::cell::Cell;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::{Read, Wire, Writer};
use crate::Extra;
use crate::transport::decode::read;

/// A sample object; members without a sample are left out, and so is what lies too deep in a type that holds itself.
pub(crate) fn object(members: impl FnOnce() -> Vec<(&'static str, Value)>) -> Value {
    thread_local!(static DEPTH: Cell<u32> = const { Cell::new(0) });
    if DEPTH.get() == 8 {
        return Value::Null;
    }
    DEPTH.set(DEPTH.get() + 1);
    let members = members().into_iter().filter(|(_, value)| !value.is_null());
    let object = members.map(|(name, value)| (name.to_owned(), value)).collect();
    DEPTH.set(DEPTH.get() - 1);
    Value::Object(object)
}

/// A sample of a union's variant.
pub(crate) fn tagged(tag: &str, kind: &str, sample: Value) -> Value {
    let mut members = sample.as_object().cloned().unwrap_or_default();
    members.insert(tag.to_owned(), kind.into());
    Value::Object(members)
}

pub(crate) fn of_struct<T: Wire + Serialize + DeserializeOwned>(extra: fn(&T) -> &Extra) {
    let sample = T::sample();
    let mut value = T::blank();
    let Ok(Read::Fits) = read(&sample.to_string(), &mut value) else { panic!("{sample} is not read") };
    assert!(extra(&value).is_empty(), "the sample {sample} leaves {:?} over", extra(&value));
    hold(&sample, round::<T>);
}

pub(crate) fn of_variant<U: Wire + Serialize + DeserializeOwned, T: Wire + Serialize + DeserializeOwned>(
    tag: &str,
    kind: &str,
) {
    hold(&tagged(tag, kind, T::sample()), round::<U>);
}

pub(crate) fn of_enum<T: Wire + Serialize + DeserializeOwned>(texts: &[&str]) {
    for text in texts.iter().chain(&["zz-unknown", ""]) {
        assert_eq!(round::<T>(&json!(text)), json!(text));
    }
    assert_eq!(round::<T>(&Value::Null), json!(""));
    for odd in [json!(7), json!(true), json!([1]), json!({ "a": 1 })] {
        assert!(
            matches!(read(&odd.to_string(), &mut T::blank()), Ok(Read::Odd(kept)) if kept == odd),
            "{odd} is not kept"
        );
    }
}

/// Reads from text and by serde, and writes back, both by the writer and by serde.
fn round<T: Wire + Serialize + DeserializeOwned>(input: &Value) -> Value {
    let text = input.to_string();
    let mut value = T::blank();
    match read(&text, &mut value) {
        Ok(Read::Fits) => {}
        Ok(_) => panic!("{text} does not fit"),
        Err(error) => panic!("{text} fails: {error}"),
    }
    let written = Writer::value_of(&value);
    assert_eq!(written, serde_json::to_value(&value).unwrap());
    let by_serde: T = serde_json::from_value(input.clone()).unwrap();
    assert_eq!(written, Writer::value_of(&by_serde));
    written
}

/// Holds one type to all rules, given a sample in which every field is set.
fn hold(sample: &Value, round: impl Fn(&Value) -> Value) {
    let full = round(sample);
    assert_eq!(normal(&full), *sample, "the full sample changes");
    let wrong = [
        json!(null),
        json!("zz-unknown"),
        json!(""),
        json!("12"),
        json!("1.5"),
        json!("true"),
        json!(1),
        json!(-7),
        json!(1.5),
        json!(1e300),
        json!(u64::MAX),
        json!(true),
        json!([]),
        json!([7]),
        json!(["zz"]),
        json!([[], {}, null, "zz", 7]),
        json!({}),
        json!({ "zz": [1] }),
    ];
    for path in paths(&full) {
        let mut more = full.clone();
        if let Value::Object(members) = at(&mut more, &path) {
            members.insert("zz_unknown".to_owned(), json!({ "deep": [1, null, "x"] }));
            assert_eq!(round(&more), more, "an unknown member is lost");
        }
        // The root is the object itself, and what lies deeper belongs to a type with a proof of its own.
        if path.is_empty() || path.len() > 2 {
            continue;
        }
        let mut removed = full.clone();
        remove(&mut removed, &path);
        keeps(&removed, &round);
        for wrong in &wrong {
            let mut changed = full.clone();
            *at(&mut changed, &path) = wrong.clone();
            keeps(&changed, &round);
        }
    }
}

fn keeps(input: &Value, round: impl Fn(&Value) -> Value) {
    let output = round(input);
    assert!(same(&normal(input), &normal(&output)), "{input}\nis written as\n{output}");
}

type Path = Vec<String>;

/// The paths of all values inside, the root included.
fn paths(value: &Value) -> Vec<Path> {
    let steps: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(n, value)| (n.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    let inside = steps
        .into_iter()
        .flat_map(|(step, value)| paths(value).into_iter().map(move |path| [vec![step.clone()], path].concat()));
    [Path::new()].into_iter().chain(inside).collect()
}

fn at<'a>(value: &'a mut Value, path: &[String]) -> &'a mut Value {
    path.iter().fold(value, |value, step| match value {
        Value::Object(members) => members.get_mut(step).unwrap(),
        Value::Array(items) => items.get_mut(step.parse::<usize>().unwrap()).unwrap(),
        _ => panic!("no {step}"),
    })
}

fn remove(value: &mut Value, path: &[String]) {
    let Some((last, path)) = path.split_last() else { return };
    match at(value, path) {
        Value::Object(members) => drop(members.remove(last)),
        Value::Array(items) => drop(items.remove(last.parse().unwrap())),
        _ => {}
    }
}

/// Without members that are blank: a missing member is the same.
fn normal(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(normal).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (name.clone(), normal(value)));
            Value::Object(members.filter(|(_, value)| !is_blank(value)).collect())
        }
        other => other.clone(),
    }
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        // The latter two are arguments that came as a list or an object.
        Value::String(text) => matches!(&**text, "" | "[]" | "{}"),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
    }
}

/// The same, or the same in another JSON type.
fn same(input: &Value, output: &Value) -> bool {
    let number = |value: &Value| match value {
        Value::String(text) => text.parse().ok(),
        Value::Bool(flag) => Some(f64::from(*flag)),
        other => other.as_f64(),
    };
    match (input, output) {
        (Value::Object(input), Value::Object(output)) => same_members(input, output),
        (Value::Array(input), Value::Array(output)) => {
            input.len() == output.len() && input.iter().zip(output).all(|(input, output)| same(input, output))
        }
        (input, output) if input == output || is_blank(input) && is_blank(output) => true,
        // `arguments` as an object, and booleans as text.
        (input, Value::String(output)) if serde_json::to_string(input).unwrap() == *output => true,
        (Value::String(input), Value::Bool(output)) => input.parse() == Ok(*output),
        (input, output) => match (number(input), number(output)) {
            (Some(input), Some(output)) => input == output || input.trunc() == output,
            _ => false,
        },
    }
}

fn same_members(input: &Map<String, Value>, output: &Map<String, Value>) -> bool {
    input.len() == output.len()
        && input.iter().all(|(name, input)| output.get(name).is_some_and(|output| same(input, output)))
}
