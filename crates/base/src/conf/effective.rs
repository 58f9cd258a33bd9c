//! The settings in effect.
//!
//! Responsible for [`Conf`], whose getters cannot fail because everything was checked
//! when it was [built](super::resolve).

use std::collections::BTreeMap;
use std::fmt;

use super::layer::Layer;
use super::problem::Warning;
use super::properties::application::REDACTION;
use super::property::{Declaration, DefaultValue, Family, Property};
use super::redaction::Redaction;
use super::value::{Setting, Value};

/// The settings in effect. Cheap to ask, compared with what is done with the
/// answers; hot loops copy what they need.
#[derive(Clone)]
pub struct Conf {
    pub(super) settings: BTreeMap<String, Assigned>,
    pub(super) warnings: Vec<Warning>,
}

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(super) struct Assigned {
    /// The declared name, which tells members of a family from a property.
    pub(super) declared: &'static str,
    pub(super) value: Value,
    pub(super) source: Layer,
}

impl Conf {
    /// The value of `property`: what was set, else its default.
    pub fn get<T: Setting>(&self, property: &Property<T>) -> T {
        let value = self.value(property.declaration());
        T::read(value.as_ref()).expect("a property's type fits its syntax")
    }

    /// The members of `family` that are set, by the part that users chose.
    pub fn family<T: Setting>(&self, family: &Family<T>) -> BTreeMap<String, T> {
        let declaration = family.declaration();
        self.settings
            .iter()
            .filter(|(_, assigned)| assigned.declared == declaration.name())
            .filter_map(|(name, assigned)| {
                let member = declaration.member(name)?;
                Some((member.to_owned(), T::read(Some(&assigned.value))?))
            })
            .collect()
    }

    /// Where `name` was set; `None` if it has its default.
    pub fn source(&self, name: &str) -> Option<&Layer> {
        self.settings.get(name).map(|assigned| &assigned.source)
    }

    /// What is not shown of values.
    pub fn redaction(&self) -> Redaction {
        Redaction::of(&self.get(&REDACTION))
    }

    /// What was set, by name: the value as it may be shown, and where.
    pub fn settings(&self) -> impl Iterator<Item = (&str, String, &Layer)> {
        let redaction = self.redaction();
        self.settings.iter().map(move |(name, assigned)| {
            let mut shown = assigned.value.to_string();
            // Whoever looks for what is hidden finds by what.
            if name != REDACTION.name() {
                shown = redaction.shown(name, &shown).to_owned();
            }
            (name.as_str(), shown, &assigned.source)
        })
    }

    /// The settings that were accepted and do nothing, in the order of names.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    fn value(&self, declaration: &Declaration) -> Option<Value> {
        if let Some(assigned) = self.settings.get(declaration.name()) {
            return Some(assigned.value.clone());
        }
        match declaration.default() {
            DefaultValue::Text(text) => {
                let value = declaration.syntax().parse(text);
                Some(value.expect("a default follows its syntax, as a test makes sure"))
            }
            DefaultValue::SameAs(other) => self.value(other),
            DefaultValue::Unset(_) => None,
        }
    }
}

impl Default for Conf {
    /// Nothing is set: every property has its default.
    fn default() -> Self {
        Self {
            settings: BTreeMap::new(),
            warnings: Vec::new(),
        }
    }
}

impl fmt::Debug for Conf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.settings().map(|(name, value, _)| (name, value)))
            .finish()
    }
}
