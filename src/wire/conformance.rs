//! The conformance test of the wire types: every type, every field of it at any depth, every wrong value, every format.

use std::cell::Cell;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::{Extra, Object, Output, ReadOutcome, Wire, from_str, serde as wire_serde, to_value};

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

pub(crate) fn check_struct<T: WireType + Object>(extra: fn(&T) -> &Extra) {
    let sample = T::sample();
    let mut value = T::default_value();
    let Ok(ReadOutcome::Matched) = from_str(&sample.to_string(), &mut value) else { panic!("{sample} is not read") };
    assert!(extra(&value).is_empty(), "the sample {sample} leaves {:?} over", extra(&value));
    if std::any::type_name::<T>().ends_with("Request") {
        value.for_each_written(&mut |spec, field| {
            let is_float = matches!(field.output(), Output::Float(_));
            assert_eq!(spec.finite, is_float, "a request sends no NaN: {}", spec.name);
        });
    }
    check(&sample, round_trip::<T>);
    check_formats::<T>(&sample);
}

pub(crate) fn check_variant<U: WireType, T: WireType>(tag: &str, kind: &str) {
    let sample = tagged(tag, kind, T::sample());
    check(&sample, round_trip::<U>);
    check_formats::<U>(&sample);
}

pub(crate) fn check_enum<T: WireType>(texts: &[&str]) {
    for text in texts.iter().chain(&["zz-unknown", ""]) {
        assert_eq!(round_trip::<T>(&json!(text)), json!(text));
        check_formats::<T>(&json!(text));
    }
    assert_eq!(round_trip::<T>(&Value::Null), json!(""));
    for mismatched in [json!(7), json!(true), json!([1]), json!({ "a": 1 })] {
        let outcome = from_str(&mismatched.to_string(), &mut T::default_value());
        assert!(
            matches!(outcome, Ok(ReadOutcome::Mismatched(kept)) if *kept == mismatched),
            "{mismatched} is not kept"
        );
    }
}

/// What every wire type is.
pub(crate) trait WireType: Wire + Serialize + DeserializeOwned + PartialEq + std::fmt::Debug + 'static {}

impl<T: Wire + Serialize + DeserializeOwned + PartialEq + std::fmt::Debug + 'static> WireType for T {}

/// Reads from text and by serde, and writes back.
fn round_trip<T: WireType>(input: &Value) -> Value {
    let text = input.to_string();
    let mut value = T::default_value();
    match from_str(&text, &mut value) {
        Ok(ReadOutcome::Matched) => {}
        Ok(_) => panic!("{text} does not fit"),
        Err(error) => panic!("{text} fails: {error}"),
    }
    let written = to_value(&value);
    assert_eq!(written, serde_json::to_value(&value).unwrap());
    assert_eq!(serde_json::from_str::<T>(&text).unwrap(), value, "by serde, from text");
    assert_eq!(serde_json::from_value::<T>(input.clone()).unwrap(), value, "by serde, from a value");
    written
}

/// Checks that a type keeps its value in every format, as a derived type does, wherever it stands.
fn check_formats<T: WireType>(sample: &Value) {
    let value: T = serde_json::from_value(sample.clone()).unwrap();
    let text = serde_json::to_string(&value).unwrap();
    assert_eq!(serde_json::from_slice::<T>(text.as_bytes()).unwrap(), value, "from bytes");
    assert_eq!(serde_json::from_reader::<_, T>(text.as_bytes()).unwrap(), value, "from a reader");
    assert_eq!(T::deserialize(&serde_json::to_value(&value).unwrap()).unwrap(), value, "from a borrowed value");
    assert_eq!(serde_json::to_string(&value).unwrap(), text, "written a second time");
    assert_eq!(
        serde_json::to_vec_pretty(&value).map(|text| serde_json::from_slice::<T>(&text).unwrap()).unwrap(),
        value
    );

    // The formats know the type as `dyn` only, as the code that they run does: each is compiled once.
    MAKE.set(Some(|| Box::new(T::default_value())));
    let value = Erased(Box::new(value));
    in_formats(&value, sample);
    in_formats(&Around { before: 1, value: value.copy(), after: vec![value.copy(), value.copy()] }, sample);
    in_formats(&Adjacent::Only(value.copy()), sample);
    in_formats(&Untagged::Only(value.copy()), sample);
    in_formats(&Some(value.copy()), sample);
    if sample.is_object() {
        in_formats(&Flat { zz_before: 1, value: value.copy(), zz_after: "b".to_owned() }, sample);
        in_formats(&Internal::Only(value.copy()), sample);
    }
}

