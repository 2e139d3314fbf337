//! How many facts a minute a flow may give: a resolver's or a broadcast's flow lasts for days, and its facts must not
//! crowd out the others'.

use std::time::Duration;

use crate::facts::Statement;
use crate::time::Timestamp;

/// Facts given since the window began, in packet time.
pub(in crate::protocol) struct Budget {
    per_window: u32,
    began: Timestamp,
    given: u32,
}

impl Budget {
    const WINDOW: Duration = Duration::from_secs(60);

    pub(in crate::protocol) const fn per_minute(facts: u32) -> Self {
        Self { per_window: facts, began: Timestamp::ZERO, given: 0 }
    }

    /// Appends a fact. The first that is too many is told as such, in place of it; the rest of its minute is dropped.
    pub(in crate::protocol) fn push(&mut self, at: Timestamp, fact: Statement, facts: &mut Vec<Statement>) {
        if at.since(self.began) >= Self::WINDOW {
            (self.began, self.given) = (at, 0);
        }
        self.given = self.given.saturating_add(1);
        if self.given <= self.per_window {
            facts.push(fact);
        } else if self.given == self.per_window.saturating_add(1) {
            facts.push(Statement::Malformed("fact_limit"));
        }
    }
}
