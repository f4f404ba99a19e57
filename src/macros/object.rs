//! `wire!`: JSON objects as structs.

/// A JSON object as a struct: public fields, lenient reading, unknown members kept in `extra`.
///
/// With each comes a test of its name that proves the rules of `wire.rs` for it; `open_enum!` and `open_union!` do so, too.
///
/// ```text
/// wire! {
///     /// Docs.
///     pub struct Choice {
///         pub index: u32 = always,                 // written even when it is blank (numbers always are)
///         pub type_ as "type": String,             // another name on the wire
///         pub arguments: String = by(text_of_any), // read by a function of its own; always written
///     }
/// }
/// ```
macro_rules! wire {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident {
            $( $(#[$field_meta:meta])* pub $field:ident $(as $wire:literal)? : $ty:ty $(= $how:ident $(($by:path))?)? ),* $(,)?
        }
    )+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: $ty, )*
            /// Members without a field of their own, and values that do not fit theirs. Written back as they came.
            pub extra: $crate::Extra,
        }

        impl $crate::wire::Wire for $name {
            fn read(&mut self, json: &mut $crate::wire::Json<'_>) -> Result<$crate::wire::Read, $crate::wire::NotJson> {
                $crate::wire::object::read(self, json)
            }

            fn write(&self, writer: &mut $crate::wire::Writer) {
                $crate::wire::object::write(self, writer, &[], &[]);
            }

            fn blank() -> Self {
                $name {
                    $( $field: <$ty as $crate::wire::Wire>::blank(), )*
                    extra: $crate::Extra::new(),
                }
            }

            #[cfg(test)]
            fn sample() -> serde_json::Value {
                $crate::wire::proof::object(|| {
                    vec![$( (wire!(@name $field $($wire)?), <$ty as $crate::wire::Wire>::sample()) ),*]
                })
            }
        }

        #[cfg(test)]
        #[test]
        #[allow(non_snake_case)]
        fn $name() {
            $crate::wire::proof::of_struct::<$name>(|value| &value.extra);
        }

        const _: () = {
            /// The fields, in their order.
            #[allow(non_camel_case_types)]
            enum Place { $( $field, )* }

            const PLACES: &[Place] = &[$( Place::$field ),*];

            impl $crate::wire::Object for $name {
                fn members(&self) -> &'static [$crate::wire::Member] {
                    &[$( $crate::wire::Member {
                        name: wire!(@name $field $($wire)?),
                        always: wire!(@always $($how)?),
                    } ),*]
                }

                fn field(&self, index: usize) -> &dyn $crate::wire::Wire {
                    match PLACES.get(index) {
                        $( Some(Place::$field) => &self.$field, )*
                        _ => &self.extra,
                    }
                }

                fn read_field(
                    &mut self,
                    index: usize,
                    json: &mut $crate::wire::Json<'_>,
                ) -> Result<$crate::wire::Read, $crate::wire::NotJson> {
                    match PLACES.get(index) {
                        $( Some(Place::$field) => wire!(@read self.$field, json $(, $how $(, $by)?)?), )*
                        _ => json.value().map($crate::wire::Read::Odd),
                    }
                }

                fn extra(&self) -> &$crate::Extra {
                    &self.extra
                }

                fn extra_mut(&mut self) -> &mut $crate::Extra {
                    &mut self.extra
                }
            }
        };

        serde_of_wire! { $name }
    )+};

    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $wire:literal) => { $wire };

    (@read $this:ident . $field:ident, $json:ident, by, $by:path) => { $by(&mut $this.$field, $json) };
    (@read $this:ident . $field:ident, $json:ident $(, $how:ident)?) => {
        $crate::wire::Wire::read(&mut $this.$field, $json)
    };

    (@always) => { false };
    (@always $how:ident) => { true };
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
