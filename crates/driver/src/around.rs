//! What commands find around them because a setting says so.
//!
//! Responsible for bringing `spark.executorEnv.NAME` into an application, whoever made
//! it: executors know the program, and no settings.

use std::sync::Arc;

use crate::conf::Conf;
use crate::conf::properties::executor::EXECUTOR_ENV;
use crate::plan::application::Application;
use crate::plan::surroundings::{Surroundings, Variables};

/// Adds what the settings have for all commands. Done again it changes nothing.
pub fn add_settings(application: &mut Application, conf: &Conf) {
    let of_settings = Surroundings {
        env: Variables(conf.family(&EXECUTOR_ENV)),
    };
    if !of_settings.is_empty() {
        let program = Arc::make_mut(&mut application.program);
        program.around_all().add_of_all(&of_settings);
    }
}
