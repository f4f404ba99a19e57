//! The macros that write the wire types: `wire!` for structs, `open_enum!` for texts of a known set, `open_union!` for
//! objects of several kinds, `text_or_tokens!` for prompts, `setters!` for the consuming setters of requests, `blank!` for
//! options that begin empty, `replies!` for root members.

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

/// Methods of a visitor for scalars that do not fit: they are odd.
macro_rules! odd_scalars {
    ($($kind:ident)*) => { $( odd_scalars!(@one $kind); )* };
    (@one bool) => { odd_scalars!(@visit visit_bool, bool); };
    (@one u64) => { odd_scalars!(@visit visit_u64, u64); };
    (@one i64) => { odd_scalars!(@visit visit_i64, i64); };
    (@one f64) => { odd_scalars!(@visit visit_f64, f64); };
    (@one str) => { odd_scalars!(@visit visit_str, &str); };
    (@visit $method:ident, $ty:ty) => {
        fn $method<E>(self, v: $ty) -> Result<Self::Value, E> {
            Ok($crate::wire::Read::Odd(serde_json::Value::from(v)))
        }
    };
}

/// The visitor `Json` of a scalar: what the given methods read, null as blank, lists and objects as odd.
macro_rules! visit_json {
    ($name:ident: $($method:ident($arg:ident: $ty:ty) => $body:expr;)*) => {
        struct Json;
        impl<'de> Visitor<'de> for Json {
            type Value = Read<$name>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
            $(fn $method<E>(self, $arg: $ty) -> Result<Self::Value, E> {
                Ok($body)
            })*
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Read::Value(<$name as Wire>::blank()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                odd_seq(seq)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                odd_map(map)
            }
        }
    };
}

/// The root member of replies: without it a reply is none, but an error that a server sent with status 200.
macro_rules! replies {
    ($($name:ty: $root:ident),* $(,)?) => {$(
        impl $crate::wire::Reply for $name {
            const ROOT: &'static str = stringify!($root);

            fn is_hollow(&self) -> bool {
                $crate::wire::Wire::is_blank(&self.$root)
            }

            fn extra(&self) -> &$crate::Extra {
                &self.extra
            }
        }
    )*};
}

/// Names the id of items of lists.
macro_rules! items {
    ($($name:ty),* $(,)?) => {$(
        impl $crate::page::Item for $name {
            fn id(&self) -> &str {
                &self.id
            }
        }
    )*};
}

/// Text of a known set that may be any other text, too: known variants and `Other`, which round-trips unchanged.
/// `Done = "done" | "DONE"` reads other spellings, too, and writes the first.
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
            /// Any other text.
            Other(String),
        }

        impl $name {
            /// The text on the wire.
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

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::wire::deserialize(deserializer)
            }
        }

        impl $crate::wire::Wire for $name {
            fn read<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<$crate::wire::Read<Self>, D::Error> {
                deserializer.deserialize_any($crate::wire::Text(|text: &str| $name::from(text)))
            }

            fn blank() -> Self {
                $name::Other(String::new())
            }

            fn is_blank(&self) -> bool {
                self.is_nothing()
            }

            fn is_nothing(&self) -> bool {
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
            $crate::wire::proof::of_enum::<$name>(&[$($text),*]);
        }
    )+};
}

/// Consuming setters of a request: `name: type`, `name: impl Into<type>`, or `name: [type]` for a list.
macro_rules! setters {
    ($request:ident { $($rest:tt)* }) => {
        impl $request {
            setters!(@one $($rest)*);

            /// Adds a member to the body, whatever its name: vendor parameters such as `top_k`. It wins over a field of
            /// the same name.
            pub fn extra(mut self, name: impl Into<String>, value: impl Into<serde_json::Value>) -> Self {
                self.extra.insert(name, value);
                self
            }
        }
    };
    (@one) => {};
    (@one $field:ident : [$item:ty] $(, $($rest:tt)*)?) => {
        #[doc = concat!("Sets [`", stringify!($field), "`](#structfield.", stringify!($field), ").")]
        pub fn $field(mut self, $field: impl IntoIterator<Item = impl Into<$item>>) -> Self {
            self.$field = $field.into_iter().map(Into::into).collect::<Vec<$item>>().into();
            self
        }
        setters!(@one $($($rest)*)?);
    };
    (@one $field:ident : impl Into<$ty:ty> $(, $($rest:tt)*)?) => {
        #[doc = concat!("Sets [`", stringify!($field), "`](#structfield.", stringify!($field), ").")]
        pub fn $field(mut self, $field: impl Into<$ty>) -> Self {
            self.$field = Some($field.into());
            self
        }
        setters!(@one $($($rest)*)?);
    };
    (@one $field:ident : $ty:ty $(, $($rest:tt)*)?) => {
        #[doc = concat!("Sets [`", stringify!($field), "`](#structfield.", stringify!($field), ").")]
        pub fn $field(mut self, $field: $ty) -> Self {
            self.$field = Some($field);
            self
        }
        setters!(@one $($($rest)*)?);
    };
}

/// Options that begin empty: `new` and `Default`.
macro_rules! blank {
    ($($name:ident),* $(,)?) => {$(
        impl $name {
            /// Nothing set.
            pub fn new() -> Self {
                <$name as $crate::wire::Wire>::blank()
            }
        }

        impl Default for $name {
            fn default() -> Self {
                $name::new()
            }
        }
    )*};
}

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

/// What a model reads, as text or as token ids, one or several. Servers take any number of shapes here.
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
            /// Any other JSON that a server takes, such as an object with an image.
            Other(serde_json::Value),
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $name::Text(text) => serializer.serialize_str(text),
                    $name::Texts(texts) => texts.serialize(serializer),
                    $name::Tokens(tokens) => tokens.serialize(serializer),
                    $name::TokenLists(lists) => lists.serialize(serializer),
                    $name::Other(value) => value.serialize(serializer),
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
                use serde::Deserialize;
                Ok($crate::wire::Read::Value(match serde_json::Value::deserialize(deserializer)? {
                    serde_json::Value::String(text) => $name::Text(text),
                    value => Vec::deserialize(&value)
                        .map($name::Texts)
                        .or_else(|_| Vec::deserialize(&value).map($name::Tokens))
                        .or_else(|_| Vec::deserialize(&value).map($name::TokenLists))
                        .unwrap_or($name::Other(value)),
                }))
            }

            fn blank() -> Self {
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
