//! What requests are set with: `setters!` and `empty_options!`.

/// `Default`, and consuming setters: `name: type`, `name: impl Into<type>`, or `name: [type]` for a list. Number types
/// accept every number that converts to them.
macro_rules! setters {
    ($request:ident { $($rest:tt)* }) => {
        impl $request {
            setters!(@one $($rest)*);

            /// Adds a field to the request body, for vendor parameters such as `top_k`. Wins over a typed field of the
            /// same name.
            pub fn extra(mut self, name: impl Into<String>, value: impl Into<serde_json::Value>) -> Self {
                self.extra.insert(name, value);
                self
            }

            /// Looks for mistakes in a request that a person has written, such as in a configuration file: required fields
            /// that are empty, values of another type, and names that are nearly those of a field. Reading a request accepts
            /// all of these, and sends them.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Config`](crate::ErrorKind::Config) with all mistakes and their places.
            pub fn check(&self) -> $crate::error::Result<()> {
                let mistakes = $crate::wire::mistakes(self);
                match mistakes.is_empty() {
                    true => Ok(()),
                    false => Err($crate::error::Error::config(mistakes.join("; "))),
                }
            }
        }

        impl Default for $request {
            /// Everything is unset; required fields are empty.
            fn default() -> Self {
                <$request as $crate::wire::Wire>::default_value()
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
    (@one $field:ident : f64 $(, $($rest:tt)*)?) => {
        setters!(@one $field: impl Into<f64> $(, $($rest)*)?);
    };
    (@one $field:ident : u32 $(, $($rest:tt)*)?) => { setters!(@integer $field: u32 $(, $($rest)*)?); };
    (@one $field:ident : u64 $(, $($rest:tt)*)?) => { setters!(@integer $field: u64 $(, $($rest)*)?); };
    (@one $field:ident : i64 $(, $($rest:tt)*)?) => { setters!(@integer $field: i64 $(, $($rest)*)?); };
    (@one $field:ident : $ty:ty $(, $($rest:tt)*)?) => {
        #[doc = concat!("Sets [`", stringify!($field), "`](#structfield.", stringify!($field), ").")]
        pub fn $field(mut self, $field: $ty) -> Self {
            self.$field = Some($field);
            self
        }
        setters!(@one $($($rest)*)?);
    };
    (@integer $field:ident : $ty:ident $(, $($rest:tt)*)?) => {
        #[doc = concat!("Sets [`", stringify!($field), "`](#structfield.", stringify!($field), ").")]
        pub fn $field(mut self, $field: impl $crate::wire::Integer) -> Self {
            self.$field = $crate::wire::set_integer($field, stringify!($field), &mut self.extra);
            self
        }
        setters!(@one $($($rest)*)?);
    };
}

/// Options that start empty: `new`.
macro_rules! empty_options {
    ($($name:ident),* $(,)?) => {$(
        impl $name {
            /// Creates an empty set of options.
            pub fn new() -> Self {
                $name::default()
            }
        }
    )*};
}
