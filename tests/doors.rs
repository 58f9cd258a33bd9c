//! No door without a room, no room without a door: every variant of an enum of
//! `src/` is made by code that is no test, and every answer of a machine is looked at
//! by some.
//!
//! Events and actions are enums, so an input that nobody sends and an output that
//! nobody heeds show here. The compiler says so of what is private; this test of
//! the rest. It reads the sources as syntax:
//!
//! - a variant is made where it stands in an expression, is read from a file
//!   (`Deserialize`) or a command line, is what an error becomes (`#[from]`), or what
//!   `Default` gives;
//! - it is looked at where it stands in a pattern whose arm does something, where
//!   something is compared with it, written to a file (`Serialize`), or has words
//!   of its own (`#[error]`). Asked of what machines give out alone: that their inputs
//!   are taken the compiler sees, and of two states it is enough to ask for one.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Expr, Pat, Token};

#[path = "support/names.rs"]
mod names;
#[path = "support/sources.rs"]
mod sources;

use names::{HandedOn, Imports, handed_on_by, imports_of, origin, paths_in, resolve};
use sources::{File, Segments, file, files, outside_tests};

/// How the names of those enums end that machines answer with.
const OUTPUTS: &[&str] = &[
    "Action",
    "Cause",
    "Command",
    "Effect",
    "End",
    "Fact",
    "Instruction",
    "Notice",
    "Progress",
    "Reason",
    "Report",
    "Request",
    "Verdict",
];

/// What is there ahead of its use, and which issue of the plan it is for. Spark's own
/// rules with Spark's own cases as tests; nothing else belongs here.
const AWAITED: &[(&str, &str)] = &[
    (
        "mesquite_mesos::call::Call::UpdateFramework",
        "issue 16: offer constraints",
    ),
    (
        "mesquite_scheduler::dag_scheduler::dag_event::DagEvent::CapacityChanged",
        "issue 16: barrier stages",
    ),
];

struct Declared {
    module: Segments,
    name: String,
    variants: Vec<String>,
    /// Variants that something else than an expression makes, or than a pattern reads.
    made: BTreeSet<String>,
    read: BTreeSet<String>,
}

#[derive(Default)]
struct Uses {
    made: BTreeSet<Segments>,
    read: BTreeSet<Segments>,
}

/// What a `derive` names, without its path.
fn derives(attributes: &[syn::Attribute]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for attribute in attributes.iter().filter(|it| it.path().is_ident("derive")) {
        let _ = attribute.parse_nested_meta(|meta| {
            found.extend(meta.path.segments.last().map(|it| it.ident.to_string()));
            Ok(())
        });
    }
    found
}

impl Declared {
    fn of(module: &Segments, item: &syn::ItemEnum) -> Self {
        let derived = derives(&item.attrs);
        let any = |names: &[&str]| names.iter().any(|it| derived.contains(*it));
        let names = || item.variants.iter().map(|it| it.ident.to_string());
        let with = |attribute: &str| {
            let has = |it: &&syn::Variant| it.attrs.iter().any(|it| it.path().is_ident(attribute));
            let found: Vec<_> = item.variants.iter().filter(has).collect();
            found.into_iter().map(|it| it.ident.to_string())
        };
        let mut made: BTreeSet<_> = with("default").collect();
        let converted = |it: &&syn::Variant| {
            let mut fields = it.fields.iter().flat_map(|it| &it.attrs);
            fields.any(|it| it.path().is_ident("from"))
        };
        let all = item.variants.iter();
        made.extend(all.filter(converted).map(|it| it.ident.to_string()));
        if any(&["Deserialize", "Subcommand", "ValueEnum"]) {
            made.extend(names());
        }
        let mut read: BTreeSet<_> = with("error").collect();
        let word = item.ident.to_string();
        if any(&["Serialize"]) || !OUTPUTS.iter().any(|it| word.ends_with(it)) {
            read.extend(names());
        }
        Self {
            module: module.clone(),
            name: item.ident.to_string(),
            variants: names().collect(),
            made,
            read,
        }
    }
}

fn declared(module: &Segments, items: &[syn::Item], found: &mut Vec<Declared>) {
    for item in outside_tests(items) {
        match item {
            syn::Item::Enum(item) => found.push(Declared::of(module, item)),
            syn::Item::Mod(inner) => {
                if let Some((_, items)) = &inner.content {
                    let mut module = module.clone();
                    module.push(inner.ident.to_string());
                    declared(&module, items, found);
                }
            }
            _ => {}
        }
    }
}

/// Collects the paths of a file, by what is done there.
struct Reader<'a> {
    module: Segments,
    imports: Imports,
    /// What `Self` is.
    itself: Segments,
    /// Whether the arm of the pattern does nothing.
    ignores: bool,
    uses: &'a mut Uses,
}

