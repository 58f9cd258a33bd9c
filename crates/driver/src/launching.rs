//! What Mesos is told to start an executor with: its command, and the container around it.
//!
//! Responsible for how the binary comes to where it runs. On the agent itself a shell
//! finds or fetches it, and checks it by its digest ([`Binary::command`]). In an image
//! there may be neither a shell nor anything that fetches: Mesos's own fetcher brings it
//! into the sandbox, and it is started there by its path.

use super::binary::{Binary, quoted};
use crate::conf::Conf;
use crate::conf::properties::containers::{
    CONTAINERIZER, Containerizer, FETCHER_CACHE, FORCE_PULL, IMAGE, PARAMETERS, TASK_LABELS, URIS,
    VOLUMES,
};
use crate::conf::properties::mesos::{EXECUTOR_HOME, EXECUTOR_URI};
use mesquite_base::container::{labels, parameters, volumes};
use mesquite_mesos_client::container::{Container, Image, Label, Runtime};
use mesquite_mesos_client::task::{Command, Run, Uri};

/// Where containers with an image have the sandbox, by Mesos's default of the agent's flag
/// `sandbox_directory`.
const SANDBOX: &str = "/mnt/mesos/sandbox";

/// What starts an executor.
#[derive(Clone, Debug)]
pub(super) struct Launching {
    pub(super) command: Command,
    pub(super) container: Option<Container>,
    pub(super) labels: Vec<Label>,
}

impl Launching {
    /// As the settings say; `served` is where the driver serves the binary. The texts of
    /// the settings were checked when they were set.
    pub(super) fn of(conf: &Conf, binary: &Binary, served: &str) -> Self {
        let cache = conf.get(&FETCHER_CACHE);
        let uris = conf.get(&URIS).into_iter().map(|value| Uri {
            value,
            name: None,
            executable: false,
            cache,
        });
        let mut command = Command {
            run: Run::Shell(on_the_agent(conf, binary, served)),
            uris: uris.collect(),
            environment: Vec::new(),
        };
        let mut container = conf.get(&IMAGE).map(|image| container(conf, image));
        if let Some(container) = &mut container {
            let (path, binary) = in_an_image(conf, binary, served, cache);
            command.uris.extend(binary);
            command.run = started_in(container, path);
        }
        let labels = conf.get(&TASK_LABELS).and_then(|text| labels(&text).ok());
        Self {
            command,
            container,
            labels: labels.unwrap_or_default(),
        }
    }
}

/// The shell's command without an image.
fn on_the_agent(conf: &Conf, binary: &Binary, served: &str) -> String {
    match conf.get(&EXECUTOR_HOME) {
        Some(home) => {
            let program = home.join("bin/mesquite");
            format!("exec {} executor", quoted(&program.to_string_lossy()))
        }
        None => {
            let url = conf.get(&EXECUTOR_URI);
            binary.command(url.as_deref().unwrap_or(served))
        }
    }
}

/// The path of the binary in the container, and what brings it there unless the image has
/// it.
fn in_an_image(conf: &Conf, binary: &Binary, served: &str, cache: bool) -> (String, Option<Uri>) {
    if let Some(home) = conf.get(&EXECUTOR_HOME) {
        let program = home.join("bin/mesquite");
        return (program.to_string_lossy().into_owned(), None);
    }
    let name = binary.name();
    // An agent that keeps what it fetched must not take one binary for another.
    let own = || format!("{served}?{}", binary.digest());
    let uri = Uri {
        value: conf.get(&EXECUTOR_URI).unwrap_or_else(own),
        name: Some(name.clone()),
        executable: true,
        cache,
    };
    (format!("{SANDBOX}/{name}"), Some(uri))
}

fn container(conf: &Conf, image: String) -> Container {
    let image = Image {
        name: image,
        pull: conf.get(&FORCE_PULL),
    };
    let volumes = conf.get(&VOLUMES).and_then(|text| volumes(&text).ok());
    let parameters = conf.get(&PARAMETERS).map(|text| parameters(&text));
    Container {
        runtime: match conf.get(&CONTAINERIZER) {
            Containerizer::Mesos => Runtime::Mesos(image),
            Containerizer::Docker => Runtime::Docker {
                image,
                parameters: parameters.and_then(Result::ok).unwrap_or_default(),
            },
        },
        volumes: volumes.unwrap_or_default(),
    }
}

/// What runs the program at a path of the container.
fn started_in(container: &mut Container, path: String) -> Run {
    match &mut container.runtime {
        Runtime::Mesos(_) => Run::Program {
            path: Some(path),
            arguments: vec!["mesquite".into(), "executor".into()],
        },
        // The image's own beginning would be given our command as arguments.
        Runtime::Docker { parameters, .. } => {
            parameters.push(("entrypoint".into(), path));
            Run::Program {
                path: None,
                arguments: vec!["executor".into()],
            }
        }
    }
}
