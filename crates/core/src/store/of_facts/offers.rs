//! From what cluster managers tell into the account of offers. Pure.
//!
//! Responsible for what each fact adds to it. A cycle may have 10,000 answers: texts are
//! made once for agents side by side that are declined for the same reasons.

use std::sync::Arc;

use crate::facts::cluster::{ClusterFact, OfferAnswer, OfferCycle, Verdict};
use crate::ids::AgentId;
use crate::offers::DeclineReason;
use crate::store::offers::{AgentOffers, Last, Offers, Why};
use crate::telling::cluster::asked;

/// How much an agent's entry differs from what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Only numbers.
    Numbers,
    /// The answer, or its reasons.
    Answer,
}

impl Offers {
    /// A manager tells this. `news` hears of which agents there is some.
    pub(crate) fn told(
        &mut self,
        at: u64,
        fact: &ClusterFact,
        news: &mut impl FnMut(&AgentId, News),
    ) {
        let totals = &mut self.totals;
        match fact {
            ClusterFact::Asks(it) => {
                totals.asked = asked(it).into();
                totals.is_suppressed = false;
            }
            ClusterFact::Offers(cycle) => self.cycle(at, cycle, news),
            ClusterFact::Rescinded { agent: Some(agent) } => {
                totals.rescinded += 1;
                self.became(at, agent, Last::Rescinded, news);
            }
            ClusterFact::Rescinded { agent: None } => totals.rescinded_late += 1,
            ClusterFact::Expired { offers } => totals.expired += offers,
            ClusterFact::Suppressed => {
                totals.suppressed += 1;
                totals.is_suppressed = true;
            }
            ClusterFact::Revived => {
                totals.revived += 1;
                totals.is_suppressed = false;
            }
            ClusterFact::WantedBack { free, busy } => {
                totals.wanted_back += (free.len() + busy.len()) as u64;
            }
            ClusterFact::AgentLost { agent } => {
                totals.agents_lost += 1;
                self.became(at, agent, Last::Lost, news);
            }
            // Told one by one.
            ClusterFact::AgentExcluded { .. }
            | ClusterFact::LaunchRefused { .. }
            | ClusterFact::NotAccepted(_)
            | ClusterFact::MasterSaid(_)
            | ClusterFact::NeverCame { .. }
            | ClusterFact::TooLate { .. }
            | ClusterFact::EndedAfterAll { .. }
            | ClusterFact::Lacking(_)
            | ClusterFact::NoMoreExecutors(_) => {}
        }
    }

    fn became(
        &mut self,
        at: u64,
        agent: &AgentId,
        last: Last,
        news: &mut impl FnMut(&AgentId, News),
    ) {
        if let Some(known) = self.agents.get_mut(agent) {
            (known.at, known.last, known.reasons) = (at, last, Arc::default());
            news(agent, News::Answer);
        }
    }

    fn cycle(&mut self, at: u64, cycle: &OfferCycle, news: &mut impl FnMut(&AgentId, News)) {
        self.totals.received += cycle.came;
        self.totals.cycles += u64::from(cycle.came > 0);
        // Agents side by side are declined for the same reasons as a rule.
        let mut before: (&[DeclineReason], Arc<[Why]>) = (&[], Arc::default());
        for answer in &cycle.answers {
            let (launched, reasons) = match &answer.answer {
                Verdict::Accepted { launched } => (Some(*launched), Arc::default()),
                Verdict::Declined(reasons) => {
                    if before.0 != reasons {
                        before = (reasons, reasons.iter().map(Why::of).collect());
                    }
                    (None, Arc::clone(&before.1))
                }
            };
            self.count(answer, launched, &reasons);
            self.answered(at, answer, launched, reasons, news);
        }
        self.bound();
    }

    fn count(&mut self, answer: &OfferAnswer, launched: Option<u64>, reasons: &[Why]) {
        let totals = &mut self.totals;
        let held = u64::try_from(answer.held.as_millis()).unwrap_or(u64::MAX);
        totals.held = totals.held.saturating_add(held * answer.offers);
        totals.longest_held = totals.longest_held.max(held);
        match launched {
            Some(launched) => {
                totals.accepted += answer.offers;
                totals.launched += launched;
            }
            None => totals.declined += answer.offers,
        }
        for (place, why) in reasons.iter().enumerate() {
            // Once, also of two attributes that are not what they should be.
            if reasons[..place].iter().any(|it| it.reason == why.reason) {
                continue;
            }
            match totals.by_reason.get_mut(&why.reason) {
                Some(count) => *count += answer.offers,
                None => {
                    let reason = Arc::clone(&why.reason);
                    totals.by_reason.insert(reason, answer.offers);
                }
            }
        }
    }

    fn answered(
        &mut self,
        at: u64,
        answer: &OfferAnswer,
        launched: Option<u64>,
        reasons: Arc<[Why]>,
        news: &mut impl FnMut(&AgentId, News),
    ) {
        let last = match launched {
            Some(_) => Last::Accepted,
            None => Last::Declined,
        };
        let known = self.agents.get_mut(&answer.agent);
        let is_same = known.as_ref().is_some_and(|it| {
            let kinds = it.reasons.iter().map(|it| &it.reason);
            it.last == last && kinds.eq(reasons.iter().map(|it| &it.reason))
        });
        let (before, accepted, so_far) =
            known.map_or((0, 0, 0), |it| (it.answered, it.accepted, it.launched));
        let took = launched.map_or(0, |_| answer.offers);
        let now = AgentOffers {
            agent: answer.agent.clone(),
            host: answer.host.clone(),
            cpus: answer.cpus,
            mem: answer.mem,
            answered: before + answer.offers,
            accepted: accepted + took,
            launched: so_far + launched.unwrap_or(0),
            at,
            last,
            reasons,
        };
        self.agents.insert(answer.agent.clone(), now);
        let kind = if is_same { News::Numbers } else { News::Answer };
        news(&answer.agent, kind);
    }
}

impl Why {
    fn of(reason: &DeclineReason) -> Self {
        Self {
            reason: reason.label().into(),
            text: reason.to_string().into(),
        }
    }
}

#[cfg(test)]
mod tests;
