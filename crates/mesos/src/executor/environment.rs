//! What an agent tells its executor by environment variables. Pure.
//!
//! Responsible for reading them once, completely, with defaults where Mesos has
//! defaults. The names are those of Mesos's "Executor HTTP API" document.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::agent_tls::AgentTls;
use crate::endpoint::{Endpoint, Scheme};
use crate::ids::{AgentId, ExecutorId, FrameworkId};

/// Variables that are wrong or missing; an executor is not started by hand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// A variable that every agent sets is not there.
    #[error("{0} is not set; `mesquite executor` is started by a Mesos agent, not by hand")]
    Missing(&'static str),
    /// A variable has a value that no agent gives it.
    #[error("{name} is {value:?}, which is not {expected}")]
    Malformed {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
}

/// What an executor knows from its environment.
#[derive(Clone, PartialEq, Eq)]
pub struct ExecutorEnvironment {
    /// The framework.
    pub framework: FrameworkId,
    /// This executor.
    pub executor: ExecutorId,
    /// The agent.
    pub agent: AgentId,
    /// Where the agent listens.
    pub endpoint: Endpoint,
    /// How TLS is spoken there, if it is.
    pub tls: Option<AgentTls>,
    /// The agent's Unix socket, if it wants to be spoken to there.
    pub domain_socket: Option<PathBuf>,
    /// The path of the API in its long form, which works over both.
    pub path: String,
    /// The token to authenticate with. To be kept from tasks.
    pub token: Option<String>,
    /// How long to look for an agent that is gone; `None` if the framework does
    /// not checkpoint, and the executor ends with its agent.
    pub recovery_timeout: Option<Duration>,
    /// The longest pause before looking for the agent again.
    pub subscription_backoff: Duration,
    /// How long after SHUTDOWN the agent destroys the container.
    pub shutdown_grace_period: Duration,
}

impl fmt::Debug for ExecutorEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "executor {} of framework {} on agent {} at {}",
            self.executor, self.framework, self.agent, self.endpoint
        )
    }
}

/// What agents set when they are started with their own defaults.
const BACKOFF: Duration = Duration::from_secs(2);
const RECOVERY: Duration = Duration::from_secs(15 * 60);
const GRACE: Duration = Duration::from_secs(5);

/// The variable that holds the token.
pub const TOKEN: &str = "MESOS_EXECUTOR_AUTHENTICATION_TOKEN";

impl ExecutorEnvironment {
    /// Reads the variables.
    ///
    /// # Errors
    /// One is missing or malformed.
    pub fn read(variables: &BTreeMap<String, String>) -> Result<Self, EnvironmentError> {
        let get = |name: &str| {
            let value = variables.get(name).map(String::as_str);
            value.filter(|value| !value.is_empty())
        };
        let need = |name: &'static str| get(name).ok_or(EnvironmentError::Missing(name));
        let duration = |name: &'static str, default| match get(name) {
            None => Ok(default),
            Some(text) => parse_duration(text).ok_or_else(|| EnvironmentError::Malformed {
                name,
                value: text.to_owned(),
                expected: "a duration such as 5secs",
            }),
        };
        let endpoint = need("MESOS_AGENT_ENDPOINT")?;
        // Which part of the agent's process handles the API: `slave(1)@ip:port`.
        let process = get("MESOS_SLAVE_PID").and_then(|pid| pid.split_once('@'));
        let checkpoint = matches!(get("MESOS_CHECKPOINT"), Some("1" | "true"));
        let tls = AgentTls::read(variables);
        let scheme = match tls {
            Some(_) => Scheme::Https,
            None => Scheme::Http,
        };
        let recovery = duration("MESOS_RECOVERY_TIMEOUT", RECOVERY)?;
        Ok(Self {
            framework: need("MESOS_FRAMEWORK_ID")?.into(),
            executor: need("MESOS_EXECUTOR_ID")?.into(),
            agent: need("MESOS_SLAVE_ID")?.into(),
            endpoint: format!("{}://{endpoint}", scheme.as_str())
                .parse()
                .map_err(|_| EnvironmentError::Malformed {
                    name: "MESOS_AGENT_ENDPOINT",
                    value: endpoint.to_owned(),
                    expected: "an agent's ip:port",
                })?,
            tls,
            domain_socket: get("MESOS_DOMAIN_SOCKET").map(PathBuf::from),
            path: match process {
                Some((process, _)) => format!("/{process}/api/v1/executor"),
                None => "/api/v1/executor".to_owned(),
            },
            token: get(TOKEN).map(ToOwned::to_owned),
            recovery_timeout: checkpoint.then_some(recovery),
            subscription_backoff: duration("MESOS_SUBSCRIPTION_BACKOFF_MAX", BACKOFF)?,
            shutdown_grace_period: duration("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", GRACE)?,
        })
    }
}

