//! `text_or_array!`: text, or an array.

/// Text, or an array of objects, among which some servers send plain strings: `= function` makes an object of one.
macro_rules! text_or_array {
    ($(#[$meta:meta])* pub enum $name:ident { $(#[$array_meta:meta])* $array:ident($item:ty) = $from_text:expr }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $name {
            /// Text.
            Text(String),
            $(#[$array_meta])*
            $array(Vec<$item>),
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                $name::Text(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                $name::Text(text)
            }
        }

        impl From<&String> for $name {
            fn from(text: &String) -> Self {
                $name::Text(text.clone())
            }
        }

        impl From<std::borrow::Cow<'_, str>> for $name {
            fn from(text: std::borrow::Cow<'_, str>) -> Self {
                $name::Text(text.into_owned())
            }
        }

        impl From<Vec<$item>> for $name {
            fn from(items: Vec<$item>) -> Self {
                $name::$array(items)
            }
        }

        impl<const N: usize> From<[$item; N]> for $name {
            fn from(items: [$item; N]) -> Self {
                $name::$array(items.into())
            }
        }

        serde_of_wire! { $name }

        impl $crate::wire::Wire for $name {
            fn read(
                &mut self,
                input: $crate::wire::Input<'_>,
            ) -> Result<$crate::wire::ReadOutcome, $crate::wire::InvalidInput> {
                if matches!(input, $crate::wire::Input::Array(_)) {
                    let mut items = $crate::wire::array::OrTexts { items: Vec::new(), from_text: $from_text };
                    let read = $crate::wire::array::read(&mut items, input)?;
                    *self = $name::$array(items.items);
                    return Ok(read);
                }
                $crate::wire::scalar::read_string(input, |text| *self = $name::Text(text.to_owned()))
            }

            fn output(&self) -> $crate::wire::Output<'_> {
                match self {
                    $name::Text(text) => $crate::wire::Output::String(text),
                    $name::$array(items) => items.output(),
                }
            }

            fn default_value() -> Self {
                $name::Text(String::new())
            }

            fn is_default_value(&self) -> bool {
                match self {
                    $name::Text(text) => text.is_empty(),
                    $name::$array(items) => items.is_empty(),
                }
            }

            #[cfg(test)]
            fn sample() -> serde_json::Value {
                serde_json::Value::from("text")
            }
        }
    };
}
