//! Schemas of Rust types, by schemars.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::super::{ChatRequest, Function, JsonSchema, Tool};
use super::{check_strict, strict_schema};

impl JsonSchema {
    /// Derives a strict schema from a type, under the name of the type.
    ///
    /// Types that strict mode does not support (maps, tuples, any JSON) are kept, and the schema is not strict. Number formats such as `uint32` are left out,
    /// because servers refuse them. *Feature* `schemars`.
    pub fn of<T: schemars::JsonSchema>() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| settings.meta_schema = None);
        let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
        drop_number_formats(&mut schema);
        let (schema, strict) = match strict_schema(schema.clone()) {
            Ok(strict) => {
                let is_strict = check_strict(&strict).is_ok();
                (strict, is_strict)
            }
            Err(_) => (schema, false),
        };
        JsonSchema::new(name_of::<T>()).schema(schema).strict(strict)
    }
}

impl ChatRequest {
    /// Makes the output follow the schema of a type strictly. Read it with
    /// [`ChatCompletion::parse`](super::super::ChatCompletion::parse).
    ///
    /// Doc comments of the type and its fields become descriptions, which the model reads. For a schema written by
    /// hand, see [`ResponseFormat::json_schema`](super::super::ResponseFormat::json_schema). *Feature* `schemars`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::chat::{ChatRequest, Message};
    ///
    /// #[derive(serde::Deserialize, schemars::JsonSchema)]
    /// struct Recipe { title: String, minutes: u32 }
    ///
    /// let request = ChatRequest::new("gpt-6-luna", [Message::user("A quick soup, please.")]);
    /// let recipe: Recipe = client.chat().create(request.json_schema::<Recipe>()).await?.parse()?;
    /// println!("{}, {} minutes", recipe.title, recipe.minutes);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "parse")]
    pub fn json_schema<T: schemars::JsonSchema>(self) -> Self {
        self.response_format(JsonSchema::of::<T>())
    }
}

impl Tool {
    /// Creates a function tool whose arguments are a type of yours, strictly.
    ///
    /// Doc comments of the fields become descriptions, which the model reads. `()` stands for no arguments. For a
    /// schema written by hand, see [`Tool::with_schema`]. *Feature* `schemars`.
    ///
    /// ```
    /// use openai_compatible::chat::Tool;
    ///
    /// #[derive(serde::Deserialize, schemars::JsonSchema)]
    /// struct Place {
    ///     /// Name of a city, in English.
    ///     city: String,
    /// }
    ///
    /// let tool = Tool::function::<Place>("weather", "Today's weather in a city");
    /// # let _ = |place: Place| place.city;
    /// # assert_eq!(tool.name(), "weather");
    /// ```
    #[doc(alias = "pydantic_function_tool")]
    pub fn function<Args: schemars::JsonSchema>(name: impl Into<String>, description: impl Into<String>) -> Self {
        let JsonSchema { mut schema, strict, .. } = JsonSchema::of::<Args>();
        let no_arguments = schema.as_ref().and_then(|schema| schema.pointer("/properties/root_value/type"));
        if no_arguments.is_some_and(|kind| kind == "null") {
            schema = strict_schema(serde_json::json!({"type": "object", "properties": {}})).ok();
        }
        Function { parameters: schema, strict, ..Function::new(name).description(description) }.into()
    }
}

/// The name of the type, limited to the characters of schema names.
fn name_of<T: schemars::JsonSchema>() -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let name: String = T::schema_name().chars().take(64).map(allowed).collect();
    if name.is_empty() { "answer".to_owned() } else { name }
}

fn drop_number_formats(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            let is_of_number = |format: &Value| {
                let format = format.as_str().unwrap_or_default();
                ["int", "uint", "float", "double"].iter().any(|start| format.starts_with(start))
            };
            members.retain(|name, value| name != "format" || !is_of_number(value));
            members.values_mut().for_each(drop_number_formats);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_number_formats),
        _ => {}
    }
}
