//! A run, written down. Pure.
//!
//! Responsible for the lines of a journal: what a run is, where its driver is
//! found, each step with how many effects it had, and that it is over. A line is JSON with a
//! checksum, so that a line that was cut off or damaged is told from a whole one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::input::Step;
use crate::ids::FrameworkId;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// The first: what is run, and as whom.
    Run(Run),
    /// Where executors find the driver.
    Office(Office),
    /// What happened, and how many effects it had.
    Step(Box<Step>, u64),
    /// The last: every job has ended. What follows is only the farewell.
    Ended(Ended),
}

/// What is run, and as whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The version of Mesquite.
    pub version: String,
    /// The digest of the binary: another one may decide otherwise.
    pub binary: String,
    /// The digest of the job and its settings.
    pub job: String,
    /// The application's name, for people.
    pub name: String,
    /// The framework.
    pub framework: FrameworkId,
    /// What the order of equal offers depends on.
    pub seed: u64,
    /// By what driver and executors know each other.
    pub secret: String,
    /// By each folder that is saved to, the partitions that an earlier run has left
    /// there, and that are not made again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub there: BTreeMap<String, Vec<u32>>,
    /// By its path, the digest of each file that is brought to executors.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
}

/// Where executors find the driver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Office {
    /// The host.
    pub host: String,
    /// The port to connect to.
    pub port: u16,
    /// The port that serves our binary.
    pub binary_port: u16,
}

/// That a run is over, with what its steps do not tell.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// How long it took.
    pub seconds: f64,
    /// How long its first driver waited for a subscription.
    pub registered_seconds: f64,
}

impl Office {
    /// What executors connect to.
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    crc32: u32,
    #[serde(borrow)]
    record: &'a RawValue,
}

/// The line of a record, with its end.
pub fn line(record: &Record) -> Vec<u8> {
    let text = serde_json::to_string(record).expect("records are text, numbers and lists");
    let record = RawValue::from_string(text).expect("JSON that was just made");
    let line = Line {
        crc32: crc32fast::hash(record.get().as_bytes()),
        record: &record,
    };
    let mut line = serde_json::to_vec(&line).expect("text and a number");
    line.push(b'\n');
    line
}

/// Reads a line without its end.
///
/// # Errors
/// It is damaged: why, for people.
pub fn read(line: &[u8]) -> Result<Record, String> {
    let line: Line<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if crc32fast::hash(line.record.get().as_bytes()) != line.crc32 {
        return Err("its checksum is wrong".into());
    }
    serde_json::from_str(line.record.get()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Timestamp;
    use crate::driver::heard::Heard;
    use crate::driver::input::{ConnectionId, Input};
    use crate::ids::{JobId, MesosTaskId, TaskId};
    use crate::offers::{Attribute, AttributeValue, Offer};
    use mesquite_mesos::event::Event;
    use mesquite_mesos::subscription::Notice;
    use mesquite_mesos::task::{TaskState, TaskStatus};

    fn step() -> Record {
        let offer = Offer {
            id: "o".into(),
            agent_id: "a".into(),
            hostname: "h".into(),
            address: None,
            resources: "cpus:1.5;mem:1024;ports:[1-2]".parse().expect("resources"),
            attributes: [Attribute {
                name: "rack".into(),
                value: AttributeValue::Text("r\"1\n".into()),
            }]
            .into(),
            executor_ids: vec!["e".into()],
            role: Some("*".into()),
            unavailability: None,
            fault_domain: None,
        };
        let status = TaskStatus {
            data: bytes::Bytes::from_static(&[0, 255, 10]),
            uuid: Some(uuid::Uuid::from_u128(7)),
            timestamp: Some(0.5),
            ..TaskStatus::new(MesosTaskId::from("t"), TaskState::Finished)
        };
        let inputs = vec![
            Input::Started,
            Input::Recovered,
            Input::Executor {
                connection: ConnectionId(3),
                executor: "e".into(),
                message: Heard::Progress(Vec::new()),
            },
            Input::Mesos(Notice::Event(Event::Offers(vec![offer]))),
            Input::Mesos(Notice::Event(Event::Update(status))),
            Input::Mesos(Notice::Disconnected { why: "w".into() }),
            Input::Fetched {
                task: TaskId(1),
                result: Ok(bytes::Bytes::from_static(b"x")),
            },
            Input::Fetched {
                task: TaskId(1),
                result: Err("no".into()),
            },
            Input::Delivered {
                job: JobId(0),
                result: Err("full".into()),
            },
            Input::TimePassed,
        ];
        let step = Step {
            at: Timestamp::from_millis(1234),
            unix_time: Duration::from_nanos(1_234_567_890_123),
            inputs,
        };
        Record::Step(Box::new(step), 9)
    }

    #[test]
    fn what_is_written_is_read_again() {
        let ended = Record::Ended(Ended {
            seconds: 0.1,
            registered_seconds: 1.0 / 3.0,
        });
        for record in [step(), ended] {
            let line = line(&record);
            assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            assert_eq!(read(&line[..line.len() - 1]), Ok(record));
        }
    }

    #[test]
    fn any_damage_is_noticed() {
        let line = line(&step());
        let line = &line[..line.len() - 1];
        for length in 0..line.len() {
            assert!(read(&line[..length]).is_err(), "cut at {length}");
        }
        for at in 0..line.len() {
            let mut damaged = line.to_vec();
            damaged[at] ^= 0x11;
            assert_ne!(read(&damaged), Ok(step()), "byte {at}");
            assert!(
                read(&damaged).is_err() || damaged[at].is_ascii_whitespace(),
                "byte {at}"
            );
        }
    }
}
