//! Conversations stored on the server, for responses: `client.conversations()`.
//!
//! ```no_run
//! # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
//! use openai_compatible::conversations::ConversationRequest;
//! use openai_compatible::responses::ResponseRequest;
//!
//! let conversation = client.conversations().create(ConversationRequest::new()).await?;
//! for question in ["Name three rivers.", "How long are they?"] {
//!     let request = ResponseRequest::new("gpt-6-luna", question).conversation(&conversation.id);
//!     println!("{}", client.responses().create(&request).await?.text());
//! }
//! # Ok(())
//! # }
//! ```

use std::borrow::Borrow;
use std::collections::BTreeMap;

use serde_json::json;

use crate::call::Call;
use crate::call::page::{Deleted, Page};
use crate::client::Client;
use crate::responses::{Include, Item, ItemListRequest, include};
use crate::transport::request::{Body, WireRequest};

/// The conversations API of a client.
#[derive(Clone, Debug)]
pub struct Conversations {
    client: Client,
}

impl Client {
    /// Returns the conversations API.
    pub fn conversations(&self) -> Conversations {
        Conversations { client: self.clone() }
    }
}

impl Conversations {
    /// Creates a conversation, with up to 20 items: `POST /conversations`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::conversations::ConversationRequest;
    /// use openai_compatible::responses::Item;
    ///
    /// let request = ConversationRequest::new().item(Item::system("Be brief.")).metadata("user", "7");
    /// println!("{}", client.conversations().create(request).await?.id);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "conversations.create")]
    pub fn create(&self, request: impl Borrow<ConversationRequest>) -> Call<Conversation> {
        Call::post_body(&self.client.settings, &["conversations"], Body::of(request.borrow(), &[]))
    }

    /// Gets a conversation: `GET /conversations/{id}`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// println!("{:?}", client.conversations().get("conv_abc").await?.metadata);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "retrieve")]
    #[doc(alias = "conversations.retrieve")]
    pub fn get(&self, id: &str) -> Call<Conversation> {
        Call::get(&self.client.settings, &["conversations", id])
    }

    /// Replaces the metadata of a conversation: `POST /conversations/{id}`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use std::collections::BTreeMap;
    ///
    /// let notes = BTreeMap::from([("rating".to_owned(), "good".to_owned())]);
    /// client.conversations().update("conv_abc", &notes).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "conversations.update")]
    pub fn update(&self, id: &str, metadata: &BTreeMap<String, String>) -> Call<Conversation> {
        let body = Body::json(&json!({ "metadata": metadata }));
        Call::post_body(&self.client.settings, &["conversations", id], body)
    }

    /// Deletes a conversation: `DELETE /conversations/{id}`. Its items are kept.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// client.conversations().delete("conv_abc").await?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "conversations.delete")]
    pub fn delete(&self, id: &str) -> Call<Deleted> {
        Call::deleted(&self.client.settings, &["conversations", id])
    }

    /// Returns the items of a conversation.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::responses::ItemListRequest;
    ///
    /// for item in client.conversations().items("conv_abc").list(ItemListRequest::new()).await?.data {
    ///     println!("{item:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn items(&self, conversation_id: impl Into<String>) -> ConversationItems {
        ConversationItems { client: self.client.clone(), conversation_id: conversation_id.into(), include: Vec::new() }
    }
}

/// The items of a conversation, from [`Conversations::items`].
#[derive(Clone, Debug)]
pub struct ConversationItems {
    client: Client,
    conversation_id: String,
    include: Vec<Include>,
}

impl ConversationItems {
    /// Requests additional fields of the items.
    pub fn include(mut self, fields: impl IntoIterator<Item = impl Into<Include>>) -> Self {
        self.include = fields.into_iter().map(Into::into).collect();
        self
    }

    /// Adds up to 20 items: `POST /conversations/{id}/items`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::responses::Item;
    ///
    /// client.conversations().items("conv_abc").create([Item::user("Name three rivers.")]).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "conversations.items.create")]
    pub fn create(&self, items: impl IntoIterator<Item = Item>) -> Call<Page<Item>> {
        let items: Vec<Item> = items.into_iter().collect();
        let body = Body::json(&json!({ "items": items }));
        let segments = ["conversations", &self.conversation_id, "items"];
        let request = body.and_then(|body| WireRequest::new(http::Method::POST, &segments, body));
        include(Call::page_of(&self.client.settings, request), &self.include)
    }

    /// Lists the items: `GET /conversations/{id}/items`.
    #[doc(alias = "conversations.items.list")]
    pub fn list(&self, request: impl Borrow<ItemListRequest>) -> Call<Page<Item>> {
        let call = Call::page(&self.client.settings, &["conversations", &self.conversation_id, "items"]);
        include(request.borrow().add_to(call), &self.include)
    }

    /// Gets an item: `GET /conversations/{id}/items/{item_id}`.
    #[doc(alias = "conversations.items.retrieve")]
    pub fn get(&self, item_id: &str) -> Call<Item> {
        let call = Call::get(&self.client.settings, &["conversations", &self.conversation_id, "items", item_id]);
        include(call, &self.include)
    }

    /// Deletes an item: `DELETE /conversations/{id}/items/{item_id}`. Returns the conversation.
    #[doc(alias = "conversations.items.delete")]
    pub fn delete(&self, item_id: &str) -> Call<Conversation> {
        let segments = ["conversations", &self.conversation_id, "items", item_id];
        Call::send(&self.client.settings, WireRequest::new(http::Method::DELETE, &segments, Body::Empty))
    }
}

wire_struct! {
    /// A conversation to create.
    ///
    /// See [OpenAI: Conversations](https://platform.openai.com/docs/api-reference/conversations/create).
    pub struct ConversationRequest {
        /// Up to 20 items.
        pub items: Vec<Item>,
        /// Up to 16 key-value pairs.
        pub metadata: BTreeMap<String, String>,
    }

    /// A conversation stored on the server.
    ///
    /// See [OpenAI: The conversation object](https://platform.openai.com/docs/api-reference/conversations/object).
    pub struct Conversation {
        /// Id of the conversation.
        pub id: String,
        /// The literal `conversation`; do not rely on it.
        pub object: String,
        /// Creation time, in Unix seconds.
        pub created_at: Option<u64>,
        /// Metadata stored with the conversation.
        pub metadata: BTreeMap<String, String>,
    }
}

responses! { Conversation: id }

impl ConversationRequest {
    /// Creates an empty conversation.
    pub fn new() -> Self {
        ConversationRequest::default()
    }

    /// Adds an item.
    pub fn item(mut self, item: impl Into<Item>) -> Self {
        self.items.push(item.into());
        self
    }

    /// Adds a key-value pair.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(name.into(), value.into());
        self
    }
}

setters! { ConversationRequest {} }
