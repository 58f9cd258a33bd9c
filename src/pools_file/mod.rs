//! The file that defines pools: Spark's `fairscheduler.xml`, or TOML.
//!
//! Responsible for turning its text into definitions, and for every mistake in
//! it, all at once: Spark takes a default in place of a bad value and goes on,
//! and a slip of the pen then changes who gets the cluster. Reads no files
//! itself. Pure.
//!
//! ```text
//! <allocations>                          [pool.reports]
//!   <pool name="reports">                mode = "FAIR"
//!     <schedulingMode>FAIR</...>         weight = 2
//!     <weight>2</weight>                 min_share = 4
//!     <minShare>4</minShare>
//!   </pool>                              [pool.reports.pool.daily]
//! </allocations>                         weight = 3
//! ```
//!
//! In XML all pools are direct children of the root. In TOML a pool may hold
//! pools; a job names an inner one as `reports/daily`.

#[cfg(test)]
mod tests;
mod toml;
mod xml;

use std::collections::BTreeSet;
use std::ops::Range;

use crate::conf::value::Choice;
use crate::job_file::Problem;
use crate::job_file::fields::Problems;
use crate::scheduler::ordering::SchedulingMode;
use crate::scheduler::pool::PoolDefinition;

const MODES: &str = "`FIFO` or `FAIR`";

/// The pools that the text of a file of this name defines, in the order of the
/// file: TOML if the name ends with `.toml`, else XML.
///
/// # Errors
/// All its mistakes.
pub fn read(file_name: &str, text: &str) -> Result<Vec<PoolDefinition>, Vec<Problem>> {
    let mut mistakes = Mistakes::default();
    let pools = if file_name.to_ascii_lowercase().ends_with(".toml") {
        toml::read(text, &mut mistakes)
    } else {
        xml::read(text, &mut mistakes)
    };
    if mistakes.problems.is_empty() {
        Ok(pools)
    } else {
        Err(mistakes.problems.into_found())
    }
}

/// What was found so far.
#[derive(Default)]
struct Mistakes {
    problems: Problems,
    /// The full names of pools.
    names: BTreeSet<String>,
}

impl Mistakes {
    fn add(&mut self, span: Range<usize>, message: String, allowed: &str) {
        self.problems
            .push(Problem::new(span, message).help(allowed));
    }

    /// Notes a pool's full name.
    fn name(&mut self, span: Range<usize>, name: &str) {
        if name.is_empty() {
            self.add(
                span,
                "a pool has no name".to_owned(),
                "jobs name their pool",
            );
        } else if !self.names.insert(name.to_owned()) {
            let message = format!("pool `{name}` is defined twice");
            self.add(span, message, "one definition of each pool");
        }
    }

    fn mode(&mut self, span: Range<usize>, what: &str, text: &str) -> SchedulingMode {
        SchedulingMode::from_word(&text.to_ascii_uppercase()).unwrap_or_else(|| {
            self.add(span, format!("{what} is `{text}`"), MODES);
            SchedulingMode::default()
        })
    }

    fn number(&mut self, span: Range<usize>, what: &str, text: &str, least: u32) -> u32 {
        // Rust would take a plus sign too.
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|it| digits && *it >= least);
        number.unwrap_or_else(|| {
            let allowed = format!("a whole number from {least} to {}", u32::MAX);
            self.add(span, format!("{what} is `{text}`"), &allowed);
            least
        })
    }
}
