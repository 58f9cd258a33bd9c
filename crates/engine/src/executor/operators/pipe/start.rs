//! Where a command starts, and with which variables.

use std::process::Command;

use crate::around::TaskFolder;
use crate::conf::properties::resources::GPU;
use crate::plan::surroundings::Variables;
use crate::rpc::message::NamedResource;

/// See the module. By default as this process.
#[derive(Debug, Default)]
pub struct Start {
    /// Variables beside those of this process.
    pub env: Variables,
    /// A folder of its own, which ends with it.
    pub folder: Option<TaskFolder>,
}

impl Start {
    /// Has a command start here, and tells it what its task has of resources with names.
    pub(super) fn give(&self, command: &mut Command, resources: &[NamedResource]) {
        command.envs(&self.env.0);
        // Whoever asked for GPUs is to use those, whatever was set.
        for resource in resources {
            let addresses = resource.addresses.join(",");
            if resource.name == GPU {
                command.env("CUDA_VISIBLE_DEVICES", &addresses);
            }
            command.env(variable_of(&resource.name), addresses);
        }
        if let Some(folder) = &self.folder {
            command.current_dir(folder.path());
        }
    }
}

/// The variable with the addresses of a resource.
fn variable_of(name: &str) -> String {
    let part = |it: char| match it {
        it if it.is_ascii_alphanumeric() => it.to_ascii_uppercase(),
        _ => '_',
    };
    let name: String = name.chars().map(part).collect();
    format!("MESQUITE_RESOURCE_{name}")
}
