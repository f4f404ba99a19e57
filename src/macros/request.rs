//! What requests are set with: `setters!` and `blank!`.

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
