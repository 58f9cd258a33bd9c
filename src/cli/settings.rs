//! From options, files and the environment to a [`Conf`].
//!
//! Responsible for reading what the settings are made of and for logging those
//! that do nothing. Precedence and checks are [`conf`](crate::conf)'s.

use std::io;
use std::path::PathBuf;

use super::Environment;
use super::args::SettingsArgs;
use crate::conf::properties::application::{APP_NAME, MASTER};
use crate::conf::properties_file::{self, PropertiesFileError};
use crate::conf::{Conf, ConfBuilder, ConfError, Layer};
use crate::mesos::authentication::KeptError;
use crate::mesos::pem::PemError;
use crate::mesos::tls::TlsError;

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file that settings name cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file of certificates or keys is none.
    #[error("cannot use {}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: PemError,
    },
    /// Certificates and key are sound, and of no use.
    #[error("cannot speak TLS with {name}")]
    Tls {
        /// The setting that names them.
        name: &'static str,
        /// Why not.
        source: TlsError,
    },
    /// There is no secret or token in its file.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// A properties file is not written as one.
    #[error("cannot read {}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: PropertiesFileError,
    },
    /// Settings are bad.
    #[error(transparent)]
    Conf(#[from] ConfError),
}

/// Collects settings from everywhere but a job file.
///
/// # Errors
/// A properties file that cannot be read.
pub fn collect(
    args: &SettingsArgs,
    environment: &Environment,
) -> Result<ConfBuilder, SettingsError> {
    let mut builder = Conf::builder().environment(environment);
    if let Some(path) = &args.properties_file {
        let text = std::fs::read_to_string(path).map_err(|source| SettingsError::Read {
            path: path.clone(),
            source,
        })?;
        let entries = properties_file::parse(&text).map_err(|source| SettingsError::Parse {
            path: path.clone(),
            source,
        })?;
        for entry in entries {
            let source = Layer::PropertiesFile {
                path: path.clone(),
                line: entry.line,
            };
            builder = builder.set(source, entry.name, entry.value);
        }
    }
    for assignment in &args.conf {
        builder = builder.set(Layer::ConfOption, &assignment.name, &assignment.value);
    }
    if let Some(master) = &args.master {
        builder = builder.set(Layer::Option("--master"), MASTER.name(), master);
    }
    if let Some(name) = &args.name {
        builder = builder.set(Layer::Option("--name"), APP_NAME.name(), name);
    }
    Ok(builder)
}

/// Checks what was collected and logs the settings that do nothing.
///
/// # Errors
/// Every bad setting.
pub fn check(builder: ConfBuilder) -> Result<Conf, SettingsError> {
    let conf = builder.build()?;
    for warning in conf.warnings() {
        tracing::warn!("{warning}");
    }
    Ok(conf)
}

/// The settings of a command that has no job file.
///
/// # Errors
/// A file that cannot be read, or every bad setting.
pub fn load(args: &SettingsArgs, environment: &Environment) -> Result<Conf, SettingsError> {
    check(collect(args, environment)?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::cli::args::Assignment;
    use crate::conf::properties::executor::EXECUTOR_CORES;
    use crate::conf::properties::mesos::{PRINCIPAL, ROLE};

    fn set(name: &str, value: &str) -> Assignment {
        Assignment {
            name: name.to_owned(),
            value: value.to_owned(),
        }
    }

    #[test]
    fn options_win_over_the_file_and_the_file_over_the_environment() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("spark-defaults.conf");
        let text =
            "# cluster\nspark.mesos.role eng\nspark.executor.cores=2\nspark.mesos.principal me\n";
        fs::write(&path, text).expect("written");
        let args = SettingsArgs {
            master: Some("mesos://h".to_owned()),
            conf: vec![
                set("spark.executor.cores", "3"),
                set("spark.executor.cores", "4"),
                set("spark.master", "local"),
            ],
            properties_file: Some(path.clone()),
            ..SettingsArgs::default()
        };
        let environment =
            Environment::from([("SPARK_MESOS_PRINCIPAL".to_owned(), "you".to_owned())]);
        let conf = load(&args, &environment).expect("good settings");
        assert_eq!(conf.get(&ROLE).as_str(), "eng");
        assert_eq!(conf.get(&EXECUTOR_CORES), Some(4));
        assert_eq!(conf.get(&PRINCIPAL).as_deref(), Some("me"));
        assert_eq!(conf.get(&MASTER).to_string(), "mesos://h:5050");
        let line = Layer::PropertiesFile { path, line: 2 };
        assert_eq!(conf.source("spark.mesos.role"), Some(&line));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut args = SettingsArgs {
            properties_file: Some(folder.path().join("absent.conf")),
            ..SettingsArgs::default()
        };
        let error = load(&args, &Environment::new()).expect_err("absent");
        assert!(error.to_string().ends_with("absent.conf"), "{error}");

        let path = folder.path().join("bad.conf");
        fs::write(&path, "spark.mesos.role \\u12").expect("written");
        args.properties_file = Some(path);
        let error = load(&args, &Environment::new()).expect_err("a bad escape");
        assert!(matches!(error, SettingsError::Parse { .. }), "{error}");
    }
}
