//! All declarations in one list.
//!
//! Responsible for finding a declaration by its name, for the nearest name to
//! one that is not known, and for searching. [`properties`](super::properties) fills
//! it; tests bring their own.

use super::foreign::{self, Fate};
use super::property::{Declaration, Group};

/// The properties that are known.
#[derive(Clone, Copy, Debug)]
pub struct Registry {
    groups: &'static [&'static Group],
}

/// What is known of a name.
#[derive(Clone, Copy, Debug)]
pub enum Known {
    /// It is declared.
    Declared(&'static Declaration),
    /// Spark called the property so in older versions.
    Former(&'static Declaration),
    /// Spark has it and it means nothing here.
    Foreign(Fate),
}

impl Registry {
    /// The properties of some groups.
    pub const fn of(groups: &'static [&'static Group]) -> Self {
        Self { groups }
    }

    /// The groups, in the order of reading.
    pub fn groups(&self) -> &'static [&'static Group] {
        self.groups
    }

    /// The declarations, in the order of reading.
    pub fn declarations(&self) -> impl Iterator<Item = &'static Declaration> + use<> {
        self.groups
            .iter()
            .flat_map(|group| group.declarations.iter().copied())
    }

    /// What is known of `name`: a declaration, else the former name of one, else
    /// a foreign name.
    pub fn find(&self, name: &str) -> Option<Known> {
        self.declarations()
            .find(|declaration| declaration.name() == name && declaration.family_parts().is_none())
            .or_else(|| {
                self.declarations()
                    .find(|declaration| declaration.member(name).is_some())
            })
            .map(Known::Declared)
            .or_else(|| {
                self.declarations()
                    .find(|declaration| declaration.former() == Some(name))
                    .map(Known::Former)
            })
            .or_else(|| foreign::fate(name).map(Known::Foreign))
    }

    /// The known name, declared or foreign, that `name` was probably meant to be.
    pub fn nearest(&self, name: &str) -> Option<&'static str> {
        let typed = name.to_lowercase();
        // Whoever leaves out the beginning has spelt the rest right.
        let ending = format!(".{typed}");
        let completed = self
            .declarations()
            .map(Declaration::name)
            .find(|known| known.to_lowercase().ends_with(&ending));
        completed.or_else(|| {
            // Of equally near names one that was cut short wins, then the
            // first, so a declared one does.
            self.declarations()
                .map(Declaration::name)
                .chain(foreign::names())
                .map(|known| {
                    let lower = known.to_lowercase();
                    let nearness = (
                        strsim::osa_distance(&typed, &lower),
                        !lower.starts_with(&typed),
                    );
                    (nearness, known)
                })
                .min_by_key(|(nearness, _)| *nearness)
                .filter(|((distance, _), known)| distance * 3 <= known.len())
                .map(|(_, known)| known)
        })
    }

    /// The declarations with `text` in their name or meaning, in any case, and
    /// the family that `text` is a member of.
    pub fn search(&self, text: &str) -> Vec<&'static Declaration> {
        let wanted = text.to_lowercase();
        self.declarations()
            .filter(|declaration| {
                declaration.member(text).is_some()
                    || declaration.former() == Some(text)
                    || declaration.name().to_lowercase().contains(&wanted)
                    || declaration.meaning().to_lowercase().contains(&wanted)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::conf::property::DefaultValue;

    #[test]
    fn every_name_is_declared_once_and_begins_as_it_should() {
        let mut names = BTreeSet::new();
        for declaration in Registry::all().declarations() {
            let name = declaration.name();
            assert!(names.insert(name), "{name} is declared twice");
            assert!(
                name.starts_with("spark.") || name.starts_with("mesquite."),
                "{name}"
            );
        }
    }

    #[test]
    fn every_property_has_a_meaning_and_a_default_of_its_own_syntax() {
        for declaration in Registry::all().declarations() {
            let meaning = declaration.meaning();
            assert!(meaning.ends_with('.'), "{}: {meaning}", declaration.name());
            match declaration.default() {
                DefaultValue::Text(text) => {
                    assert!(declaration.syntax().parse(text).is_ok(), "{text}");
                }
                DefaultValue::SameAs(other) => {
                    assert!(Registry::all().find(other.name()).is_some());
                }
                DefaultValue::Unset(_) => {}
            }
        }
    }

    #[test]
    fn no_declared_name_is_called_foreign() {
        for declaration in Registry::all().declarations() {
            let name = declaration.name();
            for name in [Some(name), declaration.former()].into_iter().flatten() {
                assert!(
                    foreign::fate(name).is_none(),
                    "{name} must leave crates/base/src/conf/foreign"
                );
            }
        }
    }

    #[test]
    fn the_nearest_name_is_the_one_that_was_meant() {
        for (typed, meant) in [
            ("spark.mesos.corse", "spark.mesos.coarse"),
            ("Spark.Mesos.Coarse", "spark.mesos.coarse"),
            ("mesos.coarse", "spark.mesos.coarse"),
            ("coarse", "spark.mesos.coarse"),
            ("spark.executor.mem", "spark.executor.memory"),
            ("spark.excutor.cores", "spark.executor.cores"),
            ("mesquite.mesos.codecs", "mesquite.mesos.codec"),
            (
                "spark.driver.extraJavaOption",
                "spark.driver.extraJavaOptions",
            ),
        ] {
            assert_eq!(Registry::all().nearest(typed), Some(meant), "{typed}");
        }
        assert_eq!(Registry::all().nearest("zzz"), None);
    }

    #[test]
    fn a_search_looks_at_names_and_meanings_in_any_case() {
        let found = |text| -> Vec<&str> {
            let found = Registry::all().search(text);
            found.into_iter().map(Declaration::name).collect()
        };
        assert_eq!(found("WEBUI"), ["spark.mesos.driver.webui.url"]);
        assert_eq!(
            found("spark.blacklist.enabled"),
            ["spark.excludeOnFailure.enabled"]
        );
        assert!(found("offer").contains(&"spark.mesos.constraints"));
        assert_eq!(found("").len(), Registry::all().declarations().count());
    }
}
