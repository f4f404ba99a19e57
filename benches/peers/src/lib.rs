//! Shared by all measured clients: the corpus, the counters, and the rows that each client runs.

pub mod corpus;
pub mod measure;
pub mod rows;

#[global_allocator]
static ALLOCATOR: measure::Counting = measure::Counting;
