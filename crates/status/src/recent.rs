//! Answers that were made a moment ago.
//!
//! Responsible for many who ask the same costing a run no more than one who does.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use mesquite_system::clock::{SystemClock, Timestamp};

use crate::body::whole;
use crate::server::{Answer, PageRequest};

/// An answer is given again for so long: people are shown nothing that is older than a
/// second.
const FRESH: Duration = Duration::from_millis(400);

/// So many are kept, none larger than this.
const MOST: usize = 32;
const LARGEST: usize = 256 * 1024;

/// An answer that went well.
#[derive(Clone)]
pub struct Made {
    kind: &'static str,
    bytes: Bytes,
}

impl Made {
    /// Of this kind.
    pub const fn new(kind: &'static str, bytes: Bytes) -> Self {
        Self { kind, bytes }
    }

    /// The answer itself.
    pub fn answer(&self) -> Answer {
        Answer::ok(self.kind, whole(self.bytes.clone()))
    }
}

/// See the module.
pub struct Recent {
    clock: SystemClock,
    made: BTreeMap<(String, String), (Timestamp, Made)>,
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            clock: SystemClock::start(),
            made: BTreeMap::new(),
        }
    }
}

impl Recent {
    /// What was answered a moment ago.
    pub fn find(&mut self, asked: &PageRequest) -> Option<Made> {
        self.forget(self.clock.now());
        let key = (asked.path.clone(), asked.query.clone());
        self.made.get(&key).map(|(_, made)| made.clone())
    }

    /// This is answered now.
    pub fn keep(&mut self, asked: PageRequest, made: &Made) {
        if self.made.len() < MOST && made.bytes.len() <= LARGEST {
            let now = self.clock.now();
            self.made
                .insert((asked.path, asked.query), (now, made.clone()));
        }
    }

    fn forget(&mut self, now: Timestamp) {
        self.made
            .retain(|_, (at, _)| now.saturating_since(*at) < FRESH);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_given_again_until_it_is_old() {
        let asked = |path: &str| PageRequest {
            path: path.to_owned(),
            query: String::new(),
            last: None,
        };
        let mut recent = Recent::default();
        recent.keep(
            asked("/"),
            &Made::new("text/plain", Bytes::from_static(b"a")),
        );
        let large = Bytes::from(vec![0; LARGEST + 1]);
        recent.keep(asked("/large"), &Made::new("text/plain", large));
        assert_eq!(recent.made.len(), 1);
        let (at, _) = recent.made[&("/".to_owned(), String::new())];
        recent.forget(at + FRESH / 2);
        assert_eq!(recent.made.len(), 1);
        recent.forget(at + FRESH);
        assert_eq!(recent.made.len(), 0);
    }
}
