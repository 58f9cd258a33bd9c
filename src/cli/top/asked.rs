//! Asks a server of Spark's API for what an overview shows.
//!
//! Responsible for requests, their limits, and for saying what is wrong with an answer, or
//! why there is none.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::not_seen::NotSeen;
use super::seen::{Application, ApplicationAttempt, Seen, Waiting};
use crate::cli::asking;
use crate::cli::exit_code::Failure;
use crate::clock::SystemClock;
use crate::mesos::http::Http;
use crate::mesos::tls::{Tls, Trust};

/// So many applications of a history are known, those that ended last.
const APPLICATIONS: usize = 1000;

/// A server.
pub struct Client {
    http: Http,
    base: String,
}

impl Client {
    /// Of the server at this address.
    ///
    /// # Errors
    /// The file of the password cannot be read, or the system has nobody to trust.
    pub fn new(url: &str, password: Option<&Path>) -> Result<Self, Failure> {
        let tls = match url.starts_with("https://") {
            true => Tls::new(Trust::default()).map_err(|it| Failure::Usage(it.to_string()))?,
            false => Tls::unused(),
        };
        Ok(Self {
            http: asking::client(password, tls)?,
            base: url.trim_end_matches('/').to_owned(),
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
        match self.http.ask(&url).await {
            Ok((200, text)) => serde_json::from_slice(&text).map_err(|error| NotSeen::Strange {
                url,
                why: error.to_string(),
            }),
            Ok((status, _)) => Err(NotSeen::Refused { url, status }),
            Err(error) => Err(NotSeen::Silent {
                url: self.base.clone(),
                why: error.to_string(),
            }),
        }
    }
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
fn of(application: &Application, attempt: Option<&ApplicationAttempt>, what: &str) -> String {
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
            attempts: vec![ApplicationAttempt {
                start_time_epoch: began,
                completed,
                ..ApplicationAttempt::default()
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
        let attempt = ApplicationAttempt {
            attempt_id: Some("2".to_owned()),
            ..ApplicationAttempt::default()
        };
        let path = of(&application("a/../b?c", 0, true), Some(&attempt), "jobs");
        assert_eq!(path, "/api/v1/applications/a%2F%2E%2E%2Fb%3Fc/2/jobs");
    }
}
