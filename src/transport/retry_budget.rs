//! [`RetryBudget`]: a limit on the retries of all calls of a client together.

use std::sync::atomic::{AtomicU32, Ordering};

/// What a retry costs, in the unit that a success earns.
const COST: u32 = 5;

/// A token bucket: a retry takes five tokens, a success at first try puts one back, and one after retries puts back what a
/// retry costs. While a server is down, its clients soon send each request once.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    tokens: AtomicU32,
    capacity: u32,
}

impl RetryBudget {
    /// A budget of this many retries in a row.
    pub(crate) fn new(retries: u32) -> Self {
        let capacity = retries.saturating_mul(COST);
        RetryBudget { tokens: AtomicU32::new(capacity), capacity }
    }

    /// Takes a retry; `false` if none is left.
    pub(crate) fn take(&self) -> bool {
        // Without a limit.
        self.capacity == u32::MAX
            || self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tokens| tokens.checked_sub(COST)).is_ok()
    }

    /// Records a success.
    pub(crate) fn earn(&self, retries_taken: u32) {
        // A full budget, the usual state, is only read.
        if self.tokens.load(Ordering::Relaxed) < self.capacity {
            let earned = if retries_taken == 0 { 1 } else { COST };
            let add = |tokens: u32| Some(tokens.saturating_add(earned).min(self.capacity));
            let _ = self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        }
    }
}
