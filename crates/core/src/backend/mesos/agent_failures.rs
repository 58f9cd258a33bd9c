//! Agents on which executors fail. Pure.
//!
//! Responsible for leaving an agent alone for a while after executors failed
//! there one after the other, longer each time, and never for ever (Spark bans
//! it until the application ends). Used by both backends of Mesos.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::ids::AgentId;

/// After so many executors failed on an agent it is left alone.
const FAILURES: u32 = 2;

/// For how long the first time; twice as long each time after.
const EXCLUDED_FOR: Duration = Duration::from_secs(10);

/// No agent is left alone for longer.
const EXCLUDED_FOR_MOST: Duration = Duration::from_secs(600);

#[derive(Debug, Default)]
struct Failures {
    count: u32,
    until: Option<Timestamp>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct AgentFailures(BTreeMap<AgentId, Failures>);

impl AgentFailures {
    /// An executor failed on an agent. How many have, and for how long it is left alone,
    /// if that is so.
    pub fn failed(&mut self, now: Timestamp, agent: AgentId) -> Option<(u32, Duration)> {
        let failures = self.0.entry(agent).or_default();
        failures.count += 1;
        let times = failures.count.checked_sub(FAILURES)?;
        let pause = EXCLUDED_FOR.saturating_mul(2_u32.saturating_pow(times));
        let pause = pause.min(EXCLUDED_FOR_MOST);
        failures.until = Some(now + pause);
        Some((failures.count, pause))
    }

    /// An executor works on an agent: its past is forgotten.
    pub fn works(&mut self, agent: &AgentId) {
        self.0.remove(agent);
    }

    /// Whether an agent has failed so often already that it was left alone.
    pub fn has_failed(&self, agent: &AgentId) -> bool {
        self.0.get(agent).is_some_and(|it| it.count >= FAILURES)
    }

    /// For how long an agent is still to be left alone, if it is.
    pub fn excluded_for(&self, now: Timestamp, agent: &AgentId) -> Option<Duration> {
        let until = self.0.get(agent)?.until?;
        (until > now).then(|| until - now)
    }

    /// When the next agent is welcome again.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.0.values().filter_map(|it| it.until).min()
    }

    /// Welcomes agents whose time is over; whether there were any.
    pub fn expire(&mut self, now: Timestamp) -> bool {
        let mut some = false;
        for failures in self.0.values_mut() {
            if failures.until.is_some_and(|until| until <= now) {
                failures.until = None;
                some = true;
            }
        }
        some
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_left_alone_for_longer_each_time_but_never_for_ever() {
        let mut failures = AgentFailures::default();
        let agent = AgentId::from("a");
        let mut now = Timestamp::ZERO;
        assert_eq!(failures.failed(now, agent.clone()), None);
        assert_eq!(failures.excluded_for(now, &agent), None);
        let mut pauses = Vec::new();
        for _ in 0..9 {
            let (_, pause) = failures.failed(now, agent.clone()).expect("it is excluded");
            assert_eq!(failures.excluded_for(now, &agent), Some(pause));
            pauses.push(failures.excluded_for(now, &agent).map(|it| it.as_secs()));
            now = failures.next_deadline().expect("it is excluded");
            assert!(failures.expire(now));
            assert_eq!(failures.excluded_for(now, &agent), None);
        }
        let expected = [10, 20, 40, 80, 160, 320, 600, 600, 600].map(Some);
        assert_eq!(pauses, expected);
        failures.works(&agent);
        assert_eq!(failures.failed(now, agent.clone()), None);
        assert_eq!(failures.excluded_for(now, &agent), None);
    }
}
