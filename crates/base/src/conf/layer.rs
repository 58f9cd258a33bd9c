//! Where a property was written.
//!
//! Responsible for naming a place so that its reader finds it, and for which
//! place wins. Paths are names here, nothing is opened.

use std::fmt;
use std::path::PathBuf;

/// A place where a property was set. A greater source wins over a lesser one;
/// within one, what comes later does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layer {
    /// An environment variable that a property names as its own.
    Environment(&'static str),
    /// A `--properties-file`.
    PropertiesFile {
        /// The file as it was named.
        path: PathBuf,
        /// The line on which the setting begins, counted from 1.
        line: usize,
    },
    /// The `[conf]` table of a job file.
    JobFile {
        /// The file as it was named.
        path: PathBuf,
        /// The line of the setting, counted from 1.
        line: usize,
    },
    /// `--conf` on the command line.
    ConfOption,
    /// An option that stands for one property, such as `--master`.
    Option(&'static str),
}

impl Layer {
    /// The higher, the stronger.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::Environment(_) => 0,
            Self::PropertiesFile { .. } => 1,
            Self::JobFile { .. } => 2,
            Self::ConfOption => 3,
            Self::Option(_) => 4,
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(variable) => write!(f, "environment variable {variable}"),
            Self::PropertiesFile { path, line } | Self::JobFile { path, line } => {
                write!(f, "{} line {line}", path.display())
            }
            Self::ConfOption => f.write_str("command line, --conf"),
            Self::Option(option) => write!(f, "command line, {option}"),
        }
    }
}
