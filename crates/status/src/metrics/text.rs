//! Prometheus's text format.
//!
//! Responsible for how metrics are written, and for names of applications that are full of
//! quotes. What they count is said by whoever writes them.

use std::fmt::{Display, Write as _};

/// Metrics whose names begin alike.
pub(super) struct Text {
    beginning: &'static str,
    text: String,
}

impl Text {
    pub(super) const fn new(beginning: &'static str) -> Self {
        let text = String::new();
        Self { beginning, text }
    }

    /// A metric with a value for each of these labels: a counter if it is a total.
    pub(super) fn add<V: Display>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (String, V)>,
    ) {
        let kind = if name.ends_with("_total") {
            "counter"
        } else {
            "gauge"
        };
        let name = format!("{}_{name}", self.beginning);
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(self.text, "{name}{labels} {value}");
        }
    }

    pub(super) fn one(&mut self, name: &str, help: &str, value: u64) {
        self.add(name, help, [(String::new(), value)]);
    }

    pub(super) fn into_string(self) -> String {
        self.text
    }
}

/// These labels, as they stand after a metric's name.
pub(super) fn labels(all: &[(&str, &str)]) -> String {
    let escaped = |value: &str| {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        value.replace('\n', "\\n")
    };
    let all = all.iter();
    let all: Vec<_> = all
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
        .collect();
    format!("{{{}}}", all.join(","))
}

/// A time in the unit that Prometheus has for times.
pub(super) fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_has_a_kind_and_its_labels_are_escaped() {
        let mut text = Text::new("a");
        let label = labels(&[("name", "x\"\\\ny"), ("id", "0")]);
        text.add("b_total", "Of b.", [(label, 1.5)]);
        text.one("c", "Of c.", 2);
        let wanted = "# HELP a_b_total Of b.\n# TYPE a_b_total counter\n\
                      a_b_total{name=\"x\\\"\\\\\\ny\",id=\"0\"} 1.5\n\
                      # HELP a_c Of c.\n# TYPE a_c gauge\na_c 2\n";
        assert_eq!(text.into_string(), wanted);
    }
}
