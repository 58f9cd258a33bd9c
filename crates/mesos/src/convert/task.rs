//! Tasks, executors and statuses.

use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use super::super::proto::{self, command_info, environment, executor_info, secret, task_status};
use super::super::task::{
    Command, ExecutorInfo, Run, TaskInfo, TaskState, TaskStatus, Uri, Variable,
};
use super::container::{container_to_wire, labels_to_wire};
use super::resource::resources_to_wire;
use super::{ConvertError, required};
use crate::ids::{AgentId, ExecutorId, MesosTaskId};

const STATES: [(proto::TaskState, TaskState); 14] = [
    (proto::TaskState::TaskStaging, TaskState::Staging),
    (proto::TaskState::TaskStarting, TaskState::Starting),
    (proto::TaskState::TaskRunning, TaskState::Running),
    (proto::TaskState::TaskKilling, TaskState::Killing),
    (proto::TaskState::TaskFinished, TaskState::Finished),
    (proto::TaskState::TaskFailed, TaskState::Failed),
    (proto::TaskState::TaskKilled, TaskState::Killed),
    (proto::TaskState::TaskError, TaskState::Error),
    (proto::TaskState::TaskLost, TaskState::Lost),
    (proto::TaskState::TaskDropped, TaskState::Dropped),
    (proto::TaskState::TaskUnreachable, TaskState::Unreachable),
    (proto::TaskState::TaskGone, TaskState::Gone),
    (
        proto::TaskState::TaskGoneByOperator,
        TaskState::GoneByOperator,
    ),
    (proto::TaskState::TaskUnknown, TaskState::Unknown),
];

/// Sixteen raw bytes.
pub(in super::super) fn uuid_from_wire(bytes: &[u8]) -> Option<Uuid> {
    Uuid::from_slice(bytes).ok()
}

pub(in super::super) fn status_from_wire(
    status: proto::TaskStatus,
) -> Result<TaskStatus, ConvertError> {
    let message = "a task status";
    let state = STATES
        .iter()
        .find(|(wire, _)| i32::from(*wire) == status.state)
        .map(|(_, state)| *state)
        .ok_or(ConvertError {
            message,
            field: "state",
        })?;
    Ok(TaskStatus {
        task: required::<MesosTaskId>(message, "task_id", &status.task_id.value)?,
        state,
        message: status.message.unwrap_or_default(),
        // The first reason of the enumeration is an obsolete one: only its
        // presence tells it from none.
        reason: status
            .reason
            .map(|reason| match task_status::Reason::try_from(reason) {
                Ok(reason) => reason.as_str_name().to_owned(),
                Err(_) => format!("reason {reason}"),
            }),
        data: status.data.unwrap_or_default(),
        agent: status.agent_id.map(|id| AgentId::from(id.value)),
        executor: status.executor_id.map(|id| ExecutorId::from(id.value)),
        uuid: status.uuid.and_then(|bytes| uuid_from_wire(&bytes)),
        timestamp: status.timestamp,
    })
}

/// An executor's own status. `executor` is set, for otherwise the framework may
/// not see it; the agent fills in itself.
pub(in super::super) fn status_to_wire(
    status: &TaskStatus,
    executor: &ExecutorId,
) -> proto::TaskStatus {
    let state = STATES
        .iter()
        .find(|(_, state)| *state == status.state)
        .map_or(proto::TaskState::TaskError, |(wire, _)| *wire);
    proto::TaskStatus {
        task_id: task_id(&status.task),
        state: state.into(),
        message: (!status.message.is_empty()).then(|| status.message.clone()),
        source: Some(task_status::Source::Executor.into()),
        data: (!status.data.is_empty()).then(|| status.data.clone()),
        executor_id: Some(executor_id(executor)),
        timestamp: status.timestamp,
        uuid: status
            .uuid
            .map(|uuid| Bytes::copy_from_slice(uuid.as_bytes())),
        ..proto::TaskStatus::default()
    }
}

pub(super) fn task_to_wire(task: &TaskInfo) -> proto::TaskInfo {
    proto::TaskInfo {
        name: task.name.clone(),
        task_id: task_id(&task.task),
        agent_id: agent_id(&task.agent),
        resources: resources_to_wire(&task.resources),
        executor: task.executor.as_ref().map(executor_to_wire),
        data: (!task.data.is_empty()).then(|| task.data.clone()),
        labels: labels_to_wire(&task.labels),
        ..proto::TaskInfo::default()
    }
}

