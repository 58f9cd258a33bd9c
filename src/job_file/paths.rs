//! What the paths of a file are relative to.
//!
//! Responsible for `relative_to`, and for paths that begin with `~`, which would
//! be folders of that name. Pure: whether anything is there is not asked.

use std::path::Path;

use super::fields::{Fields, Problems};
use super::problem::Problem;

/// What relative paths begin at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum RelativeTo {
    /// The folder in which mesquite is started.
    #[default]
    Start,
    /// The folder of the file.
    File,
}

/// The words of `relative_to`.
pub(super) const WORDS: [(&str, RelativeTo); 2] =
    [("start", RelativeTo::Start), ("file", RelativeTo::File)];

/// The folder that the relative paths of a file begin at, unless it is the one
/// in which mesquite is started. Nobody knows the `folder` of a text from stdin.
pub(super) fn base<'f>(
    fields: &mut Fields<'_>,
    folder: Option<&'f Path>,
    problems: &mut Problems,
) -> Option<&'f Path> {
    let place = fields.present(&["relative_to"]);
    match fields.word("relative_to", &WORDS, problems)? {
        RelativeTo::Start => None,
        RelativeTo::File => {
            if folder.is_none() {
                let (_, span) = place.first()?.clone();
                let message = "`relative_to = \"file\"` of a job file that comes from stdin";
                let help = "it lies in no folder: write \"start\", or name the file";
                problems.push(Problem::new(span, message).help(help));
            }
            folder.filter(|it| *it != Path::new(""))
        }
    }
}

/// A path of the file as it is to be used: one that is not absolute, and no URL,
/// begins at `base`. `is_pattern` if signs in it stand for others.
pub(super) fn placed(path: &str, base: Option<&Path>, is_pattern: bool) -> Option<String> {
    let base = base?;
    if is_url(path) || Path::new(path).is_absolute() {
        return None;
    }
    let base = base.to_str()?;
    let base = if is_pattern && path.contains(['*', '?', '[']) {
        // Only what is written in the file is a pattern.
        glob::Pattern::escape(base)
    } else {
        base.to_owned()
    };
    Some(format!("{}/{path}", base.trim_end_matches('/')))
}

/// Whether it is for others to say what it leads to.
fn is_url(path: &str) -> bool {
    path.contains("://")
        || path
            .get(..5)
            .is_some_and(|it| it.eq_ignore_ascii_case("file:"))
}

/// A path that begins with `~`: shells would make the home folder of it.
pub(super) fn home(path: &str) -> Option<(String, String)> {
    let first = path.split('/').next()?;
    let rest = path.get(first.len()..)?;
    if !first.starts_with('~') || (rest.is_empty() && first != "~") {
        return None;
    }
    let message = format!("`{path}` begins with `~`, which is not the home folder here");
    let home = if first == "~" {
        "${env:HOME}"
    } else {
        "/home/USER"
    };
    let help = format!("write `{home}{rest}`, or `./{path}` for a folder of that name");
    Some((message, help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_begin_at_the_folder_of_the_file() {
        let base = Some(Path::new("/jobs/[a]/"));
        for (path, is_pattern, wanted) in [
            ("x/y", true, Some("/jobs/[a]/x/y")),
            ("x/*.txt", true, Some("/jobs/[[]a[]]/x/*.txt")),
            ("x/*.txt", false, Some("/jobs/[a]/x/*.txt")),
            ("/x", true, None),
            ("s3://b/x", true, None),
            ("FILE:x", true, None),
        ] {
            assert_eq!(placed(path, base, is_pattern).as_deref(), wanted, "{path}");
        }
        assert_eq!(placed("x", None, true), None);
    }

    #[test]
    fn what_a_shell_would_take_for_a_home_folder_is_told() {
        for (path, told) in [
            ("~", true),
            ("~/x", true),
            ("~user/x", true),
            ("~backup.txt", false),
            ("./~/x", false),
            ("a/~", false),
            ("", false),
        ] {
            assert_eq!(home(path).is_some(), told, "{path}");
        }
    }
}
