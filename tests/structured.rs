//! Structured output: schemas for strict mode, and answers read as types.

mod support;

use openai_compatible::chat::{ChatCompletion, ChatRequest, Message, ResponseFormat, check_strict, strict_schema};
use openai_compatible::{Client, ErrorKind};
use serde::Deserialize;
use serde_json::{Value, json};
use support::{Reply, Server, fixture_json};

/// What this crate does otherwise than the official Python conversion, and why.
fn differs(name: &str) -> Option<Value> {
    Some(match name {
        // Strict mode knows `anyOf` only, and Rust enums come out as `oneOf`.
        "one_of_not_visited" => json!({"type": "object", "properties": {"v": {"anyOf": [
            {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false, "required": ["a"]},
            {"type": "object", "properties": {"b": {"type": "integer"}}, "additionalProperties": false, "required": ["b"]},
        ]}}, "additionalProperties": false, "required": ["v"]}),
        "schemars_like_option" => {
            let kind =
                json!([{"type": "string", "enum": ["Cat"]}, {"type": "string", "const": "Dog", "description": "woof"}]);
            json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Person", "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "age": {"type": ["integer", "null"], "format": "uint8", "minimum": 0, "maximum": 255},
                    "pet": {"anyOf": [{"$ref": "#/$defs/Pet"}, {"type": "null"}]},
                },
                "required": ["name", "age", "pet"],
                "$defs": {
                    "Pet": {"type": "object", "properties": {"kind": {"description": "what it is", "anyOf": kind}},
                        "required": ["kind"], "additionalProperties": false},
                    "Kind": {"anyOf": kind},
                },
                "additionalProperties": false,
            })
        }
        // … and it wants an object at the root.
        "schemars_like_tagged_enum" => {
            json!({"type": "object", "properties": {"root_value": {"title": "Shape", "anyOf": [
            {"type": "object", "properties": {"type": {"type": "string", "const": "circle"}, "r": {"type": "number"}},
                "required": ["type", "r"], "additionalProperties": false},
            {"type": "object", "properties": {"type": {"type": "string", "const": "square"}, "side": {"type": "number"}},
                "required": ["type", "side"], "additionalProperties": false},
        ]}}, "required": ["root_value"], "additionalProperties": false})
        }
        // Python recurses until it fails; a type that holds itself is ordinary.
        "recursive_ref_with_description" => json!({
            "$defs": {"Node": {"type": "object", "properties": {
                "v": {"type": "string"},
                "next": {"description": "next one", "anyOf": [{"$ref": "#/$defs/Node"}]},
            }, "additionalProperties": false, "required": ["v", "next"]}},
            "type": "object", "properties": {"root": {"$ref": "#/$defs/Node"}},
            "additionalProperties": false, "required": ["root"],
        }),
        // Python does not unescape JSON pointers.
        "ref_with_escaped_pointer" => json!({
            "$defs": {"a/b": {"type": "object", "properties": {"x": {"type": "string"}},
                "additionalProperties": false, "required": ["x"]}},
            "type": "object",
            "properties": {"p": {"description": "d", "type": "object", "properties": {"x": {"type": "string"}},
                "additionalProperties": false, "required": ["x"]}},
            "additionalProperties": false, "required": ["p"],
        }),
        _ => return None,
    })
}

#[test]
fn strict_schemas_are_those_of_the_official_sdk_but_for_five_that_are_better() {
    let vectors = fixture_json("vectors/strict_schema.json");
    let (mut same, mut different, mut refused) = (0, 0, 0);
    for case in vectors["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let strict = strict_schema(case["input"].clone());
        // Strict mode, and a model, can make nothing of a schema that accepts anything.
        if name == "boolean_items" {
            assert!(strict.unwrap_err().to_string().contains("#/properties/l/items: `true` accepts anything"));
            refused += 1;
            continue;
        }
        match (differs(name), &case["expected"]) {
            (Some(ours), _) => {
                assert_eq!(in_any_order(strict.unwrap()), in_any_order(ours), "{name}");
                different += 1;
            }
            (None, Value::Null) => {
                assert_eq!(strict.unwrap_err().kind(), ErrorKind::Config, "{name}");
                refused += 1;
            }
            (None, expected) => {
                let (strict, expected) = (strict.unwrap(), expected.clone());
                // Without the feature, the members of objects are sorted by their names.
                if cfg!(feature = "schemars") {
                    assert_eq!(strict.to_string(), expected.to_string(), "{name}");
                }
                assert_eq!(in_any_order(strict), in_any_order(expected), "{name}");
                same += 1;
            }
        }
    }
    assert_eq!((same, different, refused), (35, 5, 2));
}

