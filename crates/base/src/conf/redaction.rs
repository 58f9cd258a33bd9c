//! Which values are not shown.
//!
//! Responsible for `spark.redaction.regex`: what it finds in the name of a setting or of a
//! variable, or in its value, keeps the value from pages, logs and plans. Pure.

use regex::Regex;

use super::Conf;
use super::properties::application::REDACTION;
use super::secret::Secret;

/// See the module.
#[derive(Clone, Debug)]
pub struct Redaction(Regex);

impl Redaction {
    /// The one in effect.
    pub fn of(conf: &Conf) -> Self {
        let pattern = Regex::new(&conf.get(&REDACTION));
        Self(pattern.expect("a property's value follows its rule"))
    }

    /// A value as it may be shown.
    pub fn shown<'v>(&self, name: &str, value: &'v str) -> &'v str {
        if self.0.is_match(name) || self.0.is_match(value) {
            Secret::SHOWN
        } else {
            value
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::Layer;

    #[test]
    fn what_looks_like_a_secret_is_not_shown() {
        let redaction = Redaction::of(&Conf::default());
        for (name, value, is_shown) in [
            ("spark.app.name", "words", true),
            ("spark.executorEnv.LANG", "C", true),
            ("AWS_SECRET_ACCESS_KEY", "x", false),
            ("MY_Password", "x", false),
            ("URL", "https://host/?token=x", false),
        ] {
            let shown = redaction.shown(name, value);
            assert_eq!(shown == value, is_shown, "{name}");
        }
        let builder = Conf::builder().set(Layer::ConfOption, REDACTION.name(), "LANG");
        let redaction = Redaction::of(&builder.build().expect("good"));
        assert_eq!(redaction.shown("LANG", "C"), Secret::SHOWN);
        let bad = Conf::builder().set(Layer::ConfOption, REDACTION.name(), "(");
        assert!(bad.build().is_err());
    }
}