impl Reader<'_> {
    fn segments(&self, path: &syn::Path) -> Segments {
        let names: Segments = path
            .segments
            .iter()
            .map(|it| it.ident.to_string())
            .collect();
        if names[0] == "Self" {
            return self.itself.iter().chain(&names[1..]).cloned().collect();
        }
        resolve(&names, &self.module, &self.imports)
    }

    fn makes(&mut self, path: &syn::Path) {
        let path = self.segments(path);
        self.uses.made.insert(path);
    }

    fn reads(&mut self, path: &syn::Path) {
        if !self.ignores {
            let path = self.segments(path);
            self.uses.read.insert(path);
        }
    }

    /// What is compared is looked at.
    fn compares(&mut self, side: &Expr) {
        match side {
            Expr::Path(it) => self.reads(&it.path),
            Expr::Struct(it) => self.reads(&it.path),
            Expr::Call(it) => {
                if let Expr::Path(function) = &*it.func {
                    self.reads(&function.path);
                }
                it.args.iter().for_each(|it| self.compares(it));
            }
            Expr::Reference(it) => self.compares(&it.expr),
            Expr::Paren(it) => self.compares(&it.expr),
            other => self.visit_expr(other),
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
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

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let mut itself = Vec::new();
        if let syn::Type::Path(it) = &*item.self_ty {
            itself = self.segments(&it.path);
        }
        let before = std::mem::replace(&mut self.itself, itself);
        visit::visit_item_impl(self, item);
        self.itself = before;
    }

    fn visit_item_use(&mut self, _: &'ast syn::ItemUse) {}

    fn visit_expr_path(&mut self, it: &'ast syn::ExprPath) {
        self.makes(&it.path);
    }

    fn visit_expr_struct(&mut self, it: &'ast syn::ExprStruct) {
        self.makes(&it.path);
        visit::visit_expr_struct(self, it);
    }

    fn visit_expr_binary(&mut self, it: &'ast syn::ExprBinary) {
        if matches!(it.op, syn::BinOp::Eq(_) | syn::BinOp::Ne(_)) {
            self.compares(&it.left);
            self.compares(&it.right);
        } else {
            visit::visit_expr_binary(self, it);
        }
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        self.ignores = does_nothing(&arm.body);
        self.visit_pat(&arm.pat);
        self.ignores = false;
        if let Some((_, guard)) = &arm.guard {
            self.visit_expr(guard);
        }
        self.visit_expr(&arm.body);
    }

    fn visit_pat(&mut self, pattern: &'ast Pat) {
        match pattern {
            Pat::Path(it) => return self.reads(&it.path),
            Pat::TupleStruct(it) => self.reads(&it.path),
            Pat::Struct(it) => self.reads(&it.path),
            // A variant that was imported looks like a binding.
            Pat::Ident(it) if it.subpat.is_none() => {
                return self.reads(&it.ident.clone().into());
            }
            _ => {}
        }
        visit::visit_pat(self, pattern);
    }

    fn visit_macro(&mut self, it: &'ast syn::Macro) {
        let tokens = it.tokens.clone();
        let matches = |input: syn::parse::ParseStream<'_>| {
            let value: Expr = input.parse()?;
            input.parse::<Token![,]>()?;
            let pattern = Pat::parse_multi_with_leading_vert(input)?;
            let guard = if input.parse::<Option<Token![if]>>()?.is_some() {
                Some(input.parse::<Expr>()?)
            } else {
                None
            };
            input.parse::<Option<Token![,]>>()?;
            Ok((value, pattern, guard))
        };
        if it.path.is_ident("matches")
            && let Ok((value, pattern, guard)) = matches.parse2(tokens.clone())
        {
            self.visit_expr(&value);
            self.visit_pat(&pattern);
            if let Some(guard) = &guard {
                self.visit_expr(guard);
            }
            return;
        }
        let arguments = Punctuated::<Expr, Token![,]>::parse_terminated;
        if let Ok(arguments) = arguments.parse2(tokens.clone()) {
            arguments.iter().for_each(|it| self.visit_expr(it));
            return;
        }
        self.any_use(tokens);
    }
}

impl Reader<'_> {
    /// Of other macros nothing is known: what stands in them is used somehow.
    fn any_use(&mut self, tokens: proc_macro2::TokenStream) {
        for path in paths_in(tokens).into_iter().filter(|it| it.len() > 1) {
            let path = if path[0] == "Self" {
                self.itself.iter().chain(&path[1..]).cloned().collect()
            } else {
                resolve(&path, &self.module, &self.imports)
            };
            self.uses.made.insert(path.clone());
            self.uses.read.insert(path);
        }
    }
}

/// Whether the body of an arm is empty, or an empty list.
fn does_nothing(body: &Expr) -> bool {
    match body {
        Expr::Block(it) => match &it.block.stmts[..] {
            [] => true,
            [syn::Stmt::Expr(body, None)] => does_nothing(body),
            _ => false,
        },
        Expr::Call(it) => {
            let Expr::Path(made) = &*it.func else {
                return false;
            };
            let names: Vec<_> = made
                .path
                .segments
                .iter()
                .map(|it| it.ident.to_string())
                .collect();
            names == ["Vec", "new"] && it.args.is_empty()
        }
        _ => false,
    }
}

