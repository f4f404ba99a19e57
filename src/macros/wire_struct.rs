//! `wire_struct!`: JSON objects as structs.

/// A JSON object as a struct: public fields, lenient reading, unknown members kept in `extra`.
///
/// Each type comes with a test of its name that checks it against the rules of `wire.rs`; so do `open_enum!` and
/// `open_union!`.
///
/// ```text
/// wire_struct! {
///     /// Docs.
///     pub struct Choice {
///         pub index: u32 = always,                     // written even when it is the default (numbers always are)
///         pub temperature: Option<f64> = finite,       // NaN and infinities cannot be written
///         pub type_ as "type": String,                 // another name on the wire
///         pub arguments: String = with(string_or_json),      // read by this function; always written
///         pub calls: Vec<Call> = read_by(one_or_many),       // read by this function
///         pub content: Option<Content> = null_beside(calls), // as a member of a union, written as null beside this field
///     }
/// }
/// ```
macro_rules! wire_struct {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident {
            $( $(#[$field_meta:meta])* pub $field:ident $(as $wire:literal)? : $ty:ty $(= $how:ident $(($with:ident))?)? ),* $(,)?
        }
    )+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: $ty, )*
            /// Unknown fields, and values whose type did not match. Serialized back unchanged.
            pub extra: $crate::wire::Extra,
        }

        impl $crate::wire::Wire for $name {
            fn read(
                &mut self,
                input: $crate::wire::Input<'_>,
            ) -> Result<$crate::wire::ReadOutcome, $crate::wire::InvalidInput> {
                $crate::wire::object::read(self, input)
            }

            fn output(&self) -> $crate::wire::Output<'_> {
                $crate::wire::Output::Object(self)
            }

            fn default_value() -> Self {
                $name {
                    $( $field: <$ty as $crate::wire::Wire>::default_value(), )*
                    extra: $crate::wire::Extra::new(),
                }
            }

            #[cfg(test)]
            fn sample() -> serde_json::Value {
                $crate::wire::conformance::object(|| {
                    vec![$( (wire_struct!(@name $field $($wire)?), <$ty as $crate::wire::Wire>::sample()) ),*]
                })
            }
        }

        #[cfg(test)]
        #[test]
        #[allow(non_snake_case)]
        fn $name() {
            $crate::wire::conformance::check_struct::<$name>(|value| &value.extra);
        }

        const _: () = {
            /// The fields, in their order.
            #[allow(non_camel_case_types)]
            #[derive(Clone, Copy)]
            enum Field { $( $field, )* }

            const FIELDS: &[Field] = &[$( Field::$field ),*];

            const SPECS: &[$crate::wire::FieldSpec; FIELDS.len()] =
                &[$( $crate::wire::FieldSpec::new(wire_struct!(@name $field $($wire)?)) $( .$how() )? ),*];

            impl $crate::wire::Object for $name {
                fn fields(&self) -> &'static [$crate::wire::FieldSpec] {
                    SPECS
                }

                #[allow(unused_variables, reason = "some objects have no fields")]
                fn for_each_written<'a>(
                    &'a self,
                    take: &mut dyn FnMut(&'static $crate::wire::FieldSpec, &'a dyn $crate::wire::Wire),
                ) {
                    let [$($field),*] = SPECS;
                    $(
                        if $field.always
                            || !$crate::wire::Wire::is_default_value(&self.$field)
                            $($( || wire_struct!(@is_null self, $how, $with) )?)?
                        {
                            take($field, &self.$field);
                        }
                    )*
                }

                fn read_field(
                    &mut self,
                    index: usize,
                    input: $crate::wire::Input<'_>,
                ) -> Result<$crate::wire::ReadOutcome, $crate::wire::InvalidInput> {
                    match FIELDS.get(index) {
                        $( Some(Field::$field) => wire_struct!(@read self.$field, input $($(, $how, $with)?)?), )*
                        _ => input.mismatch(),
                    }
                }

                fn extra(&self) -> &$crate::wire::Extra {
                    &self.extra
                }

                fn extra_mut(&mut self) -> &mut $crate::wire::Extra {
                    &mut self.extra
                }
            }
        };

        serde_of_wire! { $name }
    )+};

    (@is_null $this:ident, null_beside, $other:ident) => { !$crate::wire::Wire::is_default_value(&$this.$other) };
    (@is_null $this:ident, $how:ident, $with:ident) => { false };

    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $wire:literal) => { $wire };

    (@read $this:ident . $field:ident, $input:ident, null_beside, $other:ident) => {
        $crate::wire::Wire::read(&mut $this.$field, $input)
    };
    (@read $this:ident . $field:ident, $input:ident, $how:ident, $with:ident) => { $with(&mut $this.$field, $input) };
    (@read $this:ident . $field:ident, $input:ident) => { $crate::wire::Wire::read(&mut $this.$field, $input) };
}

/// `Serialize` and `Deserialize` of a wire type.
macro_rules! serde_of_wire {
    ($name:ident) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::wire::serde::serialize(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::wire::serde::deserialize(deserializer)
            }
        }
    };
}
