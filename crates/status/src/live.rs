//! The pages and the API of a run that lasts.
//!
//! Responsible for a thread that serves them and for the store that they are made of.
//! Whoever asks may be slow, broken or many: an answer is made whole before its first
//! byte is sent, so that nobody who reads slowly keeps the store from growing; one is
//! made at a time, so that pages take no more than one core; and what waits to be sent
//! has an end. What happens is told by the driver, which is never waited for here.

mod log;
mod own;
mod said;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::CONTENT_SECURITY_POLICY;
use mesquite_core::facts::Happened;
use mesquite_core::store::of_facts::OfFacts;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

pub use self::log::{AttemptLog, AttemptLogs, Read};

use self::log::Places;
use self::said::Said;
use crate::api;
use crate::body;
use crate::front::{fault, front};
use crate::login::Login;
use crate::logs::columns;
use crate::logs::folder::{List, Listed, Shown};
use crate::logs::log_files::LogFiles;
use crate::metrics::{self, Answered};
use crate::pages::{self, Served};
use crate::recent::{Made, Recent};
use crate::route::{Api, NamedAttempt, Of, Own, Route, Whose, of_run};
use crate::server::{Answer, HTML, JSON, PageRequest, Serves, TEXT, serve};

/// So many connections at once.
const CONNECTIONS: usize = 64;

/// No answer is longer.
const LONGEST: usize = 32 << 20;

/// What waits to be sent is no more than this, as whole kibibytes.
const WAITING: usize = 64 << 10;

/// So many logs of attempts are on their way from executors at once.
const LOGS: usize = 4;

/// Of what people were told so much is shown.
const NOTES: usize = 10;

/// Our own script keeps pages up to date; nothing else runs, nothing is fetched from
/// elsewhere, nobody shows us in a frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// A run that can be looked at.
#[derive(Default)]
pub struct Run {
    /// None until it has an id.
    told: RwLock<Option<OfFacts>>,
    said: Mutex<Said>,
    /// Where executors are.
    places: Mutex<Places>,
    /// What reads the logs of attempts.
    logs: OnceLock<Arc<dyn AttemptLogs>>,
    /// How many things were said.
    count: watch::Sender<u64>,
}

impl Run {
    /// The run has an id, and this is known of it; logs of its attempts are read by that.
    pub fn begin(&self, told: OfFacts, logs: Arc<dyn AttemptLogs>) {
        let _ = self.logs.set(logs);
        *self.told.write().unwrap_or_else(PoisonError::into_inner) = Some(told);
    }

    /// This happened, and it is so late.
    pub fn add(&self, facts: &[Arc<Vec<Happened>>], now: Duration) {
        self.change(|told| {
            for facts in facts {
                told.add(facts);
            }
            told.time_passes(now);
        });
        for facts in facts {
            self.places().add(facts);
        }
        self.say(|said| {
            for facts in facts {
                said.add(facts);
            }
            said.time_passes(now);
        });
    }

    /// The run is over.
    pub fn end(&self, now: Duration) {
        self.change(|told| told.end(now));
        self.say(|said| said.end(now));
    }

    /// Keeps what is known of a run that is over beside its event log, which is opened
    /// faster by it. Whoever looks waits meanwhile for nothing.
    ///
    /// # Errors
    /// The disk; the log is complete without it.
    pub fn keep(&self, log: &Path) -> io::Result<()> {
        let place = LogFiles::at(log).map_err(io::Error::other)?;
        let told = self.told.read().unwrap_or_else(PoisonError::into_inner);
        match (place, &*told) {
            (Some(place), Some(told)) => columns::keep(&place, told.store(), None),
            _ => Ok(()),
        }
    }

    /// Those who follow it hear of what is new.
    fn say(&self, say: impl FnOnce(&mut Said)) {
        let count = {
            let mut said = self.said();
            say(&mut said);
            said.count()
        };
        if *self.count.borrow() != count {
            self.count.send_replace(count);
        }
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut OfFacts)) {
        let mut told = self.told.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(told) = &mut *told {
            change(told);
        }
    }

    /// Looks at what is known. What is added waits meanwhile.
    fn look<T>(&self, look: impl FnOnce(Shown<'_>) -> T) -> Option<T> {
        let notes = &self.said().notes(NOTES);
        let told = self.told.read().unwrap_or_else(PoisonError::into_inner);
        let store = told.as_ref()?.store();
        let listed = &Listed::live(store);
        Some(look(Shown {
            store,
            listed,
            notes,
        }))
    }

    fn id(&self) -> Option<String> {
        let told = self.told.read().unwrap_or_else(PoisonError::into_inner);
        Some(told.as_ref()?.store().application.id.clone())
    }
}

