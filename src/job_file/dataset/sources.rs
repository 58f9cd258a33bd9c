//! Operations that begin a lineage, as they are written.

use toml::de::DeValue;

use super::{Input, Name, OperationSpec, Reader, SourceSpec, TextInput};
use crate::conf::units::{SizeUnit, parse_size};
use crate::ids::Host;
use crate::job_file::fields::{Fields, Node, text, texts, wrong_type};
use crate::job_file::problem::Problem;
use crate::plan::limits::MOST_PARTITIONS;

/// The size of a split unless the file says so.
const SPLIT: u64 = 32 << 20;

impl Reader<'_, '_, '_> {
    pub(super) fn range(&mut self, label: &str) -> Option<OperationSpec> {
        let mut range = Fields::of(self.node, label, self.problems)?;
        let start = range.whole("start", i64::MIN..=i64::MAX, self.problems);
        let end = range.whole("end", i64::MIN..=i64::MAX, self.problems);
        let partitions = range.partitions(MOST_PARTITIONS, self.problems);
        if range.present(&["end"]).is_empty() {
            range.missing("end", self.problems);
        }
        range.done(self.problems);
        Some(OperationSpec::Source(SourceSpec::Range {
            start: start.unwrap_or(0),
            end: end?,
            partitions: partitions.unwrap_or(1),
        }))
    }

    pub(super) fn items(&mut self, label: &str) -> Option<OperationSpec> {
        let DeValue::Array(list) = self.node.get_ref() else {
            let found = self.node.get_ref();
            self.problems
                .push(wrong_type(self.node, label, "a list", found));
            return None;
        };
        let items = list.iter().map(|it| self.item(it, label));
        let items = items.collect::<Option<_>>()?;
        Some(OperationSpec::Source(SourceSpec::Items(items)))
    }

    fn item(&mut self, node: Node<'_>, label: &str) -> Option<String> {
        let item = match node.get_ref() {
            DeValue::String(text) => text.clone().into_owned(),
            DeValue::Integer(number) => number.as_str().to_owned(),
            DeValue::Float(number) => number.as_str().to_owned(),
            other => {
                let each = format!("an entry of {label}");
                self.problems
                    .push(wrong_type(node, &each, "text or a number", other));
                return None;
            }
        };
        if item.contains('\n') {
            let message = format!("an entry of {label} has more than one line");
            let problem = Problem::new(node.span(), message);
            self.problems
                .push(problem.help("an item is one record, and a record is a line"));
            return None;
        }
        Some(item)
    }

    pub(super) fn union(&mut self, label: &str) -> Option<OperationSpec> {
        let parents: Vec<Name> = texts(self.node, label, self.problems)?;
        if parents.is_empty() {
            let problem = Problem::new(self.node.span(), format!("{label} is empty"));
            self.problems
                .push(problem.help("name at least one dataset"));
            return None;
        }
        Some(OperationSpec::Union(parents))
    }

    pub(super) fn text(&mut self, label: &str) -> Option<OperationSpec> {
        let split = match self.files.split {
            None => Some(SPLIT),
            Some(node) => {
                let label = self.label("split");
                let size = text(node, &label, self.problems)?;
                let bytes = parse_size(size.get_ref(), SizeUnit::Bytes).filter(|bytes| *bytes > 0);
                if bytes.is_none() {
                    let message = format!("{label} is no size: `{}`", size.get_ref());
                    let help = "a number with a unit, such as `32m` or `1g`";
                    self.problems
                        .push(Problem::new(node.span(), message).help(help));
                }
                bytes
            }
        };
        let DeValue::Array(list) = self.node.get_ref() else {
            let found = self.node.get_ref();
            let problem = wrong_type(self.node, label, "a list of files", found);
            self.problems
                .push(problem.help("write `text = [\"FILE\"]`"));
            return None;
        };
        let entries = list.iter().map(|node| self.input(node, label));
        let entries: Vec<_> = entries.collect::<Option<_>>()?;
        if entries.is_empty() {
            let problem = Problem::new(self.node.span(), format!("{label} names no file"));
            self.problems
                .push(problem.help("write `text = [\"FILE\"]`"));
            return None;
        }
        Some(OperationSpec::Source(SourceSpec::Text(TextInput {
            entries,
            split: split?,
            skip_header: self.files.skip_header,
        })))
    }

    fn input(&mut self, node: Node<'_>, label: &str) -> Option<Input> {
        let span = node.span();
        match node.get_ref() {
            DeValue::String(path) => Some(Input {
                path: path.clone().into_owned(),
                hosts: Vec::new(),
                span,
            }),
            DeValue::Table(table) => {
                let what = format!("an entry of {label}");
                let mut fields = Fields::new(table, what, span.clone());
                let path = fields.text("path", self.problems);
                let hosts = match fields.get("hosts") {
                    Some(hosts) => texts(hosts, "`hosts`", self.problems)?,
                    None => Vec::new(),
                };
                if path.is_none() && fields.present(&["path"]).is_empty() {
                    fields.missing("path", self.problems);
                }
                fields.done(self.problems);
                Some(Input {
                    path: path?.into_inner(),
                    hosts: hosts
                        .into_iter()
                        .map(|it| Host::from(it.into_inner()))
                        .collect(),
                    span,
                })
            }
            other => {
                let wanted = "text or { path, hosts }";
                let each = format!("an entry of {label}");
                self.problems.push(wrong_type(node, &each, wanted, other));
                None
            }
        }
    }
}
