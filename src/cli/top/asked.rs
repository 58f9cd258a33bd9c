//! Asks a server of Spark's API for what an overview shows.
//!
//! Responsible for requests, their limits, and for saying what is wrong with an answer, or
//! why there is none.

use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::seen::{Application, Attempt, Seen, Waiting};
use crate::cli::exit_code::Failure;
use crate::clock::SystemClock;

/// An answer that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(15);

/// No answer is longer.
const LONGEST: usize = 64 << 20;

/// So many applications of a history are known, those that ended last.
const APPLICATIONS: usize = 1000;

/// Why nothing was seen.
#[derive(Debug, thiserror::Error)]
pub enum NotSeen {
    /// The server cannot be asked.
    #[error(
        "nothing answers at {url}: {why}; a run says where its pages are when it begins, and \
         `spark.ui.enabled=false` is a run without any"
    )]
    Silent {
        /// What was asked for.
        url: String,
        /// Why there is no answer.
        why: String,
    },
    /// It refused.
    #[error("{url} answers {status}{}", hint(*status))]
    Refused {
        /// What was asked for.
        url: String,
        /// The status of the answer.
        status: u16,
    },
    /// It answered something else.
    #[error("{url} does not answer as Spark's API does: {why}")]
    Strange {
        /// What was asked for.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// It does not know the application.
    #[error("{url} knows no application {}{}", wanted.as_deref().unwrap_or("at all"), others(known))]
    Unknown {
        /// Which server.
        url: String,
        /// The application, if one was named.
        wanted: Option<String>,
        /// Those that it knows.
        known: Vec<String>,
    },
}

fn hint(status: u16) -> &'static str {
    match status {
        401 => ": it wants a password, which --password-file has to name",
        503 => ": there is nothing to be seen yet",
        _ => "",
    }
}

fn others(known: &[String]) -> String {
    match known {
        [] => String::new(),
        known => format!("; it knows {}", known[..known.len().min(5)].join(", ")),
    }
}

/// A server, and the password if it wants one.
pub struct Client {
    http: reqwest::Client,
    base: String,
    password: Option<String>,
}

impl Client {
    /// Of the server at this address.
    ///
    /// # Errors
    /// The file of the password cannot be read, or the system has no room.
    pub fn new(url: &str, password: Option<&Path>) -> Result<Self, Failure> {
        let password = password.map(|path| {
            let text = std::fs::read_to_string(path);
            let text = text.map(|it| it.trim_end_matches(['\r', '\n']).to_owned());
            text.map_err(|error| {
                let path = path.display();
                Failure::Usage(format!("cannot read the password file {path}: {error}"))
            })
        });
        let password = password.transpose()?;
        // Whoever was first is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().timeout(PATIENCE).build();
        let http =
            http.map_err(|error| Failure::Usage(format!("cannot ask {url}: {}", said(&error))))?;
        let base = url.trim_end_matches('/').to_owned();
        Ok(Self {
            http,
            base,
            password,
        })
    }

    /// Looks at this application, or at the one that is most likely meant.
    ///
    /// # Errors
    /// There is no answer, or one that makes no sense.
    pub async fn look(&self, wanted: Option<&str>) -> Result<Seen, NotSeen> {
        let path = format!("/api/v1/applications?limit={APPLICATIONS}");
        let all: Vec<Application> = self.get(path).await?;
        let ids = || all.iter().map(|it| it.id.clone()).collect::<Vec<_>>();
        let Some(application) = chosen(&all, wanted) else {
            return Err(NotSeen::Unknown {
                url: self.base.clone(),
                wanted: wanted.map(str::to_owned),
                known: ids(),
            });
        };
        let attempt = application.attempts.first();
        let of = |what: &str| of(application, attempt, what);
        let (jobs, stages, executors) = tokio::try_join!(
            self.get(of("jobs")),
            self.get(of("stages")),
            self.get(of("executors")),
        )?;
        // Spark has no such thing, and a history neither.
        let waiting: Waiting = self
            .get("/api/mesquite/v1/waiting".to_owned())
            .await
            .unwrap_or_default();
        Ok(Seen {
            ids: ids(),
            application: application.clone(),
            jobs,
            stages,
            executors,
            notes: waiting.told,
            at: (SystemClock::unix_seconds() * 1000.0) as u64,
        })
    }

