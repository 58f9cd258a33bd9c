//! Properties of the containers that executors run in on Mesos, and of what Mesos brings
//! there.
//!
//! Responsible for the names and for what does not go together: whoever asks for a
//! container must not find the run on the bare host.

use super::application::MASTER;
use crate::conf::Conf;
use crate::conf::property::{Property, boolean, choice, list, properties, text};
use crate::conf::value::Choice;
use crate::container;

/// What makes the containers of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Containerizer {
    /// The agents' Docker.
    Docker,
    /// Mesos itself.
    Mesos,
}

impl Choice for Containerizer {
    const WORDS: &'static [&'static str] = &["docker", "mesos"];

    fn from_word(word: &str) -> Option<Self> {
        match word {
            "docker" => Some(Self::Docker),
            "mesos" => Some(Self::Mesos),
            _ => None,
        }
    }
}

properties! {
    title: "Containers on Mesos";

    /// The image that executors run in, with all their commands. It needs nothing of
    /// Mesquite: Mesos's fetcher brings the binary, which is linked to glibc 2.17 or newer.
    pub IMAGE: Property<Option<String>> =
        text("spark.mesos.executor.docker.image").optional("the agents' own file system");

    /// What makes the containers of the image: the agents' Docker, or Mesos itself,
    /// which needs no Docker on them.
    pub CONTAINERIZER: Property<Containerizer> =
        choice("spark.mesos.containerizer").default("docker");

    /// Whether agents ask the registry for the image though they have it.
    pub FORCE_PULL: Property<bool> =
        boolean("spark.mesos.executor.docker.forcePullImage").default("false");

    /// Folders of the agents that the containers see:
    /// `[/on/the/agent:]/in/the/container[:ro or :rw]`, separated by commas. Without the first
    /// part it is an empty folder of the sandbox.
    pub VOLUMES: Property<Option<String>> = text("spark.mesos.executor.docker.volumes")
        .following(volumes)
        .optional("the sandbox alone");

    /// Further parameters of `docker run`, as `key=value`, separated by commas. For the
    /// containerizer `docker` alone.
    pub PARAMETERS: Property<Option<String>> = text("spark.mesos.executor.docker.parameters")
        .following(parameters)
        .optional("no others than Mesos gives");

    /// Labels of the Mesos tasks: `key:value`, separated by commas, with `\,` and `\:` for
    /// these in a text.
    pub TASK_LABELS: Property<Option<String>> = text("spark.mesos.task.labels")
        .following(labels)
        .optional("none");

    /// What Mesos's fetcher brings into the sandbox of each executor before it begins, and
    /// unpacks if it is an archive. Commands find it in `$MESOS_SANDBOX`. What the driver's
    /// machine has is brought by `spark.files`.
    pub URIS: Property<Vec<String>> = list("spark.mesos.uris").default("");

    /// Whether agents keep what the fetcher brings for the next executor that wants it.
    pub FETCHER_CACHE: Property<bool> =
        boolean("spark.mesos.fetcherCache.enable").default("false");
}

fn volumes(text: &str) -> Result<(), &'static str> {
    container::volumes(text).map(drop)
}

fn labels(text: &str) -> Result<(), &'static str> {
    container::labels(text).map(drop)
}

/// Mesos gives `docker run` its own name of the container, and we where it begins.
fn parameters(text: &str) -> Result<(), &'static str> {
    let parameters = container::parameters(text)?;
    let is_ours = |(key, _): &(String, String)| matches!(&**key, "name" | "entrypoint");
    if parameters.iter().any(is_ours) {
        return Err("parameters other than `name` and `entrypoint`, which Mesos and Mesquite set");
    }
    Ok(())
}

/// An image on the bare host, or a volume of no container, would be passed over in silence.
pub(super) fn of_no_container(conf: &Conf) -> Vec<String> {
    let Some(image) = conf.get(&IMAGE) else {
        let set = [
            (VOLUMES.name(), conf.get(&VOLUMES).is_some()),
            (PARAMETERS.name(), conf.get(&PARAMETERS).is_some()),
            (FORCE_PULL.name(), conf.get(&FORCE_PULL)),
        ];
        let set = set.into_iter().filter(|(_, is_set)| *is_set);
        return set
            .map(|(name, _)| format!("{name} is of an image: set {} too", IMAGE.name()))
            .collect();
    };
    let mut wrong = Vec::new();
    let master = conf.get(&MASTER);
    if master.mesos().is_none() {
        wrong.push(format!(
            "the image {image} ({}) is for Mesos, and the master {master} starts no containers",
            IMAGE.name()
        ));
    }
    if conf.get(&PARAMETERS).is_some() && conf.get(&CONTAINERIZER) == Containerizer::Mesos {
        wrong.push(format!(
            "{} is for `docker run`, and {}=mesos runs none",
            PARAMETERS.name(),
            CONTAINERIZER.name()
        ));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_the_container_is_not_the_users() {
        assert_eq!(parameters("ipc=host,env=A=1"), Ok(()));
        assert!(parameters("name=x").is_err());
        assert!(parameters("ipc=host,entrypoint=/bin/sh").is_err());
    }
}
