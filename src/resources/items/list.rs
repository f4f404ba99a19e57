//! Lists of items, and the additional fields of items.

use crate::call::Call;
use crate::call::page::{ListRequest, Page, SortOrder};
use crate::wire::Wire;

use super::Item;

open_enum! {
    /// An additional field of a response.
    pub enum Include {
        /// Results of file searches.
        FileSearchResults = "file_search_call.results",
        /// Results of web searches.
        WebSearchResults = "web_search_call.results",
        /// Sources of web searches.
        WebSearchSources = "web_search_call.action.sources",
        /// URLs of images in the input.
        InputImageUrl = "message.input_image.image_url",
        /// URLs of screenshots.
        ComputerImageUrl = "computer_call_output.output.image_url",
        /// Outputs of code run by the server.
        CodeInterpreterOutputs = "code_interpreter_call.outputs",
        /// Encrypted reasoning, for conversations that are not stored on the server.
        ReasoningEncryptedContent = "reasoning.encrypted_content",
        /// Log probabilities of the text.
        OutputTextLogprobs = "message.output_text.logprobs",
    }
}

wire_struct! {
    /// The range of a list of items to return.
    pub struct ItemListRequest {
        /// Id of the item before the first one to return.
        pub after: Option<String>,
        /// Maximum number of items per page, from 1 to 100.
        pub limit: Option<u32>,
        /// Order of the items.
        pub order: Option<SortOrder>,
        /// Additional fields of the items.
        pub include: Vec<Include>,
    }
}

empty_options! { ItemListRequest }

setters! { ItemListRequest {
    after: impl Into<String>,
    limit: u32,
    order: impl Into<SortOrder>,
    include: [Include],
} }

impl ItemListRequest {
    pub(crate) fn add_to(&self, call: Call<Page<Item>>) -> Call<Page<Item>> {
        let range = ListRequest {
            after: self.after.clone(),
            limit: self.limit,
            order: self.order.clone(),
            ..ListRequest::default_value()
        };
        include(call.list_query(&range), &self.include).extra_query(&self.extra)
    }
}

/// Adds the fields to include, as the official clients write them.
pub(crate) fn include<T>(call: Call<T>, fields: &[Include]) -> Call<T> {
    fields.iter().fold(call, |call, field| call.query_opt("include[]", Some(field)))
}
