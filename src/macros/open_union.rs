//! `open_union!`: objects of several kinds.

/// Objects of several kinds, told apart by a tag: known variants, and `Other`, which keeps all fields.
///
/// The union reads and writes the tag. Where servers leave it out, `by "type" or infer` names a function that tells the
/// kind from the fields.
macro_rules! open_union {
    ($(
        $(#[$meta:meta])*
        pub enum $name:ident by $tag:literal $(or $infer:path)? {
            $( $(#[$variant_meta:meta])* $variant:ident($ty:ty) = $text:literal ),* $(,)?
        }
    )+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum $name {
            $( $(#[$variant_meta])* $variant($ty), )*
            /// An object of any other kind, with all its fields.
            Other($crate::wire::Extra),
        }

        impl $name {
            /// Returns the tag, as it is on the wire.
            pub fn kind(&self) -> &str {
                match self {
                    $( $name::$variant(_) => $text, )*
                    $name::Other(members) => members.get($tag).and_then(serde_json::Value::as_str).unwrap_or_default(),
                }
            }
        }

        serde_of_wire! { $name }

        impl $crate::wire::Wire for $name {
            fn read(
                &mut self,
                input: $crate::wire::Input<'_>,
            ) -> Result<$crate::wire::ReadOutcome, $crate::wire::InvalidInput> {
                $crate::wire::union::read(self, input)
            }

            fn output(&self) -> $crate::wire::Output<'_> {
                match self {
                    $( $name::$variant(object) => $crate::wire::Output::Tagged(object, $tag, $text), )*
                    $name::Other(members) => $crate::wire::Output::Extra(members),
                }
            }

            fn default_value() -> Self {
                $name::Other($crate::wire::Extra::new())
            }

            #[cfg(test)]
            fn sample() -> serde_json::Value {
                [$( $crate::wire::conformance::tagged($tag, $text, <$ty as $crate::wire::Wire>::sample()) ),*].into_iter().next().unwrap_or_default()
            }
        }

        impl $crate::wire::Union for $name {
            fn tag(&self) -> &'static $crate::wire::FieldSpec {
                const { &$crate::wire::FieldSpec::new($tag) }
            }

            fn select(&mut self, kind: &str) -> bool {
                *self = match kind {
                    $( $text => $name::$variant($crate::wire::Wire::default_value()), )*
                    _ => return false,
                };
                true
            }

            fn object_mut(&mut self) -> Option<&mut dyn $crate::wire::Object> {
                match self {
                    $( $name::$variant(object) => Some(object), )*
                    $name::Other(_) => None,
                }
            }

            fn set_other(&mut self, members: $crate::wire::Extra) {
                *self = $name::Other(members);
            }
            $(

            fn infer(&self, members: &serde_json::Map<String, serde_json::Value>) -> Option<&'static str> {
                $infer(members)
            }
            )?
        }

        #[cfg(test)]
        #[test]
        #[allow(non_snake_case)]
        fn $name() {
            $( $crate::wire::conformance::check_variant::<$name, $ty>($tag, $text); )*
        }
    )+};
}
