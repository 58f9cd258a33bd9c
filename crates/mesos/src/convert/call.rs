//! Calls of the scheduler API.

use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use super::super::call::{Call, FrameworkInfo};
use super::super::proto::scheduler::call::{self, Type};
use super::super::proto::{self, framework_info::capability, offer, scheduler};
use super::super::task::TaskInfo;
use super::task::{agent_id, duration_to_wire, executor_id, task_id, task_to_wire};
use crate::ids::{AgentId, ExecutorId, FrameworkId, MesosTaskId, OfferId, Role};

/// The message of a call of the framework of that id.
pub(in super::super) fn call_to_wire(call: &Call, framework: &FrameworkId) -> scheduler::Call {
    let mut wire = scheduler::Call {
        framework_id: Some(framework_id(framework)),
        ..scheduler::Call::default()
    };
    wire.r#type = Some(fill(&mut wire, call).into());
    wire
}

/// Puts into the message what the call says; its type.
fn fill(wire: &mut scheduler::Call, call: &Call) -> Type {
    match call {
        Call::Subscribe {
            framework,
            suppressed,
        } => {
            wire.subscribe = Some(call::Subscribe {
                framework_info: framework_to_wire(framework),
                suppressed_roles: roles(suppressed),
                offer_constraints: None,
            });
            Type::Subscribe
        }
        Call::UpdateFramework {
            framework,
            suppressed,
        } => {
            wire.update_framework = Some(call::UpdateFramework {
                framework_info: framework_to_wire(framework),
                suppressed_roles: roles(suppressed),
                offer_constraints: None,
            });
            Type::UpdateFramework
        }
        Call::Teardown => Type::Teardown,
        Call::Accept {
            offers,
            launch,
            refuse,
        } => {
            wire.accept = Some(accept(offers, launch, *refuse));
            Type::Accept
        }
        Call::Decline { offers, refuse } => {
            let (offer_ids, filters) = (offer_ids(offers), filters(*refuse));
            wire.decline = Some(call::Decline { offer_ids, filters });
            Type::Decline
        }
        Call::AcceptInverseOffers { offers } => {
            wire.accept_inverse_offers = Some(accept_inverse(offers));
            Type::AcceptInverseOffers
        }
        Call::DeclineInverseOffers { offers, refuse } => {
            wire.decline_inverse_offers = Some(decline_inverse(offers, *refuse));
            Type::DeclineInverseOffers
        }
        Call::Revive { roles: which } => {
            let roles = roles(which);
            wire.revive = Some(call::Revive { roles });
            Type::Revive
        }
        Call::Suppress { roles: which } => {
            let roles = roles(which);
            wire.suppress = Some(call::Suppress { roles });
            Type::Suppress
        }
        Call::Kill {
            task,
            agent,
            grace_period,
        } => {
            wire.kill = Some(kill(task, agent.as_ref(), *grace_period));
            Type::Kill
        }
        Call::Shutdown { executor, agent } => {
            wire.shutdown = Some(shutdown(executor, agent));
            Type::Shutdown
        }
        Call::Acknowledge { agent, task, uuid } => {
            wire.acknowledge = Some(acknowledge(agent, task, *uuid));
            Type::Acknowledge
        }
        Call::Reconcile { tasks } => {
            wire.reconcile = Some(reconcile(tasks));
            Type::Reconcile
        }
    }
}

fn shutdown(executor: &ExecutorId, agent: &AgentId) -> call::Shutdown {
    call::Shutdown {
        executor_id: executor_id(executor),
        agent_id: agent_id(agent),
    }
}

fn accept(offers: &[OfferId], launch: &[TaskInfo], refuse: Duration) -> call::Accept {
    call::Accept {
        offer_ids: offer_ids(offers),
        operations: vec![offer::Operation {
            r#type: Some(offer::operation::Type::Launch.into()),
            launch: Some(offer::operation::Launch {
                task_infos: launch.iter().map(task_to_wire).collect(),
            }),
            ..offer::Operation::default()
        }],
        filters: filters(refuse),
    }
}

fn accept_inverse(offers: &[OfferId]) -> call::AcceptInverseOffers {
    call::AcceptInverseOffers {
        inverse_offer_ids: offer_ids(offers),
        filters: None,
    }
}

fn decline_inverse(offers: &[OfferId], refuse: Duration) -> call::DeclineInverseOffers {
    call::DeclineInverseOffers {
        inverse_offer_ids: offer_ids(offers),
        filters: filters(refuse),
    }
}

fn kill(task: &MesosTaskId, agent: Option<&AgentId>, grace_period: Option<Duration>) -> call::Kill {
    call::Kill {
        task_id: task_id(task),
        agent_id: agent.map(agent_id),
        kill_policy: grace_period.map(|period| proto::KillPolicy {
            grace_period: Some(duration_to_wire(period)),
        }),
    }
}

fn acknowledge(agent: &AgentId, task: &MesosTaskId, uuid: Uuid) -> call::Acknowledge {
    call::Acknowledge {
        agent_id: agent_id(agent),
        task_id: task_id(task),
        uuid: Bytes::copy_from_slice(uuid.as_bytes()),
    }
}

