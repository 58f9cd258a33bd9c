//! Going on with the run of a driver that died.
//!
//! Responsible for who a run is, and for finding the one that an earlier driver
//! left in the recovery folder. How its steps are taken again is
//! [`replay`](super::core::replay)'s business.

use std::path::PathBuf;
use std::time::Duration;

use super::binary::Binary;
use super::core::record::{Office, Record, Run};
use super::journal::{Earlier, Journal};
use super::run::RunError;
use crate::clock::SystemClock;
use crate::conf::Conf;
use crate::conf::master_url::MasterUrl;
use crate::conf::properties::application::{APP_NAME, MASTER, RECOVERY_DIR};
use crate::conf::properties::mesos::{FAILOVER_TIMEOUT, FRAMEWORK_ID};
use crate::plan::application::Application;

/// Who a run is, and what is kept of it.
pub(super) struct Identity {
    pub(super) run: Run,
    pub(super) journal: Option<Journal>,
    pub(super) earlier: Option<Earlier>,
}

impl Identity {
    /// A new run, or the one that an earlier driver left.
    pub(super) fn establish(application: &Application, conf: &Conf) -> Result<Self, RunError> {
        let id = || format!("mesquite-{}", uuid::Uuid::new_v4()).into();
        let mut run = Run {
            version: env!("CARGO_PKG_VERSION").into(),
            binary: String::new(),
            job: digest_of(application, conf)?,
            name: conf.get(&APP_NAME),
            framework: conf.get(&FRAMEWORK_ID).unwrap_or_else(id),
            seed: fastrand::u64(..),
            secret: uuid::Uuid::new_v4().simple().to_string(),
        };
        let mut identity = Self {
            run: run.clone(),
            journal: None,
            earlier: None,
        };
        if let Some(folder) = folder(conf)? {
            let binary = Binary::own().map_err(RunError::System)?;
            binary.digest().clone_into(&mut run.binary);
            let (journal, earlier) = Journal::open(&folder, &run)?;
            if let Some(earlier) = &earlier {
                run = earlier.run.clone();
            }
            identity = Self {
                run,
                journal: Some(journal),
                earlier,
            };
        }
        Ok(identity)
    }

    /// Where executors found the earlier driver, if there was one.
    pub(super) fn office(&self) -> Option<&Office> {
        self.earlier.as_ref()?.office.as_ref()
    }

    /// Keeps where executors find this driver.
    pub(super) fn keep_office(&mut self, office: Office) -> Result<(), RunError> {
        if let Some(journal) = &mut self.journal {
            journal.write(&Record::Office(office))?;
        }
        Ok(())
    }

    /// The clock of the run, which goes on where the earlier driver's stopped,
    /// and by as much as has passed since.
    pub(super) fn clock(&self) -> SystemClock {
        let last = self.earlier.as_ref().and_then(|it| it.steps.last());
        let Some((last, _)) = last else {
            return SystemClock::start();
        };
        let unix_time = Duration::try_from_secs_f64(SystemClock::unix_seconds());
        let since = unix_time.unwrap_or_default().saturating_sub(last.unix_time);
        SystemClock::starting_at(last.at + since)
    }
}

/// The folder in which the run is kept, if it is to be.
fn folder(conf: &Conf) -> Result<Option<PathBuf>, RunError> {
    let Some(folder) = conf.get(&RECOVERY_DIR) else {
        return Ok(None);
    };
    let unfit = |why: &str| Err(RunError::Recovery(why.to_owned()));
    if !matches!(conf.get(&MASTER), MasterUrl::Mesos(_)) {
        return unfit("nothing outlives a driver that is its own cluster; it needs a Mesos master");
    }
    if conf.get(&FAILOVER_TIMEOUT).is_zero() {
        return unfit(
            "with spark.mesos.driver.failoverTimeout=0 the master ends a framework with its \
             driver; set a longer one",
        );
    }
    Ok(Some(folder))
}

/// What decides whether a command is the same as another one.
fn digest_of(application: &Application, conf: &Conf) -> Result<String, RunError> {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    let program = serde_json::to_vec(&*application.program)
        .map_err(|error| RunError::System(error.into()))?;
    context.update(&program);
    context.update(format!("{:?}", application.actions).as_bytes());
    for (name, value, _) in conf.settings() {
        context.update(format!("\n{name}={value}").as_bytes());
    }
    let digest = context.finish();
    Ok(digest
        .as_ref()
        .iter()
        .map(|it| format!("{it:02x}"))
        .collect())
}