/// With `required` sorted: its order is that of the properties, which is kept with the feature only.
fn in_any_order(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(members) => {
            for (name, value) in members {
                if let ("required", Value::Array(names)) = (name.as_str(), &mut *value) {
                    names.sort_by_key(Value::to_string);
                }
                *value = in_any_order(value.take());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = in_any_order(item.take())),
        _ => {}
    }
    schema
}

#[test]
fn a_strict_schema_stays_as_it_is() {
    for case in fixture_json("vectors/strict_schema.json")["cases"].as_array().unwrap() {
        if let Ok(strict) = strict_schema(case["input"].clone()) {
            assert_eq!(strict_schema(strict.clone()).unwrap(), strict, "{}", case["name"]);
        }
    }
}

#[test]
fn references_to_a_wrapped_root_follow_it() {
    let schema = json!({"type": "array", "items": {"$ref": "#"}, "$defs": {"A": {"items": {"$ref": "#/items"}}}});
    let strict = strict_schema(schema).unwrap();
    assert_eq!(strict["properties"]["root_value"]["items"]["$ref"], "#/properties/root_value");
    assert_eq!(strict["$defs"]["A"]["items"]["$ref"], "#/properties/root_value/items");
    assert_eq!(strict["type"], "object");
}

#[test]
fn a_schema_that_grows_with_each_copy_ends() {
    let level = |n: usize| {
        let next = json!({"$ref": format!("#/$defs/L{}", n + 1), "description": "one more"});
        (format!("L{n}"), json!({"type": "object", "properties": {"a": next, "b": next, "c": next}}))
    };
    let mut levels: serde_json::Map<_, _> = (0..30).map(level).collect();
    levels.insert("L30".to_owned(), json!({"type": "string"}));
    let schema = json!({"type": "object", "properties": {"top": {"$ref": "#/$defs/L0"}}, "$defs": levels});
    let strict = strict_schema(schema).unwrap();
    assert!(strict.to_string().len() < 1_000_000);
}

#[test]
fn invalid_schemas_are_refused() {
    for no_schema in [json!(null), json!("text"), json!([1])] {
        assert_eq!(strict_schema(no_schema).unwrap_err().kind(), ErrorKind::Config);
    }
}

#[derive(Debug, Deserialize, PartialEq)]
struct Recipe {
    title: String,
    minutes: u32,
}

fn soup() -> Recipe {
    Recipe { title: "Soup".to_owned(), minutes: 20 }
}

fn reply(message: Value, finish_reason: &str) -> ChatCompletion {
    let choice = json!({"index": 0, "message": message, "finish_reason": finish_reason});
    serde_json::from_value(json!({"id": "1", "choices": [choice]})).unwrap()
}

fn says(content: &str) -> ChatCompletion {
    reply(json!({"role": "assistant", "content": content}), "stop")
}

#[test]
fn an_answer_is_read_as_a_type() {
    for content in [
        r#"{"title": "Soup", "minutes": 20}"#,
        "\n {\"minutes\": 20, \"title\": \"Soup\"}\n",
        "```json\n{\"title\": \"Soup\", \"minutes\": 20}\n```",
        "```\n{\"title\": \"Soup\", \"minutes\": 20}```\n",
        r#"{"root_value": {"title": "Soup", "minutes": 20}}"#,
    ] {
        assert_eq!(says(content).parse::<Recipe>().unwrap(), soup(), "{content:?}");
    }
}

