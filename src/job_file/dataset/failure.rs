//! What becomes of items that cannot be done, as it is written.

use std::ops::Range;

use toml::Spanned;

use crate::job_file::fields::{Fields, Problems};
use crate::job_file::problem::Problem;
use crate::plan::program::Skip;

/// `on_failure = "skip"`, as it is written.
#[derive(Debug)]
pub(in crate::job_file) struct SkipSpec {
    /// Where it stands.
    pub(in crate::job_file) span: Range<usize>,
    /// Where the folder of what failed stands.
    pub(in crate::job_file) failed_span: Range<usize>,
    pub(in crate::job_file) skip: Skip,
}

/// What `on_failure` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnFailure {
    Fail,
    Skip,
}

/// Reads `on_failure`, and what belongs to it.
pub(super) fn read(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<SkipSpec> {
    let words = [("fail", OnFailure::Fail), ("skip", OnFailure::Skip)];
    let on_failure = fields.word("on_failure", &words, problems);
    let failed = fields.text("failed", problems);
    let allowed = fields.whole("allow_failures", 0..=i64::from(u32::MAX), problems);
    if let Some(failed) = &failed
        && failed.get_ref().trim().is_empty()
    {
        let message = format!("`failed` of {} is empty", fields.what());
        problems.push(Problem::new(failed.span(), message).help("the name of a folder"));
    }
    let place = fields
        .present(&["on_failure"])
        .pop()
        .map(|(_, place)| place);
    if on_failure == Some(OnFailure::Skip) {
        return Some(SkipSpec {
            span: place.unwrap_or_default(),
            failed_span: failed.as_ref().map_or(0..0, Spanned::span),
            skip: Skip {
                allowed: allowed.unwrap_or(0).unsigned_abs(),
                failed: failed.map(Spanned::into_inner),
            },
        });
    }
    for (name, place) in fields.present(&["failed", "allow_failures"]) {
        let message = format!("`{name}` is of no use here");
        let help = "it belongs to `on_failure = \"skip\"`";
        problems.push(Problem::new(place, message).help(help));
    }
    None
}