/// Serves a run until it is dropped.
pub struct Live {
    at: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Live {
    /// Serves to whoever connects to this listener, and knows the password if there is one.
    ///
    /// # Errors
    /// The system has no room for it.
    pub fn start(listener: TcpListener, run: Arc<Run>, login: Option<Login>) -> io::Result<Self> {
        let at = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(1)
            .build()?;
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (end, ended) = oneshot::channel();
        let serving = Arc::new(Serving::of(run, login));
        // Strangers are to leave enough descriptors for executors and files.
        let most = mesquite_system::descriptors::share(CONNECTIONS, 8);
        let thread = std::thread::Builder::new()
            .name("pages".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = serve(listener, serving, most) => {}
                        _ = ended => {}
                    }
                });
                // Nobody waits for an answer that is being made.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            at,
            end: Some(end),
            thread: Some(thread),
        })
    }

    /// Where it serves.
    pub const fn at(&self) -> SocketAddr {
        self.at
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Serving {
    run: Arc<Run>,
    login: Option<Login>,
    answered: Answered,
    recent: tokio::sync::Mutex<Recent>,
    /// Kibibytes that may wait to be sent.
    room: Arc<Semaphore>,
    /// Turns to ask executors.
    turns: Semaphore,
}

impl Serves for Serving {
    fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }

    async fn answer(self: Arc<Self>, asked: PageRequest) -> Answer {
        let answer = self.front(asked).await;
        self.answered.count(answer.status.as_u16());
        answer.with(CONTENT_SECURITY_POLICY, POLICY.to_owned())
    }
}

impl Serving {
    fn of(run: Arc<Run>, login: Option<Login>) -> Self {
        Self {
            run,
            login,
            answered: Answered::default(),
            recent: tokio::sync::Mutex::default(),
            room: Arc::new(Semaphore::new(WAITING)),
            turns: Semaphore::new(LOGS),
        }
    }

    async fn front(self: &Arc<Self>, asked: PageRequest) -> Answer {
        // Before there is an id no path but those without one means anything.
        let id = self.run.id();
        let route = of_run(&asked.path, &asked.query, id.as_deref().unwrap_or_default());
        let route = match front(route) {
            Ok(route) => route,
            Err(answer) => return answer,
        };
        if id.is_none() {
            let words = "the run waits for its master: there is nothing to be seen of it yet";
            return Answer::refusal(StatusCode::SERVICE_UNAVAILABLE, words);
        }
        if let Route::Own(Own::Events(from)) = route {
            let from = asked.last.map_or(from, |it| it.saturating_add(1));
            return Answer::ok(own::EVENTS, own::events(Arc::clone(&self.run), from));
        }
        if let Route::Own(Own::Log(wanted)) = route {
            return self.log(wanted).await.unwrap_or_else(|refusal| refusal);
        }
        // Whoever comes meanwhile waits, and may find what he wants made.
        let mut recent = self.recent.lock().await;
        if let Some(made) = recent.find(&asked) {
            return made.answer();
        }
        let serving = Arc::clone(self);
        let made = tokio::task::spawn_blocking(move || serving.made(route)).await;
        match made {
            Ok(Ok(made)) => {
                recent.keep(asked, &made);
                made.answer()
            }
            Ok(Err(refusal)) => refusal,
            Err(_) => fault(),
        }
    }

    /// What the commands of an attempt wrote to stderr so far.
    async fn log(self: &Arc<Self>, wanted: NamedAttempt) -> Result<Answer, Answer> {
        let serving = Arc::clone(self);
        let found = tokio::task::spawn_blocking(move || {
            serving.looked(None, |it| serving.run.places().log(it.store, &wanted))
        });
        let log = found.await.map_err(|_| fault())???;
        let logs = self.run.logs.get();
        let logs = logs.ok_or_else(|| Answer::not_found("there is no run"))?;
        let turn = self.turns.acquire().await;
        let read = logs.read(&log).await;
        drop(turn);
        match read {
            Ok(Some(bytes)) => Ok(Answer::ok(TEXT, body::whole(self.kept(bytes)?))),
            Ok(None) => Err(Answer::not_found(format!(
                "attempt {wanted} has written nothing to stderr, or so long ago that it had to make \
                 room (mesquite.executor.logs.maxTotalSize)"
            ))),
            Err(why) => Err(Answer::refusal(StatusCode::BAD_GATEWAY, why)),
        }
    }

