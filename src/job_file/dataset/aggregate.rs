//! `aggregate_by_key`, as it is written.

use toml::de::DeValue;

use super::{Derived, Reader};
use crate::job_file::fields::{Fields, Node, suggestion, whole, wrong_type};
use crate::job_file::problem::Problem;
use crate::plan::limits::MOST_REDUCERS;
use crate::plan::measure::{Aggregate, MOST_MEASURES, Measure, Measures};
use crate::plan::operation::Combine;

/// The field of a measure that names none: what stands behind the key.
const VALUE: u32 = 2;

/// The measures, as they are written.
const WORDS: [(&str, Aggregate); 6] = [
    ("count", Aggregate::Count),
    ("sum", Aggregate::Sum),
    ("min", Aggregate::Min),
    ("max", Aggregate::Max),
    ("mean", Aggregate::Mean),
    ("count_distinct", Aggregate::CountDistinct),
];

impl Reader<'_, '_, '_> {
    pub(super) fn aggregate_by_key(&mut self, label: &str) -> Option<Derived> {
        let mut fields = Fields::of(self.node, label, self.problems)?;
        let values = fields.get("values");
        if values.is_none() {
            fields.missing("values", self.problems);
        }
        let partitions = fields.partitions(MOST_REDUCERS, self.problems);
        fields.done(self.problems);
        let measures = self.measures(values?, &format!("`values` of {label}"))?;
        let combine = Combine::Aggregate(measures);
        Some(Derived::Combine(combine, partitions))
    }

    fn measures(&mut self, node: Node<'_>, label: &str) -> Option<Measures> {
        let DeValue::Array(list) = node.get_ref() else {
            let wanted = "a list such as [\"count\", \"sum\", { max = 3 }]";
            self.problems
                .push(wrong_type(node, label, wanted, node.get_ref()));
            return None;
        };
        let each = format!("an entry of {label}");
        // All of them are read, so that all mistakes are found.
        let read: Vec<Option<Measure>> = list.iter().map(|it| self.measure(it, &each)).collect();
        let measures: Vec<_> = read.into_iter().collect::<Option<_>>()?;
        let all = Measures::new(&measures);
        if all.is_none() {
            let message = format!("{label} has {} entries", measures.len());
            let help = format!("from 1 to {MOST_MEASURES} of them");
            self.problems
                .push(Problem::new(node.span(), message).help(help));
        }
        all
    }

    /// A word, or a table of one word and the number of a field.
    fn measure(&mut self, node: Node<'_>, label: &str) -> Option<Measure> {
        let (word, field) = match node.get_ref() {
            DeValue::String(word) => (word.as_ref(), VALUE),
            DeValue::Table(table) if table.len() == 1 => {
                let (key, value) = table.iter().next()?;
                let label = format!("`{}` of {label}", key.get_ref());
                let field = whole(value, &label, 1..=i64::from(u32::MAX), self.problems)?;
                (key.get_ref().as_ref(), u32::try_from(field).ok()?)
            }
            other => {
                let wanted = "text, or a table with one field, such as { max = 3 }";
                self.problems.push(wrong_type(node, label, wanted, other));
                return None;
            }
        };
        let known = WORDS.iter().find(|(it, _)| *it == word);
        let Some((_, what)) = known else {
            let message = format!("{label}: `{word}` is not known");
            let mut problem = Problem::new(node.span(), message);
            problem.help = suggestion(word, WORDS.iter().map(|(it, _)| *it));
            self.problems.push(problem);
            return None;
        };
        if *what == Aggregate::Count && matches!(node.get_ref(), DeValue::Table(_)) {
            let message = format!("{label}: `count` is of records, and not of a field");
            let problem = Problem::new(node.span(), message);
            self.problems
                .push(problem.help("write `\"count\"`, or `count_distinct` for what a field has"));
        }
        Some(Measure { what: *what, field })
    }
}
