//! Where the names in sources lead: through imports, and through modules that hand on what
//! others have.

use std::collections::BTreeMap;

use syn::visit::{self, Visit};

use super::sources::{File, Segments, is_test};

/// The names of a file that lead elsewhere.
pub type Imports = BTreeMap<String, Segments>;

/// Where a path leads from a module.
pub fn resolve(path: &[String], module: &[String], imports: &Imports) -> Segments {
    let mut base = module.to_vec();
    let mut rest = path;
    match path.first().map(String::as_str) {
        Some("crate") => return module[..1].iter().chain(&path[1..]).cloned().collect(),
        Some(other) if other == "mesquite" || other.starts_with("mesquite_") => {
            return path.to_vec();
        }
        Some("self") => rest = &path[1..],
        Some("super") => {
            while let Some(("super", more)) = rest.split_first().map(|(a, b)| (a.as_str(), b)) {
                base.pop();
                rest = more;
            }
        }
        Some(first) => {
            if let Some(leads) = imports.get(first) {
                return leads.iter().chain(&path[1..]).cloned().collect();
            }
        }
        None => {}
    }
    base.extend(rest.iter().cloned());
    base
}

fn imported(tree: &syn::UseTree, before: &Segments, module: &[String], imports: &mut Imports) {
    let with = |name: &syn::Ident| {
        let mut path = before.clone();
        path.push(name.to_string());
        path
    };
    match tree {
        syn::UseTree::Path(it) => imported(&it.tree, &with(&it.ident), module, imports),
        syn::UseTree::Name(it) if it.ident == "self" => {
            if let Some(last) = before.last() {
                imports.insert(last.clone(), resolve(before, module, imports));
            }
        }
        syn::UseTree::Name(it) => {
            let leads = resolve(&with(&it.ident), module, &Imports::new());
            imports.insert(it.ident.to_string(), leads);
        }
        syn::UseTree::Rename(it) => {
            let leads = resolve(&with(&it.ident), module, &Imports::new());
            imports.insert(it.rename.to_string(), leads);
        }
        syn::UseTree::Group(it) => {
            for tree in &it.items {
                imported(tree, before, module, imports);
            }
        }
        syn::UseTree::Glob(_) => {}
    }
}

/// Collects what a file imports, wherever.
struct Importing<'a> {
    module: &'a Segments,
    imports: Imports,
}

impl<'ast> Visit<'ast> for Importing<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        imported(&item.tree, &Vec::new(), self.module, &mut self.imports);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }
}

/// What a file imports, wherever.
pub fn imports_of(file: &File) -> Imports {
    let mut importing = Importing {
        module: &file.module,
        imports: Imports::new(),
    };
    importing.visit_file(&file.syntax);
    importing.imports
}

/// What modules have that stands elsewhere, with where that is.
pub type HandedOn = BTreeMap<Segments, Segments>;

/// What a module has of its imports.
pub fn handed_on_by(file: &File, imports: &Imports) -> HandedOn {
    let mut handed_on = HandedOn::new();
    for (name, leads) in imports {
        let mut here = file.module.clone();
        here.push(name.clone());
        if !leads.starts_with(&here) {
            handed_on.insert(here, leads.clone());
        }
    }
    handed_on
}

/// Where a path ends that may go through modules that hand things on, as the roots of
/// crates do with those of others.
pub fn origin(path: &[String], handed_on: &HandedOn) -> Segments {
    // What hands on to each other in a circle does not compile.
    const MOST_STEPS: usize = 8;
    let mut path = path.to_vec();
    for _ in 0..MOST_STEPS {
        let longest_first = (1..=path.len()).rev();
        let step = |length: usize| Some((length, handed_on.get(&path[..length])?));
        let Some((length, leads)) = longest_first.into_iter().find_map(step) else {
            break;
        };
        path = leads.iter().chain(&path[length..]).cloned().collect();
    }
    path
}

/// The paths among the tokens of a macro, of which nothing else is known.
pub fn paths_in(tokens: proc_macro2::TokenStream) -> Vec<Segments> {
    let (mut found, mut path, mut colons) = (Vec::new(), Segments::new(), 0);
    for token in tokens {
        match token {
            proc_macro2::TokenTree::Ident(name) => {
                if colons != 2 {
                    found.push(std::mem::take(&mut path));
                }
                path.push(name.to_string());
                colons = 0;
            }
            proc_macro2::TokenTree::Punct(it) if it.as_char() == ':' => colons += 1,
            proc_macro2::TokenTree::Group(group) => {
                found.push(std::mem::take(&mut path));
                found.extend(paths_in(group.stream()));
            }
            proc_macro2::TokenTree::Punct(_) | proc_macro2::TokenTree::Literal(_) => {
                found.push(std::mem::take(&mut path));
            }
        }
    }
    found.push(path);
    found.retain(|it| !it.is_empty());
    found
}
