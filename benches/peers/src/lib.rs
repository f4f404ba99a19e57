//! What the clients under test share: the corpus, the measuring, and the rows that each of them runs.

pub mod corpus;
pub mod measure;
pub mod rows;

#[global_allocator]
static ALLOCATOR: measure::Counting = measure::Counting;
