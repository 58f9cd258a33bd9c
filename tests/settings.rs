//! Every setting is one story: what is declared takes effect, what is ignored warns,
//! what is refused is an error, and the code and its documents name no other.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use mesquite::conf::foreign::{Foreign, IGNORED, REFUSED};
use mesquite::conf::problem::Remark;
use mesquite::conf::{Conf, Layer, Problem, Registry};
use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

#[path = "support/sources.rs"]
mod sources;

use sources::{files, outside_tests};

/// What a declared property is asked for by, beside its name: a function beside the
/// declaration, or another property that is the same unless it is set.
const READ_THROUGH: &[(&str, &str)] = &[
    ("DYNAMIC", "is_dynamic"),
    // It cannot be otherwise where executors come and go.
    ("SHUFFLE_TRACKING", "is_dynamic"),
    ("LOCALITY_WAIT", "LOCALITY_WAIT_NODE"),
    ("EXECUTOR_RESOURCE", "of_executor"),
    ("TASK_RESOURCE", "of_task"),
    ("REDACTION", "Redaction"),
    ("SSL", "scheme_of_masters"),
    ("SPARK_SSL", "scheme_of_masters"),
    ("AGENTS", "scheme_of_agents"),
    ("SPARK_TRUST_STORE", "CA_FILE"),
    ("SPARK_CERTIFICATES", "CERTIFICATE_FILE"),
    ("SPARK_KEY", "KEY_FILE"),
];

/// What looks like a property and is none.
const NO_PROPERTIES: &[&str] = &[
    "mesquite.1",
    "mesquite.schema.json",
    // Events of ours in an event log.
    "mesquite.Cluster",
    "mesquite.Offers",
    "mesquite.v1.rs",
    // Told of a job in an event log of Spark, and never set.
    "spark.job.tags",
];

/// What code that is no test mentions.
#[derive(Default)]
struct Mentions {
    /// The last parts of paths, imports apart.
    names: BTreeSet<String>,
    /// Words of strings and documentation that look like properties.
    properties: BTreeSet<String>,
}

impl<'ast> Visit<'ast> for Mentions {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if outside_tests(std::slice::from_ref(item)).next().is_some() {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, _: &'ast syn::ItemUse) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.names
            .extend(path.segments.last().map(|it| it.ident.to_string()));
        visit::visit_path(self, path);
    }

    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.properties.extend(properties_in(&text.value()));
    }

    fn visit_macro(&mut self, it: &'ast syn::Macro) {
        self.tokens(it.tokens.clone());
    }
}

impl Mentions {
    fn tokens(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    self.names.insert(name.to_string());
                }
                TokenTree::Literal(text) => {
                    self.properties.extend(properties_in(&text.to_string()));
                }
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Punct(_) => {}
            }
        }
    }
}

/// The words of a text that begin as properties do.
fn properties_in(text: &str) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let words = text.split(|c: char| !is_part(c));
    let names = words.filter(|it| it.starts_with("spark.") || it.starts_with("mesquite."));
    let trimmed = names.map(|it| it.trim_end_matches(['.', '-']).to_owned());
    trimmed.filter(|it| it.contains('.')).collect()
}

/// The statics that a file with `properties!` declares.
fn declared(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let (name, kind) = line.trim_start().strip_prefix("pub ")?.split_once(": ")?;
        let is_one = kind.starts_with("Property<") || kind.starts_with("Family<");
        is_one.then_some(name)
    })
}

/// Whether a property has this name, or some whose names go on from there.
fn is_known(name: &str) -> bool {
    let registry = Registry::all();
    let begins = |known: &str| known.starts_with(&format!("{name}."));
    let foreign = IGNORED.iter().chain(REFUSED);
    registry.find(name).is_some()
        || registry.find(&format!("{name}.any")).is_some()
        || registry.declarations().any(|it| begins(it.name()))
        || foreign.flat_map(|it| it.names).any(|it| begins(it))
}

/// Names of a list that can be set: something stands for each `*`.
fn settable(list: &'static [Foreign]) -> impl Iterator<Item = String> {
    list.iter()
        .flat_map(|it| it.names)
        .map(|it| it.replace('*', "any"))
}