fn reconcile(tasks: &[(MesosTaskId, Option<AgentId>)]) -> call::Reconcile {
    let task = |(task, agent): &(MesosTaskId, Option<AgentId>)| call::reconcile::Task {
        task_id: task_id(task),
        agent_id: agent.as_ref().map(agent_id),
    };
    let tasks = tasks.iter().map(task).collect();
    call::Reconcile { tasks }
}
fn framework_to_wire(framework: &FrameworkInfo) -> proto::FrameworkInfo {
    let mut capabilities = vec![
        capability::Type::MultiRole,
        capability::Type::PartitionAware,
        capability::Type::ReservationRefinement,
        capability::Type::TaskKillingState,
    ];
    if framework.gpus {
        capabilities.push(capability::Type::GpuResources);
    }
    proto::FrameworkInfo {
        user: framework.user.clone(),
        name: framework.name.clone(),
        id: framework.id.as_ref().map(framework_id),
        failover_timeout: Some(framework.failover_timeout.as_secs_f64()),
        // Without it every restart of an agent kills every task there.
        checkpoint: Some(true),
        roles: roles(&framework.roles),
        hostname: Some(framework.hostname.clone()),
        principal: framework.principal.clone(),
        webui_url: framework.webui_url.clone(),
        capabilities: capabilities
            .into_iter()
            .map(|kind| proto::framework_info::Capability {
                r#type: Some(kind.into()),
            })
            .collect(),
        ..proto::FrameworkInfo::default()
    }
}

fn framework_id(id: &FrameworkId) -> proto::FrameworkId {
    proto::FrameworkId {
        value: id.to_string(),
    }
}

fn offer_ids(ids: &[OfferId]) -> Vec<proto::OfferId> {
    ids.iter()
        .map(|id| proto::OfferId {
            value: id.to_string(),
        })
        .collect()
}

fn roles(roles: &[Role]) -> Vec<String> {
    roles.iter().map(ToString::to_string).collect()
}

/// Always present: left out it would mean five seconds.
fn filters(refuse: Duration) -> Option<proto::Filters> {
    Some(proto::Filters {
        refuse_seconds: Some(refuse.as_secs_f64()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Codec;

    fn json(call: &Call) -> String {
        let wire = call_to_wire(call, &"f".into());
        String::from_utf8(Codec::Json.encode(&wire).to_vec()).unwrap()
    }

    #[test]
    fn calls_without_content_need_none() {
        assert_eq!(
            json(&Call::Teardown),
            r#"{"framework_id":{"value":"f"},"type":"TEARDOWN"}"#
        );
    }

    #[test]
    fn an_empty_reconciliation_still_carries_its_message() {
        assert!(json(&Call::Reconcile { tasks: Vec::new() }).contains(r#""reconcile":{}"#));
    }

    #[test]
    fn a_refusal_of_no_time_is_written_out() {
        let decline = Call::Decline {
            offers: vec!["o".into()],
            refuse: Duration::ZERO,
        };
        assert!(json(&decline).contains(r#""filters":{"refuse_seconds":0.0}"#));
    }

    #[test]
    fn the_framework_id_stands_in_both_places() {
        let subscribe = Call::Subscribe {
            framework: FrameworkInfo {
                user: "u".into(),
                name: "n".into(),
                id: Some("f".into()),
                failover_timeout: Duration::from_secs(60),
                roles: vec!["eng/web".into()],
                hostname: "h".into(),
                principal: None,
                webui_url: None,
                gpus: true,
            },
            suppressed: Vec::new(),
        };
        let json = json(&subscribe);
        assert_eq!(json.matches(r#"{"value":"f"}"#).count(), 2);
        assert!(json.contains(r#""roles":["eng/web"]"#));
        assert!(!json.contains(r#""role":"#));
        assert!(json.contains("GPU_RESOURCES"));
    }

    #[test]
    fn every_call_has_mesoss_name() {
        let calls = [
            Call::Teardown,
            Call::Accept {
                offers: vec![],
                launch: vec![],
                refuse: Duration::ZERO,
            },
            Call::Decline {
                offers: vec![],
                refuse: Duration::ZERO,
            },
            Call::AcceptInverseOffers { offers: vec![] },
            Call::DeclineInverseOffers {
                offers: vec![],
                refuse: Duration::ZERO,
            },
            Call::Revive { roles: vec![] },
            Call::Suppress { roles: vec![] },
            Call::Kill {
                task: "t".into(),
                agent: None,
                grace_period: None,
            },
            Call::Shutdown {
                executor: "e".into(),
                agent: "a".into(),
            },
            Call::Acknowledge {
                agent: "a".into(),
                task: "t".into(),
                uuid: uuid::Uuid::nil(),
            },
            Call::Reconcile { tasks: vec![] },
        ];
        for call in calls {
            assert!(
                json(&call).contains(&format!(r#""type":"{}""#, call.name())),
                "{}",
                call.name()
            );
        }
    }
}