    async fn get<T: DeserializeOwned>(&self, path: String) -> Result<T, NotSeen> {
        let url = format!("{}{path}", self.base);
        let silent = |error: &reqwest::Error| NotSeen::Silent {
            url: self.base.clone(),
            why: said(error),
        };
        let mut request = self.http.get(&url);
        if let Some(password) = &self.password {
            request = request.bearer_auth(password);
        }
        let mut answer = request.send().await.map_err(|it| silent(&it))?;
        let status = answer.status().as_u16();
        if status != 200 {
            return Err(NotSeen::Refused { url, status });
        }
        let mut text = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|it| silent(&it))? {
            text.extend_from_slice(&part);
            if text.len() > LONGEST {
                let why = format!("it is longer than {} MiB", LONGEST >> 20);
                return Err(NotSeen::Strange { url, why });
            }
        }
        serde_json::from_slice(&text).map_err(|error| NotSeen::Strange {
            url,
            why: error.to_string(),
        })
    }
}

/// The last cause of an error, which is the one that people can do something about.
fn said(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// The application of this id; or of those that run the one that began last; or else the
/// first, which ended last.
fn chosen<'a>(all: &'a [Application], wanted: Option<&str>) -> Option<&'a Application> {
    if let Some(wanted) = wanted {
        return all.iter().find(|it| it.id == wanted);
    }
    let last = |it: &&Application| it.attempts.first().cloned().unwrap_or_default();
    let running = all.iter().filter(|it| !last(it).completed);
    let running = running.max_by_key(|it| last(it).start_time_epoch);
    running.or(all.first())
}

/// Where something of an application is.
fn of(application: &Application, attempt: Option<&Attempt>, what: &str) -> String {
    let mut path = format!("/api/v1/applications/{}", encoded(&application.id));
    if let Some(attempt) = attempt.and_then(|it| it.attempt_id.as_ref()) {
        path.push('/');
        path.push_str(&encoded(attempt));
    }
    format!("{path}/{what}")
}

fn encoded(text: &str) -> String {
    let all = percent_encoding::NON_ALPHANUMERIC;
    percent_encoding::utf8_percent_encode(text, all).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn application(id: &str, began: i64, completed: bool) -> Application {
        Application {
            id: id.to_owned(),
            name: String::new(),
            attempts: vec![Attempt {
                start_time_epoch: began,
                completed,
                ..Attempt::default()
            }],
        }
    }

    #[test]
    fn the_one_that_is_named_is_shown_or_what_runs_or_what_ended_last() {
        let all = [
            application("ended", 1, true),
            application("older", 2, false),
            application("newer", 3, false),
        ];
        let id = |all, wanted| chosen(all, wanted).map(|it| it.id.as_str());
        assert_eq!(id(&all, Some("older")), Some("older"));
        assert_eq!(id(&all, Some("none")), None);
        assert_eq!(id(&all, None), Some("newer"));
        assert_eq!(id(&all[..1], None), Some("ended"));
        assert_eq!(id(&[], None), None);
    }

    #[test]
    fn names_are_parts_of_a_path_and_nothing_more() {
        let attempt = Attempt {
            attempt_id: Some("2".to_owned()),
            ..Attempt::default()
        };
        let path = of(&application("a/../b?c", 0, true), Some(&attempt), "jobs");
        assert_eq!(path, "/api/v1/applications/a%2F%2E%2E%2Fb%3Fc/2/jobs");
    }
}
