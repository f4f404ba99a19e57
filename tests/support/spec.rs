//! The contract as data: which members a schema has, and samples of it.

#![allow(dead_code, reason = "each test binary compiles this module for itself and uses a part of it")]
#![allow(unreachable_pub, reason = "nothing in a test binary can be reached from outside")]

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::support::fixture_json;

/// `fixtures/wire/openapi.json` and `fixtures/wire/operations.json`.
pub struct Spec {
    openapi: Value,
    pub operations: Vec<Value>,
}

impl Spec {
    pub fn read() -> Self {
        let operations = fixture_json("wire/operations.json");
        Spec { openapi: fixture_json("wire/openapi.json"), operations: operations.as_array().unwrap().clone() }
    }

    /// What the OpenAPI description says about an operation.
    pub fn describe(&self, operation: &Value) -> &Value {
        let method = operation["method"].as_str().unwrap().to_ascii_lowercase();
        &self.openapi["paths"][operation["path"].as_str().unwrap()][method]
    }

    /// The schema of this name.
    pub fn schema(&self, name: &str) -> &Value {
        &self.openapi["components"]["schemas"][name]
    }

    /// The schema of the query parameters of an operation.
    pub fn query(&self, operation: &Value) -> Value {
        let parameters = self.describe(operation)["parameters"].as_array().cloned().unwrap_or_default();
        let query = parameters.iter().filter(|parameter| parameter["in"] == "query");
        let members = query.map(|parameter| (parameter["name"].as_str().unwrap(), parameter["schema"].clone()));
        json!({ "type": "object", "properties": Map::from_iter(members.map(|(name, schema)| (name.to_owned(), schema))) })
    }

    /// The paths of all members, in all variants: `messages.content.text`. Lists add nothing to a path; the members of a
    /// map are `*`; what stands in an object without a schema is not looked at.
    pub fn members(&self, schema: &Value) -> BTreeSet<String> {
        let mut paths = BTreeSet::new();
        self.collect(schema, "", &mut paths);
        paths
    }

    fn collect(&self, schema: &Value, path: &str, paths: &mut BTreeSet<String>) {
        for variant in self.variants(schema) {
            for (name, schema) in variant["properties"].as_object().into_iter().flatten() {
                let path = below(path, name);
                self.collect(schema, &path, paths);
                paths.insert(path);
            }
            if variant["additionalProperties"].is_object() {
                let path = below(path, "*");
                self.collect(&variant["additionalProperties"], &path, paths);
                paths.insert(path);
            }
            if variant["items"].is_object() {
                self.collect(&variant["items"], path, paths);
            }
        }
    }

    /// The paths of the members that a value has. Those that the schema does not know are called so.
    pub fn members_of(&self, value: &Value, schema: &Value) -> BTreeSet<String> {
        let mut paths = BTreeSet::new();
        self.walk(value, std::slice::from_ref(schema), "", &mut paths);
        paths
    }

