//! What a command finds around it: variables.
//!
//! Responsible for how it is kept and put together. Executors bring it about. Pure.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What the commands of a dataset find, or those of all datasets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Surroundings {
    /// Variables of their environment.
    #[serde(default, skip_serializing_if = "Variables::is_empty")]
    pub env: Variables,
}

impl Surroundings {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.env.is_empty()
    }

    /// Adds what is wanted for more datasets than these; what is here already goes before.
    pub fn add_of_all(&mut self, of_all: &Self) {
        for (name, value) in &of_all.env.0 {
            let there = self.env.0.entry(name.clone());
            there.or_insert_with(|| value.clone());
        }
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
