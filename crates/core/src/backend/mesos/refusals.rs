//! Calls that the master, or what lies between, refused. Pure.
//!
//! Responsible for what a refusal must not lead to: offers that stay ours at the
//! master because their DECLINE was lost, an agent that is never answered for,
//! and launches that are refused as fast as they can be repeated. What has to
//! arrive is sent again, less and less often; launches pause, longer each time.
//! Used by both backends of Mesos, which know what a launch that was refused
//! means for them. KILL, RECONCILE and ACKNOWLEDGE are not its business: each is
//! repeated until what it is for has happened.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::facts::cluster::NoHope;
use crate::ids::OfferId;
use crate::offers::DeclineReason;
use mesquite_mesos::call::Call;
use mesquite_mesos::refused::{CallRefusal, Refused};

/// The first pause, of launches and of calls that are sent again.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// So many launches in a row that are refused as wrong are enough to know that
/// none will be taken.
const ENOUGH: u32 = 10;

/// See the module.
#[derive(Debug, Default)]
pub struct Refusals {
    again: Vec<Call>,
    again_at: Option<Timestamp>,
    again_pause: Duration,
    /// Launches that were refused since the last sign that one was taken.
    launches: u32,
    launch_at: Option<Timestamp>,
    why: String,
}

impl Refusals {
    /// A call other than a launch was refused.
    pub fn call(&mut self, now: Timestamp, call: &Refused, refusal: &CallRefusal) {
        match call {
            // What is between takes no request of this size.
            Refused::Decline { offers, refuse } if refusal.is_too_large() && offers.len() > 1 => {
                let (first, second) = offers.split_at(offers.len() / 2);
                self.decline(first.to_vec(), *refuse);
                self.decline(second.to_vec(), *refuse);
            }
            Refused::Decline { offers, refuse } => self.decline(offers.clone(), *refuse),
            Refused::AcceptInverseOffers { offers } => {
                let offers = offers.clone();
                self.again.push(Call::AcceptInverseOffers { offers });
            }
            Refused::DeclineInverseOffers { offers, refuse } => {
                let (offers, refuse) = (offers.clone(), *refuse);
                self.again
                    .push(Call::DeclineInverseOffers { offers, refuse });
            }
            Refused::Accept { .. } | Refused::Revive | Refused::Suppress => return,
        }
        self.again_at(now);
    }

    fn decline(&mut self, offers: Vec<OfferId>, refuse: Duration) {
        self.again.push(Call::Decline { offers, refuse });
    }

    /// Something that has to arrive was refused.
    pub fn again(&mut self, now: Timestamp, call: Call) {
        if !self.again.contains(&call) {
            self.again.push(call);
        }
        self.again_at(now);
    }

    fn again_at(&mut self, now: Timestamp) {
        if self.again_at.is_none() {
            self.again_pause = longer(self.again_pause);
            self.again_at = Some(now + self.again_pause);
        }
    }

    /// A launch on these offers was refused: none is tried for a while, and the
    /// offers go back.
    pub fn launch(&mut self, now: Timestamp, offers: &[OfferId], refusal: &CallRefusal) -> Call {
        // Several that were sent together are refused together.
        if self.launch_at.is_none_or(|at| at <= now) {
            self.launches += 1;
            self.launch_at = Some(now + pause(self.launches));
        }
        self.why = refusal.to_string();
        let refuse = self
            .launch_at
            .map_or(FIRST_PAUSE, |at| at.saturating_since(now));
        Call::Decline {
            offers: offers.to_vec(),
            refuse,
        }
    }

    /// Why nothing is launched at the moment, if so.
    pub fn pausing(&self, now: Timestamp) -> Option<DeclineReason> {
        let at = self.launch_at.filter(|at| *at > now)?;
        Some(DeclineReason::LaunchesRefused {
            remaining: at.saturating_since(now),
            why: self.why.clone(),
        })
    }

    /// Why no launch will ever be taken, if that is known: too many in a row were
    /// refused for what they are, and not for the moment.
    pub fn hopeless(&self, last: &CallRefusal) -> Option<NoHope> {
        (self.launches >= ENOUGH && last.is_lasting()).then(|| NoHope::LaunchesRefused {
            launches: self.launches,
            last: last.clone(),
        })
    }

