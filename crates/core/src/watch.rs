//! Who has run far longer than others, as far as people are to hear of it. Pure.
//!
//! Responsible for when that is told: of an attempt once and then ever more rarely, of many
//! attempts of a stage only how many there are, and of a stage whose tasks do not end at
//! all. Whoever looks now and then at what runs asks it; what is far longer scheduling
//! knows ([`running`](mesquite_scheduler::running)), what is said of it
//! [`telling`](crate::telling).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::facts::{Advice, Fact};
use crate::ids::{Partition, StageAttempt, StageId};
use mesquite_scheduler::running::{Copying, FAR_LONGER, Running, RunningAttempt, RunningStage};

/// For so long no task of a stage has to end before that is told.
const QUIET: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug, Default)]
pub struct Watch {
    stages: BTreeMap<(StageId, StageAttempt), Told>,
    /// What was advised in this run: once is enough.
    advised: Advice,
}

/// What was told of an attempt at a stage.
#[derive(Debug, Default)]
struct Told {
    /// The attempts that were named, and how long they had run when that was told last.
    named: BTreeMap<(Partition, u32), Duration>,
    /// How many others there were when that was told last.
    others: u32,
    /// For how long no attempt had ended when that was told last.
    quiet: Option<Duration>,
}

impl Watch {
    /// So many attempts of a stage are named; others are counted.
    pub const NAMED_OF_STAGE: usize = 3;

    /// What is to be told of what runs at this moment. `has_timeout` says whether tasks
    /// of a stage are ended that compute a partition for too long.
    pub fn look(
        &mut self,
        running: &Running,
        has_timeout: impl Fn(StageId, Partition) -> bool,
    ) -> Vec<Fact> {
        let is_there = |it: &(StageId, StageAttempt)| {
            let mut stages = running.stages.iter();
            stages.any(|stage| (stage.stage, stage.attempt) == *it)
        };
        self.stages.retain(|it, _| is_there(it));
        let mut facts = Vec::new();
        for stage in &running.stages {
            let told = self.stages.entry((stage.stage, stage.attempt)).or_default();
            let mut advise = |attempt: &RunningAttempt| {
                let advice = Advice {
                    timeout: !has_timeout(attempt.stage, attempt.partition),
                    // Only what is far longer is ever copied.
                    copies: stage.copying == Copying::Off && stage.far_longer.is_some(),
                };
                self.advised.news(advice)
            };
            match stage.far_longer {
                Some(many) => told.slow(running.at, stage, many, &mut advise, &mut facts),
                None => facts.extend(told.quiet(running.at, stage, &mut advise)),
            }
        }
        facts
    }
}

impl Advice {
    /// What of an advice was not given yet; now it is.
    fn news(&mut self, advice: Self) -> Self {
        let news = |given: &mut bool, now: bool| now && !std::mem::replace(given, *given || now);
        Self {
            timeout: news(&mut self.timeout, advice.timeout),
            copies: news(&mut self.copies, advice.copies),
        }
    }
}

impl Told {
    /// So `many` attempts have run far longer than the others.
    fn slow(
        &mut self,
        now: Timestamp,
        stage: &RunningStage,
        many: u32,
        advise: &mut impl FnMut(&RunningAttempt) -> Advice,
        facts: &mut Vec<Fact>,
    ) {
        let median = stage.median.unwrap_or_default();
        let mut others = many;
        for attempt in stage.longest.iter().take(many as usize) {
            let ran = now - attempt.since;
            let key = (attempt.partition, attempt.attempt);
            let again = match self.named.get(&key) {
                Some(before) => {
                    others -= 1;
                    if ran < *before * 2 {
                        continue;
                    }
                    true
                }
                None if self.named.len() < Watch::NAMED_OF_STAGE => {
                    others -= 1;
                    false
                }
                None => continue,
            };
            self.named.insert(key, ran);
            facts.push(Fact::TaskSlow {
                attempt: attempt.clone(),
                ran,
                median,
                ended: stage.ended,
                again,
                advice: advise(attempt),
            });
        }
        if others >= (self.others * 2).max(1) {
            self.others = others;
            facts.push(Fact::MoreTasksSlow {
                stage: stage.stage,
                attempts: others,
            });
        }
    }

    /// It cannot be said what is far longer: that nothing ends at all can.
    fn quiet(
        &mut self,
        now: Timestamp,
        stage: &RunningStage,
        advise: &mut impl FnMut(&RunningAttempt) -> Advice,
    ) -> Option<Fact> {
        let longest = stage.longest.first()?;
        let quiet = now - stage.ended_last.unwrap_or_default().max(longest.since);
        let due = match self.quiet {
            Some(before) => before * 2,
            None => QUIET.max(stage.median.unwrap_or_default() * FAR_LONGER),
        };
        if quiet < due {
            return None;
        }
        self.quiet = Some(quiet);
        Some(Fact::StageQuiet {
            quiet,
            running: stage.running,
            longest: longest.clone(),
            ran: now - longest.since,
            advice: advise(longest),
        })
    }
}

#[cfg(test)]
mod tests;
