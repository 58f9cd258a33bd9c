//! `mesquite history`: the applications of a folder of event logs, served.
//!
//! Responsible for leading what is asked to what answers it, on threads that may wait for
//! a disk; connections are [`server`](crate::server)'s business.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::CONTENT_DISPOSITION;
use tokio::net::TcpListener;

use crate::api;
use crate::body::{whole, written};
use crate::front::{fault, front};
use crate::logs::folder::{Folder, Listed, Whole};
use crate::logs::log_files::{LogFiles, open};
use crate::logs::read::{Depth, read};
use crate::metrics::{self, Answered};
use crate::pages::{self, Served};
use crate::route::{Api, Of, Route, Whose, route};
use crate::server::{Answer, HTML, JSON, PageRequest, Serves, serve};
use crate::zip::Zip;

/// So many connections at once.
const CONNECTIONS: usize = 256;

/// Why the history cannot be served or written.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The folder is not there.
    #[error("{} is no folder of event logs; spark.eventLog.dir of the runs says where theirs are", .0.display())]
    NoFolder(PathBuf),
    /// It cannot listen.
    #[error("cannot listen on {at}: {error}; --port chooses another port, --host another address")]
    Listen {
        /// Where.
        at: SocketAddr,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// There is no such application.
    #[error("there is no event log {app}, and no application of this id in {}", folder.display())]
    NoApplication {
        /// What was asked for.
        app: String,
        /// Where.
        folder: PathBuf,
    },
    /// Its log cannot be read.
    #[error("the event log {log}: {why}")]
    Log {
        /// Which.
        log: String,
        /// Why.
        why: String,
    },
    /// The file cannot be written.
    #[error("cannot write {}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
}

/// A history server that listens.
pub struct History {
    listener: TcpListener,
    serving: Arc<Serving>,
    at: SocketAddr,
}

struct Serving {
    folder: Folder,
    answered: Answered,
}

impl History {
    /// Listens; on a free port if it is 0. To be called within a runtime.
    ///
    /// # Errors
    /// There is no such folder, or it cannot listen there.
    pub async fn start(folder: &Path, at: SocketAddr) -> Result<Self, HistoryError> {
        if !folder.is_dir() {
            return Err(HistoryError::NoFolder(folder.to_owned()));
        }
        Self::of(Folder::new(folder), at).await
    }

    /// Likewise, of logs that may be anywhere.
    ///
    /// # Errors
    /// It cannot listen there.
    pub async fn of(folder: Folder, at: SocketAddr) -> Result<Self, HistoryError> {
        let listening = async {
            let listener = TcpListener::bind(at).await?;
            let at = listener.local_addr()?;
            Ok((listener, at))
        };
        let failed = |error| HistoryError::Listen { at, error };
        let (listener, at) = listening.await.map_err(failed)?;
        Ok(Self {
            listener,
            at,
            serving: Arc::new(Serving {
                folder,
                answered: Answered::default(),
            }),
        })
    }

    /// Where it listens.
    pub const fn at(&self) -> SocketAddr {
        self.at
    }

    /// Serves for as long as it is polled.
    pub async fn serve(self) {
        serve(self.listener, self.serving, CONNECTIONS).await;
    }
}

impl Serves for Serving {
    async fn answer(self: Arc<Self>, asked: PageRequest) -> Answer {
        let serving = Arc::clone(&self);
        let answer = match front(route(&asked.path, &asked.query)) {
            Ok(route) => {
                // Logs are read: that takes its time.
                let answered = tokio::task::spawn_blocking(move || serving.look(route));
                answered.await.unwrap_or_else(|_| fault())
            }
            Err(answer) => answer,
        };
        self.answered.count(answer.status.as_u16());
        answer
    }
}

/// An answer, or the refusal.
type Found = Result<Answer, Answer>;

impl Serving {
    fn look(&self, route: Route) -> Answer {
        let answer = match route {
            Route::List => {
                let list = self.folder.list();
                let page = pages::list(&self.folder.shown(), &list);
                Ok(Answer::ok(HTML, whole(page)))
            }
            Route::Metrics => {
                let text = metrics::text(&self.folder, &self.answered);
                Ok(Answer::ok(metrics::KIND, whole(text)))
            }
            Route::Page(whose, page) => self.opened(&whose).and_then(|it| {
                let page = pages::page(it.shown(), Served::ByHistory, &page);
                let none = || Answer::not_found("there is no such stage");
                Ok(Answer::ok(HTML, whole(page.ok_or_else(none)?)))
            }),
            Route::Api(api) => self.api(api),
            // Answered without a look at any log; and what only a run that lasts has.
            Route::Health
            | Route::Style
            | Route::Moved(_)
            | Route::Script
            | Route::ExecutorMetrics
            | Route::Own(_) => Err(Answer::not_found("there is no such page")),
        };
        answer.unwrap_or_else(|refusal| refusal)
    }