/// Reads a duration as Mesos prints it: a decimal number and its unit, with
/// nothing between.
fn parse_duration(text: &str) -> Option<Duration> {
    let unit_at = text.find(|char: char| char.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit_at);
    let seconds = match unit {
        "ns" => 1e-9,
        "us" => 1e-6,
        "ms" => 1e-3,
        "secs" => 1.0,
        "mins" => 60.0,
        "hrs" => 3600.0,
        "days" => 86_400.0,
        "weeks" => 604_800.0,
        _ => return None,
    };
    let number: f64 = number.parse().ok()?;
    Duration::try_from_secs_f64(number * seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(changes: &[(&str, &str)]) -> BTreeMap<String, String> {
        let mut variables: BTreeMap<String, String> = [
            ("MESOS_FRAMEWORK_ID", "f"),
            ("MESOS_EXECUTOR_ID", "e"),
            ("MESOS_SLAVE_ID", "a"),
            ("MESOS_SLAVE_PID", "slave(1)@127.0.0.2:5051"),
            ("MESOS_AGENT_ENDPOINT", "127.0.0.2:5051"),
            ("MESOS_CHECKPOINT", "1"),
            ("MESOS_RECOVERY_TIMEOUT", "15mins"),
            ("MESOS_SUBSCRIPTION_BACKOFF_MAX", "2secs"),
            ("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "5secs"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        for (name, value) in changes {
            variables.insert((*name).to_owned(), (*value).to_owned());
        }
        variables
    }

    #[test]
    fn what_an_agent_sets_is_read() {
        let environment = ExecutorEnvironment::read(&variables(&[])).unwrap();
        assert_eq!(environment.endpoint.to_string(), "http://127.0.0.2:5051");
        assert_eq!(environment.path, "/slave(1)/api/v1/executor");
        assert_eq!(environment.recovery_timeout, Some(RECOVERY));
        assert_eq!(environment.token, None);
        assert_eq!(environment.tls, None);
    }

    #[test]
    fn an_agent_that_speaks_tls_is_spoken_to_by_it() {
        let environment =
            ExecutorEnvironment::read(&variables(&[("LIBPROCESS_SSL_ENABLED", "1")])).unwrap();
        assert_eq!(environment.endpoint.to_string(), "https://127.0.0.2:5051");
        assert!(environment.tls.is_some());
    }

    #[test]
    fn without_checkpointing_there_is_no_recovery() {
        let environment = ExecutorEnvironment::read(&variables(&[("MESOS_CHECKPOINT", "0")]));
        assert_eq!(environment.unwrap().recovery_timeout, None);
    }

    #[test]
    fn a_missing_variable_says_that_agents_start_executors() {
        let mut variables = variables(&[]);
        variables.remove("MESOS_EXECUTOR_ID");
        let error = ExecutorEnvironment::read(&variables).unwrap_err();
        assert!(error.to_string().contains("MESOS_EXECUTOR_ID"));
        assert!(error.to_string().contains("not by hand"));
    }

    #[test]
    fn a_malformed_variable_is_named() {
        for (name, value) in [
            ("MESOS_RECOVERY_TIMEOUT", "15 minutes"),
            ("MESOS_SUBSCRIPTION_BACKOFF_MAX", "-1secs"),
            ("MESOS_AGENT_ENDPOINT", "nonsense:x"),
        ] {
            let error = ExecutorEnvironment::read(&variables(&[(name, value)])).unwrap_err();
            assert!(error.to_string().starts_with(name), "{error}");
        }
    }

    #[test]
    fn durations_are_read_as_mesos_prints_them() {
        for (text, duration) in [
            ("0ns", Duration::ZERO),
            ("90secs", Duration::from_secs(90)),
            ("1.5mins", Duration::from_secs(90)),
            ("250ms", Duration::from_millis(250)),
            ("2weeks", Duration::from_secs(14 * 86_400)),
        ] {
            assert_eq!(parse_duration(text), Some(duration), "{text}");
        }
        for text in ["", "5", "secs", "5s", "5 secs", "NaNsecs", "1e400secs"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn the_token_is_not_printed() {
        let environment = ExecutorEnvironment::read(&variables(&[(TOKEN, "hunter2")])).unwrap();
        assert!(!format!("{environment:?}").contains("hunter2"));
    }
}
