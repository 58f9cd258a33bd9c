//! What a master tells operators.
//!
//! Responsible for one question that the scheduler API cannot answer: which
//! agents there are, whether they offer anything or not.

use std::time::Duration;

use serde::Deserialize;

use super::endpoint::Endpoint;
use super::http::{Http, HttpError};

/// The answer lists every agent; a very large cluster's takes a while.
const PATIENCE: Duration = Duration::from_secs(5);

/// An agent as the master lists it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Agent {
    /// Its host name.
    pub hostname: String,
    /// Whether it is connected and takes tasks.
    pub active: bool,
    /// What it has in all.
    pub resources: Amounts,
    /// What is in use, of anybody.
    pub used_resources: Amounts,
}

/// Amounts of the resources that everybody needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
pub struct Amounts {
    /// Cores.
    #[serde(default)]
    pub cpus: f64,
    /// Memory in MiB.
    #[serde(default)]
    pub mem: f64,
}

impl Agent {
    /// Whether anything of it is left to offer.
    pub fn has_room(&self) -> bool {
        self.active
            && self.used_resources.cpus < self.resources.cpus
            && self.used_resources.mem < self.resources.mem
    }
}

#[derive(Deserialize)]
struct Agents {
    slaves: Vec<Agent>,
}

/// The agents that a master knows.
///
/// # Errors
/// The master does not answer, or does not let us know.
pub async fn agents(http: &Http, master: &Endpoint) -> Result<Vec<Agent>, HttpError> {
    let body = tokio::time::timeout(PATIENCE, http.get(&master.url("/slaves")))
        .await
        .map_err(|_| HttpError::Transport("no answer in time".into()))??;
    let agents: Agents =
        serde_json::from_slice(&body).map_err(|it| HttpError::Transport(it.to_string()))?;
    Ok(agents.slaves)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_without_free_cores_has_no_room() {
        let text = r#"{"slaves":[
            {"id":"a","hostname":"h","active":true,"resources":{"cpus":2.0,"mem":2.0,"disk":1,"ports":"[1-2]"},
             "used_resources":{"cpus":2.0,"mem":1.0}},
            {"hostname":"i","active":true,"resources":{"cpus":2.0,"mem":2.0},"used_resources":{}}],
            "recovered_slaves":[]}"#;
        let agents: Agents = serde_json::from_str(text).unwrap();
        let room: Vec<_> = agents.slaves.iter().map(Agent::has_room).collect();
        assert_eq!(room, [false, true]);
    }
}
