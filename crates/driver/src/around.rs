//! What commands find around them because a setting says so.
//!
//! Responsible for bringing `spark.executorEnv.NAME`, `spark.files` and `spark.archives` into an application,
//! whoever made it - executors know the program, and no settings - and for two files of one
//! name, of which a command could see one only.

use std::io;
use std::path;
use std::sync::Arc;

use crate::conf::Conf;
use crate::conf::properties::executor::{ARCHIVES, ARCHIVES_MAX_SIZE, EXECUTOR_ENV, FILES};
use crate::conf::property::Property;
use crate::error::RunError;
use crate::plan::application::Application;
use crate::plan::surroundings::{Brought, Origin, Surroundings, Variables, check_archive, named};
use mesquite_engine::storage::path::local;

/// Adds what the settings have for all commands. Done again it changes nothing.
///
/// # Errors
/// A name that no file can have, or two files of one name.
pub fn add_settings(application: &mut Application, conf: &Conf) -> Result<(), RunError> {
    let of_settings = Surroundings {
        env: Variables(conf.family(&EXECUTOR_ENV)),
        files: files(conf)?,
    };
    if of_settings.is_empty() && application.program.all_around().all(Surroundings::is_empty) {
        return Ok(());
    }
    let program = Arc::make_mut(&mut application.program);
    *program.around_all() = of_settings;
    let most = conf.get(&ARCHIVES_MAX_SIZE).0;
    for brought in program.all_around_mut().flat_map(|it| &mut it.files) {
        brought.unpacked = brought.unpacked.map(|_| most);
    }
    for recipe in program.datasets() {
        if let Some(name) = program.around(recipe).clash() {
            let dataset = &recipe.name;
            return Err(RunError::Name(format!(
                "two files that are brought to the command of dataset `{dataset}` have the name \
                 `{name}`, one of them by a setting: `PATH#NAME` gives one another name"
            )));
        }
    }
    Ok(())
}

/// The settings that bring files, each with whether they are archives.
pub const SETTINGS: [(&Property<Vec<String>>, bool); 2] = [(&FILES, false), (&ARCHIVES, true)];

/// The files of the settings. Their paths begin where mesquite is started.
fn files(conf: &Conf) -> Result<Vec<Brought>, RunError> {
    let mut files = Vec::new();
    for (property, is_archive) in SETTINGS {
        for entry in conf.get(property) {
            let refused = |why| RunError::Name(format!("{}: `{entry}` {why}", property.name()));
            let (path, name) = named(&entry).map_err(refused)?;
            if is_archive {
                check_archive(path).map_err(refused)?;
            }
            let mut from = Origin::of(path);
            from_here(&mut from)?;
            files.push(Brought {
                name: name.to_owned(),
                from,
                unpacked: is_archive.then_some(0),
            });
        }
    }
    Ok(files)
}

/// Makes the path of a file of this machine begin at its root.
///
/// # Errors
/// It is none of this machine, or the folder in which mesquite was started is gone.
pub fn from_here(from: &mut Origin) -> Result<(), RunError> {
    let Origin::Driver { path: written, .. } = from else {
        return Ok(());
    };
    let failed = |error| RunError::Bring {
        path: written.clone(),
        error,
    };
    let none = || failed(io::Error::other("it is no file of this machine"));
    let path = local(written).ok().flatten().ok_or_else(none)?;
    let absolute = path::absolute(path).map_err(failed)?;
    *written = absolute
        .into_os_string()
        .into_string()
        .map_err(|_| none())?;
    Ok(())
}
