//! What makes a struct a response or a list item: `responses!` and `page_items!`.

/// The root field of responses: without it, the body is not a valid response and is checked for an error sent with
/// status 200. Other methods of [`ApiResponse`](crate::transport::decode::ApiResponse) stand in braces behind it.
macro_rules! responses {
    ($($name:ty: $root:ident $({ $($method:item)* })?),* $(,)?) => {$(
        impl $crate::transport::decode::ApiResponse for $name {
            fn root_field(&self) -> &'static str {
                stringify!($root)
            }

            fn is_root_empty(&self) -> bool {
                $crate::wire::Wire::is_default_value(&self.$root)
            }

            fn extra(&self) -> &$crate::wire::Extra {
                &self.extra
            }

            fn decode(response: &mut $crate::transport::RawResponse) -> $crate::error::Result<Self> {
                response.buffered.decode_wire()
            }

            $($($method)*)?
        }
    )*};
}

/// The ids of list items.
macro_rules! page_items {
    ($($name:ty),* $(,)?) => {$(
        impl $crate::call::page::PageItem for $name {
            fn id(&self) -> &str {
                &self.id
            }
        }
    )*};
}
