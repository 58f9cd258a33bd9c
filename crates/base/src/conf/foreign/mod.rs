//! Names that Spark has and that do nothing here.
//!
//! Responsible for the two tables of such names, each with its reason, so that a
//! `spark-defaults.conf` of a real cluster is accepted with warnings
//! (`ignored`) while a slip of the pen is still an error, and what would make
//! a run unsafe, wrong or surprising when ignored is one too (`refused`). A
//! name that gets a meaning moves from here to
//! [`properties`](super::properties); a test makes sure that none is in both.
//!
//! Where Mesquite has properties in the same family, names stand here one by
//! one, for a beginning with `*` would also swallow misspelt names of ours.

mod ignored;
mod refused;

pub use ignored::IGNORED;
pub use refused::REFUSED;

/// Why properties of Spark do nothing here.
#[derive(Debug)]
pub struct Foreign {
    /// The reason, to follow "has no effect:" or "is refused:".
    pub reason: &'static str,
    /// Full names, and names with a `*`, which stands for anything at that
    /// place.
    pub names: &'static [&'static str],
}

/// What becomes of a setting that does nothing.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    /// It is accepted, with a warning that tells why it does nothing.
    Ignored(&'static Foreign),
    /// It is an error if it asks for something.
    Refused(&'static Foreign),
}

impl Fate {
    /// Why it does nothing.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Ignored(foreign) | Self::Refused(foreign) => foreign.reason,
        }
    }
}

impl Foreign {
    fn knows(&self, name: &str) -> bool {
        self.names.iter().any(|known| matches(known, name))
    }
}

/// What becomes of `name`; `None` if it is no such name of Spark's.
pub fn fate(name: &str) -> Option<Fate> {
    let find = |table: &'static [Foreign]| table.iter().find(|foreign| foreign.knows(name));
    // The exceptions stand among the refused: `spark.ssl.ui.*` does nothing,
    // `spark.ssl.ui.enabled` is refused.
    find(REFUSED)
        .map(Fate::Refused)
        .or_else(|| find(IGNORED).map(Fate::Ignored))
}

/// The full names in both tables.
pub fn names() -> impl Iterator<Item = &'static str> {
    IGNORED
        .iter()
        .chain(REFUSED)
        .flat_map(|foreign| foreign.names.iter().copied())
        .filter(|name| !name.contains('*'))
}

/// Whether the value of a refused name can be passed over without a word:
/// nobody would miss anything.
pub fn harmless(name: &str, value: &str) -> bool {
    let value = value.trim();
    asks_for_nothing(value)
        || refused::HARMLESS
            .iter()
            .any(|(known, harmless)| *known == name && harmless.eq_ignore_ascii_case(value))
}

/// Nothing, `false`, and zero of any unit.
fn asks_for_nothing(value: &str) -> bool {
    let number = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let zero = number.parse().is_ok_and(|number: f64| number == 0.0);
    value.is_empty() || value.eq_ignore_ascii_case("false") || zero
}

/// Whether `name` is what `known` says, with something for its `*`.
fn matches(known: &str, name: &str) -> bool {
    match known.split_once('*') {
        Some((beginning, end)) => {
            name.len() > beginning.len() + end.len()
                && name.starts_with(beginning)
                && name.ends_with(end)
        }
        None => name == known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_spark_are_known_with_their_reason() {
        for (name, expected) in [
            ("spark.driver.extraJavaOptions", "JVM"),
            ("spark.yarn.queue", "another cluster manager"),
            (
                "spark.kubernetes.container.image",
                "another cluster manager",
            ),
            ("spark.sql.shuffle.partitions", "does not have"),
            ("spark.mesos.dispatcher.queue.urgent", "dispatcher"),
            (
                "spark.executor.memoryOverhead",
                "spark.mesos.executor.memoryOverhead",
            ),
            ("spark.task.reaper.threadDump", "JVM"),
            ("spark.scheduler.revive.interval", "the moment"),
            ("spark.ssl.protocol", "tunes"),
            ("spark.authenticate", "always prove"),
            ("spark.network.crypto.cipher", "TLS 1.3"),
        ] {
            match fate(name) {
                Some(Fate::Ignored(found)) => {
                    assert!(found.reason.contains(expected), "{name}: {}", found.reason);
                }
                other => panic!("{name}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_would_be_missed_is_refused_unless_it_asks_for_nothing() {
        for (name, wanted, nothing) in [
            ("spark.authenticate.secret", "hunter2", ""),
            ("spark.ssl.ui.enabled", "TRUE", " False "),
            ("spark.acls.enable", "true", "false"),
            ("spark.ui.filters", "org.example.Login", ""),
            ("spark.ssl.keyStore", "/store.jks", ""),
            ("spark.ssl.trustStoreType", "JKS", "pem"),
            ("spark.ssl.keyPassword", "hunter2", ""),
            ("spark.ssl.historyServer.enabled", "true", "false"),
            ("spark.driver.resource.gpu.amount", "1", "0"),
            ("spark.mesos.executor.gpus", "2", "0"),
            ("spark.shuffle.service.enabled", "true", "false"),
            ("spark.mesos.executor.docker.portmaps", "80:80:tcp", ""),
            ("spark.mesos.executor.secret.values", "guessme", ""),
            ("spark.mesos.network.name", "net", ""),
            ("spark.submit.deployMode", "cluster", "client"),
            ("mesquite.task.memory", "1m", ""),
            ("mesquite.storage.memory", "1g", ""),
        ] {
            match fate(name) {
                Some(Fate::Refused(_)) => {
                    assert!(!harmless(name, wanted), "{name}");
                    assert!(harmless(name, nothing), "{name}");
                }
                other => panic!("{name}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_misspelt_name_is_not_known() {
        for name in [
            "spark.yarn.",
            "spark.yarnqueue",
            "spark.mesos.corse",
            "spark.locality.weight",
            "spark.master",
            "spark.files.fetchFailures",
            "spark.task.resource..amount",
            "spark",
            "",
        ] {
            assert!(fate(name).is_none(), "{name}");
        }
    }

    #[test]
    fn the_lists_are_in_order_without_doubles() {
        for foreign in IGNORED.iter().chain(REFUSED) {
            assert!(
                foreign.names.is_sorted_by(|a, b| {
                    let (a, b) = (a.trim_end_matches('*'), b.trim_end_matches('*'));
                    a.to_lowercase() < b.to_lowercase()
                }),
                "{}",
                foreign.reason
            );
        }
    }
}
