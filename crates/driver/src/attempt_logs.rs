//! What commands of attempts wrote to stderr, for whoever looks at the pages.
//!
//! Responsible for asking who has it: an executor, by the connections that blocks are
//! fetched over, or this process. Pages have a thread of their own; executors are asked
//! within the driver's runtime, where their connections are.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::conf::properties::storage::LONGEST_LOG;
use crate::ids::{Partition, StageAttempt, StageId};
use mesquite_engine::storage::blocks::{BlockClient, BlockError};
use mesquite_engine::storage::logs::Logs;
use mesquite_engine::task::AttemptName;
use mesquite_status::live::{AttemptLog, AttemptLogs, Read};

/// Who looks at a page does not wait for longer.
const WITHIN: Duration = Duration::from_secs(10);

/// Logs of executors.
pub(super) fn of_executors(blocks: BlockClient) -> Arc<dyn AttemptLogs> {
    let runtime = Handle::current();
    Arc::new(OfExecutors { blocks, runtime })
}

/// Logs of threads of this process.
pub(super) fn of_threads(logs: Logs) -> Arc<dyn AttemptLogs> {
    let runtime = Handle::current();
    Arc::new(OfThreads { logs, runtime })
}

struct OfExecutors {
    blocks: BlockClient,
    runtime: Handle,
}

struct OfThreads {
    logs: Logs,
    runtime: Handle,
}

impl AttemptLogs for OfExecutors {
    fn read(&self, log: &AttemptLog) -> Read {
        let (blocks, log) = (self.blocks.clone(), log.clone());
        let asked = self.runtime.spawn(async move {
            let name = name_of(&log);
            let whole = blocks.log(&log.address, &name, LONGEST_LOG.0);
            match timeout(WITHIN, whole).await {
                Ok(Ok(whole)) => Ok(Some(whole)),
                Ok(Err(BlockError::Missing(_))) => Ok(None),
                Ok(Err(error)) => Err(format!("its executor cannot be asked: {error}")),
                Err(_) => Err("its executor does not answer in time".to_owned()),
            }
        });
        Box::pin(async { asked.await.unwrap_or_else(|_| over()) })
    }
}

impl AttemptLogs for OfThreads {
    fn read(&self, log: &AttemptLog) -> Read {
        let (logs, name) = (self.logs.clone(), name_of(log));
        let reading = self.runtime.spawn_blocking(move || {
            let mut whole = Vec::new();
            let Some(file) = logs.open(&name)? else {
                return Ok(None);
            };
            file.take(LONGEST_LOG.0).read_to_end(&mut whole)?;
            Ok(Some(whole))
        });
        let cannot = |error: std::io::Error| format!("it cannot be read: {error}");
        Box::pin(async move {
            let read = reading.await.map(|it| it.map_err(cannot));
            read.unwrap_or_else(|_| over())
        })
    }
}

fn over() -> Result<Option<Vec<u8>>, String> {
    Err("the run is over".to_owned())
}

const fn name_of(log: &AttemptLog) -> AttemptName {
    AttemptName {
        stage: StageId(log.stage),
        stage_attempt: StageAttempt(log.stage_attempt),
        partition: Partition(log.partition),
        attempt: log.attempt,
    }
}