    fn made(&self, route: Route) -> Result<Made, Answer> {
        let (kind, bytes) = match route {
            Route::Page(whose, page) => {
                let page = self.looked(Some(&whose), |shown| {
                    pages::page(shown, Served::ByDriver, &page)
                })?;
                let none = || Answer::not_found("there is no such stage");
                (HTML, page.ok_or_else(none)?.into_bytes())
            }
            Route::Metrics => {
                let text = self.looked(None, |it| metrics::of_run(it.store, &self.answered))?;
                (metrics::KIND, text.into_bytes())
            }
            Route::ExecutorMetrics => {
                let text = self.looked(None, |it| metrics::of_executors(it.store))?;
                (metrics::KIND, text.into_bytes())
            }
            Route::Api(asked) => (JSON, self.api(&asked)?),
            Route::Own(Own::Waiting) => {
                let waiting = self.looked(None, own::waiting)?;
                (JSON, waiting.to_string().into_bytes())
            }
            Route::Own(Own::Offers) => {
                let offers = self.looked(None, |it| own::offers(&it.store.offers))?;
                (JSON, offers.to_string().into_bytes())
            }
            Route::Own(Own::Timeline) => {
                let timeline = self.looked(None, |it| own::timeline(it.store))?;
                (JSON, timeline.to_string().into_bytes())
            }
            // Answered without a look; and there is no list.
            Route::List
            | Route::Health
            | Route::Style
            | Route::Script
            | Route::Moved(_)
            | Route::Own(Own::Events(_) | Own::Log(_)) => {
                return Err(Answer::not_found("there is no such page"));
            }
        };
        Ok(Made::new(kind, self.kept(bytes)?))
    }

    fn looked<T>(
        &self,
        whose: Option<&Whose>,
        look: impl FnOnce(Shown<'_>) -> T,
    ) -> Result<T, Answer> {
        let looked = self.run.look(|shown| {
            if let Some(whose) = whose
                && (shown.listed.id() != whose.app
                    || whose.attempt.is_some()
                        && shown.listed.attempt() != whose.attempt.as_deref())
            {
                let words = format!("unknown app {}: this is {}", whose.app, shown.listed.id());
                return Err(Answer::not_found(words));
            }
            Ok(look(shown))
        });
        looked.unwrap_or_else(|| Err(Answer::not_found("there is no run")))
    }

    fn api(&self, asked: &Api) -> Result<Vec<u8>, Answer> {
        let list = |shown: Shown<'_>| List {
            applications: vec![shown.listed.clone()],
            ..List::default()
        };
        match asked {
            Api::Version => Ok(api::version().to_string().into_bytes()),
            Api::Applications(wanted) => {
                let all = self.looked(None, |it| api::all(&list(it), wanted))?;
                Ok(all.to_string().into_bytes())
            }
            Api::Application(id) => {
                let found = self.looked(None, |it| api::one(&list(it), id))?;
                let none = || Answer::not_found(format!("unknown app: {id}"));
                Ok(found.ok_or_else(none)?.to_string().into_bytes())
            }
            Api::Of(_, Of::Logs) => Err(Answer::not_found(
                "a run that lasts gives no log here; spark.eventLog.dir says where it is",
            )),
            Api::Of(whose, of) => self.looked(Some(whose), |shown| {
                let write = api::of(shown, of);
                let write = write.map_err(|api::NotThere(words)| Answer::not_found(words))?;
                let mut text = Limited(Vec::new());
                match write(&mut text) {
                    Ok(()) => Ok(text.0),
                    Err(_) => Err(Answer::refusal(
                        StatusCode::BAD_REQUEST,
                        format!(
                            "this is more than {} MiB, and that is more than is given while a run \
                             lasts: ask for a part of it, such as taskList with offset and length",
                            LONGEST >> 20
                        ),
                    )),
                }
            })?,
        }
    }

    /// An answer that counts as long as any of it is not sent.
    fn kept(&self, bytes: Vec<u8>) -> Result<Bytes, Answer> {
        let size = bytes.len().div_ceil(1024);
        let room = Arc::clone(&self.room);
        let room = u32::try_from(size).map(|size| room.try_acquire_many_owned(size));
        match room {
            Ok(Ok(room)) => Ok(Bytes::from_owner(Kept { bytes, _room: room })),
            _ => Err(Answer::refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                "too much is being sent to others; ask again in a moment",
            )),
        }
    }
}

/// Bytes that take room until nobody has them any more.
struct Kept {
    bytes: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// A text that does not grow for ever.
struct Limited(Vec<u8>);

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LONGEST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
