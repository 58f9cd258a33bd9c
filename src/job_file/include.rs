//! Files that a job file includes.
//!
//! Responsible for finding all of them, each once, and for what cannot be: files
//! that are not there, and files that include each other. Reads nothing itself:
//! whoever reads the job file hands over how ([`Given`]).

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::Given;
use super::fields::{Fields, Problems, texts};
use super::params::moved;
use super::paths::home;
use super::problem::Problem;
use super::texts::Texts;

/// More files than these belong together no more.
const MOST_FILES: usize = 100;

/// All files of a run, the one that is run first.
pub(super) struct Files {
    pub(super) texts: Texts,
    /// The folder of each; none for what comes from stdin.
    pub(super) folders: Vec<Option<PathBuf>>,
}

struct Found {
    files: Files,
    /// Which file has a path, links followed.
    by_path: BTreeMap<PathBuf, usize>,
    /// Which file includes which, and where.
    edges: Vec<(usize, usize, Range<usize>)>,
}

/// Finds the files that `text` includes, and those that they include.
pub(super) fn files(text: &str, given: Given<'_>, problems: &mut Problems) -> Files {
    let mut found = Found {
        files: Files {
            texts: Texts::new(given.name, text),
            folders: vec![given.file.map(|it| folder_of(it).to_owned())],
        },
        by_path: given
            .file
            .map(|it| ((given.real)(it), 0))
            .into_iter()
            .collect(),
        edges: Vec::new(),
    };
    let mut at = 0;
    while at < found.files.folders.len() {
        for (name, span) in included_by(&found.files.texts, at, problems) {
            if let Err((message, help)) = found.take(&name, span.clone(), at, given) {
                problems.push(Problem::new(span, message).help(help));
            }
        }
        at += 1;
    }
    found.circles(problems);
    found.files
}

impl Found {
    /// Takes a file that the file `by` includes.
    fn take(
        &mut self,
        name: &str,
        span: Range<usize>,
        by: usize,
        given: Given<'_>,
    ) -> Result<(), (String, String)> {
        if let Some(told) = home(name) {
            return Err(told);
        }
        if name.contains("://") {
            let message = format!("`{name}` cannot be included");
            return Err((message, "only files of this machine can".into()));
        }
        let folder = self.files.folders[by].clone().unwrap_or_default();
        let path = folder.join(name);
        let real = (given.real)(&path);
        let to = match self.by_path.get(&real) {
            Some(known) => {
                if self
                    .edges
                    .iter()
                    .any(|(from, to, _)| (from, to) == (&by, known))
                {
                    let message = format!("`{name}` is included twice");
                    return Err((message, "once is enough".into()));
                }
                *known
            }
            None => {
                let next = self.files.folders.len();
                if next > MOST_FILES {
                    let message = format!("`{name}` is one file too many");
                    return Err((message, format!("at most {MOST_FILES} can be included")));
                }
                let text = (given.read)(&path).map_err(|error| {
                    let message = format!("cannot read {}: {error}", path.display());
                    let help = "paths in `include` are relative to the file that they stand in";
                    (message, help.to_owned())
                })?;
                self.by_path.insert(real, next);
                let name = path.to_string_lossy().into_owned();
                self.files.texts.add(name, text);
                self.files.folders.push(Some(folder_of(&path).to_owned()));
                next
            }
        };
        self.edges.push((by, to, span));
        Ok(())
    }

    /// Tells of every file that comes back to one that includes it.
    fn circles(&self, problems: &mut Problems) {
        for (from, to, span) in &self.edges {
            let mut reached = vec![*to];
            let mut next = 0;
            while let Some(file) = reached.get(next).copied() {
                next += 1;
                for (_, to, _) in self.edges.iter().filter(|(from, ..)| *from == file) {
                    if !reached.contains(to) {
                        reached.push(*to);
                    }
                }
            }
            if reached.contains(from) {
                if from == to {
                    let problem = Problem::new(span.clone(), "the file includes itself");
                    problems.push(problem.help("leave it out: all of it is there"));
                    continue;
                }
                let (name, _) = self.files.texts.get(*to);
                let message = format!("`{name}` includes this file in turn");
                let help = "all files of a run share their datasets: one of the two includes the \
                            other";
                problems.push(Problem::new(span.clone(), message).help(help));
            }
        }
    }
}

/// What a file includes, and where each name stands.
fn included_by(texts: &Texts, at: usize, problems: &mut Problems) -> Vec<(String, Range<usize>)> {
    let Some((text, begin)) = texts.iter().nth(at) else {
        return Vec::new();
    };
    // Files that include nothing are not read twice.
    if !text.contains("include") {
        return Vec::new();
    }
    let (document, _) = DeTable::parse_recoverable(text);
    let mut fields = Fields::new(document.get_ref(), "the file", 0..0);
    let Some(node) = fields.get("include") else {
        return Vec::new();
    };
    let mut found = Problems::default();
    let names = self::texts(node, "`include`", &mut found).unwrap_or_default();
    let of_file = |problem: Problem| Problem {
        span: moved(&problem.span, begin),
        ..problem
    };
    problems.extend(found.into_found().into_iter().map(of_file));
    let mut included = Vec::new();
    for name in names {
        let span = moved(&name.span(), begin);
        let name = name.into_inner();
        if name.contains("${") {
            let message = "`include` takes no parameters";
            let help = "parameters are known once all files are read";
            problems.push(Problem::new(span, message).help(help));
        } else if name.trim().is_empty() {
            let problem = Problem::new(span, "an entry of `include` is empty");
            problems.push(problem.help("the name of a file"));
        } else {
            included.push((name, span));
        }
    }
    included
}

fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}
