//! `open_enum!`: strings of a known set.

/// A string of a known set that may be any other string: known variants and `Other`, which round-trips unchanged. `Done
/// = "done" | "DONE"` reads other spellings, too, and writes the first.
macro_rules! open_enum {
    ($(
        $(#[$meta:meta])*
        pub enum $name:ident { $( $(#[$variant_meta:meta])* $variant:ident = $text:literal $(| $spelling:literal)* ),* $(,)? }
    )+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $( $(#[$variant_meta])* $variant, )*
            /// Any other value.
            Other(String),
        }

        impl $name {
            /// Returns the value on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $( $name::$variant => $text, )*
                    $name::Other(text) => text,
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $( $text $(| $spelling)* => $name::$variant, )*
                    other => $name::Other(other.to_owned()),
                }
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                match &*text {
                    $( $text $(| $spelling)* => $name::$variant, )*
                    _ => $name::Other(text),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
            }
        }

        serde_of_wire! { $name }

        impl $crate::wire::Wire for $name {
            fn read(&mut self, input: $crate::wire::Input<'_>) -> Result<$crate::wire::ReadOutcome, $crate::wire::InvalidInput> {
                $crate::wire::scalar::read_enum_str(input, &mut |text| *self = $name::from(text))
            }

            fn output(&self) -> $crate::wire::Output<'_> {
                $crate::wire::Output::String(self.as_str())
            }

            fn default_value() -> Self {
                $name::Other(String::new())
            }

            fn is_default_value(&self) -> bool {
                self.reads_as_none()
            }

            fn reads_as_none(&self) -> bool {
                matches!(self, $name::Other(text) if text.is_empty())
            }

            #[cfg(test)]
            fn sample() -> serde_json::Value {
                [$($text),*].first().copied().into()
            }
        }

        #[cfg(test)]
        #[test]
        #[allow(non_snake_case)]
        fn $name() {
            $crate::wire::conformance::check_enum::<$name>(&[$($text),*]);
        }
    )+};
}
