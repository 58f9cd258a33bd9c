//! What is said of tasks that run far longer than others. Pure.
//!
//! Responsible for the texts of those [facts](crate::facts); when there are any
//! [`watch`](crate::watch) decides.

use super::Teller;
use crate::facts::{Advice, Fact};
use crate::ids::StageId;
use mesquite_base::plain::{counted, short_span, span};
use mesquite_scheduler::running::RunningAttempt;

impl Teller {
    /// The text of such a fact, if it is one.
    pub(super) fn slow(&self, fact: &Fact) -> Option<String> {
        match fact {
            Fact::TaskSlow {
                attempt,
                ran,
                median,
                ended,
                again,
                advice,
            } => {
                let still = if *again {
                    "still runs, for"
                } else {
                    "has run for"
                };
                let copy = if attempt.has_copy {
                    "; another attempt at it runs as well"
                } else {
                    ""
                };
                Some(format!(
                    "{} {still} {}; half of the {} that ended took {} at most{copy}{}",
                    self.whose(attempt),
                    span(*ran),
                    counted((*ended).into(), "task"),
                    short_span(*median),
                    advised(*advice)
                ))
            }
            Fact::MoreTasksSlow { stage, attempts } => {
                let run = if *attempts == 1 { "runs" } else { "run" };
                Some(format!(
                    "{}: {} {run} far longer than the others, too",
                    self.stage(*stage),
                    counted((*attempts).into(), "more task"),
                ))
            }
            Fact::StageQuiet {
                quiet,
                running,
                longest,
                ran,
                advice,
            } => {
                let run = if *running == 1 { "runs" } else { "run" };
                Some(format!(
                    "no task of {} has ended for {}; {} {run}, the longest for {}: partition {}, \
                     attempt {}, on {} (executor {}){}",
                    self.stage(longest.stage),
                    span(*quiet),
                    counted((*running).into(), "attempt"),
                    span(*ran),
                    longest.partition,
                    longest.attempt,
                    longest.host,
                    longest.executor,
                    advised(*advice)
                ))
            }
            _ => None,
        }
    }

    /// A stage, with the name of its last dataset.
    fn stage(&self, stage: StageId) -> String {
        match self.names.get(&stage) {
            Some(name) => format!("stage {stage} ({name})"),
            None => format!("stage {stage}"),
        }
    }

    fn whose(&self, attempt: &RunningAttempt) -> String {
        format!(
            "{}: partition {}, attempt {}, on {} (executor {})",
            self.stage(attempt.stage),
            attempt.partition,
            attempt.attempt,
            attempt.host,
            attempt.executor
        )
    }
}

/// What may be done about it.
fn advised(advice: Advice) -> String {
    let timeout = "`timeout` beside a dataset ends a task that takes too long, to try again";
    let copies = "`spark.speculation=true` starts a copy of a slow task elsewhere";
    let all = [(advice.timeout, timeout), (advice.copies, copies)];
    let wanted = all.iter().filter(|(wanted, _)| *wanted);
    wanted.map(|(_, text)| format!("; {text}")).collect()
}
