//! Folders that the jobs of a file share where they must not.
//!
//! Responsible for following the names of inputs and outputs to what they lead
//! to here - the folder in which mesquite is started, links - before
//! [`places`](crate::job_file::places) judges them.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::job_file::places::{Place, inputs_written, plain, shared_outputs};
use crate::job_file::{JobFile, Problem};
use crate::plan::application::{ActionKind, Application};
use crate::storage::path::local;
use crate::storage::remote;

/// Actions that write to one folder, and inputs that an action writes.
///
/// # Errors
/// The folder in which mesquite was started is gone.
pub(super) fn problems(file: &JobFile) -> io::Result<Vec<Problem>> {
    let outputs = file.outputs().map(|(to, span)| {
        Ok(Place {
            path: led_to(to)?,
            span: span.clone(),
            written: to.to_owned(),
        })
    });
    let outputs: Vec<Place> = outputs.collect::<io::Result<_>>()?;
    if outputs.is_empty() {
        return Ok(Vec::new());
    }
    let entries = file.inputs().flat_map(|(_, input)| &input.entries);
    let inputs = entries.map(|entry| {
        Ok(Place {
            path: led_to(&entry.path)?,
            span: entry.span.clone(),
            written: entry.path.clone(),
        })
    });
    let inputs: Vec<Place> = inputs.collect::<io::Result<_>>()?;
    let mut problems = shared_outputs(&outputs);
    problems.extend(inputs_written(&inputs, &outputs));
    Ok(problems)
}

/// The same of an application that no file describes, without places.
///
/// # Errors
/// The folder in which it was started is gone.
pub(in crate::cli) fn problems_of(application: &Application) -> io::Result<Vec<Problem>> {
    let place = |name: &str| {
        Ok(Place {
            path: led_to(name)?,
            span: 0..0,
            written: name.to_owned(),
        })
    };
    let saved = application.actions.iter().filter_map(|it| match &it.kind {
        ActionKind::Save { to, .. } => Some(place(to)),
        ActionKind::Collect { .. } | ActionKind::Count => None,
    });
    let outputs: Vec<Place> = saved.collect::<io::Result<_>>()?;
    if outputs.is_empty() {
        return Ok(Vec::new());
    }
    let files = application.program.datasets().iter();
    let files = files.filter_map(|it| it.operation.files()).flatten();
    let names: BTreeSet<&str> = files.map(|split| &*split.path).collect();
    let inputs = names.into_iter().map(place);
    let inputs: Vec<Place> = inputs.collect::<io::Result<_>>()?;
    let mut problems = shared_outputs(&outputs);
    problems.extend(inputs_written(&inputs, &outputs));
    Ok(problems)
}

/// Where a name leads: a URL to itself, a path through links as far as it is
/// there.
fn led_to(name: &str) -> io::Result<PathBuf> {
    // Stores have several names for one scheme.
    if let Some(place) = remote::Place::of(name) {
        return Ok(plain(Path::new(&place.url())));
    }
    // What names no file is told by whoever opens it.
    let Ok(Some(path)) = local(name) else {
        return Ok(plain(Path::new(name)));
    };
    let absolute = plain(&std::path::absolute(path)?);
    let mut there = absolute.as_path();
    let real = loop {
        if let Ok(real) = there.canonicalize() {
            break real;
        }
        match there.parent() {
            Some(parent) => there = parent,
            None => return Ok(absolute),
        }
    };
    let rest = absolute.strip_prefix(there).unwrap_or(Path::new(""));
    Ok(real.join(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(text: &str) -> Vec<String> {
        let file = JobFile::read(text).expect("no mistakes of its own");
        let problems = problems(&file).expect("a folder");
        problems.into_iter().map(|it| it.message).collect()
    }

    #[test]
    fn names_are_followed_to_what_they_lead_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().to_str().expect("text");
        std::fs::create_dir(folder.path().join("real")).expect("made");
        std::os::unix::fs::symlink("real", folder.path().join("link")).expect("linked");
        let text = format!(
            "[dataset.a]\ntext = ['{at}/link/x']\n[[action]]\nsave = 'a'\nto = '{at}/real/x'\n\
             [[action]]\nsave = 'a'\nto = '{at}/link/y'\n\
             [[action]]\nsave = 'a'\nto = 'file://{at}/real/y/z'\n"
        );
        assert_eq!(
            messages(&text),
            [
                format!(
                    "`file://{at}/real/y/z` is inside `{at}/link/y`, to which another action saves"
                ),
                format!("`{at}/link/x` reads what an action of this file saves to `{at}/real/x`"),
            ]
        );
    }

    #[test]
    fn a_relative_name_and_an_absolute_one_can_be_one_folder() {
        let here = std::env::current_dir().expect("a folder");
        let here = here.to_str().expect("text");
        let text = format!(
            "[dataset.a]\nrange = {{ end = 1 }}\n[[action]]\nsave = 'a'\nto = 'no/such'\n\
             [[action]]\nsave = 'a'\nto = '{here}/no/./such/'\n"
        );
        assert_eq!(
            messages(&text),
            ["another action saves to `no/such` already"]
        );
    }
}
