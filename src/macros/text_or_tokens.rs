//! `text_or_tokens!`: the input of a model.

/// The input of a model, as text or as token ids, one or several. Servers accept different sets of these.
macro_rules! text_or_tokens {
    ($(#[$meta:meta])* pub enum $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum $name {
            /// One text.
            Text(String),
            /// Several texts.
            Texts(Vec<String>),
            /// One text as token ids.
            Tokens(Vec<u32>),
            /// Several texts as token ids.
            TokenLists(Vec<Vec<u32>>),
            /// Any other JSON, such as an object with an image.
            Other(serde_json::Value),
        }

        serde_of_wire! { $name }

        impl $crate::wire::Wire for $name {
            fn read(&mut self, input: $crate::wire::Input<'_>) -> Result<$crate::wire::ReadOutcome, $crate::wire::InvalidInput> {
                use serde::Deserialize;
                *self = match input.value()? {
                    serde_json::Value::String(text) => $name::Text(text),
                    value => Vec::deserialize(&value)
                        .map($name::Texts)
                        .or_else(|_| Vec::deserialize(&value).map($name::Tokens))
                        .or_else(|_| Vec::deserialize(&value).map($name::TokenLists))
                        .unwrap_or($name::Other(value)),
                };
                Ok($crate::wire::ReadOutcome::Matched)
            }

            fn output(&self) -> $crate::wire::Output<'_> {
                match self {
                    $name::Text(text) => $crate::wire::Output::String(text),
                    $name::Texts(texts) => $crate::wire::Output::Array(texts),
                    $name::Tokens(tokens) => $crate::wire::Output::Array(tokens),
                    $name::TokenLists(lists) => $crate::wire::Output::Array(lists),
                    $name::Other(value) => $crate::wire::Output::Value(value),
                }
            }

            fn default_value() -> Self {
                $name::Other(serde_json::Value::Null)
            }
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

        impl From<serde_json::Value> for $name {
            fn from(value: serde_json::Value) -> Self {
                $name::Other(value)
            }
        }

        text_or_tokens!(@lists $name: Texts(String) of &str, String, &String);
        text_or_tokens!(@lists $name: Tokens(u32) of u32);
        text_or_tokens!(@lists $name: TokenLists(Vec<u32>) of Vec<u32>);
    };

    (@lists $name:ident: $variant:ident($item:ty) of $($from:ty),*) => {$(
        impl From<Vec<$from>> for $name {
            fn from(list: Vec<$from>) -> Self {
                $name::$variant(list.into_iter().map(<$item>::from).collect())
            }
        }

        impl<const N: usize> From<[$from; N]> for $name {
            fn from(list: [$from; N]) -> Self {
                $name::$variant(list.into_iter().map(<$item>::from).collect())
            }
        }

        impl From<&[$from]> for $name {
            fn from(list: &[$from]) -> Self {
                $name::$variant(list.iter().cloned().map(<$item>::from).collect())
            }
        }

        impl From<&Vec<$from>> for $name {
            fn from(list: &Vec<$from>) -> Self {
                $name::from(list.as_slice())
            }
        }

        impl<const N: usize> From<&[$from; N]> for $name {
            fn from(list: &[$from; N]) -> Self {
                $name::from(list.as_slice())
            }
        }
    )*};
}
