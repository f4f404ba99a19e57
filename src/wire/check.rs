//! Mistakes in a request that a person has written, such as in a configuration file.

use serde_json::Value;

use super::{Object, Output};

/// The roles that messages have.
const ROLES: [&str; 6] = ["system", "developer", "user", "assistant", "tool", "function"];

/// Looks for what is probably a mistake, since reading a request accepts everything: required fields that are empty, values of
/// another type, and names that are nearly those of a field.
pub(crate) fn mistakes(request: &dyn Object) -> Vec<String> {
    let mut mistakes = Vec::new();
    request.for_each_written(&mut |spec, field| {
        let is_empty = match field.output() {
            Output::String(text) => text.is_empty(),
            Output::Array(elements) => elements.len() == 0,
            _ => false,
        };
        if spec.always && is_empty {
            mistakes.push(format!("`{}` is empty", spec.name));
        }
    });
    check_object(request, "", &mut mistakes);
    mistakes
}

fn check_object(object: &dyn Object, path: &str, mistakes: &mut Vec<String>) {
    let names = || object.fields().iter().map(|spec| spec.name);
    for (name, value) in object.extra().iter() {
        let place = join(path, name);
        if names().any(|known| known == name) {
            mistakes.push(format!("`{place}` has another type than expected: {}", kind(value)));
        } else if let Some(known) = names().find(|known| is_nearly(name, known)) {
            mistakes.push(format!("`{place}` is unknown: did you mean `{known}`?"));
        }
    }
    object.for_each_written(&mut |spec, field| check_value(&field.output(), &join(path, spec.name), mistakes));
}

fn check_value(output: &Output<'_>, path: &str, mistakes: &mut Vec<String>) {
    match output {
        Output::Object(object) | Output::Tagged(object, ..) => check_object(*object, path, mistakes),
        Output::Array(elements) => {
            let elements = (0..elements.len()).filter_map(|index| Some((index, elements.get(index)?)));
            elements.for_each(|(index, element)| check_value(&element.output(), &format!("{path}[{index}]"), mistakes));
        }
        Output::Map(members) => {
            members.iter().for_each(|(name, value)| check_value(&value.output(), &join(path, name), mistakes));
        }
        // An object of an unknown kind.
        Output::Extra(members) => match members.get("role") {
            Some(Value::String(role)) if !ROLES.contains(&role.as_str()) => {
                mistakes.push(format!("`{path}.role` is unknown: expected one of {}", ROLES.join(", ")));
            }
            _ => {}
        },
        _ => {}
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The kind of a value, which may be a prompt.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// True for names that are one slip apart: a character that is missing, too much, or swapped with its neighbor, another
/// spelling, and in a long name also a wrong character. `top_k` is not meant to be `top_p`, nor `min_tokens` `max_tokens`.
fn is_nearly(name: &str, known: &str) -> bool {
    let name: Vec<char> = name.to_ascii_lowercase().replace('-', "_").chars().collect();
    let known: Vec<char> = known.chars().collect();
    let same = name.iter().zip(&known).take_while(|(a, b)| a == b).count();
    let (a, b) = (name.get(same..).unwrap_or_default(), known.get(same..).unwrap_or_default());
    match (a, b) {
        ([], []) => true,
        ([a0, a1, a_rest @ ..], [b0, b1, b_rest @ ..]) if a0 == b1 && a1 == b0 && a_rest == b_rest => true,
        ([_, a_rest @ ..], b) if a_rest == b => known.len() > 3,
        (a, [_, b_rest @ ..]) if a == b_rest => known.len() > 3,
        ([_, a_rest @ ..], [_, b_rest @ ..]) => a_rest == b_rest && known.len() > 7,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_nearly_the_same_by_one_slip() {
        for (name, known) in [
            ("temprature", "temperature"),
            ("temperatuer", "temperature"),
            ("tempersture", "temperature"),
            ("Temperature", "temperature"),
            ("max-tokens", "max_tokens"),
            ("max_token", "max_tokens"),
            ("mesages", "messages"),
            ("modle", "model"),
            ("models", "model"),
        ] {
            assert!(is_nearly(name, known), "{name}");
        }
        for (name, known) in [
            ("top_k", "top_p"),
            ("min_p", "top_p"),
            ("min_tokens", "max_tokens"),
            ("m", "n"),
            ("", "n"),
            ("think", "tools"),
            ("repetition_penalty", "presence_penalty"),
        ] {
            assert!(!is_nearly(name, known), "{name}");
        }
    }
}
