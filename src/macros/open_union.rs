//! `open_union!`: objects of several kinds.

/// Objects of several kinds, told apart by a member: known variants and `Other`, which keeps all members.
///
/// The union writes and reads the tag.
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

        serde_of_wire! { $name }

        impl $crate::wire::Wire for $name {
            fn read(&mut self, json: &mut $crate::wire::Json<'_>) -> Result<$crate::wire::Read, $crate::wire::NotJson> {
                if json.peek()? != b'{' {
                    return json.value().map($crate::wire::Read::Odd);
                }
                match &*json.tag($tag)? {
                    $( $text => {
                        let mut members = <$ty as $crate::wire::Wire>::blank();
                        $crate::wire::object::read_without(&mut members, json, Some($tag))?;
                        *self = $name::$variant(members);
                        Ok($crate::wire::Read::Fits)
                    } )*
                    _ => {
                        let mut members = $crate::Extra::new();
                        let read = $crate::wire::Wire::read(&mut members, json)?;
                        *self = $name::Other(members);
                        Ok(read)
                    }
                }
            }

            fn write(&self, writer: &mut $crate::wire::Writer) {
                match self {
                    $( $name::$variant(members) => {
                        $crate::wire::object::write(members, writer, &[($tag, $text.into())], &[]);
                    } )*
                    $name::Other(members) => $crate::wire::Wire::write(members, writer),
                }
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
