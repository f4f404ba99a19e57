//! `open_union!`: objects of several kinds.

/// Objects of several kinds, told apart by a member: known variants and `Other`, which keeps all members.
///
/// A variant's struct has no field for the tag; the union writes and reads it.
macro_rules! open_union {
    ($(
        $(#[$meta:meta])*
        pub enum $name:ident by $tag:literal {
            $( $(#[$variant_meta:meta])* $variant:ident($ty:ty) = $text:literal ),* $(,)?
        }
    )+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum $name {
            $( $(#[$variant_meta])* $variant($ty), )*
            /// An object of any other kind, with all its members.
            Other($crate::Extra),
        }

        impl $name {
            /// The member that tells the kind, as it stands on the wire.
            pub fn kind(&self) -> &str {
                match self {
                    $( $name::$variant(_) => $text, )*
                    $name::Other(members) => members.get($tag).and_then(serde_json::Value::as_str).unwrap_or_default(),
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap;
                const TAG: $crate::wire::Added<'static> = &[($tag, serde_json::Value::Null)];
                match self {
                    $( $name::$variant(members) => {
                        let mut map = serializer.serialize_map(None)?;
                        map.serialize_entry($tag, $text)?;
                        $crate::wire::Fields::write(members, &mut map, TAG)?;
                        map.end()
                    } )*
                    $name::Other(members) => members.serialize(serializer),
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::wire::deserialize(deserializer)
            }
        }

        impl $crate::wire::Wire for $name {
            fn read<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<$crate::wire::Read<Self>, D::Error> {
                let mut members = match <serde_json::Value as serde::Deserialize>::deserialize(deserializer)? {
                    serde_json::Value::Object(members) => members,
                    other => return Ok($crate::wire::Read::Odd(other)),
                };
                let tag = members.get($tag).and_then(serde_json::Value::as_str).unwrap_or_default();
                Ok($crate::wire::Read::Value(match tag {
                    $( $text => {
                        members.remove($tag);
                        $name::$variant($crate::wire::read_members(members))
                    } )*
                    _ => $name::Other(members.into()),
                }))
            }

            fn blank() -> Self {
                $name::Other($crate::Extra::new())
            }

            #[cfg(test)]
            fn sample() -> serde_json::Value {
                [$( $crate::wire::proof::tagged($tag, $text, <$ty as $crate::wire::Wire>::sample()) ),*].into_iter().next().unwrap_or_default()
            }
        }

        #[cfg(test)]
        #[test]
        #[allow(non_snake_case)]
        fn $name() {
            $( $crate::wire::proof::of_variant::<$name, $ty>($tag, $text); )*
        }
    )+};
}
