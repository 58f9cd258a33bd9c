//! The end of a run: goodbye, and what is told again if a driver died over it.
//!
//! Responsible for ending the framework when every job has ended. That is
//! written down before; a driver that finds so in the journal has nothing to
//! run: it prints the results again, for those who read them may have died with
//! the earlier one, and says goodbye if that did not.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::binary::Binary;
use super::core::effect::Effect;
use super::core::replay::replay;
use super::delivery::print;
use super::error::RunError;
use super::framework::mesos_manager;
use super::listener::Listener;
use super::memory;
use super::office::program_of;
use super::recovery::{EndedRun, Identity};
use super::report::{Progress, Report, Status};
use super::settled::{About, Settled, report};
use crate::clock::SystemClock;
use crate::conf::properties::application::MASTER;
use crate::ids::FrameworkId;
use mesquite_mesos_client::call::Call;
use mesquite_mesos_client::client::{CallError, Client, ClientConfig, Pending};
use mesquite_mesos_client::subscription::Notice;

/// A master that is there answers the farewell at once; one that was just
/// replaced takes some seconds until it takes subscriptions.
const FAREWELL: Duration = Duration::from_secs(15);

/// How often a farewell is tried while there is no subscription.
const SUBSCRIBE_AGAIN: Duration = Duration::from_millis(100);

/// Leaves; the master ends all executors with the framework.
pub(super) async fn farewell(client: &Client, acknowledged: Option<Pending>) {
    let farewell = async {
        if let Some(pending) = acknowledged {
            // Without a subscription the agents keep what they have to say.
            let _ = pending.await;
        }
        loop {
            match client.send(Call::Teardown).await {
                // Lost this moment: it is being sought again.
                Err(CallError::NotSubscribed) => tokio::time::sleep(SUBSCRIBE_AGAIN).await,
                Err(CallError::Refused(refusal)) if !refusal.is_lasting() => {
                    tokio::time::sleep(SUBSCRIBE_AGAIN).await;
                }
                told => return told,
            }
        }
    };
    match timeout(FAREWELL, farewell).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "could not end the framework"),
        Err(_) => tracing::warn!("the master did not answer the farewell"),
    }
}

/// Tells what an earlier driver brought to its end, and says goodbye in its
/// place.
///
/// # Errors
/// What is kept of it leads to something else with these settings.
pub(super) async fn tell_again(
    settled: Settled<'_>,
    identity: &Identity,
    earlier: EndedRun,
    mesos: ClientConfig,
    listener: &mut dyn Listener,
    interrupts: &mut mpsc::UnboundedReceiver<()>,
) -> Result<Report, RunError> {
    let conf = settled.conf;
    let clock = identity.clock();
    let run = &identity.run;
    let app_id = run.framework.as_str().to_owned();
    let binary = Binary::own().map_err(RunError::System)?;
    let about = (conf, &*settled.application.plan);
    let (manager, mode) = mesos_manager(&earlier.office, &binary, &app_id, about)?;
    let master = conf.get(&MASTER);
    let program = program_of(&settled.application, conf, &master)?;
    let memory = memory::asked(conf, &master)?;
    let mut driver = settled.driver(&app_id, (program, memory), (manager, mode), true);
    let replayed = replay(&mut driver, earlier.steps);
    let replayed = replayed.map_err(|error| RunError::Recovery(error.to_string()))?;
    let note = "the run of an earlier driver had ended: only its results are told again";
    listener.progress(Progress::Note(note.into()));
    let mut unprinted = Vec::new();
    for effect in replayed.printed {
        if let Effect::Deliver {
            job,
            action,
            delivery,
        } = effect
            && let Err(error) = print(listener, action, &delivery)
        {
            unprinted.push((job.0, error));
        }
    }
    goodbye(mesos, run.framework.clone(), clock, interrupts).await;
    let about = About::of(conf, app_id, mode);
    let mut report = report(driver, about, earlier.ended);
    for (job, error) in unprinted {
        for told in report.jobs.iter_mut().filter(|it| it.id == Some(job)) {
            told.status = Status::Failed;
            told.error = Some(error.clone());
            report.status = Status::Failed;
        }
    }
    Ok(report)
}

/// Ends a framework of which only the master may still know.
async fn goodbye(
    mut config: ClientConfig,
    framework: FrameworkId,
    clock: SystemClock,
    interrupts: &mut mpsc::UnboundedReceiver<()>,
) {
    config.framework.id = Some(framework);
    let leaving = async {
        let (client, mut notices) = match Client::start(config, clock) {
            Ok(started) => started,
            Err(error) => return tracing::warn!(%error, "could not end the framework"),
        };
        while let Some(notice) = notices.recv().await {
            match notice {
                Notice::Subscribed { .. } => return farewell(&client, None).await,
                // The earlier driver's farewell had reached the master.
                Notice::Ended(end) => return tracing::debug!(%end, "the framework is gone"),
                Notice::Event(_) | Notice::Disconnected { .. } | Notice::Failing { .. } => {}
            }
        }
    };
    tokio::select! {
        left = timeout(FAREWELL, leaving) => {
            if left.is_err() {
                tracing::warn!("no master was there to end the framework with");
            }
        }
        _ = interrupts.recv() => tracing::warn!("left without ending the framework"),
    }
}