fn in_formats<T: Serialize + DeserializeOwned>(value: &T, sample: &Value) {
    let expected = serde_json::to_value(value).unwrap();
    let same =
        |read: T, format: &str| assert_eq!(serde_json::to_value(read).unwrap(), expected, "{sample} in {format}");
    same(serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap(), "JSON");
    same(serde_json::from_value(expected.clone()).unwrap(), "a JSON value");
    same(serde_yaml::from_str(&serde_yaml::to_string(value).unwrap()).unwrap(), "YAML");
    same(serde_yaml::from_value(serde_yaml::to_value(value).unwrap()).unwrap(), "a YAML value");
    let mut cbor = Vec::new();
    ciborium::into_writer(value, &mut cbor).unwrap();
    same(ciborium::from_reader(&*cbor).unwrap(), "CBOR");
    // With `arbitrary_precision`, a `Value` itself does not survive without names.
    let plain: Value = rmp_serde::from_slice(&rmp_serde::to_vec(&expected).unwrap()).unwrap();
    if plain == expected {
        same(rmp_serde::from_slice(&rmp_serde::to_vec(value).unwrap()).unwrap(), "MessagePack");
    }
    same(rmp_serde::from_slice(&rmp_serde::to_vec_named(value).unwrap()).unwrap(), "MessagePack with names");
    // Its root is a table, and it has no null: what has one within an array cannot be written, by derived types as well.
    if expected.is_object() && !has_null(&expected) {
        same(toml_08::from_str(&toml_08::to_string(value).unwrap()).unwrap(), "TOML 0.8");
        same(toml_09::from_str(&toml_09::to_string(value).unwrap()).unwrap(), "TOML 0.9");
        same(toml_09::from_str(&toml_09::to_string_pretty(value).unwrap()).unwrap(), "pretty TOML 0.9");
    }
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(elements) => elements.iter().any(has_null),
        Value::Object(members) => members.values().any(has_null),
        _ => false,
    }
}

type Make = fn() -> Box<dyn Wire>;

thread_local! {
    /// Makes the type that is being checked.
    static MAKE: Cell<Option<Make>> = const { Cell::new(None) };
}

/// A wire type, as its own `Serialize` and `Deserialize` handle it.
struct Erased(Box<dyn Wire>);

impl Erased {
    fn copy(&self) -> Self {
        serde_json::from_value(serde_json::to_value(self).unwrap()).unwrap()
    }
}

impl Serialize for Erased {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        wire_serde::serialize(&*self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Erased {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut place = MAKE.get().unwrap()();
        wire_serde::deserialize_into(&mut *place, "", deserializer)?;
        Ok(Erased(place))
    }
}

#[derive(Serialize, Deserialize)]
struct Around {
    before: u8,
    value: Erased,
    after: Vec<Erased>,
}

#[derive(Serialize, Deserialize)]
struct Flat {
    zz_before: u8,
    #[serde(flatten)]
    value: Erased,
    zz_after: String,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "zz_kind")]
enum Internal {
    Only(Erased),
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", content = "content")]
enum Adjacent {
    Only(Erased),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Only(Erased),
}

/// Checks one type against all rules, given a sample in which every field is set.
fn check(sample: &Value, round_trip: impl Fn(&Value) -> Value) {
    let full = round_trip(sample);
    assert_eq!(without_defaults(&full), *sample, "the full sample changes");
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
            assert_eq!(round_trip(&more), more, "an unknown member is lost");
        }
        // The root is the object itself, and what lies deeper is checked with the type that it belongs to.
        if path.is_empty() || path.len() > 2 {
            continue;
        }
        let mut removed = full.clone();
        remove(&mut removed, &path);
        assert_round_trips(&removed, &round_trip);
        for wrong in &wrong {
            let mut changed = full.clone();
            *at(&mut changed, &path) = wrong.clone();
            assert_round_trips(&changed, &round_trip);
        }
    }
}

fn assert_round_trips(input: &Value, round_trip: impl Fn(&Value) -> Value) {
    let output = round_trip(input);
    assert!(same(&without_defaults(input), &without_defaults(&output)), "{input}\nis written as\n{output}");
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

/// Without members that hold the default, which equals a missing member.
fn without_defaults(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(without_defaults).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (name.clone(), without_defaults(value)));
            Value::Object(members.filter(|(_, value)| !is_default_value(value)).collect())
        }
        other => other.clone(),
    }
}

fn is_default_value(value: &Value) -> bool {
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
        (input, output) if input == output || is_default_value(input) && is_default_value(output) => true,
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
    // A kind that was told by the fields is written.
    let is_inferred = !input.contains_key("type")
        && output.get("type").is_some_and(|kind| ["message", "item_reference"].iter().any(|known| kind == known));
    input.len() + usize::from(is_inferred) == output.len()
        && input.iter().all(|(name, input)| output.get(name).is_some_and(|output| same(input, output)))
}
