//! Going on with the run of a driver that died.
//!
//! Responsible for who a run is, and for finding the one that an earlier driver
//! left in the recovery folder. How its steps are taken again is
//! [`replay`](super::core::replay)'s business.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::binary::Binary;
use super::core::input::{Input, Step};
use super::core::record::{Ended, Office, Record, Run};
use super::error::RunError;
use super::journal::{Earlier, Journal};
use crate::clock::SystemClock;
use crate::conf::Conf;
use crate::conf::properties::application::{APP_NAME, MASTER, RECOVERY_DIR};
use crate::conf::properties::mesos::{FAILOVER_TIMEOUT, FRAMEWORK_ID};
use crate::hex::hex;
use crate::plan::application::{Action, ActionKind, Application};
use crate::plan::operation::Operation;
use crate::plan::surroundings::Origin;
use mesquite_engine::storage::sink::SinkError;

/// Who a run is, and what is kept of it.
pub(super) struct Identity {
    pub(super) run: Run,
    pub(super) journal: Option<Journal>,
    pub(super) earlier: Option<Earlier>,
}

/// A run of which only the telling is left.
pub(super) struct EndedRun {
    pub(super) ended: Ended,
    pub(super) office: Office,
    pub(super) steps: Vec<(Step, u64)>,
}

impl Identity {
    /// A new run, or the one that an earlier driver left.
    /// `there` finds what an earlier run of the same items has left: a run that goes on
    /// is about what was there when it began.
    pub(super) fn establish(
        application: &Application,
        conf: &Conf,
        there: impl FnOnce() -> Result<BTreeMap<String, Vec<u32>>, SinkError>,
    ) -> Result<Self, RunError> {
        let id = || format!("mesquite-{}", uuid::Uuid::new_v4()).into();
        let mut run = Run {
            version: env!("CARGO_PKG_VERSION").into(),
            binary: String::new(),
            job: digest_of(application, conf)?,
            name: conf.get(&APP_NAME),
            framework: conf.get(&FRAMEWORK_ID).unwrap_or_else(id),
            seed: fastrand::u64(..),
            secret: uuid::Uuid::new_v4().simple().to_string(),
            there: there()?,
            files: files_of(application),
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

    /// Whether an earlier driver has begun the run.
    pub(super) fn has_begun(&self) -> bool {
        let earlier = self.earlier.as_ref();
        earlier.is_some_and(|it| !it.steps.is_empty())
    }

    /// Which driver of the run this is, counted from 1 as Spark counts attempts at an
    /// application; none of a run that ends with its driver.
    pub(super) fn attempt(&self) -> Option<u32> {
        self.journal.as_ref()?;
        let Some(earlier) = self.earlier.as_ref().filter(|_| self.has_begun()) else {
            return Some(1);
        };
        let steps = earlier.steps.iter();
        let recovered = steps.filter(|(step, _)| step.inputs.contains(&Input::Recovered));
        // The one that began, those that went on, and this one.
        u32::try_from(recovered.count() + 2).ok()
    }

    /// When the first driver took its first step, since the Unix epoch.
    pub(super) fn began(&self) -> Option<Duration> {
        let (first, _) = self.earlier.as_ref()?.steps.first()?;
        Some(first.unix_time)
    }

    /// Where executors found the earlier driver, if there was one.
    pub(super) fn office(&self) -> Option<&Office> {
        self.earlier.as_ref()?.office.as_ref()
    }

    /// The run that an earlier driver ended, and did not tell to the end.
    pub(super) fn take_ended(&mut self) -> Option<EndedRun> {
        let ended = self.earlier.as_ref()?.ended?;
        let earlier = self.earlier.take()?;
        Some(EndedRun {
            ended,
            office: earlier.office?,
            steps: earlier.steps,
        })
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
    if conf.get(&MASTER).mesos().is_none() {
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

/// By its path, the digest of each file that is brought to executors.
fn files_of(application: &Application) -> BTreeMap<String, String> {
    let all = application.program.all_around().flat_map(|it| &it.files);
    let digests = all.filter_map(|it| match &it.from {
        Origin::Driver { path, content } => Some((path.clone(), content.as_ref()?.digest.clone())),
        Origin::Remote { .. } => None,
    });
    digests.collect()
}

/// What decides whether a command is the same as another one.
fn digest_of(application: &Application, conf: &Conf) -> Result<String, RunError> {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    let program = serde_json::to_vec(&*application.program)
        .map_err(|error| RunError::System(error.into()))?;
    context.update(&program);
    context.update(format!("{:?}", application.actions).as_bytes());
    for (dataset, it) in application.plan.datasets() {
        if let Some(needs) = it.needs() {
            context.update(format!("\n{dataset}: {needs:?}").as_bytes());
        }
    }
    for (name, value, _) in conf.settings() {
        context.update(format!("\n{name}={value}").as_bytes());
    }
    Ok(hex(context.finish().as_ref()))
}

/// What decides whether what is made of an item is the same as another time; `None`
/// for what leaves no items out. How long it may take, and how many may fail, are not
/// of it.
pub(super) fn digest_of_items(application: &Application, action: &Action) -> Option<String> {
    let plan = &application.plan;
    if !plan.dataset(action.dataset).skips() {
        return None;
    }
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for dataset in plan.pipeline(action.dataset).datasets {
        // Only what is done counts, and not with whose records: folders have digests of
        // versions of Mesquite that wrote it like this.
        let done = match &application.program.recipe(dataset).operation {
            Operation::Source(source) => serde_json::to_vec(source),
            Operation::Change(_, change) => serde_json::to_vec(change),
            Operation::Union(_) => serde_json::to_vec("Union"),
            Operation::Coalesce(_) => serde_json::to_vec("Coalesce"),
        };
        context.update(&done.ok()?);
    }
    if let ActionKind::Save { compress, .. } = &action.kind {
        let level = compress.level.map(|it| it.to_string()).unwrap_or_default();
        context.update(compress.format.name().as_bytes());
        context.update(level.as_bytes());
    }
    Some(hex(context.finish().as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ApplicationBuilder;
    use crate::plan::program::Skip;

    /// Folders have them of versions that wrote operations down in this form.
    #[test]
    fn the_digest_of_items_does_not_change_with_the_version() {
        let mut builder = ApplicationBuilder::new();
        let items = vec!["x".to_owned(), "y".to_owned()];
        let items = builder.items("items", items).expect("a source");
        let all = builder.union("all", &[items]).expect("a union");
        builder.skip(Skip::default());
        let done = builder.pipe("done", all, "cat").expect("a pipe");
        let application = builder.build();
        let action = Action::new(done, ActionKind::Count);
        let form = r#"{"Pipe":"cat"}"Union"{"Items":["x","y"]}"#;
        let form = ring::digest::digest(&ring::digest::SHA256, form.as_bytes());
        assert_eq!(
            digest_of_items(&application, &action),
            Some(hex(form.as_ref()))
        );
        let action = Action::new(items, ActionKind::Count);
        assert_eq!(digest_of_items(&application, &action), None);
    }
}
