//! The pages of a run that lasts: where they are, and the thread that keeps them up to date.
//!
//! Responsible for the port and for handing on what happens. What pages say and who may
//! ask for them is [`mesquite_status`]'s business. A run whose pages cannot be served goes
//! on without them.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use mesquite_core::event_log::AboutRun;
use mesquite_core::facts::Happened;
use mesquite_core::store::of_facts::OfFacts;
use mesquite_status::live::{AttemptLogs, Live, Run};
use mesquite_status::login::Login;
use mesquite_system::ports::Ports;

use crate::conf::Conf;
use crate::conf::properties::mesos::DRIVER_HOST;
use crate::conf::properties::network::PORT_MAX_RETRIES;
use crate::conf::properties::ui::{UI, UI_BIND_ADDRESS, UI_PASSWORD_FILE, UI_PORT};
use crate::feed::{Entry, Feed, now};
use crate::plan::Plan;

/// What runs gets older on the pages so often, if nothing else happens.
const TICK: Duration = Duration::from_millis(500);

/// The pages of a run.
pub(super) struct Pages {
    live: Live,
    has_login: bool,
    run: Arc<Run>,
    /// None until the run has an id, and when it is over.
    feed: Option<Feed<()>>,
}

/// Whether pages are wanted.
pub(super) fn is_wanted(conf: &Conf) -> bool {
    conf.get(&UI)
}

impl Pages {
    /// Serves pages, which say that the run waits until it has [begun](Self::begin).
    ///
    /// # Errors
    /// They cannot be served; why, for people.
    pub(super) fn open(conf: &Conf) -> Result<Self, String> {
        let without = |why: String| {
            format!(
                "{why}; the run goes on without pages (spark.ui.port names another port, 0 any \
                 that is free; spark.ui.enabled=false wants no pages)"
            )
        };
        let login = login(conf).map_err(without)?;
        let has_login = login.is_some();
        let ports = Ports::of(conf.get(&UI_PORT), conf.get(&PORT_MAX_RETRIES));
        let listener = ports.listen(&conf.get(&UI_BIND_ADDRESS), TcpListener::bind);
        let listener = listener.map_err(|error| without(format!("no pages: {error}")))?;
        let run = Arc::new(Run::default());
        let live = Live::start(listener, Arc::clone(&run), login);
        let live = live.map_err(|error| without(format!("cannot serve pages: {error}")))?;
        Ok(Self {
            live,
            has_login,
            run,
            feed: None,
        })
    }

    /// Where they are, for people and for the master; `host` is what this machine is called.
    pub(super) fn url(&self, conf: &Conf, host: &str) -> String {
        let at = self.live.at();
        match at.ip().is_unspecified() {
            false => format!("http://{at}"),
            true => {
                let host = conf.get(&DRIVER_HOST).unwrap_or_else(|| host.to_owned());
                format!("http://{host}:{}", at.port())
            }
        }
    }

    /// What is to be known by whoever serves others than the users of this machine.
    pub(super) fn warning(&self) -> Option<String> {
        let at = self.live.at();
        (!at.ip().is_loopback() && !self.has_login).then(|| {
            format!(
                "whoever reaches {at} can read the pages of this run: they have no password \
                 (mesquite.ui.password.file gives them one, spark.ui.bindAddress=127.0.0.1 keeps \
                 them on this machine)"
            )
        })
    }

    /// The run has an id, and is looked at from now on; that reads logs of its attempts.
    ///
    /// # Errors
    /// There is no thread for it.
    pub(super) fn begin(
        &mut self,
        plan: Arc<Plan>,
        about: &AboutRun,
        logs: Arc<dyn AttemptLogs>,
    ) -> io::Result<()> {
        self.run.begin(OfFacts::new(plan, about), logs);
        let run = Arc::clone(&self.run);
        self.feed = Some(Feed::start("facts", move |facts| read(&run, facts))?);
        Ok(())
    }

    /// Hands on what happened. Waits while much is still to be read.
    pub(super) fn add(&mut self, facts: &Arc<Vec<Happened>>) {
        if let Some(feed) = &self.feed
            && feed.add(facts).is_err()
        {
            tracing::error!("the pages show no more of the run: the fault is ours");
            self.feed = None;
        }
    }

    /// The run is over since then. Its pages stay until this is dropped.
    pub(super) fn end(&mut self, at: Duration) {
        if let Some(Err(_)) = self.feed.take().map(|it| it.end(at)) {
            tracing::error!("the pages do not show the end of the run: the fault is ours");
        }
    }

    /// The run is over, and this is its event log: what is known is kept beside it.
    pub(super) fn keep(&self, log: &Path) {
        if let Err(error) = self.run.keep(log) {
            // `mesquite history` reads the log itself then.
            let log = log.display();
            tracing::debug!(%log, %error, "its columns cannot be kept");
        }
    }
}

/// The password of the pages, if they have one. If it cannot be read nobody is let in.
fn login(conf: &Conf) -> Result<Option<Login>, String> {
    let Some(path) = conf.get(&UI_PASSWORD_FILE) else {
        return Ok(None);
    };
    let shown = path.display();
    let text = fs::read_to_string(&path)
        .map_err(|error| format!("cannot read the password of the pages in {shown}: {error}"))?;
    match text.trim() {
        "" => Err(format!(
            "{shown} is to have the password of the pages, and is empty"
        )),
        password => Ok(Some(Login::of(password))),
    }
}

/// Takes in what happens until the run is over.
fn read(run: &Run, facts: &Receiver<Entry>) {
    let mut waiting: Vec<Arc<Vec<Happened>>> = Vec::new();
    loop {
        let mut over = None;
        let mut take = |entry, waiting: &mut Vec<_>| match entry {
            Entry::Facts(facts) => waiting.push(facts),
            Entry::End(at) => over = Some(at),
        };
        match facts.recv_timeout(TICK) {
            Ok(entry) => take(entry, &mut waiting),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        // All that waits at once: somebody who looks is waited for once.
        for entry in facts.try_iter() {
            take(entry, &mut waiting);
        }
        // No time passes behind the end.
        run.add(&waiting, over.unwrap_or_else(now));
        waiting.clear();
        if let Some(at) = over {
            run.end(at);
            return;
        }
    }
}
