//! What the visitors of wire types share: `odd_scalars!` and `visit_json!`.

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
