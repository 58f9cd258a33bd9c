//! `mesquite conf`: what can be set, and what is.
//!
//! Responsible for the listing on a terminal or in a pipe, in 80 columns, and
//! (in [`markdown`]) for the document made of the same declarations.

pub mod markdown;

use std::io::{self, Write};

use super::Environment;
use super::args::{ConfArgs, SettingsArgs};
use super::exit_code::Failure;
use super::settings;
use crate::conf::foreign::{self, Fate};
use crate::conf::property::{Declaration, DefaultValue};
use crate::conf::{Conf, Registry};

/// The widest line.
const COLUMNS: usize = 80;
const INDENT: &str = "    ";

/// Prints the properties that `args` ask for.
///
/// # Errors
/// Bad settings, a text that nothing has, or `out` that cannot be written to.
pub fn run(args: &ConfArgs, environment: &Environment, out: &mut dyn Write) -> Result<(), Failure> {
    let page = if args.markdown {
        markdown::document(Registry::all())
    } else {
        let conf = if is_empty(&args.settings) {
            None
        } else {
            Some(settings::load(&args.settings, environment)?)
        };
        let text = args.text.as_deref().unwrap_or_default();
        listing(Registry::all(), text, conf.as_ref()).ok_or_else(|| {
            Failure::Usage(format!("no property has `{text}` in its name or meaning"))
        })?
    };
    write(out, &page).map_err(Failure::Output)
}

fn write(out: &mut dyn Write, page: &str) -> io::Result<()> {
    out.write_all(page.as_bytes())?;
    out.flush()
}

fn is_empty(settings: &SettingsArgs) -> bool {
    let SettingsArgs {
        master,
        name,
        conf,
        properties_file,
    } = settings;
    master.is_none() && name.is_none() && conf.is_empty() && properties_file.is_none()
}

/// The properties with `text` in them, under the titles of their groups; with
/// `conf`, also what is set. `None` if there are none.
fn listing(registry: Registry, text: &str, conf: Option<&Conf>) -> Option<String> {
    let found = registry.search(text);
    if found.is_empty() {
        let told = match foreign::fate(text)? {
            Fate::Ignored(foreign) => format!("{text} has no effect: {}.", foreign.reason),
            Fate::Refused(foreign) => format!("{text} is refused: {}.", foreign.reason),
        };
        return Some(filled("", &told));
    }
    let mut page = String::new();
    for group in registry.groups() {
        let members: Vec<_> = group
            .declarations
            .iter()
            .filter(|declaration| found.iter().any(|one| one.name() == declaration.name()))
            .collect();
        if members.is_empty() {
            continue;
        }
        if !page.is_empty() {
            page.push('\n');
        }
        page.push_str(&format!("{}\n", group.title.to_uppercase()));
        for declaration in members {
            page.push('\n');
            page.push_str(&entry(declaration, conf));
        }
    }
    Some(page)
}

fn entry(declaration: &Declaration, conf: Option<&Conf>) -> String {
    let mut lines = format!("{}\n", declaration.name());
    let kind = format!(
        "{}; {}",
        declaration.syntax().summary(),
        default_in_words(declaration)
    );
    lines.push_str(&filled(INDENT, &kind));
    if let Some(variable) = declaration.environment() {
        lines.push_str(&filled(INDENT, &format!("environment: {variable}")));
    }
    if let Some(name) = declaration.former() {
        lines.push_str(&filled(INDENT, &format!("old name: {name}")));
    }
    for (name, value, source) in conf.iter().flat_map(|conf| conf.settings()) {
        if name == declaration.name() {
            lines.push_str(&filled(INDENT, &format!("set to: {value} ({source})")));
        } else if declaration.member(name).is_some() {
            let line = format!("{name} set to: {value} ({source})");
            lines.push_str(&filled(INDENT, &line));
        }
    }
    lines.push_str(&filled(INDENT, &declaration.meaning().replace('`', "")));
    lines
}

fn default_in_words(declaration: &Declaration) -> String {
    match declaration.default() {
        DefaultValue::Text(text) => format!("default: {text}"),
        DefaultValue::SameAs(other) => format!("default: that of {}", other.name()),
        DefaultValue::Unset(otherwise) => format!("default: none ({otherwise})"),
    }
}

/// `text` in lines of at most [`COLUMNS`], each beginning with `indent`. A word
/// longer than a line stands alone.
fn filled(indent: &str, text: &str) -> String {
    let mut lines = String::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let width = indent.len() + line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && width > COLUMNS {
            lines.push_str(&format!("{indent}{line}\n"));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push_str(&format!("{indent}{line}\n"));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::Layer;

    #[test]
    fn an_entry_tells_type_default_and_meaning() {
        let page = listing(Registry::all(), "spark.mesos.secret", None).expect("some");
        assert!(
            page.starts_with(
                "MESOS\n\nspark.mesos.secret\n    \
                 secret; default: none (the principal has no secret)\n    \
                 environment: SPARK_MESOS_SECRET\n    \
                 The secret that belongs to the principal."
            ),
            "{page}"
        );
        assert!(!page.contains("EXECUTORS"));
    }

    #[test]
    fn no_line_is_wider_than_80_columns() {
        let page = listing(Registry::all(), "", None).expect("some");
        for line in page.lines() {
            assert!(line.chars().count() <= COLUMNS, "{line}");
            assert_eq!(line.trim_end(), line);
        }
    }

    #[test]
    fn what_is_set_is_shown_with_its_place_and_without_secrets() {
        let conf = Conf::builder()
            .set(Layer::ConfOption, "spark.mesos.principal", "me")
            .set(Layer::ConfOption, "spark.mesos.secret", "hunter2")
            .build()
            .expect("good");
        let page = listing(Registry::all(), "spark.mesos.secret", Some(&conf)).expect("some");
        assert!(
            page.contains("    set to: *** (command line, --conf)\n"),
            "{page}"
        );
        assert!(!page.contains("hunter2"));
    }

    #[test]
    fn a_name_of_sparks_that_does_nothing_is_explained() {
        let page = listing(Registry::all(), "spark.yarn.queue", None).expect("some");
        assert_eq!(
            page,
            "spark.yarn.queue has no effect: it is for another cluster manager.\n"
        );
        assert_eq!(listing(Registry::all(), "zzz", None), None);
    }

    #[test]
    fn long_words_stand_alone() {
        let long = "x".repeat(100);
        assert_eq!(
            filled("  ", &format!("a {long} b")),
            format!("  a\n  {long}\n  b\n")
        );
        assert_eq!(filled("", ""), "\n");
    }
}
