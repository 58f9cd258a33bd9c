//! Where a command starts, and with which variables.

use std::process::Command;

use crate::around::TaskFolder;
use crate::plan::surroundings::Variables;

/// See the module. By default as this process.
#[derive(Debug, Default)]
pub struct Start {
    /// Variables beside those of this process.
    pub env: Variables,
    /// A folder of its own, which ends with it.
    pub folder: Option<TaskFolder>,
}

impl Start {
    /// Has a command start here.
    pub(super) fn give(&self, command: &mut Command) {
        command.envs(&self.env.0);
        if let Some(folder) = &self.folder {
            command.current_dir(folder.path());
        }
    }
}
