//! Records to events and calls to bodies, for executors. Pure.

use std::time::Duration;

use bytes::Bytes;

use super::event::{ExecutorEvent, LaunchedTask};
use crate::codec::Codec;
use crate::convert::{ConvertError, required, status_to_wire, uuid_from_wire};
use crate::ids::{ExecutorId, FrameworkId, MesosTaskId};
use crate::proto::{self, executor};
use crate::task::TaskStatus;
use crate::wire::WireError;

/// Reads an event of the executor API.
///
/// # Errors
/// The bytes are no event, or one that makes no sense.
pub fn decode_event(codec: Codec, record: Bytes) -> Result<ExecutorEvent, WireError> {
    let event: executor::Event = codec.decode(record)?;
    Ok(event_from_wire(event)?)
}

fn event_from_wire(event: executor::Event) -> Result<ExecutorEvent, ConvertError> {
    use executor::event::Type;
    let number = event.r#type;
    let Some(Ok(kind)) = number.map(Type::try_from) else {
        return Ok(ExecutorEvent::Unknown(number));
    };
    let missing = |message| {
        move || ConvertError {
            message,
            field: "content",
        }
    };
    Ok(match kind {
        Type::Unknown => ExecutorEvent::Unknown(number),
        Type::Heartbeat => ExecutorEvent::Heartbeat,
        Type::Shutdown => ExecutorEvent::Shutdown,
        Type::Subscribed => ExecutorEvent::Subscribed,
        Type::Launch => {
            let content = event.launch.ok_or_else(missing("LAUNCH"))?;
            ExecutorEvent::Launch(vec![launched(content.task)?])
        }
        Type::LaunchGroup => {
            let content = event.launch_group.ok_or_else(missing("LAUNCH_GROUP"))?;
            let tasks = content.task_group.tasks.into_iter().map(launched);
            ExecutorEvent::Launch(tasks.collect::<Result<_, _>>()?)
        }
        Type::Kill => {
            let content = event.kill.ok_or_else(missing("KILL"))?;
            ExecutorEvent::Kill {
                task: required("KILL", "task_id", &content.task_id.value)?,
                grace_period: grace_period(content.kill_policy.as_ref()),
            }
        }
        Type::Acknowledged => {
            let message = "ACKNOWLEDGED";
            let content = event.acknowledged.ok_or_else(missing(message))?;
            ExecutorEvent::Acknowledged {
                task: required(message, "task_id", &content.task_id.value)?,
                uuid: uuid_from_wire(&content.uuid).ok_or(ConvertError {
                    message,
                    field: "uuid",
                })?,
            }
        }
        Type::Message => ExecutorEvent::Message(event.message.ok_or_else(missing("MESSAGE"))?.data),
        Type::Error => ExecutorEvent::Error(event.error.ok_or_else(missing("ERROR"))?.message),
    })
}

fn launched(task: proto::TaskInfo) -> Result<LaunchedTask, ConvertError> {
    Ok(LaunchedTask {
        task: required::<MesosTaskId>("a task", "task_id", &task.task_id.value)?,
        name: task.name.clone(),
        data: task.data.clone().unwrap_or_default(),
        grace_period: grace_period(task.kill_policy.as_ref()),
        wire: task,
    })
}

fn grace_period(policy: Option<&proto::KillPolicy>) -> Option<Duration> {
    let nanoseconds = policy?.grace_period.as_ref()?.nanoseconds;
    Some(Duration::from_nanos(
        u64::try_from(nanoseconds).unwrap_or(0),
    ))
}

/// Who calls: makes the calls of one executor.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The framework that it is one of.
    pub framework: FrameworkId,
    /// The executor.
    pub executor: ExecutorId,
}

impl Caller {
    /// SUBSCRIBE, with all that the agent may not have had.
    pub fn subscribe(&self, codec: Codec, tasks: &[LaunchedTask], updates: &[TaskStatus]) -> Bytes {
        codec.encode(&executor::Call {
            subscribe: Some(executor::call::Subscribe {
                unacknowledged_tasks: tasks.iter().map(|task| task.wire.clone()).collect(),
                unacknowledged_updates: updates
                    .iter()
                    .map(|status| self.update_message(status))
                    .collect(),
            }),
            ..self.call(executor::call::Type::Subscribe)
        })
    }

