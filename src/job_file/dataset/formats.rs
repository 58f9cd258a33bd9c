//! Fields of CSV and JSON records, as they are written.

use toml::Spanned;
use toml::de::DeValue;

use super::{Derived, Reader};
use crate::job_file::fields::{Fields, Node, suggestion, texts, whole, wrong_type};
use crate::job_file::problem::Problem;
use crate::plan::operation::Change;

impl Reader<'_, '_, '_> {
    pub(super) fn csv(&mut self, label: &str) -> Option<Derived> {
        let mut csv = Fields::of(self.node, label, self.problems)?;
        let fields = csv.get("fields");
        let columns = csv.get("columns");
        let separator = csv.text("separator", self.problems);
        if fields.is_none() {
            csv.missing("fields", self.problems);
        }
        csv.done(self.problems);
        let columns = match columns {
            Some(node) => texts(node, &format!("`columns` of {label}"), self.problems)?,
            None => Vec::new(),
        };
        let separator = match separator {
            Some(separator) => self.separator(&separator, label)?,
            None => b',',
        };
        let fields = self.columns(fields?, &columns, &format!("`fields` of {label}"))?;
        Some(Derived::Change(Change::Csv { fields, separator }))
    }

    /// One byte that neither quotes nor ends anything.
    fn separator(&mut self, separator: &Spanned<String>, label: &str) -> Option<u8> {
        match separator.get_ref().as_bytes() {
            [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n') => Some(*byte),
            _ => {
                let message = format!("`separator` of {label} is no single character");
                let help = "one of ASCII, such as `,`, `;` or `\\t`; what is not quoted may be split \
                            by `key_by` with any text";
                self.problems
                    .push(Problem::new(separator.span(), message).help(help));
                None
            }
        }
    }

    /// Numbers of fields, or names of columns.
    fn columns(
        &mut self,
        node: Node<'_>,
        columns: &[Spanned<String>],
        label: &str,
    ) -> Option<Vec<u32>> {
        let DeValue::Array(list) = node.get_ref() else {
            let wanted = "a list of numbers, or of names of `columns`";
            self.problems
                .push(wrong_type(node, label, wanted, node.get_ref()));
            return None;
        };
        if list.is_empty() {
            let problem = Problem::new(node.span(), format!("{label} is empty"));
            self.problems.push(problem.help("name at least one field"));
        }
        let each = format!("an entry of {label}");
        // All of them are read, so that all mistakes are found.
        let read: Vec<Option<u32>> = list
            .iter()
            .map(|it| self.column(it, columns, &each))
            .collect();
        read.into_iter().collect()
    }

    fn column(&mut self, node: Node<'_>, columns: &[Spanned<String>], label: &str) -> Option<u32> {
        let DeValue::String(name) = node.get_ref() else {
            let number = whole(node, label, 1..=i64::from(u32::MAX), self.problems)?;
            return u32::try_from(number).ok();
        };
        let at = columns.iter().position(|it| it.get_ref() == name.as_ref());
        if at.is_none() {
            let message = format!("{label}: `{name}` is no column");
            let mut problem = Problem::new(node.span(), message);
            let known = columns.iter().map(|it| it.get_ref().as_str());
            problem.help = suggestion(name, known).or_else(|| {
                let help = "say how the columns are called, `columns = [\"name\", ...]`, or count \
                            them from 1";
                Some(help.to_owned())
            });
            self.problems.push(problem);
        }
        u32::try_from(at? + 1).ok()
    }

    pub(super) fn jsonl(&mut self, label: &str) -> Option<Derived> {
        let mut jsonl = Fields::of(self.node, label, self.problems)?;
        let fields = jsonl.get("fields");
        if fields.is_none() {
            jsonl.missing("fields", self.problems);
        }
        jsonl.done(self.problems);
        let label = format!("`fields` of {label}");
        let fields = fields?;
        let paths = texts(fields, &label, self.problems)?;
        if paths.is_empty() {
            let problem = Problem::new(fields.span(), format!("{label} is empty"));
            self.problems.push(problem.help("name at least one field"));
        }
        let mut all = Vec::new();
        for path in paths {
            let names: Vec<String> = path.get_ref().split('.').map(str::to_owned).collect();
            if names.iter().any(String::is_empty) {
                let message = format!("an entry of {label} has an empty name");
                let help = "names with a point between them, such as `user.name`";
                self.problems
                    .push(Problem::new(path.span(), message).help(help));
            }
            all.push(names);
        }
        Some(Derived::Change(Change::Jsonl(all)))
    }
}
