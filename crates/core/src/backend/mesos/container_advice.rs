//! What helps when an agent cannot start a container, by what it says of it. Pure.
//!
//! Responsible for naming the setting that is to blame. Mesos has one reason for all that can
//! go wrong with a container, and a text; words of the text tell the cases apart, and
//! where none does, the agent's log is what is left.

use mesquite_mesos::container::{Container, Runtime};

/// What is to be done about it, as the end of a sentence.
pub fn advice(said: &str, container: Option<&Container>) -> String {
    let said = said.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let log = "the log of the agent says more".to_owned();
    if has(&["fetch"]) {
        return "the agent's fetcher cannot bring what the executor begins with: see that it \
                reaches the driver (spark.driver.host), or what spark.executor.uri and \
                spark.mesos.uris name"
            .to_owned();
    }
    let Some(container) = container else {
        return log;
    };
    let image = &container.image().name;
    let (by, other) = match container.runtime {
        Runtime::Mesos(_) => ("mesos", "docker"),
        Runtime::Docker { .. } => ("docker", "mesos"),
    };
    if has(&["containerizer"]) {
        return format!(
            "agents have no containerizer for spark.mesos.containerizer={by}: set it to {other}, \
             or have spark.mesos.constraints choose agents that have it"
        );
    }
    if has(&["volume", "mount"]) {
        return "see that the agent has what spark.mesos.executor.docker.volumes names, and \
                that the image has room for it"
            .to_owned();
    }
    if has(&["exited with status"]) && !has(&["pull"]) {
        return format!(
            "it began and ended at once: its stderr in the sandbox says why; the image {image} \
             must have glibc 2.17 or newer, for which mesquite is built"
        );
    }
    if has(&["image", "archive", "manifest", "pull", "registry"]) {
        return format!(
            "see that the agent can get the image {image} (spark.mesos.executor.docker.image), \
             and that it takes images (spark.mesos.containerizer is {by})"
        );
    }
    log
}

#[cfg(test)]
mod tests {
    use super::*;
    use mesquite_mesos::container::Image;

    #[test]
    fn each_failure_of_a_real_agent_leads_to_the_setting_that_it_is_about() {
        let image = Image {
            name: "nothere:1".into(),
            pull: false,
        };
        let mesos = Container {
            runtime: Runtime::Mesos(image.clone()),
            volumes: Vec::new(),
        };
        let docker = Container {
            runtime: Runtime::Docker {
                image,
                parameters: Vec::new(),
            },
            volumes: Vec::new(),
        };
        for (container, said, words) in [
            (
                &mesos,
                "Failed to find archive for image 'nothere:1' at '/images/nothere:1.tar'",
                "image nothere:1 (spark.mesos.executor.docker.image)",
            ),
            (
                &docker,
                "Failed to run 'docker -H unix:///var/run/docker.sock pull nothere:1': exited \
                 with status 1; stderr='...'",
                "image nothere:1 (spark.mesos.executor.docker.image)",
            ),
            (
                &mesos,
                "Path '/nothere' in HOST_PATH volume does not exist",
                "spark.mesos.executor.docker.volumes",
            ),
            (
                &docker,
                "None of the enabled containerizers (mesos) could create a container",
                "set it to mesos",
            ),
            (&docker, "Container exited with status 127", "glibc 2.17"),
            (
                &mesos,
                "Failed to fetch all URIs for container 'c': exited with status 1",
                "spark.driver.host",
            ),
            (&mesos, "Disk quota", "log of the agent"),
        ] {
            let found = advice(said, Some(container));
            assert!(found.contains(words), "{said}: {found}");
        }
        assert!(advice("no image", None).contains("log of the agent"));
    }
}
