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
///         pub arguments: String = by(text_of_any), // read by a function of a `Value`; always written
///         pub data: Vec<Item> = then(in_order),    // read as usual, then given to a function; always written
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
            fn read<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<$crate::wire::Read<Self>, D::Error> {
                let mut this = <$name as $crate::wire::Wire>::blank();
                Ok(<$name as $crate::wire::Wire>::read_into(&mut this, deserializer)?.map(|()| this))
            }

            fn read_into<'de, D: serde::Deserializer<'de>>(
                place: &mut Self,
                deserializer: D,
            ) -> Result<$crate::wire::Read<()>, D::Error> {
                struct Object<'a>(&'a mut $name);
                impl<'de> serde::de::Visitor<'de> for Object<'_> {
                    type Value = $crate::wire::Read<()>;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                        let this = self.0;
                        while let Some(key) = map.next_key_seed($crate::wire::Key)? {
                            match &*key {
                                $( wire!(@name $field $($wire)?) => {
                                    let beside = wire!(@read map, this.$field, $ty $(, $how $(, $by)?)?);
                                    if let Some(odd) = beside {
                                        this.extra.insert(key, odd);
                                    }
                                } )*
                                _ => {
                                    let value: serde_json::Value = map.next_value()?;
                                    this.extra.insert(key, value);
                                }
                            }
                        }
                        Ok($crate::wire::Read::Value(()))
                    }

                    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
                        *self.0 = <$name as $crate::wire::Wire>::blank();
                        Ok($crate::wire::Read::Value(()))
                    }

                    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                        $crate::wire::odd_seq(seq)
                    }

                    odd_scalars!(str bool u64 i64 f64);
                }
                deserializer.deserialize_any(Object(place))
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

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::wire::deserialize(deserializer)
            }
        }

        impl $crate::wire::Fields for $name {
            fn write<M: serde::ser::SerializeMap>(&self, map: &mut M, without: $crate::wire::Added<'_>) -> Result<(), M::Error> {
                $(
                    let name = wire!(@name $field $($wire)?);
                    if wire!(@written self.$field, $ty $(, $how)?)
                        && !self.extra.contains_key(name)
                        && !$crate::wire::is_added(without, name)
                    {
                        map.serialize_entry(name, &self.$field)?;
                    }
                )*
                for (name, value) in self.extra.iter().filter(|(name, _)| !$crate::wire::is_added(without, name)) {
                    map.serialize_entry(name, value)?;
                }
                Ok(())
            }

            fn uncover(&mut self) {
                $(
                    if !<$ty as $crate::wire::Wire>::is_blank(&self.$field) {
                        self.extra.remove(wire!(@name $field $($wire)?));
                    }
                )*
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(None)?;
                $crate::wire::Fields::write(self, &mut map, &[])?;
                serde::ser::SerializeMap::end(map)
            }
        }
    )+};

    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $wire:literal) => { $wire };

    (@read $map:ident, $this:ident . $field:ident, $ty:ty, by, $by:path) => {
        $map.next_value_seed($crate::wire::SeedWith($by))?.put(&mut $this.$field)
    };
    (@read $map:ident, $this:ident . $field:ident, $ty:ty, then, $then:path) => {
        $map.next_value_seed($crate::wire::SeedThen::<$ty>($then))?.put(&mut $this.$field)
    };
    (@read $map:ident, $this:ident . $field:ident, $ty:ty $(, $how:ident)?) => {
        $map.next_value_seed($crate::wire::Field(&mut $this.$field))?.beside()
    };

    (@written $this:ident . $field:ident, $ty:ty, always) => { true };
    (@written $this:ident . $field:ident, $ty:ty, by) => { true };
    (@written $this:ident . $field:ident, $ty:ty, then) => { true };
    (@written $this:ident . $field:ident, $ty:ty) => { !<$ty as $crate::wire::Wire>::is_blank(&$this.$field) };
}
