//! Arrays, some of whose elements may not fit.

use serde_json::Value;

use super::{Input, InvalidInput, Output, ReadOutcome, Wire, to_value};

/// An array of wire types.
pub trait Elements {
    /// Removes all elements.
    fn clear(&mut self);

    /// Adds a default element.
    fn push_default(&mut self) -> Option<&mut dyn Wire>;

    /// Removes the last element.
    fn pop(&mut self);

    /// Makes the last element of a value that does not fit, where the array knows how.
    fn recover_last(&mut self, _mismatched: &Value) -> bool {
        false
    }

    /// The element at this position.
    fn get(&self, index: usize) -> Option<&dyn Wire>;

    /// The number of elements.
    fn len(&self) -> usize;
}

impl<T: Wire> Elements for Vec<T> {
    fn clear(&mut self) {
        self.clear();
    }

    fn push_default(&mut self) -> Option<&mut dyn Wire> {
        if self.capacity() == 0 {
            // Most arrays have one element: choices, messages, parts.
            *self = Vec::with_capacity(1);
        }
        self.push(T::default_value());
        self.last_mut().map(|element| element as &mut dyn Wire)
    }

    fn pop(&mut self) {
        self.pop();
    }

    fn get(&self, index: usize) -> Option<&dyn Wire> {
        self.as_slice().get(index).map(|element| element as &dyn Wire)
    }

    fn len(&self) -> usize {
        self.len()
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn read(&mut self, input: Input<'_>) -> Result<ReadOutcome, InvalidInput> {
        read(self, input)
    }

    fn output(&self) -> Output<'_> {
        Output::Array(self)
    }

    fn default_value() -> Self {
        Vec::new()
    }

    fn is_default_value(&self) -> bool {
        self.is_empty()
    }

    #[cfg(test)]
    fn sample() -> Value {
        match T::sample() {
            Value::Null => Value::Null,
            element => Value::Array(vec![element]),
        }
    }
}

/// Objects, among which some servers send plain strings.
pub(crate) struct OrTexts<T> {
    pub(crate) items: Vec<T>,
    pub(crate) from_text: fn(&str) -> T,
}

impl<T: Wire> Elements for OrTexts<T> {
    fn clear(&mut self) {
        self.items.clear();
    }

    fn push_default(&mut self) -> Option<&mut dyn Wire> {
        self.items.push_default()
    }

    fn pop(&mut self) {
        self.items.pop();
    }

    fn recover_last(&mut self, mismatched: &Value) -> bool {
        match (self.items.last_mut(), mismatched) {
            (Some(item), Value::String(text)) => {
                *item = (self.from_text)(text);
                true
            }
            _ => false,
        }
    }

    fn get(&self, index: usize) -> Option<&dyn Wire> {
        Elements::get(&self.items, index)
    }

    fn len(&self) -> usize {
        self.items.len()
    }
}

/// Reads an array; null leaves the default.
pub(crate) fn read(elements: &mut dyn Elements, input: Input<'_>) -> Result<ReadOutcome, InvalidInput> {
    let array = match input {
        Input::Array(array) => array,
        Input::Null => return Ok(ReadOutcome::Matched),
        other => return other.mismatch(),
    };
    elements.clear();
    // Set at the first mismatched element; from then on it holds every element, so that the array can be written back.
    let mut whole: Option<Vec<Value>> = None;
    array.for_each(&mut |input| {
        let length = elements.len();
        let Some(element) = elements.push_default() else { return Err(InvalidInput) };
        let outcome = element.read(input)?;
        if whole.is_none() && matches!(outcome, ReadOutcome::Matched) {
            return Ok(());
        }
        let whole =
            whole.get_or_insert_with(|| (0..length).filter_map(|index| element_value(elements, index)).collect());
        match outcome {
            ReadOutcome::Matched => whole.extend(element_value(elements, length)),
            ReadOutcome::Partial(value) => whole.push(*value),
            ReadOutcome::Mismatched(value) => {
                if !elements.recover_last(&value) {
                    elements.pop();
                }
                whole.push(*value);
            }
        }
        Ok(())
    })?;
    Ok(whole.map_or(ReadOutcome::Matched, |whole| ReadOutcome::Partial(Box::new(whole.into()))))
}

/// Reads an array of objects. An object alone is its only element, and is written back as it was.
pub(crate) fn one_or_many<T: Wire>(elements: &mut Vec<T>, input: Input<'_>) -> Result<ReadOutcome, InvalidInput> {
    if !matches!(input, Input::Object(_)) {
        return read(elements, input);
    }
    let object = input.value()?;
    if object.as_object().is_some_and(serde_json::Map::is_empty) {
        return Ok(ReadOutcome::mismatched(object));
    }
    super::read_value(Value::Array(vec![object.clone()]), elements);
    Ok(ReadOutcome::Partial(Box::new(object)))
}

/// An element as it was before it was read.
fn element_value(elements: &dyn Elements, index: usize) -> Option<Value> {
    elements.get(index).map(to_value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::call::page::Page;
    use crate::models::Model;
    use crate::wire::Extra;

    fn page(data: &str) -> Page<Model> {
        serde_json::from_str(&format!(r#"{{"data":{data}}}"#)).unwrap()
    }

    fn ids(page: &Page<Model>) -> Vec<&str> {
        page.data.iter().map(|model| model.id.as_str()).collect()
    }

    #[test]
    fn mismatched_elements_are_left_out_and_the_array_is_kept() {
        for odd in [json!(7), json!("x"), json!([]), json!(false)] {
            let data = json!([{ "id": "a" }, odd, { "id": "b", "zz": [1] }]);
            let page = page(&data.to_string());
            assert_eq!(ids(&page), ["a", "b"]);
            assert_eq!(page.extra, Extra::from_iter([("data", data)]));
        }
    }

    #[test]
    fn the_last_of_duplicate_arrays_wins() {
        let twice = page(r#"[{"id":"a"}],"data":[{"id":"b"}]"#);
        assert_eq!((ids(&twice), twice.extra.is_empty()), (vec!["b"], true));
        // Null equals a missing member.
        let null = page(r#"[{"id":"a"}],"data":null"#);
        assert_eq!((ids(&null), null.extra.is_empty()), (vec!["a"], true));
    }
}
