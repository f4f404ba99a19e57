//! What makes a struct a reply or an entry of a list: `replies!` and `items!`.

/// The root member of replies: without it a reply is none, but an error that a server sent with status 200.
macro_rules! replies {
    ($($name:ty: $root:ident),* $(,)?) => {$(
        impl $crate::wire::Reply for $name {
            fn root(&self) -> &'static str {
                stringify!($root)
            }

            fn is_hollow(&self) -> bool {
                $crate::wire::Wire::is_blank(&self.$root)
            }

            fn extra(&self) -> &$crate::Extra {
                &self.extra
            }

            fn decode(answer: &mut $crate::transport::Answer) -> $crate::Result<Self> {
                answer.whole.reply()
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
