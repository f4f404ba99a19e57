//! The macros that write the wire types: `wire!` for structs, `open_enum!` for texts of a known set, `open_union!` for
//! objects of several kinds, `text_or_tokens!` for prompts, `setters!` for the consuming setters of requests, `blank!` for
//! options that begin empty, `replies!` for root members, `items!` for entries of lists.

#[macro_use]
mod object;
#[macro_use]
mod open_enum;
#[macro_use]
mod open_union;
#[macro_use]
mod reply;
#[macro_use]
mod request;
#[macro_use]
mod text_or_tokens;
