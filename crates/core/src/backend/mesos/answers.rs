//! What offers were answered: of one cycle, and so far. Pure.
//!
//! Responsible for the account of offers that readers get, a cycle at a time, and for what
//! of it is still of interest here: why nothing runs, asked by people who wait. Used by
//! the desk, which answers. A cycle may have 10,000 offers and more: each costs a place in
//! a list, and nothing is counted or compared until somebody asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::facts::cluster::{
    AgentsDeclined, ClusterFact, OfferAnswer, OfferCycle, OffersSoFar, Verdict,
};
use crate::ids::{AgentId, Host};

/// Lists of answers are made one of the last answers when they have so many times as many.
const GROWTH: usize = 4;

/// Fewer answers than these are not looked at for that.
const FEW: usize = 1024;

/// So many different sets of reasons are told.
const REASONS: usize = 6;

/// Of the agents of each so many are named.
const HOSTS: usize = 3;

/// See the module.
#[derive(Debug, Default)]
pub struct Answers {
    cycle: OfferCycle,
    came: u64,
    /// Since something was accepted last, the newest last.
    so_far: Vec<Arc<OfferCycle>>,
    /// How many answers are in there, and were when it was shortened last.
    kept: usize,
    shortened: usize,
}

impl Answers {
    /// So many offers came.
    pub const fn came(&mut self, offers: u64) {
        self.came += offers;
        self.cycle.came += offers;
    }

    /// Offers of an agent were answered.
    pub fn answered(&mut self, answer: OfferAnswer) {
        if matches!(answer.answer, Verdict::Accepted { .. }) {
            self.forget();
        }
        self.cycle.answers.push(answer);
    }

    /// Something runs: why nothing did is of no interest any more.
    pub fn forget(&mut self) {
        self.so_far.clear();
        (self.kept, self.shortened) = (0, 0);
    }

    /// The cycle is over: what is told of it, if there was anything.
    pub fn told(&mut self) -> Option<ClusterFact> {
        if self.cycle == OfferCycle::default() {
            return None;
        }
        let cycle = Arc::new(std::mem::take(&mut self.cycle));
        self.kept += cycle.answers.len();
        self.so_far.push(Arc::clone(&cycle));
        if self.kept > FEW.max(GROWTH * self.shortened) || self.so_far.len() > FEW {
            self.shorten();
        }
        Some(ClusterFact::Offers(cycle))
    }

    /// The last answer of each agent.
    fn last(&self) -> BTreeMap<(&Host, &AgentId), &OfferAnswer> {
        let all = self.so_far.iter().flat_map(|it| &it.answers);
        all.map(|it| ((&it.host, &it.agent), it)).collect()
    }

    /// Keeps the last answer of each agent.
    fn shorten(&mut self) {
        let answers: Vec<_> = self.last().into_values().cloned().collect();
        (self.kept, self.shortened) = (answers.len(), answers.len());
        let came = 0;
        self.so_far = vec![Arc::new(OfferCycle { came, answers })];
    }

    /// Why nothing runs.
    pub fn so_far(&self) -> OffersSoFar {
        let mut declined: Vec<AgentsDeclined> = Vec::new();
        let mut more = 0;
        for ((host, _), answer) in self.last() {
            let Verdict::Declined(reasons) = &answer.answer else {
                continue;
            };
            let known = declined.iter().position(|it| it.reasons == *reasons);
            match known {
                Some(place) => {
                    let known = &mut declined[place];
                    known.agents += 1;
                    if known.hosts.len() < HOSTS && !known.hosts.contains(host) {
                        known.hosts.push(host.clone());
                    }
                }
                None if declined.len() < REASONS => declined.push(AgentsDeclined {
                    reasons: reasons.clone(),
                    hosts: vec![host.clone()],
                    agents: 1,
                }),
                None => more += 1,
            }
        }
        OffersSoFar {
            came: self.came,
            declined,
            more,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::offers::DeclineReason;
    use crate::resources::Scalar;

    fn answer(agent: u32, answer: Verdict) -> OfferAnswer {
        OfferAnswer {
            agent: format!("a{agent:05}").into(),
            host: format!("h{agent:05}").into(),
            cpus: Scalar::new(1),
            mem: Scalar::new(64),
            offers: 1,
            held: Duration::ZERO,
            answer,
        }
    }

    fn most(max_cores: u64) -> Verdict {
        Verdict::Declined(vec![DeclineReason::ReachedMaxCores { max_cores }])
    }

    #[test]
    fn the_last_answer_of_each_agent_counts_and_agents_with_the_same_are_told_together() {
        let mut answers = Answers::default();
        answers.came(5);
        for agent in 0..5 {
            answers.answered(answer(agent, most(1)));
        }
        let Some(ClusterFact::Offers(cycle)) = answers.told() else {
            panic!("there was a cycle");
        };
        assert_eq!((cycle.came, cycle.answers.len()), (5, 5));
        assert_eq!(answers.told(), None);
        answers.came(1);
        answers.answered(answer(4, most(2)));
        assert!(answers.told().is_some());
        let so_far = answers.so_far();
        let shown = so_far.declined.iter();
        let shown: Vec<_> = shown.map(|it| (it.agents, it.hosts.len())).collect();
        assert_eq!(shown, [(4, HOSTS), (1, 1)]);
        assert_eq!((so_far.came, so_far.more), (6, 0));
        answers.answered(answer(1, Verdict::Accepted { launched: 1 }));
        let so_far = answers.so_far();
        assert_eq!((so_far.came, so_far.declined), (6, vec![]));
    }

    #[test]
    fn what_is_kept_grows_with_the_agents_and_not_with_the_offers() {
        let mut answers = Answers::default();
        for round in 0..100 {
            for agent in 0..1000 {
                answers.answered(answer(agent, most(round)));
            }
            assert!(answers.told().is_some());
            assert!(answers.kept <= 5 * 1000, "{}", answers.kept);
        }
        let so_far = answers.so_far();
        assert_eq!(so_far.declined.len(), 1);
        assert_eq!(so_far.declined[0].agents, 1000);
        // Many reasons are told in part.
        for agent in 0..10 {
            answers.answered(answer(agent, most(1000 + u64::from(agent))));
        }
        assert!(answers.told().is_some());
        let so_far = answers.so_far();
        assert_eq!(so_far.declined.len(), REASONS);
        let told: u64 = so_far.declined.iter().map(|it| it.agents).sum();
        assert_eq!(told + so_far.more, 1000);
    }
}
