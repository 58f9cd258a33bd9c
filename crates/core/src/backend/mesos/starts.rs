//! Whether executors come up in their container. Pure.
//!
//! Responsible for a run that waits for nothing: an image that is not there, or a volume, is
//! as little there the next time. While no executor has ever come, and no other agent is
//! tried for a moment after the last one failed, there is no hope. A run that had
//! executors goes on, with the agents left alone on which they fail. Executors that are in
//! no container are not its business: they fail by what an agent lacks, which others may
//! have. Used by both backends of Mesos.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::facts::cluster::NoHope;
use crate::ids::Host;
use mesquite_mesos::container::Container;

/// Agents on which nothing failed have so long to offer something: several allocations of a
/// master, and less than an agent is left alone after two failures.
const OTHERS: Duration = Duration::from_secs(5);

/// It is asked again after so long whether there is hope, while something is tried.
const AGAIN: Duration = Duration::from_secs(1);

/// What is to be said of one whose process ended before it came.
const ENDED_AT_ONCE: &str = "before it came to the driver: its stderr in the sandbox says why; an \
                             image must have glibc 2.17 or newer, for which mesquite is built";

/// See the module.
#[derive(Debug)]
pub struct Starts {
    /// The image, as long as it is not known to be good.
    image: Option<String>,
    failed: Option<Failed>,
}

/// The last failure, if no other agent was tried since.
#[derive(Debug)]
struct Failed {
    host: Host,
    why: String,
    /// Since another agent was tried and failed: that one fails again is no news.
    until: Timestamp,
}

impl Starts {
    /// Of executors in this container.
    pub fn of(container: Option<&Container>) -> Self {
        Self {
            image: container.map(|it| it.image().name.clone()),
            failed: None,
        }
    }

    /// One could not begin, or `exited` before it came.
    pub fn failed(&mut self, now: Timestamp, host: Host, why: &str, exited: bool) {
        if self.image.is_some() {
            let why = match exited {
                true => format!("{why}, {ENDED_AT_ONCE}"),
                false => why.to_owned(),
            };
            let until = self.failed.as_ref().map_or(now + OTHERS, |it| it.until);
            self.failed = Some(Failed { host, why, until });
        }
    }

    /// An agent is tried that has not failed again and again.
    pub fn launched(&mut self) {
        self.failed = None;
    }

    /// One has come: whatever fails from now on is not what all have in common.
    pub fn came(&mut self) {
        self.image = None;
        self.failed = None;
    }

    /// When [`hopeless`](Self::hopeless) is to be asked, if ever.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.failed.as_ref().map(|it| it.until)
    }

    /// Why none will come, if that is known now. `waits` if something is wanted, nothing of
    /// it is there, and the master is.
    pub fn hopeless(&mut self, now: Timestamp, waits: bool) -> Option<NoHope> {
        let failed = self.failed.as_mut().filter(|it| it.until <= now)?;
        if !waits {
            failed.until = now + AGAIN;
            return None;
        }
        let failed = self.failed.take()?;
        Some(NoHope::NoContainer {
            image: self.image.clone()?,
            host: failed.host,
            why: failed.why,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mesquite_mesos::container::{Image, Runtime};

    fn starts() -> Starts {
        let container = Container {
            runtime: Runtime::Mesos(Image {
                name: "i".into(),
                pull: false,
            }),
            volumes: Vec::new(),
        };
        Starts::of(Some(&container))
    }

    #[test]
    fn there_is_no_hope_when_nothing_else_is_tried_for_a_moment() {
        let mut starts = starts();
        let mut now = Timestamp::ZERO;
        starts.failed(now, "h1".into(), "it is not there", false);
        assert_eq!(starts.hopeless(now, true), None);
        starts.launched();
        assert_eq!(starts.next_deadline(), None);
        starts.failed(now, "h1".into(), "it is not there", false);
        // The same agent, tried again, changes nothing.
        starts.failed(now + AGAIN, "h2".into(), "it is not there", false);
        // Nobody waits: it is asked again.
        now += OTHERS;
        assert_eq!(starts.hopeless(now, false), None);
        assert_eq!(starts.hopeless(now, true), None);
        now = starts.next_deadline().expect("a moment");
        assert_eq!(
            starts.hopeless(now, true),
            Some(NoHope::NoContainer {
                image: "i".into(),
                host: "h2".into(),
                why: "it is not there".into(),
            })
        );
        assert_eq!(starts.next_deadline(), None);
    }

    #[test]
    fn an_image_that_was_good_once_and_no_image_leave_hope() {
        let mut came = starts();
        came.came();
        for mut starts in [came, Starts::of(None)] {
            starts.failed(Timestamp::ZERO, "h".into(), "it ended", true);
            assert_eq!(starts.next_deadline(), None);
        }
    }
}
