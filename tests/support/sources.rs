//! The sources of all crates as syntax, without what is compiled for tests alone.

use std::fs;
use std::path::{Path, PathBuf};

/// A path, segment by segment, from the name of its crate.
pub type Segments = Vec<String>;

/// A source file.
pub struct File {
    /// Its module.
    pub module: Segments,
    /// What stands in it.
    pub syntax: syn::File,
}

/// Whether the item is compiled for tests alone.
pub fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|it| {
        it.path().is_ident("cfg")
            && it
                .parse_args::<syn::Path>()
                .is_ok_and(|it| it.is_ident("test"))
    })
}

/// What is not compiled for tests alone.
pub fn outside_tests(items: &[syn::Item]) -> impl Iterator<Item = &syn::Item> {
    items.iter().filter(|item| {
        let attributes = match item {
            syn::Item::Const(it) => &it.attrs,
            syn::Item::Enum(it) => &it.attrs,
            syn::Item::Fn(it) => &it.attrs,
            syn::Item::Impl(it) => &it.attrs,
            syn::Item::Mod(it) => &it.attrs,
            syn::Item::Struct(it) => &it.attrs,
            syn::Item::Use(it) => &it.attrs,
            _ => return true,
        };
        !is_test(attributes)
    })
}

/// The crates of the workspace: their names, and where their sources are.
pub fn crates() -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = vec![("mesquite".to_owned(), root.join("src"))];
    for entry in fs::read_dir(root.join("crates")).expect("a readable folder") {
        let entry = entry.expect("a readable folder");
        let name = entry.file_name().to_string_lossy().replace('-', "_");
        all.push((format!("mesquite_{name}"), entry.path().join("src")));
    }
    all
}

/// The source files of a folder.
pub fn sources_in(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a readable folder") {
            let path: PathBuf = entry.expect("a readable folder").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                all.push(path);
            }
        }
    }
    all.sort();
    all
}

/// The source files that are not for tests alone.
pub fn files() -> Vec<File> {
    let mut all = Vec::new();
    for (name, root) in crates() {
        for path in sources_in(&root) {
            let text = fs::read_to_string(&path).expect("a readable source file");
            let inside = path.strip_prefix(&root).expect("a source file");
            all.push(file(&name, inside, &text));
        }
    }
    let mut for_tests = Vec::new();
    for file in &all {
        for item in &file.syntax.items {
            if let syn::Item::Mod(it) = item
                && is_test(&it.attrs)
            {
                let mut module = file.module.clone();
                module.push(it.ident.to_string());
                for_tests.push(module);
            }
        }
    }
    all.retain(|file| !for_tests.iter().any(|it| file.module.starts_with(it)));
    assert!(all.len() > 200, "the sources are where they are looked for");
    all.sort_by(|a, b| a.module.cmp(&b.module));
    all
}

/// A file as if it stood in the sources of a crate.
pub fn file(of_crate: &str, inside: &Path, text: &str) -> File {
    let mut module = vec![of_crate.to_owned()];
    let inside = inside.with_extension("");
    module.extend(
        inside
            .iter()
            .map(|part| part.to_string_lossy().into_owned()),
    );
    module.pop_if(|last| last == "mod" || last == "lib" || last == "main");
    File {
        module,
        syntax: syn::parse_file(text).expect("a source file that compiles"),
    }
}
