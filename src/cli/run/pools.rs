//! The pools of a run, as the allocation file defines them.
//!
//! Responsible for finding and reading that file (`spark.scheduler.allocation.file`);
//! what it says is [`pools_file`]'s business.

use crate::cli::exit_code::Failure;
use crate::conf::Conf;
use crate::conf::properties::scheduler::SCHEDULER_ALLOCATION_FILE;
use crate::job_file::show;
use crate::pools_file;
use crate::scheduler::pool::PoolDefinition;

/// The pools, if a file defines any.
///
/// # Errors
/// The file cannot be read, or has mistakes.
pub(super) fn pools(conf: &Conf) -> Result<Option<Vec<PoolDefinition>>, Failure> {
    let Some(path) = conf.get(&SCHEDULER_ALLOCATION_FILE) else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(&path).map_err(|error| Failure::PoolsFile {
        path: path.clone(),
        error,
    })?;
    let name = path.to_string_lossy();
    match pools_file::read(&name, &text) {
        Ok(pools) => Ok(Some(pools)),
        Err(problems) => Err(Failure::Mistakes(show(&name, &text, &problems))),
    }
}
