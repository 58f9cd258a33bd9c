//! `top`, as it is written.

use toml::de::DeValue;

use super::derived::SORT_WORDS;
use super::{Derived, Reader};
use crate::job_file::fields::{Fields, whole, wrong_type};
use crate::job_file::problem::Problem;
use crate::plan::limits::MOST_REDUCERS;
use crate::plan::operation::{SortBy, SortOrder};

/// As many records as there may be of them.
const COUNTS: std::ops::RangeInclusive<i64> = 1..=i64::MAX;

impl Reader<'_, '_, '_> {
    /// A number, or a table.
    pub(super) fn top(&mut self, label: &str) -> Option<Derived> {
        let mut order = SortOrder {
            by: SortBy::Value,
            numeric: true,
            descending: true,
        };
        let (mut per_key, mut partitions) = (false, None);
        let count = match self.node.get_ref() {
            DeValue::Integer(_) => whole(self.node, label, COUNTS, self.problems),
            DeValue::Table(_) => {
                let mut top = Fields::of(self.node, label, self.problems)?;
                let count = top.whole("count", COUNTS, self.problems);
                if top.present(&["count"]).is_empty() {
                    top.missing("count", self.problems);
                }
                let by = top.word("by", &SORT_WORDS, self.problems);
                order.by = by.unwrap_or(order.by);
                // It is on unless it is written to be off.
                let is_there = !top.present(&["numeric"]).is_empty();
                order.numeric = top.flag("numeric", self.problems) || !is_there;
                order.descending = !top.flag("smallest", self.problems);
                per_key = top.flag("per_key", self.problems);
                partitions = top.partitions(MOST_REDUCERS, self.problems);
                let given = top.present(&["partitions"]);
                if let (false, Some((_, place))) = (per_key, given.first()) {
                    let message = format!("`partitions` of {label} is of no use");
                    let help =
                        "what is first of all is one partition; it belongs to `per_key = true`";
                    self.problems
                        .push(Problem::new(place.clone(), message).help(help));
                }
                top.done(self.problems);
                count
            }
            other => {
                let wanted = "a whole number or { count, by, numeric, smallest, per_key }";
                self.problems
                    .push(wrong_type(self.node, label, wanted, other));
                None
            }
        };
        let count = count?.unsigned_abs();
        Some(if per_key {
            Derived::TopByKey(count, order, partitions)
        } else {
            Derived::Top(count, order)
        })
    }
}
