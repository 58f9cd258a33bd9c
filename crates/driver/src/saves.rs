//! What an application reads and saves.
//!
//! Responsible for the folders that its actions save to, begun or gone on with, for the
//! files that none of them is to remove, and for what an earlier run has left there.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::RunError;
use super::recovery::{Identity, digest_of_items};
use crate::ids::Partition;
use crate::plan::application::{ActionKind, Application};
use mesquite_engine::storage::sink::{Outputs, Save};

/// What the run saves: begun, or gone on with.
pub(super) fn outputs(
    application: &Application,
    identity: &Identity,
) -> Result<Arc<Outputs>, RunError> {
    let saves = saves(application);
    Ok(Arc::new(if identity.has_begun() {
        Outputs::resume(saves)?
    } else {
        Outputs::begin(saves, &inputs(application))?
    }))
}

/// The files that are read, which no save is to remove.
fn inputs(application: &Application) -> impl Iterator<Item = &str> + Clone {
    let datasets = application.program.datasets().iter();
    let splits = datasets.filter_map(|it| it.operation.files());
    // A file that is cut has several splits, one after the other.
    splits.flat_map(|splits| {
        let files = splits.chunk_by(|a, b| a.path == b.path);
        files.map(|splits| &*splits[0].path)
    })
}

pub(super) fn saves(application: &Application) -> impl Iterator<Item = Save<'_>> {
    application.actions.iter().filter_map(|it| match &it.kind {
        ActionKind::Save {
            to,
            overwrite,
            partition_by,
            compress: _,
        } => Some(Save {
            to,
            overwrite: *overwrite,
            partitioned: !partition_by.is_empty(),
            items: digest_of_items(application, it),
        }),
        ActionKind::Collect { .. } | ActionKind::Count => None,
    })
}

/// The application that makes what an earlier run of the same items left out: by each
/// folder the partitions that are there.
pub(super) fn with_rest(
    mut application: Application,
    there: &BTreeMap<String, Vec<u32>>,
) -> Application {
    for action in &mut application.actions {
        if let ActionKind::Save { to, .. } = &action.kind
            && let Some(there) = there.get(to)
        {
            let partitions = application.plan.dataset(action.dataset).partitions();
            let rest = (0..partitions).filter(|it| !there.contains(it));
            action.wanted = Some(rest.map(Partition).collect());
        }
    }
    application
}
