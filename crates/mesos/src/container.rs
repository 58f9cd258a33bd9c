//! Containers of executors, in the domain's own types. Pure.
//!
//! Responsible for what Mesos is told of the file system that an executor finds itself
//! in. `convert` makes the message of it.

pub use mesquite_base::container::{Label, Volume};

/// A container with a file system of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// What makes it.
    pub runtime: Runtime,
    /// What of the agent it sees.
    pub volumes: Vec<Volume>,
}

/// What makes a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// Mesos itself.
    Mesos(Image),
    /// The agent's Docker.
    Docker {
        /// Its file system.
        image: Image,
        /// What `docker run` is given beside it.
        parameters: Vec<(String, String)>,
    },
}

/// An image, as Docker has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// What its registry calls it.
    pub name: String,
    /// Whether an agent that has it asks for it anew.
    pub pull: bool,
}

impl Container {
    /// Its image.
    pub const fn image(&self) -> &Image {
        match &self.runtime {
            Runtime::Mesos(image) | Runtime::Docker { image, .. } => image,
        }
    }
}
