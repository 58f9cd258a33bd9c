//! Who the framework is to the Mesos master.
//!
//! Responsible for Spark's order of places: `spark.mesos.principal` (or its
//! environment variable), else the content of `spark.mesos.principal.file` (or
//! of the file its variable names); the same for the secret.

use std::fs;
use std::path::PathBuf;

use super::settings::SettingsError;
use crate::conf::properties::mesos::{PRINCIPAL, PRINCIPAL_FILE, SECRET, SECRET_FILE};
use crate::conf::{Conf, Secret};

/// A principal, and the secret that proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The name known to the master.
    pub principal: String,
    /// `None` where the master believes the name alone.
    pub secret: Option<Secret>,
}

/// The credentials that the settings name; `None` without a principal.
///
/// # Errors
/// A file that cannot be read.
pub fn load(conf: &Conf) -> Result<Option<Credentials>, SettingsError> {
    let principal = match conf.get(&PRINCIPAL) {
        None => conf.get(&PRINCIPAL_FILE).map(read).transpose()?,
        given => given,
    };
    let Some(principal) = principal else {
        return Ok(None);
    };
    let secret = match conf.get(&SECRET) {
        None => conf
            .get(&SECRET_FILE)
            .map(read)
            .transpose()?
            .map(Secret::new),
        given => given,
    };
    Ok(Some(Credentials { principal, secret }))
}

/// Editors end files with a line end that is no part of the name or secret.
fn read(path: PathBuf) -> Result<String, SettingsError> {
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
        Err(source) => Err(SettingsError::Read { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::Source;

    fn conf(settings: &[(&str, &str)]) -> Conf {
        let builder = settings
            .iter()
            .fold(Conf::builder(), |builder, (name, value)| {
                builder.set(Source::ConfOption, *name, *value)
            });
        builder.build().expect("good settings")
    }

    #[test]
    fn a_file_is_read_if_the_value_itself_is_not_given() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str| -> String {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("written");
            path.to_str().expect("text").to_owned()
        };
        let principal = file("principal", "me\n");
        let secret = file("secret", " s3cret \r\n");
        let both = conf(&[
            ("spark.mesos.principal.file", &principal),
            ("spark.mesos.secret.file", &secret),
        ]);
        let credentials = load(&both).expect("readable").expect("a principal");
        assert_eq!(credentials.principal, "me");
        assert_eq!(credentials.secret, Some(Secret::new(" s3cret ")));

        let absent = folder.path().join("absent");
        let given = conf(&[
            ("spark.mesos.principal", "you"),
            ("spark.mesos.principal.file", absent.to_str().expect("text")),
        ]);
        let credentials = load(&given).expect("not read").expect("a principal");
        assert_eq!(credentials.principal, "you");
        assert_eq!(credentials.secret, None);

        let unreadable = conf(&[("spark.mesos.principal.file", absent.to_str().expect("text"))]);
        let error = load(&unreadable).expect_err("absent");
        assert!(error.to_string().ends_with("absent"), "{error}");
        assert_eq!(load(&Conf::default()).expect("nothing to read"), None);
    }
}