    fn listed(&self, whose: &Whose) -> Result<Listed, Answer> {
        self.folder.open_by_name(&whose.app);
        let list = self.folder.list();
        let found = list.find(&whose.app, whose.attempt.as_deref()).cloned();
        found.ok_or_else(|| {
            Answer::not_found(match &whose.attempt {
                Some(attempt) => format!("unknown app {}, attempt {attempt}", whose.app),
                None => format!("unknown app {}", whose.app),
            })
        })
    }

    fn opened(&self, whose: &Whose) -> Result<Arc<Whole>, Answer> {
        let listed = self.listed(whose)?;
        self.folder.open(&listed).map_err(|why| {
            let words = format!("the event log {}: {why}", listed.log());
            Answer::refusal(StatusCode::SERVICE_UNAVAILABLE, words)
        })
    }

    fn api(&self, asked: Api) -> Found {
        let json = |value: serde_json::Value| Answer::ok(JSON, whole(value.to_string()));
        match asked {
            Api::Version => Ok(json(api::version())),
            Api::Applications(wanted) => Ok(json(api::all(&self.folder.list(), &wanted))),
            Api::Application(id) => {
                let found = api::one(&self.folder.list(), &id);
                let found = found.ok_or_else(|| Answer::not_found(format!("unknown app: {id}")))?;
                Ok(json(found))
            }
            Api::Of(whose, Of::Logs) => self.logs(&whose),
            Api::Of(whose, of) => {
                let opened = self.opened(&whose)?;
                // Whether it is there is known before its first byte is sent.
                if let Err(api::NotThere(words)) = api::of(opened.shown(), &of) {
                    return Err(Answer::not_found(words));
                }
                let body = written(move |out| match api::of(opened.shown(), &of) {
                    Ok(write) => write(out),
                    Err(api::NotThere(words)) => Err(io::Error::other(words)),
                });
                Ok(Answer::ok(JSON, body))
            }
        }
    }

    /// The logs of all attempts, or of one.
    fn logs(&self, whose: &Whose) -> Found {
        self.listed(whose)?;
        let list = self.folder.list();
        let all = list.applications.iter().filter(|it| it.id() == whose.app);
        let wanted =
            all.filter(|it| whose.attempt.is_none() || it.attempt() == whose.attempt.as_deref());
        let places: Vec<_> = wanted.filter_map(|it| it.place().cloned()).collect();
        let body = written(move |out| {
            let mut zip = Zip::new(out);
            for place in places {
                for (name, path) in place.archived()? {
                    let Some(path) = path else {
                        zip.add(&name, io::empty())?;
                        continue;
                    };
                    let (file, _) = open(&path).map_err(io::Error::other)?;
                    // One that grows is as long as it was when it was opened.
                    let length = file.metadata()?.len();
                    zip.add(&name, file.take(length))?;
                }
            }
            zip.finish().map(drop)
        });
        let plain = |it: &char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '.');
        let name: String = whose.app.chars().filter(plain).collect();
        let disposition = format!("attachment; filename=eventLogs-{name}.zip");
        Ok(Answer::ok("application/octet-stream", body).with(CONTENT_DISPOSITION, disposition))
    }
}

/// Writes an application as a file that stands alone. `app` is the path of its log, or
/// its id in the folder.
///
/// # Errors
/// There is no such log, or the file cannot be written.
pub fn export(app: &str, folder: &Path, file: &Path) -> Result<(), HistoryError> {
    let whole = match Path::new(app).symlink_metadata() {
        Ok(_) => at_path(Path::new(app))?,
        Err(_) => in_folder(app, folder)?,
    };
    let page = pages::alone(whole.shown());
    std::fs::write(file, page).map_err(|error| HistoryError::File {
        path: file.to_owned(),
        error,
    })
}

fn at_path(path: &Path) -> Result<Arc<Whole>, HistoryError> {
    let wrong = |why: String| HistoryError::Log {
        log: path.display().to_string(),
        why,
    };
    let place = LogFiles::at(path).map_err(|it| wrong(it.to_string()))?;
    let place = place.ok_or_else(|| wrong("is no event log, by its name".to_owned()))?;
    let opened = read(&place, Depth::Whole).map_err(|it| wrong(it.to_string()))?;
    if opened.store.application.began.is_none() {
        return Err(wrong(opened.wrong.unwrap_or_default()));
    }
    Ok(Arc::new(Whole::of(opened, place)))
}

fn in_folder(app: &str, path: &Path) -> Result<Arc<Whole>, HistoryError> {
    let none = || HistoryError::NoApplication {
        app: app.to_owned(),
        folder: path.to_owned(),
    };
    let folder = Folder::new(path);
    folder.open_by_name(app);
    let mut list = folder.list();
    while list.find(app, None).is_none() && list.waiting > 0 {
        list = folder.list();
    }
    let listed = list.find(app, None).ok_or_else(none)?;
    folder.open(listed).map_err(|why| HistoryError::Log {
        log: listed.log(),
        why,
    })
}

#[cfg(test)]
mod tests;
