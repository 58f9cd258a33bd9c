//! Which values are not shown.
//!
//! Responsible for `spark.redaction.regex`: what it finds in the name of a setting or of a
//! variable, or in its value, keeps the value from pages, logs and plans. Pure.

use regex::Regex;

use super::secret::Secret;

/// See the module.
#[derive(Clone, Debug)]
pub struct Redaction(Regex);

impl Redaction {
    /// By a value of the property, which follows its rule.
    pub(super) fn of(pattern: &str) -> Self {
        Self(Regex::new(pattern).expect("a property's value follows its rule"))
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
    use crate::conf::properties::application::REDACTION;
    use crate::conf::{Conf, Layer};

    #[test]
    fn what_looks_like_a_secret_is_not_shown() {
        let redaction = Conf::default().redaction();
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
        let redaction = builder.build().expect("good").redaction();
        assert_eq!(redaction.shown("LANG", "C"), Secret::SHOWN);
        let bad = Conf::builder().set(Layer::ConfOption, REDACTION.name(), "(");
        assert!(bad.build().is_err());
    }
}