    /// UPDATE.
    pub fn update(&self, codec: Codec, status: &TaskStatus) -> Bytes {
        codec.encode(&executor::Call {
            update: Some(self.update_message(status)),
            ..self.call(executor::call::Type::Update)
        })
    }

    fn update_message(&self, status: &TaskStatus) -> executor::call::Update {
        executor::call::Update {
            status: status_to_wire(status, &self.executor),
        }
    }

    fn call(&self, kind: executor::call::Type) -> executor::Call {
        executor::Call {
            executor_id: proto::ExecutorId {
                value: self.executor.to_string(),
            },
            framework_id: proto::FrameworkId {
                value: self.framework.to_string(),
            },
            r#type: Some(kind.into()),
            ..executor::Call::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::task::TaskState;

    fn json(text: &'static str) -> Result<ExecutorEvent, WireError> {
        decode_event(Codec::Json, Bytes::from_static(text.as_bytes()))
    }

    fn caller() -> Caller {
        Caller {
            framework: "f".into(),
            executor: "e".into(),
        }
    }

    #[test]
    fn the_events_of_the_documentation_are_understood() {
        let launch = r#"{"type":"LAUNCH","launch":{"task":{"name":"n","task_id":{"value":"t"},
            "agent_id":{"value":"a"},"data":"aGk="}}}"#;
        let Ok(ExecutorEvent::Launch(tasks)) = json(launch) else {
            panic!("it is LAUNCH")
        };
        assert_eq!(tasks[0].data, "hi");
        let kill = r#"{"type":"KILL","kill":{"task_id":{"value":"t"},
            "kill_policy":{"grace_period":{"nanoseconds":3000000000}}}}"#;
        assert!(matches!(
            json(kill),
            Ok(ExecutorEvent::Kill { grace_period: Some(period), .. }) if period.as_secs() == 3
        ));
        let acknowledged = r#"{"type":"ACKNOWLEDGED","acknowledged":{"task_id":{"value":"t"},
            "uuid":"AAECAwQFRgeICQoLDA0ODw=="}}"#;
        assert!(matches!(
            json(acknowledged),
            Ok(ExecutorEvent::Acknowledged { .. })
        ));
        assert!(matches!(
            json(r#"{"type":"SHUTDOWN"}"#),
            Ok(ExecutorEvent::Shutdown)
        ));
        assert!(matches!(
            json(r#"{"type":"NEW"}"#),
            Ok(ExecutorEvent::Unknown(None))
        ));
    }

    #[test]
    fn an_acknowledgement_without_a_uuid_is_refused() {
        let text =
            r#"{"type":"ACKNOWLEDGED","acknowledged":{"task_id":{"value":"t"},"uuid":"AA=="}}"#;
        assert!(json(text).unwrap_err().to_string().contains("uuid"));
    }

    #[test]
    fn a_subscription_carries_its_message_even_empty() {
        let body = caller().subscribe(Codec::Json, &[], &[]);
        assert_eq!(
            std::str::from_utf8(&body).unwrap(),
            r#"{"executor_id":{"value":"e"},"framework_id":{"value":"f"},"type":"SUBSCRIBE","subscribe":{}}"#
        );
    }

    #[test]
    fn an_update_names_its_source_and_executor() {
        let status = TaskStatus::new("t".into(), TaskState::Running);
        let body = caller().update(Codec::Json, &status);
        let text = std::str::from_utf8(&body).unwrap();
        assert!(text.contains(r#""source":"SOURCE_EXECUTOR""#), "{text}");
        assert!(text.contains(r#""executor_id":{"value":"e"}"#), "{text}");
    }

    proptest! {
        #[test]
        fn arbitrary_records_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0u8..11) {
            let mut typed = vec![8, kind];
            typed.extend(&bytes);
            let _ = decode_event(Codec::Protobuf, typed.into());
            let _ = decode_event(Codec::Json, bytes.into());
        }
    }
}