#[test]
fn a_wrapped_root_is_unwrapped_for_every_type() {
    assert_eq!(says(r#"{"root_value": ["a", "b"]}"#).parse::<Vec<String>>().unwrap(), ["a", "b"]);
    assert_eq!(says(r#"{"root_value": 7}"#).parse::<Value>().unwrap(), json!(7));
    assert_eq!(says(r#"{"root_value": null}"#).parse::<Option<u8>>().unwrap(), None);
    // Another member beside it means that it is no wrapper.
    let more = json!({"root_value": 1, "more": 2});
    assert_eq!(says(&more.to_string()).parse::<Value>().unwrap(), more);
}

#[test]
fn unparsable_output_is_an_error_with_its_completion() {
    let json = r#"{"title": "Soup", "minutes": 20}"#;
    let call = json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    for (reply, why) in [
        (reply(json!({"role": "assistant", "content": null, "refusal": "I will not."}), "stop"), "refused"),
        (reply(json!({"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}), "stop"), "refused"),
        (reply(json!({"role": "assistant", "content": json}), "length"), "token limit"),
        (reply(json!({"role": "assistant", "content": ""}), "content_filter"), "filter"),
        (reply(json!({"role": "assistant", "content": null, "tool_calls": [call]}), "tool_calls"), "called tools"),
        (reply(json!({"role": "assistant", "content": ""}), "stop"), "empty"),
        (says("Soup, of course!"), "does not match"),
        (says(r#"{"title": "Soup", "minutes": "a secret number"}"#), "expected u32 at minutes"),
    ] {
        let error = reply.parse::<Recipe>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert!(error.to_string().contains(why), "{error} should tell that it {why}");
        assert_eq!(error.completion(), Some(&reply));
        for content in ["I will not.", "secret", "Soup"] {
            assert!(!format!("{error} {error:?}").contains(content), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_schema_written_by_hand_needs_no_feature() {
    let answer = json!({"choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": "{\"title\":\"Soup\",\"minutes\":20}"}}]});
    let server = Server::start([Reply::ok_json(&answer)]).await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    let schema = strict_schema(json!({"type": "object", "properties": {"title": {"type": "string"}}})).unwrap();
    let request = ChatRequest::new("m", [Message::user("Soup?")])
        .response_format(ResponseFormat::json_schema("recipe", schema.clone()));

    let recipe: Recipe = client.chat().create(&request).await.unwrap().parse().unwrap();

    assert_eq!(recipe, soup());
    let sent = server.requests()[0].json();
    let expected = json!({"name": "recipe", "schema": schema, "strict": true});
    assert_eq!(sent["response_format"], json!({"type": "json_schema", "json_schema": expected}));
}

#[test]
fn json_mode_is_one_word() {
    let request = ChatRequest::new("m", []).response_format(ResponseFormat::json_object());
    assert_eq!(serde_json::to_value(&request).unwrap()["response_format"], json!({"type": "json_object"}));
}

#[cfg(feature = "schemars")]
mod derived {
    use std::collections::BTreeMap;

    use openai_compatible::chat::{JsonSchema as Schema, Tool, ToolCall};
    use schemars::JsonSchema;

    use super::*;

    /// A dish and how to make it.
    #[derive(Debug, Deserialize, JsonSchema, PartialEq)]
    #[allow(dead_code)]
    struct Dish {
        title: String,
        /// How long it takes.
        minutes: u32,
        course: Course,
        #[serde(default)]
        notes: Option<String>,
        /// What goes with it.
        side: Option<Box<Dish>>,
    }

    #[derive(Debug, Deserialize, JsonSchema, PartialEq)]
    enum Course {
        /// Before all else.
        Starter,
        Main,
    }

    #[derive(Debug, Deserialize, JsonSchema, PartialEq)]
    #[serde(tag = "type", rename_all = "lowercase")]
    enum Shape {
        Circle { r: f64 },
        Square { side: f64 },
    }

    fn schema<T: JsonSchema>() -> Value {
        Schema::of::<T>().schema.unwrap()
    }

    /// What strict mode asks of every object, wherever it stands.
    fn check(schema: &Value) {
        match schema {
            Value::Object(members) => {
                if let (Some(properties), "object") =
                    (schema["properties"].as_object(), schema["type"].as_str().unwrap_or_default())
                {
                    let names: Vec<_> = properties.keys().map(|name| json!(name)).collect();
                    assert_eq!(schema["required"], json!(names));
                    assert_eq!(schema["additionalProperties"], false);
                }
                assert!(!members.contains_key("oneOf"), "{schema}");
                assert!(!members.contains_key("$ref") || members.len() == 1, "{schema}");
                assert!(
                    members.get("format").is_none_or(|format| !format.as_str().unwrap_or_default().contains("int"))
                );
                members.values().for_each(check);
            }
            Value::Array(items) => items.iter().for_each(check),
            _ => {}
        }
    }

    #[test]
    fn a_type_becomes_a_strict_schema_in_the_order_of_its_fields() {
        let format = Schema::of::<Dish>();
        assert_eq!((format.name.as_str(), format.strict), ("Dish", Some(true)));
        let schema = format.schema.unwrap();
        check(&schema);
        assert_eq!(schema["type"], "object");
        assert_eq!(schema["required"], json!(["title", "minutes", "course", "notes", "side"]));
        assert_eq!(schema["properties"]["minutes"]["description"], "How long it takes.");
        assert_eq!(schema["properties"]["notes"]["type"], json!(["string", "null"]));
        assert!(schema["properties"]["minutes"].get("format").is_none());
    }

    #[test]
    fn enums_lists_and_scalars_are_wrapped_and_read_back() {
        for schema in [schema::<Shape>(), schema::<Vec<Dish>>(), schema::<Option<Dish>>(), schema::<String>()] {
            check(&schema);
            assert_eq!(schema["type"], "object");
            assert_eq!(schema["required"], json!(["root_value"]));
        }
        let shape: Shape = says(r#"{"root_value": {"type": "circle", "r": 2.5}}"#).parse().unwrap();
        assert_eq!(shape, Shape::Circle { r: 2.5 });
    }

    #[test]
    fn names_of_generic_types_are_names_that_servers_take() {
        let name = Schema::of::<BTreeMap<String, Vec<Dish>>>().name;
        assert!(name.len() <= 64 && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)), "{name}");
    }

    #[test]
    fn a_request_carries_the_schema_in_order() {
        let request = ChatRequest::new("m", []).json_schema::<Dish>();
        let sent = serde_json::to_string(&request).unwrap();
        let position = |name: &str| sent.find(&format!("\"{name}\":{{")).unwrap();
        assert!(position("title") < position("minutes") && position("minutes") < position("course"), "{sent}");
    }

    #[test]
    fn a_function_takes_its_arguments_as_a_type() {
        let tool = Tool::function::<Shape>("draw", "Draws a shape");
        let sent = serde_json::to_value(&tool).unwrap();
        assert_eq!(sent["function"]["strict"], true);
        check(&sent["function"]["parameters"]);
        let call = ToolCall::function("1", "draw", r#"{"root_value": {"type": "square", "side": 1.0}}"#);
        assert_eq!(call.arguments::<Shape>().unwrap(), Shape::Square { side: 1.0 });
    }

    #[test]
    fn a_function_without_arguments_has_an_empty_object() {
        let sent = serde_json::to_value(Tool::function::<()>("now", "The time")).unwrap();
        let empty = json!({"type": "object", "properties": {}, "additionalProperties": false, "required": []});
        assert_eq!(sent["function"]["parameters"], empty);
        for arguments in ["{}", "", " {} ", "null"] {
            ToolCall::function("1", "now", arguments).arguments::<()>().unwrap();
        }
    }
}

#[test]
fn nullable_objects_are_closed() {
    let schema = json!({"type": "object", "properties": {
        "address": {"type": ["object", "null"], "properties": {"city": {"type": "string"}}},
    }});
    let strict = strict_schema(schema).unwrap();
    let address = &strict["properties"]["address"];
    assert_eq!((&address["additionalProperties"], &address["required"]), (&json!(false), &json!(["city"])));
}

#[test]
fn what_strict_mode_refuses_is_found_with_its_path() {
    let refused = |schema: Value| check_strict(&schema).unwrap_err().to_string();
    let good = json!({"type": "object", "properties": {
        "a": {"type": ["string", "null"], "description": "text"},
        "b": {"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/c"}, {"type": "null"}]}},
    }, "required": ["a", "b"], "additionalProperties": false, "$defs": {"c": {"enum": ["x"]}}});
    check_strict(&good).unwrap();
    check_strict(&strict_schema(json!({"type": "array", "items": {"type": "string"}})).unwrap()).unwrap();
    for (part, said) in [
        (json!({}), "#/properties/p: without a type"),
        (json!({"description": "anything"}), "#/properties/p: without a type"),
        (json!(true), "#/properties/p: `true` accepts anything"),
        (json!({"type": "object", "additionalProperties": {"type": "integer"}}), "#/properties/p: a map"),
        (json!({"type": "array", "prefixItems": [{"type": "string"}]}), "`prefixItems` is not supported"),
        (json!({"type": "array", "items": {}}), "#/properties/p/items: without a type"),
        (json!({"anyOf": [{"type": "string"}, {}]}), "#/properties/p/anyOf/1: without a type"),
        (json!({"type": "string", "not": {"const": "x"}}), "`not` is not supported"),
        (
            json!({"type": ["object", "null"], "properties": {"a/b": {"type": "string"}}, "additionalProperties": false}),
            "#/properties/p/properties/a/b: must be required",
        ),
    ] {
        let schema =
            json!({"type": "object", "properties": {"p": part}, "required": ["p"], "additionalProperties": false});
        let error = refused(schema);
        assert!(error.contains(said), "{error}");
    }
    assert!(refused(json!({"type": "array", "items": {"type": "string"}})).contains("#: the root must be an object"));
}
