//! The macros that write the wire types: `wire_struct!` for objects, `open_enum!` for strings of a known set,
//! `open_union!` for objects of several kinds, `text_or_tokens!` for prompts, `text_or_array!` for what may be text or an array, `setters!` for the consuming setters of
//! requests, `empty_options!` for options that start empty, `responses!` for root fields, `page_items!` for list items.

#[macro_use]
mod open_enum;
#[macro_use]
mod open_union;
#[macro_use]
mod request;
#[macro_use]
mod response;
#[macro_use]
mod text_or_array;
#[macro_use]
mod text_or_tokens;
#[macro_use]
mod wire_struct;
