//! What commands find around them, as a plan tells of it.
//!
//! Responsible for saying it once for all datasets that find the same, without secrets.

use std::collections::BTreeMap;

use serde::Serialize;

use super::name;
use crate::conf::Conf;
use crate::conf::redaction::Redaction;
use crate::plan::application::Application;
use crate::plan::surroundings::{Brought, Origin, Surroundings};

/// What the commands of some datasets find.
#[derive(Serialize)]
pub(super) struct AroundPlan {
    pub(super) datasets: Vec<String>,
    /// Variables, with what may be shown of them.
    pub(super) env: BTreeMap<String, String>,
    pub(super) files: Vec<FilePlan>,
}

/// A file that is brought to them.
#[derive(Serialize)]
pub(super) struct FilePlan {
    /// Its name where commands start.
    pub(super) name: String,
    /// Its path or URL.
    pub(super) path: String,
    pub(super) bytes: Option<u64>,
    /// Whether it is unpacked there, into a folder of that name.
    pub(super) unpacked: bool,
}

/// What the commands of an application find, by the first dataset of each kind.
pub(super) fn around(application: &Application, conf: &Conf) -> Vec<AroundPlan> {
    let redaction = conf.redaction();
    let mut kinds: Vec<(Surroundings, Vec<String>)> = Vec::new();
    for (id, _) in application.plan.datasets() {
        let recipe = application.program.recipe(id);
        let found = application.program.around(recipe);
        if !recipe.operation.runs_command() || found.is_empty() {
            continue;
        }
        let dataset = name(application, id);
        match kinds.iter_mut().find(|(it, _)| *it == found) {
            Some((_, datasets)) if datasets.contains(&dataset) => {}
            Some((_, datasets)) => datasets.push(dataset),
            None => kinds.push((found, vec![dataset])),
        }
    }
    let kinds = kinds.into_iter().map(|(found, datasets)| AroundPlan {
        datasets,
        env: shown(&found, &redaction),
        files: found.files.iter().map(|it| file(it, &redaction)).collect(),
    });
    kinds.collect()
}

fn file(brought: &Brought, redaction: &Redaction) -> FilePlan {
    let written = brought.from.written();
    let bytes = match &brought.from {
        Origin::Driver { path, .. } => std::fs::metadata(path).ok().map(|it| it.len()),
        Origin::Remote { .. } => None,
    };
    FilePlan {
        name: brought.name.clone(),
        // URLs may have a signature in them.
        path: redaction.shown(&brought.name, written).to_owned(),
        bytes,
        unpacked: brought.unpacked.is_some(),
    }
}

fn shown(found: &Surroundings, redaction: &Redaction) -> BTreeMap<String, String> {
    let env = found.env.0.iter();
    env.map(|(name, value)| (name.clone(), redaction.shown(name, value).to_owned()))
        .collect()
}
