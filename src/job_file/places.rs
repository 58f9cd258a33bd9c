//! Folders that actions write to, and what else has to do with them.
//!
//! Responsible for finding two actions that write to one folder, or one inside
//! another's, and inputs that an action of the same file writes: jobs of a file
//! run at the same time, so nobody could say what would be read. Pure: whoever
//! holds the file system says what a name leads to.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use super::problem::Problem;

/// A folder or pattern with the place where it is written.
#[derive(Clone, Debug)]
pub struct Place {
    /// What it leads to, see [`plain`].
    pub path: PathBuf,
    /// Where it stands in the job file.
    pub span: Range<usize>,
    /// As it is written.
    pub written: String,
}

/// A name without `.`, `..` and doubled slashes, so far as the name alone tells.
/// What stands before `://` counts as a part like others.
pub fn plain(name: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in name.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

/// Outputs that meet each other.
pub fn shared_outputs(outputs: &[Place]) -> Vec<Problem> {
    // Sorted by their parts, a folder stands right before all that is inside it.
    let mut sorted: Vec<(usize, &Place)> = outputs.iter().enumerate().collect();
    sorted.sort_by(|(a, one), (b, other)| one.path.cmp(&other.path).then(a.cmp(b)));
    let mut problems = Vec::new();
    let mut outer: Option<&Place> = None;
    for (_, place) in sorted {
        match outer {
            Some(first) if place.path == first.path => {
                let message = format!("another action saves to `{}` already", first.written);
                let help = "each action saves to a folder of its own";
                problems.push(Problem::new(place.span.clone(), message).help(help));
            }
            Some(first) if place.path.starts_with(&first.path) => {
                let message = format!(
                    "`{}` is inside `{}`, to which another action saves",
                    place.written, first.written
                );
                let help = "a folder that is saved to holds what its action writes, and nothing \
                            else";
                problems.push(Problem::new(place.span.clone(), message).help(help));
            }
            _ => outer = Some(place),
        }
    }
    problems
}

/// Inputs that are written by an action of the same file.
pub fn inputs_written(inputs: &[Place], outputs: &[Place]) -> Vec<Problem> {
    let by_path: BTreeMap<&Path, &Place> = outputs
        .iter()
        .map(|output| (output.path.as_path(), output))
        .collect();
    let mut problems = Vec::new();
    for input in inputs {
        let output = around(input, &by_path).or_else(|| inside(input, &by_path));
        if let Some(output) = output {
            let message = format!(
                "`{}` reads what an action of this file saves to `{}`",
                input.written, output.written
            );
            let help = "actions of a file run at the same time: name the dataset with `from`, or \
                        make two files of it";
            problems.push(Problem::new(input.span.clone(), message).help(help));
        }
    }
    problems
}

/// An output in which the input lies: the folder itself, or one around it.
fn around<'p>(input: &Place, outputs: &BTreeMap<&Path, &'p Place>) -> Option<&'p Place> {
    let fixed = fixed_part(&input.path);
    fixed
        .ancestors()
        .find_map(|folder| outputs.get(folder).copied())
}

/// An output that the input reads with the rest of a folder, or by a pattern.
fn inside<'p>(input: &Place, outputs: &BTreeMap<&Path, &'p Place>) -> Option<&'p Place> {
    let fixed = fixed_part(&input.path);
    let below = outputs
        .range::<&Path, _>(fixed.as_path()..)
        .take_while(|(path, _)| path.starts_with(&fixed))
        .map(|(_, output)| *output);
    if fixed == input.path {
        return { below }.next();
    }
    let text = input.path.to_string_lossy();
    let options = glob::MatchOptions {
        require_literal_separator: true,
        require_literal_leading_dot: true,
        ..glob::MatchOptions::new()
    };
    let pattern = glob::Pattern::new(&text).ok()?;
    { below }.find(|output| {
        ["part-00000", "part-00000.gz", "part-00000.zst"]
            .iter()
            .any(|file| pattern.matches_path_with(&output.path.join(file), options))
    })
}

/// A pattern up to the first part that stands for others.
fn fixed_part(path: &Path) -> PathBuf {
    let fixed = |part: &Component<'_>| {
        let text = part.as_os_str().to_string_lossy();
        !text.contains(['*', '?', '['])
    };
    path.components().take_while(fixed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(paths: &[&str]) -> Vec<Place> {
        let place = |(at, path): (usize, &&str)| Place {
            path: plain(Path::new(path)),
            span: at..at + 1,
            written: (*path).to_owned(),
        };
        paths.iter().enumerate().map(place).collect()
    }

    fn messages(problems: &[Problem]) -> Vec<(usize, &str)> {
        let told = |it: &'_ Problem| it.span.start;
        problems.iter().map(|it| (told(it), &*it.message)).collect()
    }

    #[test]
    fn names_for_one_folder_are_one() {
        for (name, wanted) in [
            ("a/./b//c/", "a/b/c"),
            ("a/../b", "b"),
            ("../a", "../a"),
            ("/a/..", "/"),
            ("s3://b/x/", "s3:/b/x"),
        ] {
            assert_eq!(plain(Path::new(name)), Path::new(wanted), "{name}");
        }
    }

    #[test]
    fn outputs_that_meet_are_told_each_once() {
        let all = places(&[
            "b/in",
            "a",
            "./a/",
            "ab",
            "b",
            "a-b",
            "a/c/d",
            "s3://b/x",
            "s3://b/x/y",
        ]);
        let problems = shared_outputs(&all);
        assert_eq!(
            messages(&problems),
            [
                (2, "another action saves to `a` already"),
                (6, "`a/c/d` is inside `a`, to which another action saves"),
                (0, "`b/in` is inside `b`, to which another action saves"),
                (
                    8,
                    "`s3://b/x/y` is inside `s3://b/x`, to which another action saves"
                ),
            ]
        );
    }

    #[test]
    fn inputs_that_are_outputs_are_told() {
        let outputs = places(&["/w/out", "/w/data/deep/er"]);
        for (input, told) in [
            ("/w/out", true),
            ("/w/out/part-00000", true),
            ("/w/out/part-0000[12]", true),
            ("/w/out/**/*.gz", true),
            ("/w/*/part-*", true),
            ("/w/o*/*.gz", true),
            ("/w/data", true),
            ("/w/data/**/p*", true),
            ("/w", true),
            ("/w/data/*", false),
            ("/w/data/*.txt", false),
            ("/w/output", false),
            ("/w/*.txt", false),
            ("/w/data/**/*.txt", false),
            ("/elsewhere/out", false),
        ] {
            let found = inputs_written(&places(&[input]), &outputs);
            assert_eq!(!found.is_empty(), told, "{input}");
        }
    }
}
