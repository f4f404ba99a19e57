//! Built on the resources: several servers behind one call, health checks, feature detection, context budgets, tests
//! without a network.

pub(crate) mod failover;
pub(crate) mod health;
pub mod probe;
pub mod testing;
pub mod tokens;
