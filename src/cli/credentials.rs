//! Who the framework is to the Mesos master.
//!
//! Responsible for Spark's order of places: `spark.mesos.principal` (or its
//! environment variable), else the content of `spark.mesos.principal.file` (or
//! of the file its variable names); the same for the secret, or a token in place
//! of it. A secret's file is read here to see that it can be, and again by
//! whoever sends what is in it.

use std::fs;
use std::path::PathBuf;

use super::settings::SettingsError;
use crate::conf::Conf;
use crate::conf::properties::mesos::{PRINCIPAL, PRINCIPAL_FILE, SECRET, SECRET_FILE, TOKEN_FILE};
use crate::mesos::authentication::{Authentication, Kept};

/// A name, and what proves it.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The principal known to the master; it stays the same while a framework
    /// lives.
    pub principal: Option<String>,
    /// What proves it, where the master does not believe the name alone.
    pub authentication: Authentication,
}

/// The credentials that the settings name.
///
/// # Errors
/// A file that cannot be read.
pub fn load(conf: &Conf) -> Result<Credentials, SettingsError> {
    let principal = match conf.get(&PRINCIPAL) {
        None => conf.get(&PRINCIPAL_FILE).map(read).transpose()?,
        given => given,
    };
    let file = |path: Option<PathBuf>| path.map(Kept::File);
    let secret = match conf.get(&SECRET) {
        None => file(conf.get(&SECRET_FILE)),
        Some(secret) => Some(secret.expose().into()),
    };
    // Settings with both were refused.
    let token = file(conf.get(&TOKEN_FILE));
    for kept in secret.iter().chain(&token) {
        kept.read()?;
    }
    let authentication = match (&principal, secret, token) {
        (_, _, Some(token)) => Authentication::Bearer(token),
        (Some(principal), Some(secret), None) => Authentication::Basic {
            principal: principal.clone(),
            secret,
        },
        _ => Authentication::None,
    };
    Ok(Credentials {
        principal,
        authentication,
    })
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
    use crate::conf::Layer;

    fn conf(settings: &[(&str, &str)]) -> Conf {
        let builder = settings
            .iter()
            .fold(Conf::builder(), |builder, (name, value)| {
                builder.set(Layer::ConfOption, *name, *value)
            });
        builder.build().expect("good settings")
    }

    /// What proves the name, as it is now.
    fn secret(credentials: &Credentials) -> Option<String> {
        match &credentials.authentication {
            Authentication::None => None,
            Authentication::Basic { secret, .. } => secret.read().ok(),
            Authentication::Bearer(token) => token.read().ok(),
        }
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
        let secret_file = file("secret", " s3cret \r\n");
        let both = conf(&[
            ("spark.mesos.principal.file", &principal),
            ("spark.mesos.secret.file", &secret_file),
        ]);
        let credentials = load(&both).expect("readable");
        assert_eq!(credentials.principal.as_deref(), Some("me"));
        assert_eq!(secret(&credentials).as_deref(), Some(" s3cret "));

        let absent = folder.path().join("absent");
        let given = conf(&[
            ("spark.mesos.principal", "you"),
            ("spark.mesos.principal.file", absent.to_str().expect("text")),
        ]);
        let credentials = load(&given).expect("not read");
        assert_eq!(credentials.principal.as_deref(), Some("you"));
        assert_eq!(secret(&credentials), None);

        let unreadable = conf(&[("spark.mesos.principal.file", absent.to_str().expect("text"))]);
        let error = load(&unreadable).expect_err("absent");
        assert!(error.to_string().ends_with("absent"), "{error}");
        let nothing = load(&Conf::default()).expect("nothing to read");
        assert_eq!(nothing.principal, None);
    }

    #[test]
    fn a_token_stands_alone_or_with_a_principal_and_never_with_a_secret() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        fs::write(&path, "t\n").expect("written");
        let path = path.to_str().expect("text");
        let token = ("mesquite.mesos.token.file", path);
        let alone = load(&conf(&[token])).expect("readable");
        assert_eq!(alone.principal, None);
        assert!(matches!(alone.authentication, Authentication::Bearer(_)));
        let named = load(&conf(&[token, ("spark.mesos.principal", "me")])).expect("readable");
        assert_eq!(named.principal.as_deref(), Some("me"));
        assert_eq!(secret(&named).as_deref(), Some("t"));

        let both = [
            token,
            ("spark.mesos.principal", "me"),
            ("spark.mesos.secret", "s"),
        ];
        let builder = both.iter().fold(Conf::builder(), |builder, (name, value)| {
            builder.set(Layer::ConfOption, *name, *value)
        });
        let error = builder.build().expect_err("both").to_string();
        assert!(error.contains("mesquite.mesos.token.file"), "{error}");

        fs::write(path, "").expect("written");
        let error = load(&conf(&[token])).expect_err("empty").to_string();
        assert!(error.contains(path), "{error}");
    }
}
