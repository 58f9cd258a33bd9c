//! The document of all properties, `docs/configuration.md`.
//!
//! Responsible for its text. It is made by `mesquite conf --markdown`; a test
//! compares the file with what is made here.

use crate::conf::Registry;
use crate::conf::foreign::FOREIGN;
use crate::conf::property::{Declaration, DefaultValue};

const BEGINNING: &str = "\
# Configuration

<!-- Made by `mesquite conf --markdown`. Change the declarations in
src/conf/properties, not this file. -->

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
here are accepted with a warning; they stand at the end.

Times are a number and a unit: `us`, `ms`, `s`, `m` (or `min`), `h` or `d`. Sizes
are a whole number and `b`, `k`, `m`, `g` or `t`, in steps of 1024. A bare number
counts the unit in the column *Type*.
";

const FOREIGN_BEGINNING: &str = "
## Spark's properties without effect

A name that ends in `*` stands for all that begin so.

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
    page.push_str(FOREIGN_BEGINNING);
    for foreign in FOREIGN {
        let names: Vec<String> = foreign
            .names
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        page.push_str(&format!("| {} | {} |\n", names.join(", "), foreign.reason));
    }
    page
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