    /// Something that was launched has shown itself.
    pub fn launched(&mut self) {
        self.launches = 0;
    }

    /// The subscription is another one, or none: offers are void, and refusals
    /// were of an earlier master.
    pub fn begin_afresh(&mut self) {
        *self = Self::default();
    }

    /// When [`calls`](Self::calls) or [`resumes`](Self::resumes) has something to
    /// say, if ever.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.again_at.into_iter().chain(self.launch_at).min()
    }

    /// Calls that are to be sent again now.
    pub fn calls(&mut self, now: Timestamp) -> Vec<Call> {
        if self.again_at.take_if(|at| *at <= now).is_none() {
            return Vec::new();
        }
        std::mem::take(&mut self.again)
    }

    /// Whether launches may be tried again from now on.
    pub fn resumes(&mut self, now: Timestamp) -> bool {
        self.launch_at.take_if(|at| *at <= now).is_some()
    }
}

fn longer(pause: Duration) -> Duration {
    (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE)
}

fn pause(times: u32) -> Duration {
    let factor = 2_u32.saturating_pow(times.saturating_sub(1));
    FIRST_PAUSE.saturating_mul(factor).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: u16) -> CallRefusal {
        CallRefusal {
            code,
            why: format!("status {code}"),
        }
    }

    fn decline(count: usize) -> Refused {
        Refused::Decline {
            offers: (0..count).map(|it| format!("o{it}").into()).collect(),
            refuse: Duration::from_secs(5),
        }
    }

    fn offers(call: &Call) -> usize {
        match call {
            Call::Decline { offers, .. } => offers.len(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_decline_that_was_refused_is_sent_again_in_pieces_if_it_was_too_large() {
        let mut refusals = Refusals::default();
        refusals.call(Timestamp::ZERO, &decline(5), &refusal(429));
        assert_eq!(refusals.calls(Timestamp::ZERO), []);
        let at = refusals.next_deadline().expect("a deadline");
        assert_eq!(at, Timestamp::ZERO + FIRST_PAUSE);
        assert_eq!(
            refusals.calls(at).iter().map(offers).collect::<Vec<_>>(),
            [5]
        );
        refusals.call(at, &decline(5), &refusal(413));
        let next = refusals.next_deadline().expect("a deadline");
        assert_eq!(next, at + 2 * FIRST_PAUSE);
        let pieces: Vec<_> = refusals.calls(next).iter().map(offers).collect();
        assert_eq!(pieces, [2, 3]);
        assert_eq!(refusals.next_deadline(), None);
        refusals.call(next, &decline(1), &refusal(413));
        refusals.begin_afresh();
        assert_eq!(refusals.next_deadline(), None);
    }

    #[test]
    fn launches_pause_for_longer_each_time_until_one_is_taken() {
        let mut refusals = Refusals::default();
        let mut now = Timestamp::ZERO;
        let mut pauses = Vec::new();
        for _ in 0..ENOUGH {
            assert_eq!(refusals.hopeless(&refusal(413)), None);
            let decline = refusals.launch(now, &["o".into()], &refusal(413));
            // Of the same moment.
            let _ = refusals.launch(now, &["p".into()], &refusal(413));
            assert_eq!(offers(&decline), 1);
            assert!(refusals.pausing(now).is_some());
            let at = refusals.next_deadline().expect("a deadline");
            pauses.push((at - now).as_millis());
            now = at;
            assert_eq!(refusals.pausing(now), None);
            assert!(refusals.resumes(now));
        }
        let expected = [
            250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000,
        ];
        assert_eq!(pauses, expected);
        assert!(refusals.hopeless(&refusal(413)).is_some());
        // One that only asks for patience is given it.
        assert_eq!(refusals.hopeless(&refusal(429)), None);
        refusals.launched();
        assert_eq!(refusals.hopeless(&refusal(413)), None);
        assert_eq!(refusals.next_deadline(), None);
    }
}