/// The variants of `files` that nothing makes, and those that nothing looks at.
fn without_use(files: &[File]) -> (Vec<String>, Vec<String>) {
    let mut enums = Vec::new();
    let mut uses = Uses::default();
    let mut handed_on = HandedOn::new();
    for file in files {
        declared(&file.module, &file.syntax.items, &mut enums);
        let imports = imports_of(file);
        handed_on.extend(handed_on_by(file, &imports));
        let mut reader = Reader {
            module: file.module.clone(),
            imports,
            itself: Vec::new(),
            ignores: false,
            uses: &mut uses,
        };
        reader.visit_file(&file.syntax);
    }
    let through = |paths: &BTreeSet<Segments>| -> BTreeSet<Segments> {
        paths.iter().map(|it| origin(it, &handed_on)).collect()
    };
    let uses = Uses {
        made: through(&uses.made),
        read: through(&uses.read),
    };
    let (mut unmade, mut unread) = (Vec::new(), Vec::new());
    for one in &enums {
        for variant in &one.variants {
            let used = |paths: &BTreeSet<Segments>| {
                paths
                    .iter()
                    .any(|path| leads_to(path, one, variant, &enums))
            };
            let name = format!("{}::{}::{variant}", one.module.join("::"), one.name);
            if !one.made.contains(variant) && !used(&uses.made) {
                unmade.push(name.clone());
            }
            if !one.read.contains(variant) && !used(&uses.read) {
                unread.push(name);
            }
        }
    }
    (unmade, unread)
}

/// Whether a path leads to a variant: by the module of its enum, or by one above that
/// hands it on.
fn leads_to(path: &[String], to: &Declared, variant: &str, all: &[Declared]) -> bool {
    let [module @ .., name, last] = path else {
        return false;
    };
    if last != variant || *name != to.name || !to.module.starts_with(module) {
        return false;
    }
    // The nearest of those with this name.
    let others = all
        .iter()
        .filter(|it| it.name == to.name && it.module.starts_with(module));
    others.map(|it| it.module.len()).min() == Some(to.module.len())
}

#[test]
fn every_variant_is_made_and_looked_at_outside_tests() {
    let (mut unmade, mut unread) = without_use(&files());
    let mut report = String::new();
    for (awaited, issue) in AWAITED {
        if !unmade.iter().chain(&unread).any(|it| it == awaited) {
            let _ = writeln!(
                report,
                "{awaited} is in use by now ({issue}): strike it off the list"
            );
        }
    }
    let is_awaited = |name: &String| AWAITED.iter().any(|(it, _)| it == name);
    unmade.retain(|it| !is_awaited(it));
    unread.retain(|it| !is_awaited(it));
    for name in unmade {
        let _ = writeln!(report, "{name}: nothing but tests makes it");
    }
    for name in unread {
        let _ = writeln!(report, "{name}: nothing but tests looks at it");
    }
    assert!(
        report.is_empty(),
        "wire it to a use or delete it:\n{report}"
    );
}

#[test]
fn what_is_made_and_what_is_looked_at_is_told_apart() {
    let found = |others: &str| {
        let action = "pub enum Action { A, B { x: u8 }, C(u8) }";
        let files = [
            file("mesquite_a", Path::new("core/action.rs"), action),
            file("mesquite_a", Path::new("lib.rs"), "pub use self::core;"),
            file(
                "mesquite_b",
                Path::new("shell.rs"),
                &others.replace("crate", "mesquite_a"),
            ),
            file(
                "mesquite_c",
                Path::new("lib.rs"),
                "pub use mesquite_a::core as kernel;",
            ),
        ];
        let (unmade, unread) = without_use(&files);
        let last = |names: Vec<String>| -> String {
            names
                .iter()
                .filter_map(|it| it.rsplit("::").next())
                .collect()
        };
        (last(unmade), last(unread))
    };
    let all = || (String::from("ABC"), String::from("ABC"));
    assert_eq!(found(""), all());
    let makes =
        "use crate::core::Action; fn f() { g(Action::A, Action::B { x: 1 }, x.map(Action::C)) }";
    assert_eq!(found(makes), (String::new(), "ABC".into()));
    let reads = "use crate::core::action as e; fn f() { match x { e::Action::A => 1, \
                 e::Action::B { .. } | e::Action::C(_) => 2 } }";
    assert_eq!(found(reads), ("ABC".into(), String::new()));
    let ignores = "use crate::core::action::Action; fn f() { match x { Action::A => 1, _ => 2 }; \
                   match x { Action::B { .. } => {} Action::C(1) if y => {} } }";
    assert_eq!(found(ignores), ("ABC".into(), "BC".into()));
    let compares = "use crate::core::action::Action::{self, A}; \
                    fn f() { x == A || matches!(x, Action::B { .. } if y) || x != Some(Action::C(1)) }";
    assert_eq!(found(compares), ("ABC".into(), String::new()));
    let in_tests = "#[cfg(test)] mod tests { use crate::core::Action; fn f() { Action::A } }";
    assert_eq!(found(in_tests), all());
    let another = "enum Action { A } fn f() { Action::A; Action::C }";
    assert_eq!(found(another), ("ABC".into(), "ABCA".into()));
}