    fn walk(&self, value: &Value, schemas: &[Value], path: &str, paths: &mut BTreeSet<String>) {
        let variants: Vec<Value> = schemas.iter().flat_map(|schema| self.variants(schema)).collect();
        let those = |name: &str| -> Vec<Value> {
            variants.iter().map(|variant| variant[name].clone()).filter(|schema| schema.is_object()).collect()
        };
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.walk(item, &those("items"), path, paths)),
            Value::Object(members) => {
                let known = those("properties");
                let is_free = variants.iter().any(|variant| {
                    (variant["type"] == "object" || variant["type"].is_null()) && variant["properties"].is_null()
                        || variant["additionalProperties"] == true
                });
                for (name, value) in members {
                    let fields = known.iter().filter_map(|known| known.get(name).cloned());
                    let fields: Vec<Value> = fields.collect();
                    let map = those("additionalProperties");
                    let (path, schemas) = match (fields.is_empty(), map.is_empty()) {
                        (false, _) => (below(path, name), fields),
                        (true, false) => (below(path, "*"), map),
                        (true, true) if is_free => continue,
                        (true, true) => (format!("{} (unknown)", below(path, name)), vec![]),
                    };
                    self.walk(value, &schemas, &path, paths);
                    paths.insert(path);
                }
            }
            _ => {}
        }
    }

    /// Values of a schema, such that each member, each variant and each word of a set is in at least one of them; and
    /// one with the required members only.
    pub fn samples(&self, schema: &Value) -> Vec<Value> {
        self.variants(schema).iter().flat_map(|variant| self.samples_of_variant(variant)).collect()
    }

    fn samples_of_variant(&self, schema: &Value) -> Vec<Value> {
        if let Some(words) = schema["enum"].as_array() {
            return words.clone();
        }
        if let Some(properties) = schema["properties"].as_object() {
            let samples: Vec<_> = properties.iter().map(|(name, schema)| (name, self.samples(schema))).collect();
            let count = samples.iter().map(|(_, samples)| samples.len()).max().unwrap_or(1);
            let nth = |n: usize| -> Map<String, Value> {
                samples.iter().map(|(name, samples)| ((*name).clone(), samples[n % samples.len()].clone())).collect()
            };
            let mut required = nth(0);
            let names = schema["required"].as_array().cloned().unwrap_or_default();
            required.retain(|name, _| names.iter().any(|required| required == name));
            return (0..count).map(nth).chain([required]).map(Value::Object).collect();
        }
        if schema["additionalProperties"].is_object() {
            let samples = self.samples(&schema["additionalProperties"]);
            return samples.into_iter().map(|sample| json!({ "a name": sample })).collect();
        }
        // Any JSON.
        if schema["type"].is_null() {
            return vec![json!({ "a name": "some text" })];
        }
        match schema["type"].as_str() {
            Some("array") => self.samples(&schema["items"]).into_iter().map(|item| json!([item])).collect(),
            Some("object") => vec![json!({ "any": ["thing"] })],
            Some("string") => vec![match schema["pattern"].as_str() {
                None => "some text".into(),
                Some(pattern) if pattern.starts_with("^tunnel_") => format!("tunnel_{}", "a".repeat(32)).into(),
                Some(_) => "some-text".into(),
            }],
            Some("integer") => vec![schema["maximum"].as_u64().map_or(7, |maximum| maximum.min(7)).into()],
            Some("number") => vec![schema["maximum"].as_f64().map_or(2.5, |maximum| maximum.min(2.5)).into()],
            Some("boolean") => vec![true.into()],
            other => panic!("a schema of type {other:?}: {schema}"),
        }
    }

    /// What a schema may be: references followed, `allOf` merged, null left out.
    fn variants(&self, schema: &Value) -> Vec<Value> {
        if let Some(name) = schema["$ref"].as_str() {
            return self.variants(self.schema(name.strip_prefix("#/components/schemas/").unwrap()));
        }
        if let Some(parts) = schema["allOf"].as_array() {
            return vec![parts.iter().flat_map(|part| self.variants(part)).fold(json!({}), merge)];
        }
        // Beside members, `anyOf` only says which of them are required.
        let choices = ["anyOf", "oneOf"].iter().find_map(|name| schema[name].as_array());
        match choices {
            Some(choices) if schema["properties"].is_null() => {
                choices.iter().flat_map(|choice| self.variants(choice)).collect()
            }
            _ if schema["type"] == "null" => vec![],
            _ => vec![schema.clone()],
        }
    }
}

fn merge(mut one: Value, other: Value) -> Value {
    for (name, value) in other.as_object().unwrap() {
        match (&mut one[name], value) {
            (Value::Object(members), Value::Object(more)) => members.extend(more.clone()),
            (Value::Array(items), Value::Array(more)) => items.extend(more.iter().cloned()),
            (place, value) => *place = value.clone(),
        }
    }
    one
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