fn set(name: &str) -> Result<Conf, Vec<Problem>> {
    let conf = Conf::builder().set(Layer::ConfOption, name, "something");
    conf.build().map_err(|error| error.problems().to_vec())
}

fn code() -> (Mentions, Mentions) {
    let (mut of_conf, mut others) = (Mentions::default(), Mentions::default());
    for file in files() {
        let is_conf = file
            .module
            .starts_with(&["mesquite_base".to_owned(), "conf".to_owned()]);
        let mentions = if is_conf { &mut of_conf } else { &mut others };
        mentions.visit_file(&file.syntax);
    }
    (of_conf, others)
}

#[test]
fn what_is_declared_is_asked_for_by_what_it_is_for() {
    let (_, code) = code();
    let mut count = 0;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/base/src/conf/properties");
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("a readable folder").path();
        let text = fs::read_to_string(&path).expect("a readable source file");
        for name in declared(&text) {
            count += 1;
            let through = READ_THROUGH.iter().find(|(it, _)| *it == name);
            let read = through.map_or(name, |(_, through)| through);
            assert!(
                code.names.contains(read),
                "{}: nothing reads {name}: move it to conf/foreign, or act on it",
                path.display()
            );
        }
    }
    assert_eq!(
        count,
        Registry::all().declarations().count(),
        "all that is declared was looked for"
    );
}

#[test]
fn what_is_ignored_warns_and_what_is_refused_is_an_error() {
    let refused: BTreeSet<_> = settable(REFUSED).collect();
    for name in settable(IGNORED).filter(|it| !refused.contains(it)) {
        let conf = set(&name).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        let told: Vec<_> = conf.warnings().iter().map(|it| it.remark).collect();
        assert!(
            matches!(told[..], [Remark::NoEffect(_)]),
            "{name}: {told:?}"
        );
        assert_eq!(conf.settings().count(), 0, "{name} has no value to ask for");
    }
    for name in refused {
        let problems = set(&name).expect_err(&name);
        assert!(
            matches!(problems[..], [Problem::Refused { .. }]),
            "{name}: {problems:?}"
        );
    }
}

#[test]
fn code_and_documents_name_properties_that_there_are() {
    let (of_conf, others) = code();
    let mut named = of_conf.properties;
    named.extend(others.properties);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let documents = fs::read_dir(root.join("docs")).expect("a folder");
    let documents = documents.map(|it| it.expect("a readable folder").path());
    for path in documents.chain([root.join("README.md")]) {
        if path.extension().is_some_and(|it| it == "md") {
            let text = fs::read_to_string(&path).expect("a readable document");
            named.extend(properties_in(&text));
        }
    }
    let unknown: Vec<_> = named
        .iter()
        .filter(|it| !is_known(it) && !NO_PROPERTIES.contains(&it.as_str()))
        .collect();
    assert_eq!(unknown, [""; 0], "misspelt, or in none of the three lists");
}

#[test]
fn an_import_and_a_test_read_nothing() {
    let names = |text: &str| {
        let mut mentions = Mentions::default();
        mentions.visit_file(&syn::parse_file(text).expect("code"));
        mentions.names
    };
    let reads = |text, name: &str| names(text).contains(name);
    assert!(reads("fn f() { conf.get(&A); conf.get(&p::B) }", "B"));
    assert!(reads("fn f() { format!(\"{}\", conf.get(&p::B)) }", "B"));
    assert!(!reads(
        "use crate::conf::{A, B}; fn f() { conf.get(&A) }",
        "B"
    ));
    assert!(!reads("#[cfg(test)] mod tests { fn f() { (A, B) } }", "B"));
    let text = "of `spark.executor.memory`, mesquite.a-b.\nand spark.";
    assert_eq!(
        properties_in(text),
        ["spark.executor.memory", "mesquite.a-b"]
    );
    assert!(is_known("spark.ssl") && is_known("spark.yarn.queue"));
    assert!(!is_known("spark.excutor.cores"));
}
