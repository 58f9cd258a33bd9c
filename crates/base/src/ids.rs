//! The names of things: one newtype for each kind of identifier.
//!
//! Responsible for keeping identifiers of different kinds from being mixed up,
//! and for how they print. Everything above uses them; they know of nothing.
//! They do not check that a name is acceptable to Mesos: that is decided where
//! the name is made.

use std::fmt;
use std::sync::Arc;

/// Declares identifiers that are text, shared cheaply when cloned.
macro_rules! text_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps the text of the identifier.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text of the identifier.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::new(text)
            }
        }
    )*};
}

text_ids! {
    /// A framework's id, given by the master at its first subscription.
    FrameworkId;
    /// An agent's id, given by the master.
    AgentId;
    /// An offer's or inverse offer's id; usable once.
    OfferId;
    /// An executor's id, chosen by the framework, unique for each run.
    ExecutorId;
    /// A Mesos task's id, chosen by the framework and never used twice.
    MesosTaskId;
    /// An operation's id, chosen by the framework that wants to hear of its end.
    OperationId;
    /// A host's name as preferred locations and offers spell it.
    Host;
    /// A role that resources are allocated to, such as `*` or `eng/web`.
    Role;
}

/// Declares identifiers that are numbers counted from zero.
macro_rules! number_ids {
    ($($(#[$doc:meta])* $name:ident($number:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $number);

        impl $name {
            /// The identifier that follows this one.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }

            /// The number as an index into a list.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    )*};
}

number_ids! {
    /// A job: one action. Counted per driver; also the FIFO priority, lower first.
    JobId(u32);
    /// A stage. Parents are made first, so a parent has the smaller id.
    StageId(u32);
    /// Which try at a stage this is, counted per stage.
    StageAttempt(u32);
    /// A task's place in its task set. In a partial resubmission it differs
    /// from the partition.
    TaskIndex(u32);
    /// One attempt of a task; new for every attempt, counted per driver.
    TaskId(u64);
    /// A partition of a dataset.
    Partition(u32);
    /// A dataset of the plan.
    DatasetId(u32);
    /// A resource profile: what executors are made of and tasks need. Zero is
    /// the application's default.
    ResourceProfileId(u32);
    /// A shuffle: the data between a map stage and the stages that read it.
    ShuffleId(u32);
}
