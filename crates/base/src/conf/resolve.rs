//! From what was written to what is in effect.
//!
//! Responsible for precedence, and for checking every value that wins, so that the
//! getters of [`Conf`] cannot fail.

use std::collections::BTreeMap;

use super::effective::{Assigned, Conf};
use super::foreign::{self, Fate};
use super::layer::Layer;
use super::problem::{ConfError, Problem, Remark, Warning};
use super::properties;
use super::property::{Declaration, Property};
use super::registry::{Known, Registry};
use super::value::Setting;

impl Conf {
    /// Begins to collect settings of every known property.
    pub fn builder() -> ConfBuilder {
        ConfBuilder::with_registry(Registry::all())
    }
}

/// A rule that is checked when a [`Conf`] is built.
type Check = Box<dyn Fn(&Conf) -> Option<Problem>>;

/// Collects settings from all sources, in any order, and checks the winners.
pub struct ConfBuilder {
    registry: Registry,
    written: BTreeMap<String, (Layer, String)>,
    checks: Vec<Check>,
}

impl ConfBuilder {
    /// A builder that knows the properties of `registry`.
    pub fn with_registry(registry: Registry) -> Self {
        Self {
            registry,
            written: BTreeMap::new(),
            checks: Vec::new(),
        }
    }

    /// Adds a setting. It wins over one of a lesser source, and over an
    /// earlier one of its own.
    #[must_use]
    pub fn set(mut self, source: Layer, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        let stronger = self
            .written
            .get(&name)
            .is_some_and(|(present, _)| present.rank() > source.rank());
        if !stronger {
            self.written.insert(name, (source, value.into()));
        }
        self
    }

    /// Adds what the environment says of the properties that name a variable.
    #[must_use]
    pub fn environment(mut self, variables: &BTreeMap<String, String>) -> Self {
        for declaration in self.registry.declarations() {
            if let Some(variable) = declaration.environment()
                && let Some(value) = variables.get(variable)
                && !value.is_empty()
            {
                self = self.set(Layer::Environment(variable), declaration.name(), value);
            }
        }
        self
    }

    /// Adds a rule for one property that another crate knows: `rule` answers
    /// what the value must be, to follow "must be". Asked for a value that was
    /// set, not for a default.
    #[must_use]
    pub fn check<T: Setting + 'static>(
        mut self,
        property: &'static Property<T>,
        rule: impl Fn(&T) -> Result<(), String> + 'static,
    ) -> Self {
        self.checks.push(Box::new(move |conf| {
            let declaration = property.declaration();
            let assigned = conf.settings.get(declaration.name())?;
            let accepted = rule(&conf.get(property)).err()?;
            Some(Problem::Invalid {
                name: declaration.name().to_owned(),
                value: assigned.value.to_string(),
                origin: assigned.source.clone(),
                accepted,
            })
        }));
        self
    }

    /// Checks everything.
    ///
    /// # Errors
    /// Every unknown property, bad value and conflict there is.
    pub fn build(self) -> Result<Conf, ConfError> {
        let mut conf = Conf::default();
        let mut problems = Vec::new();
        for (name, (source, text)) in &self.written {
            match self.registry.find(name) {
                Some(Known::Declared(declaration)) => {
                    assign(&mut conf, &mut problems, name, declaration, source, text);
                }
                Some(Known::Former(declaration)) => {
                    // As in Spark the new name wins, wherever it stands.
                    let overruled = self.written.contains_key(declaration.name());
                    conf.warnings.push(Warning {
                        name: name.clone(),
                        origin: source.clone(),
                        remark: if overruled {
                            Remark::Overruled(declaration.name())
                        } else {
                            Remark::FormerName(declaration.name())
                        },
                    });
                    if !overruled {
                        assign(&mut conf, &mut problems, name, declaration, source, text);
                    }
                }
                Some(Known::Foreign(Fate::Ignored(foreign))) => conf.warnings.push(Warning {
                    name: name.clone(),
                    origin: source.clone(),
                    remark: Remark::NoEffect(foreign.reason),
                }),
                Some(Known::Foreign(Fate::Refused(foreign))) => {
                    if !foreign::harmless(name, text) {
                        problems.push(Problem::Refused {
                            name: name.clone(),
                            origin: source.clone(),
                            reason: foreign.reason,
                        });
                    }
                }
                None => problems.push(Problem::Unknown {
                    nearest: self.registry.nearest(name).map(str::to_owned),
                    name: name.clone(),
                    origin: source.clone(),
                }),
            }
        }
        problems.extend(self.checks.iter().filter_map(|check| check(&conf)));
        problems.extend(
            properties::conflicts(&conf)
                .into_iter()
                .map(Problem::Conflict),
        );
        ConfError::from_problems(problems)?;
        conf.warnings.extend(properties::overruled(&conf));
        Ok(conf)
    }
}

/// Sets a declared property by one of its names, or says what is wrong with
/// its text.
fn assign(
    conf: &mut Conf,
    problems: &mut Vec<Problem>,
    name: &str,
    declaration: &'static Declaration,
    source: &Layer,
    text: &str,
) {
    match declaration.syntax().parse(text) {
        Ok(value) => {
            let assigned = Assigned {
                declared: declaration.name(),
                value,
                source: source.clone(),
            };
            let known = match declaration.family_parts() {
                Some(_) => name,
                None => declaration.name(),
            };
            conf.settings.insert(known.to_owned(), assigned);
        }
        Err(accepted) => problems.push(Problem::Invalid {
            name: name.to_owned(),
            value: declaration.syntax().redact(text),
            origin: source.clone(),
            accepted,
        }),
    }
}

#[cfg(test)]
mod tests;
