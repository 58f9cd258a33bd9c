//! How near its input a task runs, and which of the levels are worth trying.
//!
//! Responsible for the order of the levels and for small sets of them. Which
//! levels a task set has is worked out by its manager; how long to wait at
//! each is `delay`.

use std::fmt;

/// How near its input a task is placed, nearest first (Spark's `TaskLocality`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum LocalityLevel {
    /// In the executor that holds the input.
    ProcessLocal,
    /// On the host where the input lies.
    NodeLocal,
    /// The task has no preference: it is at home everywhere.
    NoPref,
    /// In the rack where the input lies.
    RackLocal,
    /// Anywhere.
    Any,
}

impl LocalityLevel {
    /// All levels, nearest first.
    pub const ALL: [Self; 5] = [
        Self::ProcessLocal,
        Self::NodeLocal,
        Self::NoPref,
        Self::RackLocal,
        Self::Any,
    ];

    /// The level's name as Spark writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProcessLocal => "PROCESS_LOCAL",
            Self::NodeLocal => "NODE_LOCAL",
            Self::NoPref => "NO_PREF",
            Self::RackLocal => "RACK_LOCAL",
            Self::Any => "ANY",
        }
    }
}

impl fmt::Display for LocalityLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of levels; always holds [`LocalityLevel::Any`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Levels(u8);

impl Levels {
    /// Only [`LocalityLevel::Any`].
    pub const ANY: Self = Self(1 << LocalityLevel::Any as u8);

    /// This set and `level`.
    #[must_use]
    pub const fn with(self, level: LocalityLevel) -> Self {
        Self(self.0 | 1 << level as u8)
    }

    /// Whether `level` is in the set.
    pub const fn contains(self, level: LocalityLevel) -> bool {
        self.0 & (1 << level as u8) != 0
    }

    /// The levels, nearest first.
    pub fn iter(self) -> impl Iterator<Item = LocalityLevel> {
        LocalityLevel::ALL
            .into_iter()
            .filter(move |level| self.contains(*level))
    }

    /// The nearest level.
    pub fn first(self) -> LocalityLevel {
        self.at_least(LocalityLevel::ProcessLocal)
    }

    /// `level`, or the next farther one of the set.
    pub fn at_least(self, level: LocalityLevel) -> LocalityLevel {
        self.iter()
            .find(|candidate| *candidate >= level)
            .unwrap_or(LocalityLevel::Any)
    }

    /// The level of the set that follows `level`; `None` after the last.
    pub fn after(self, level: LocalityLevel) -> Option<LocalityLevel> {
        self.iter().find(|candidate| *candidate > level)
    }

    /// How many levels of the set are nearer than `level`.
    pub const fn position(self, level: LocalityLevel) -> u32 {
        (self.0 & ((1 << level as u8) - 1)).count_ones()
    }

    /// The nearest level that is in this set and not in `other`.
    pub fn first_not_in(self, other: Self) -> Option<LocalityLevel> {
        self.iter().find(|level| !other.contains(*level))
    }
}

impl fmt::Debug for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl FromIterator<LocalityLevel> for Levels {
    fn from_iter<I: IntoIterator<Item = LocalityLevel>>(levels: I) -> Self {
        levels.into_iter().fold(Self::ANY, Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::LocalityLevel::{Any, NoPref, NodeLocal, ProcessLocal, RackLocal};
    use super::*;

    #[test]
    fn levels_are_kept_in_order_and_always_end_with_any() {
        let levels: Levels = [RackLocal, ProcessLocal].into_iter().collect();
        assert_eq!(
            levels.iter().collect::<Vec<_>>(),
            [ProcessLocal, RackLocal, Any]
        );
        assert_eq!(levels.first(), ProcessLocal);
        assert_eq!(levels.after(ProcessLocal), Some(RackLocal));
        assert_eq!(levels.after(Any), None);
    }

    #[test]
    fn a_missing_level_counts_as_the_next_farther_one() {
        let levels: Levels = [ProcessLocal, NoPref].into_iter().collect();
        assert_eq!(levels.at_least(NodeLocal), NoPref);
        assert_eq!(levels.at_least(RackLocal), Any);
        assert_eq!(levels.position(NoPref), 1);
        assert_eq!(levels.first_not_in(Levels::ANY), Some(ProcessLocal));
    }
}