fn executor_to_wire(executor: &ExecutorInfo) -> proto::ExecutorInfo {
    proto::ExecutorInfo {
        r#type: Some(executor_info::Type::Custom.into()),
        executor_id: executor_id(&executor.executor),
        command: Some(command_to_wire(&executor.command)),
        container: executor.container.as_ref().map(container_to_wire),
        resources: resources_to_wire(&executor.resources),
        name: Some(executor.name.clone()),
        shutdown_grace_period: executor.shutdown_grace_period.map(duration_to_wire),
        ..proto::ExecutorInfo::default()
    }
}

fn command_to_wire(command: &Command) -> proto::CommandInfo {
    let variables: Vec<_> = command.environment.iter().map(variable_to_wire).collect();
    let (value, arguments, shell) = match &command.run {
        Run::Shell(value) => (Some(value.clone()), Vec::new(), true),
        Run::Program { path, arguments } => (path.clone(), arguments.clone(), false),
    };
    proto::CommandInfo {
        uris: command.uris.iter().map(uri_to_wire).collect(),
        value,
        arguments,
        shell: Some(shell),
        environment: (!variables.is_empty()).then_some(proto::Environment { variables }),
        ..proto::CommandInfo::default()
    }
}

fn uri_to_wire(uri: &Uri) -> command_info::Uri {
    command_info::Uri {
        value: uri.value.clone(),
        executable: Some(uri.executable),
        extract: Some(!uri.executable),
        cache: Some(uri.cache),
        output_file: uri.name.clone(),
    }
}

fn variable_to_wire(variable: &Variable) -> environment::Variable {
    let mut wire = environment::Variable {
        name: variable.name.clone(),
        ..environment::Variable::default()
    };
    if variable.secret {
        wire.r#type = Some(environment::variable::Type::Secret.into());
        wire.secret = Some(proto::Secret {
            r#type: Some(secret::Type::Value.into()),
            value: Some(secret::Value {
                data: Bytes::copy_from_slice(variable.value.as_bytes()),
            }),
            reference: None,
        });
    } else {
        wire.r#type = Some(environment::variable::Type::Value.into());
        wire.value = Some(variable.value.clone());
    }
    wire
}

pub(super) fn duration_to_wire(duration: Duration) -> proto::DurationInfo {
    proto::DurationInfo {
        nanoseconds: i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX),
    }
}

pub(super) fn task_id(id: &MesosTaskId) -> proto::TaskId {
    proto::TaskId {
        value: id.to_string(),
    }
}

pub(super) fn agent_id(id: &AgentId) -> proto::AgentId {
    proto::AgentId {
        value: id.to_string(),
    }
}

pub(super) fn executor_id(id: &ExecutorId) -> proto::ExecutorId {
    proto::ExecutorId {
        value: id.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_mesoss_name_and_comes_back() {
        for (wire, state) in STATES {
            assert_eq!(wire.as_str_name(), state.name());
            let executor = ExecutorId::new("e");
            let status = TaskStatus::new(MesosTaskId::new("t"), state);
            let back = status_from_wire(status_to_wire(&status, &executor)).unwrap();
            assert_eq!(back.state, state);
            assert_eq!(back.executor, Some(executor));
        }
    }

    #[test]
    fn an_absent_reason_is_told_from_the_first_one() {
        let mut wire = status_to_wire(
            &TaskStatus::new(MesosTaskId::new("t"), TaskState::Failed),
            &ExecutorId::new("e"),
        );
        assert_eq!(status_from_wire(wire.clone()).unwrap().reason, None);
        wire.reason = Some(0);
        let reason = status_from_wire(wire.clone()).unwrap().reason;
        assert_eq!(reason.as_deref(), Some("REASON_COMMAND_EXECUTOR_FAILED"));
        wire.reason = Some(1000);
        let reason = status_from_wire(wire).unwrap().reason;
        assert_eq!(reason.as_deref(), Some("reason 1000"));
    }

    #[test]
    fn a_status_without_a_task_or_a_known_state_is_refused() {
        let good = proto::TaskStatus {
            task_id: proto::TaskId { value: "t".into() },
            state: 2,
            ..proto::TaskStatus::default()
        };
        assert!(status_from_wire(good.clone()).is_ok());
        let mut nameless = good.clone();
        nameless.task_id.value.clear();
        assert_eq!(status_from_wire(nameless).unwrap_err().field, "task_id");
        let odd = proto::TaskStatus { state: 99, ..good };
        assert_eq!(status_from_wire(odd).unwrap_err().field, "state");
    }

    #[test]
    fn a_secret_variable_is_sent_as_a_secret() {
        let wire = variable_to_wire(&Variable {
            name: "S".into(),
            value: "x".into(),
            secret: true,
        });
        assert_eq!(wire.value, None);
        assert_eq!(wire.secret.unwrap().value.unwrap().data, "x");
    }
}
