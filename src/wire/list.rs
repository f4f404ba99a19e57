//! Lists, some of whose entries may not fit.

use serde_json::Value;

use super::{Json, NotJson, Read, Wire, Writer};

/// A list of wire types.
pub(crate) trait List {
    /// Drops all entries.
    fn clear(&mut self);

    /// Adds a blank entry.
    fn grow(&mut self) -> Option<&mut dyn Wire>;

    /// Drops the last entry.
    fn shrink(&mut self);

    /// Makes the last entry of what does not fit, where a list knows how.
    fn mend(&mut self, _odd: &Value) -> bool {
        false
    }

    /// An entry.
    fn entry(&self, index: usize) -> Option<&dyn Wire>;
}

impl<T: Wire> List for Vec<T> {
    fn clear(&mut self) {
        self.clear();
    }

    fn grow(&mut self) -> Option<&mut dyn Wire> {
        self.push(T::blank());
        self.last_mut().map(|entry| entry as &mut dyn Wire)
    }

    fn shrink(&mut self) {
        self.pop();
    }

    fn entry(&self, index: usize) -> Option<&dyn Wire> {
        self.get(index).map(|entry| entry as &dyn Wire)
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn read(&mut self, json: &mut Json<'_>) -> Result<Read, NotJson> {
        read(self, json)
    }

    fn write(&self, writer: &mut Writer) {
        write(self, writer);
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

/// Reads a list; of null, nothing.
pub(crate) fn read(list: &mut dyn List, json: &mut Json<'_>) -> Result<Read, NotJson> {
    match json.peek()? {
        b'[' => list.clear(),
        b'n' => return json.null().map(|()| Read::Fits),
        _ => return json.value().map(Read::Odd),
    }
    let mut length = 0;
    // Once there is one entry that does not fit: all of them.
    let mut whole: Option<Vec<Value>> = None;
    json.items(|json| {
        let Some(entry) = list.grow() else { return Err(NotJson) };
        let read = entry.read(json)?;
        if whole.is_none() && matches!(read, Read::Fits) {
            length += 1;
            return Ok(());
        }
        let whole = whole.get_or_insert_with(|| (0..length).filter_map(|index| entry_value(list, index)).collect());
        match read {
            Read::Fits => whole.extend(entry_value(list, length)),
            Read::Part(value) => whole.push(value),
            Read::Odd(value) => {
                let is_mended = list.mend(&value);
                whole.push(value);
                if !is_mended {
                    list.shrink();
                    return Ok(());
                }
            }
        }
        length += 1;
        Ok(())
    })?;
    Ok(whole.map_or(Read::Fits, |whole| Read::Part(Value::Array(whole))))
}

/// An entry as it was before it was read.
fn entry_value(list: &dyn List, index: usize) -> Option<Value> {
    list.entry(index).map(Writer::value_of)
}

fn write(list: &dyn List, writer: &mut Writer) {
    writer.open(b'[');
    let mut index = 0;
    while let Some(entry) = list.entry(index) {
        entry.write(writer);
        index += 1;
    }
    writer.close(b']');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::models::Model;
    use crate::{Extra, Page};

    fn page(data: &str) -> Page<Model> {
        serde_json::from_str(&format!(r#"{{"data":{data}}}"#)).unwrap()
    }

    fn ids(page: &Page<Model>) -> Vec<&str> {
        page.data.iter().map(|model| model.id.as_str()).collect()
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_the_whole_list_is_kept() {
        for odd in [json!(7), json!("x"), json!([]), json!(false)] {
            let data = json!([{ "id": "a" }, odd, { "id": "b", "zz": [1] }]);
            let page = page(&data.to_string());
            assert_eq!(ids(&page), ["a", "b"]);
            assert_eq!(page.extra, Extra::from_iter([("data", data)]));
        }
    }

    #[test]
    fn a_list_that_comes_twice_is_the_later_one() {
        let twice = page(r#"[{"id":"a"}],"data":[{"id":"b"}]"#);
        assert_eq!((ids(&twice), twice.extra.is_empty()), (vec!["b"], true));
        // A member that is null is the same as a missing one.
        let null = page(r#"[{"id":"a"}],"data":null"#);
        assert_eq!((ids(&null), null.extra.is_empty()), (vec!["a"], true));
    }
}
