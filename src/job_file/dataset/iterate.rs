//! Reading `iterate`.

use toml::de::DeValue;

use super::Reader;
use super::operation::{Derived, IterateSpec, UntilEmpty};
use crate::job_file::fields::{Fields, text, wrong_type};
use crate::job_file::problem::Problem;
use crate::plan::limits::MOST_ROUNDS;

/// So many rounds there may be where no number is given.
const ROUNDS: u32 = 100;

impl Reader<'_, '_, '_> {
    pub(super) fn iterate(&mut self, label: &str) -> Option<Derived> {
        let mut iterate = Fields::of(self.node, label, self.problems)?;
        let next = iterate.text("next", self.problems);
        if next.is_none() && iterate.present(&["next"]).is_empty() {
            iterate.missing("next", self.problems);
        }
        let most = i64::from(MOST_ROUNDS);
        let times = iterate.whole("times", 1..=most, self.problems);
        let until_empty = match iterate.get("until_empty") {
            None => UntilEmpty::Never,
            Some(node) => match node.get_ref() {
                DeValue::Boolean(true) => UntilEmpty::Left,
                DeValue::Boolean(false) => UntilEmpty::Never,
                DeValue::String(_) => {
                    let label = format!("`until_empty` of {label}");
                    UntilEmpty::Watched(text(node, &label, self.problems)?)
                }
                other => {
                    let label = format!("`until_empty` of {label}");
                    let wanted = "true or false or the name of a dataset";
                    self.problems.push(wrong_type(node, &label, wanted, other));
                    UntilEmpty::Left
                }
            },
        };
        let are_given = !iterate.present(&["times"]).is_empty();
        if !are_given && matches!(until_empty, UntilEmpty::Never) {
            let message = format!("{label} has no end");
            let help = "say how many rounds with `times = N`, or `until_empty = true`";
            self.problems
                .push(Problem::new(self.node.span(), message).help(help));
        }
        iterate.done(self.problems);
        Some(Derived::Iterate(IterateSpec {
            next: next?,
            rounds: times.map_or(ROUNDS, |it| u32::try_from(it).unwrap_or(ROUNDS)),
            are_given,
            until_empty,
        }))
    }
}
