//! No circle between files: of two that use each other, neither can be read or changed
//! without the other.
//!
//! A file uses another one if it names something that is declared there; a module that
//! only hands a name on is passed through. Calls of methods show no name and are not
//! seen. Code of tests does not count, and neither does what a file uses of the modules
//! in which it lies: a child works on the types of its parent, which is how a type gets
//! more than one file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use syn::visit::{self, Visit};

#[path = "support/names.rs"]
mod names;
#[path = "support/sources.rs"]
mod sources;

use names::{HandedOn, Imports, handed_on_by, imports_of, origin, paths_in, resolve};
use sources::{File, Segments, file, files, outside_tests};

/// The circles that are wanted, all files of each; the first of them says why in a comment.
const DEFENDED: &[&[&str]] = &[
    // What fine mode launches passes through the task scheduler in the middle of a step.
    &[
        "mesquite_core::backend::manager",
        "mesquite_core::backend::mesos::desk",
        "mesquite_core::backend::mesos::fine",
        "mesquite_core::backend::mesos::fine::statuses",
    ],
];

/// What each file uses of which other one.
type Uses = BTreeMap<Segments, BTreeMap<Segments, BTreeSet<String>>>;

/// Collects where the names of a file lead.
struct Reader {
    module: Segments,
    imports: Imports,
    named: Vec<Segments>,
}

impl Reader {
    fn names(&mut self, path: &[String]) {
        let leads = resolve(path, &self.module, &self.imports);
        self.named.push(leads);
    }

    /// All that a `use` brings in.
    fn brings(&mut self, tree: &syn::UseTree, mut before: Segments) {
        match tree {
            syn::UseTree::Path(it) => {
                before.push(it.ident.to_string());
                self.brings(&it.tree, before);
            }
            syn::UseTree::Group(it) => {
                for tree in &it.items {
                    self.brings(tree, before.clone());
                }
            }
            syn::UseTree::Name(syn::UseName { ident })
            | syn::UseTree::Rename(syn::UseRename { ident, .. }) => {
                if ident != "self" {
                    before.push(ident.to_string());
                }
                self.names(&before);
            }
            syn::UseTree::Glob(_) => self.names(&before),
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if outside_tests(std::slice::from_ref(item)).next().is_some() {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        // What is handed on counts where it is used.
        if matches!(item.vis, syn::Visibility::Inherited) {
            self.brings(&item.tree, Segments::new());
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names = path.segments.iter().map(|it| it.ident.to_string());
        let names: Segments = names.collect();
        self.names(&names);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, it: &'ast syn::Macro) {
        for path in paths_in(it.tokens.clone()) {
            self.names(&path);
        }
    }
}

fn uses(files: &[File]) -> Uses {
    let imports: Vec<Imports> = files.iter().map(imports_of).collect();
    let mut handed_on = HandedOn::new();
    for (file, imports) in files.iter().zip(&imports) {
        handed_on.extend(handed_on_by(file, imports));
    }
    let modules: BTreeSet<&[String]> = files.iter().map(|it| &*it.module).collect();
    let mut uses = Uses::new();
    for (file, imports) in files.iter().zip(imports) {
        let mut reader = Reader {
            module: file.module.clone(),
            imports,
            named: Vec::new(),
        };
        reader.visit_file(&file.syntax);
        for named in reader.named {
            let named = origin(&named, &handed_on);
            let lengths = (1..=named.len()).rev();
            let of = lengths
                .map(|it| &named[..it])
                .find(|it| modules.contains(it));
            let of = of.unwrap_or_default();
            if !file.module.starts_with(of) {
                let used = uses.entry(file.module.clone()).or_default();
                let what = named[of.len()..].join("::");
                used.entry(of.to_vec()).or_default().insert(what);
            }
        }
    }
    uses
}

/// All files that a file leads to.
fn reached<'u>(uses: &'u Uses, from: &'u Segments) -> BTreeSet<&'u Segments> {
    let mut reached = BTreeSet::new();
    let mut to_visit = vec![from];
    while let Some(next) = to_visit.pop() {
        let used = uses.get(next).into_iter().flat_map(BTreeMap::keys);
        to_visit.extend(used.filter(|it| reached.insert(*it)));
    }
    reached
}

/// All files that lead to each other, circle by circle.
fn circles(uses: &Uses) -> BTreeSet<Vec<Segments>> {
    let reached: BTreeMap<_, _> = uses.keys().map(|it| (it, reached(uses, it))).collect();
    let leads_back =
        |from: &Segments, to: &Segments| reached.get(to).is_some_and(|it| it.contains(from));
    let circle = |(from, to): (&&Segments, &BTreeSet<&Segments>)| -> Vec<Segments> {
        let mut all: Vec<Segments> = to.iter().map(|it| (*it).clone()).collect();
        all.retain(|it| leads_back(from, it));
        all
    };
    let all = reached.iter().map(circle);
    all.filter(|it| !it.is_empty()).collect()
}

#[test]
fn no_files_use_each_other_but_those_that_say_why() {
    let uses = uses(&files());
    let mut report = String::new();
    let defended = DEFENDED.iter();
    let defended = defended.map(|all| all.iter().map(|it| (*it).to_owned()).collect());
    let mut defended: BTreeSet<Vec<String>> = defended.collect();
    for circle in circles(&uses) {
        let names: Vec<String> = circle.iter().map(|it| it.join("::")).collect();
        if defended.remove(&names) {
            continue;
        }
        let _ = writeln!(report, "a circle:");
        for one in &circle {
            for (other, what) in uses[one].iter().filter(|(it, _)| circle.contains(it)) {
                let (one, other) = (one.join("::"), other.join("::"));
                let _ = writeln!(report, "  {one} uses {what:?} of {other}");
            }
        }
    }
    for gone in defended {
        let _ = writeln!(report, "no circle any more: {gone:?}");
    }
    assert!(
        report.is_empty(),
        "move what both sides need below them:\n{report}"
    );
}

#[test]
fn a_circle_is_found_through_what_others_hand_on_and_not_seen_in_a_parent() {
    let found = |a: &str, b: &str, c: &str| {
        let in_crate = |path: &str, text: &str| file("mesquite_x", Path::new(path), text);
        let uses = uses(&[
            in_crate("lib.rs", "mod a; pub use b::B;"),
            in_crate("a/mod.rs", a),
            in_crate("a/c.rs", c),
            in_crate("b.rs", b),
        ]);
        circles(&uses).len()
    };
    assert_eq!(found("use crate::B; struct A(B);", "struct B;", ""), 0);
    let b = "use crate::a::A; struct B(A);";
    assert_eq!(found("use crate::B; struct A(B);", b, ""), 1);
    assert_eq!(found("fn f() { g!(x, crate::B::new()) }", b, ""), 1);
    assert_eq!(found("#[cfg(test)] mod t { use crate::B; }", b, ""), 0);
    assert_eq!(found("use c::C; struct A(C);", "", "use super::A;"), 0);
    assert_eq!(found("use c::C; struct A(C);", b, "use crate::B;"), 1);
}
