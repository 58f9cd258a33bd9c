//! The document of all properties, `docs/configuration.md`.
//!
//! Responsible for its text. It is made by `mesquite conf --markdown`; a test
//! compares the file with what is made here.

use crate::conf::Registry;
use crate::conf::foreign::{Foreign, IGNORED, REFUSED};
use crate::conf::property::{Declaration, DefaultValue};

const BEGINNING: &str = "\
# Configuration

<!-- Made by `mesquite conf --markdown`. Change the declarations in
crates/base/src/conf/properties, not this file. -->

Properties have Spark's names and meanings wherever Spark has one; those of
Mesquite's own begin with `mesquite.`. `mesquite conf` lists them,
`mesquite conf TEXT` those with a text in their name or meaning, and
`mesquite conf --properties-file FILE` checks a file and shows what it sets.

A property can be set in several places. The first of these that sets it wins:

1. an option of its own, such as `--master` for `spark.master`;
2. `--conf KEY=VALUE`; the last one, if it is repeated;
3. the file of `--properties-file`, written as `spark-defaults.conf`;
4. the environment variable that the property names, if it names one.

A properties file has one setting a line: name and value with blanks, `=` or `:`
between them. Lines that begin with `#` or `!` are comments, and a backslash at
the end of a line goes on with the next.

All mistakes are reported at once, before anything runs, with exit code 2. A
property that nobody knows is a mistake too. Names of Spark's that do nothing
here stand at the end: those that nobody misses are accepted with a warning, the
others are refused.

Times are a number and a unit: `us`, `ms`, `s`, `m` (or `min`), `h` or `d`. Sizes
are a whole number and `b`, `k`, `m`, `g` or `t`, in steps of 1024. A bare number
counts the unit in the column *Type*.
";

const REFUSED_BEGINNING: &str = "
## Spark's properties that are refused

A run without them would not be what was asked for: unsafe, or with other results
or in another place than whoever set them believes. They are a mistake when they
ask for something; empty, `false` and zero ask for nothing, so that
`--conf NAME=` takes back what a properties file says. A `*` stands for anything.

| Properties | Why they are refused, and what there is |
| --- | --- |
";

const IGNORED_BEGINNING: &str = "
## Spark's properties without effect

They are accepted with a warning. A `*` stands for anything; the properties that
are refused are excepted.

| Properties | Why they have no effect |
| --- | --- |
";

/// The whole document.
pub fn document(registry: Registry) -> String {
    let mut page = BEGINNING.to_owned();
    for group in registry.groups() {
        page.push_str(&format!(
            "\n## {}\n\n| Property | Type | Default | Meaning |\n| --- | --- | --- | --- |\n",
            group.title
        ));
        for declaration in group.declarations {
            page.push_str(&row(declaration));
        }
    }
    page.push_str(REFUSED_BEGINNING);
    page.extend(REFUSED.iter().map(foreign_row));
    page.push_str(IGNORED_BEGINNING);
    page.extend(IGNORED.iter().map(foreign_row));
    page
}

fn foreign_row(foreign: &Foreign) -> String {
    let names = foreign.names.iter();
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    format!("| {} | {} |\n", names.join(", "), foreign.reason)
}

fn row(declaration: &Declaration) -> String {
    let default = match declaration.default() {
        DefaultValue::Text(text) => format!("`{text}`"),
        DefaultValue::SameAs(other) => format!("that of `{}`", other.name()),
        DefaultValue::Unset(otherwise) => format!("none: {otherwise}"),
    };
    let mut meaning = declaration.meaning();
    if let Some(variable) = declaration.environment() {
        meaning.push_str(&format!(" Environment: `{variable}`."));
    }
    if let Some(name) = declaration.former() {
        meaning.push_str(&format!(" Older Spark: `{name}`."));
    }
    let cells = [
        format!("`{}`", declaration.name()),
        declaration.syntax().summary(),
        default,
        meaning,
    ];
    // A bar would end the cell.
    let cells = cells.map(|cell| cell.replace('|', "\\|"));
    format!("| {} |\n", cells.join(" | "))
}
