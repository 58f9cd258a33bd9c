//! What a command finds around it: variables and files.
//!
//! Responsible for how it is kept and put together, and for the names that files may have.
//! Executors bring it about. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::split::Packing;

/// What the commands of a dataset find, or those of all datasets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Surroundings {
    /// Variables of their environment.
    #[serde(default, skip_serializing_if = "Variables::is_empty")]
    pub env: Variables,
    /// What is in the folder in which they start. Without any they start where the
    /// executor does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<Brought>,
}

/// A file or an archive that is brought to executors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brought {
    /// Its name where commands start.
    pub name: String,
    /// Where it is.
    pub from: Origin,
    /// It is an archive, and a folder of that name has what is in it, so many bytes at
    /// most; `None` for what is there as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpacked: Option<u64>,
}

/// Where something is that is brought to executors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// On the driver's machine, which serves it.
    Driver {
        /// Its path there.
        path: String,
        /// What it has in it, once that is known.
        content: Option<Content>,
    },
    /// On a web server or in an object store, where executors fetch it.
    Remote {
        /// Its URL.
        url: String,
    },
}

impl Origin {
    /// Where something is that is written like this: as a URL, or as a path.
    pub fn of(written: &str) -> Self {
        let scheme = written.split_once("://").map(|(scheme, _)| scheme);
        match scheme.filter(|it| !it.eq_ignore_ascii_case("file")) {
            Some(_) => Self::Remote {
                url: written.to_owned(),
            },
            None => Self::Driver {
                path: written.to_owned(),
                content: None,
            },
        }
    }

    /// Its path or URL.
    pub fn written(&self) -> &str {
        match self {
            Self::Driver { path, .. } => path,
            Self::Remote { url } => url,
        }
    }
}

/// What a file of the driver's machine has in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Its SHA-256, in hexadecimal digits.
    pub digest: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// Whether it can be executed.
    pub executable: bool,
}

impl Surroundings {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.env.is_empty() && self.files.is_empty()
    }

    /// The name that two files have, if any do.
    pub fn clash(&self) -> Option<&str> {
        let mut names = BTreeSet::new();
        let mut all = self.files.iter().map(|it| it.name.as_str());
        all.find(|it| !names.insert(*it))
    }

    /// Adds what is wanted for more datasets than these; what is here already goes before.
    pub fn add_of_all(&mut self, of_all: &Self) {
        for (name, value) in &of_all.env.0 {
            let there = self.env.0.entry(name.clone());
            there.or_insert_with(|| value.clone());
        }
        self.files.extend(of_all.files.iter().cloned());
    }
}

/// Variables by name. Their values may be secrets, and are not printed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variables(pub BTreeMap<String, String>);

impl Variables {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// No name of a file is longer, in bytes.
const LONGEST_NAME: usize = 255;

/// An entry of a list of files, `PATH` or `PATH#NAME` as Spark has it: the path, and the
/// name that the file has where commands start.
///
/// # Errors
/// The name would lead out of the folder, or is none: what is wrong with it, to follow it.
pub fn named(entry: &str) -> Result<(&str, &str), String> {
    let (path, name) = match entry.rsplit_once('#') {
        // What comes behind a slash is of the path.
        Some((path, name)) if !name.contains('/') || path.is_empty() => (path, name),
        Some((path, name)) if name.starts_with(['/', '.']) => (path, name),
        _ => {
            let path = entry.trim_end_matches('/');
            (entry, path.rsplit_once('/').map_or(path, |(_, name)| name))
        }
    };
    if path.is_empty() {
        return Err("names no file".to_owned());
    }
    check_file_name(name).map_err(|why| format!("gives the name `{name}`, which {why}"))?;
    Ok((path, name))
}

/// How an archive is packed, by its path or URL; none if it has the name of no archive that
/// can be unpacked.
pub fn packing_of(written: &str) -> Option<Packing> {
    Packing::of_archive(written)
}

/// Whether a path has the name of an archive that can be unpacked.
///
/// # Errors
/// It has not: what is wrong with it, to follow it.
pub fn check_archive(path: &str) -> Result<(), String> {
    if packing_of(path).is_some() {
        return Ok(());
    }
    let ends = Packing::archives();
    Err(format!(
        "is no archive that is unpacked: those end with {ends}"
    ))
}

fn check_file_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("is empty");
    }
    if name.contains('/') || name == "." || name == ".." {
        return Err("would lead out of the folder in which commands start");
    }
    if name.contains(char::is_control) {
        return Err("has a character in it that is no part of a line");
    }
    if name.len() > LONGEST_NAME {
        return Err("has more than 255 bytes");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(env: &[(&str, &str)]) -> Surroundings {
        let env = env.iter().map(|(name, value)| {
            let (name, value) = (*name, *value);
            (name.to_owned(), value.to_owned())
        });
        Surroundings {
            env: Variables(env.collect()),
            files: Vec::new(),
        }
    }

    #[test]
    fn a_file_has_its_own_name_or_the_one_behind_the_sign() {
        for (entry, wanted) in [
            ("mapper.py", ("mapper.py", "mapper.py")),
            ("a/stop words.txt", ("a/stop words.txt", "stop words.txt")),
            ("/a/b#c", ("/a/b", "c")),
            ("a#1/b", ("a#1/b", "b")),
            ("a#1/b#c", ("a#1/b", "c")),
            ("https://h/a.txt", ("https://h/a.txt", "a.txt")),
            ("s3://bucket/a?b#c", ("s3://bucket/a?b", "c")),
        ] {
            assert_eq!(named(entry), Ok(wanted), "{entry}");
        }
        for entry in [
            "", "#a", "a#", "..", "a/..", "a#..", "a#../b", "a#/b", "/", "a#b\n",
        ] {
            assert!(named(entry).is_err(), "{entry}");
        }
    }

    #[test]
    fn what_is_for_one_dataset_goes_before_what_is_for_all() {
        let mut own = with(&[("A", "own")]);
        own.add_of_all(&with(&[("A", "all"), ("B", "all")]));
        assert_eq!(own, with(&[("A", "own"), ("B", "all")]));
    }

    #[test]
    fn values_are_not_printed() {
        let shown = format!("{:?}", with(&[("KEY", "hunter2")]));
        assert!(shown.contains("KEY") && !shown.contains("hunter2"));
    }
}
