//! Events of the scheduler API.

use std::time::Duration;

use super::super::event::{Event, ExitStatus, Master, OperationStatus, Subscribed};
use super::super::proto::{self, scheduler};
use super::offer::{OfferReader, inverse_offers_from_wire};
use super::{ConvertError, required, status_from_wire};
use crate::ids::{AgentId, ExecutorId, FrameworkId, OfferId, OperationId};

/// The event in a message. What this version does not know is
/// [`Event::Unknown`], not an error.
pub(in super::super) fn event_from_wire(event: scheduler::Event) -> Result<Event, ConvertError> {
    use scheduler::event::Type;
    let number = event.r#type;
    let Some(Ok(kind)) = number.map(Type::try_from) else {
        return Ok(Event::Unknown(number));
    };
    let missing = |message| {
        move || ConvertError {
            message,
            field: "content",
        }
    };
    Ok(match kind {
        Type::Unknown => Event::Unknown(number),
        Type::Heartbeat => Event::Heartbeat,
        Type::Subscribed => {
            let content = event.subscribed.ok_or_else(missing("SUBSCRIBED"))?;
            Event::Subscribed(subscribed(content)?)
        }
        Type::Offers => {
            let content = event.offers.ok_or_else(missing("OFFERS"))?;
            let mut reader = OfferReader::default();
            let offers = content.offers.iter().map(|offer| reader.read(offer));
            Event::Offers(offers.collect::<Result<_, _>>()?)
        }
        Type::InverseOffers => Event::InverseOffers(inverse_offers_from_wire(
            event
                .inverse_offers
                .ok_or_else(missing("INVERSE_OFFERS"))?
                .inverse_offers,
        )?),
        Type::Rescind => {
            let content = event.rescind.ok_or_else(missing("RESCIND"))?;
            Event::Rescind(offer_id("RESCIND", &content.offer_id)?)
        }
        Type::RescindInverseOffer => {
            let message = "RESCIND_INVERSE_OFFER";
            let content = event.rescind_inverse_offer.ok_or_else(missing(message))?;
            Event::RescindInverseOffer(offer_id(message, &content.inverse_offer_id)?)
        }
        Type::Update => {
            let content = event.update.ok_or_else(missing("UPDATE"))?;
            Event::Update(status_from_wire(content.status)?)
        }
        Type::UpdateOperationStatus => {
            let message = "UPDATE_OPERATION_STATUS";
            let content = event.update_operation_status.ok_or_else(missing(message))?;
            Event::UpdateOperationStatus(operation_status(content.status))
        }
        Type::Message => {
            let content = event.message.ok_or_else(missing("MESSAGE"))?;
            Event::Message {
                agent: AgentId::from(content.agent_id.value),
                executor: ExecutorId::from(content.executor_id.value),
                data: content.data,
            }
        }
        Type::Failure => failure(event.failure.ok_or_else(missing("FAILURE"))?)?,
        Type::Error => Event::Error(event.error.ok_or_else(missing("ERROR"))?.message),
    })
}

fn offer_id(message: &'static str, id: &proto::OfferId) -> Result<OfferId, ConvertError> {
    required(message, "offer_id", &id.value)
}

fn subscribed(content: scheduler::event::Subscribed) -> Result<Subscribed, ConvertError> {
    Ok(Subscribed {
        framework: required::<FrameworkId>(
            "SUBSCRIBED",
            "framework_id",
            &content.framework_id.value,
        )?,
        // An interval that is no length of time promises nothing.
        heartbeat_interval: content
            .heartbeat_interval_seconds
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .filter(|interval| !interval.is_zero()),
        master: content.master_info.map(|master| Master {
            hostname: master
                .hostname
                .or_else(|| master.address.as_ref().and_then(|it| it.hostname.clone())),
            id: master.id,
            port: master.port,
            version: master.version,
        }),
    })
}

fn operation_status(status: proto::OperationStatus) -> OperationStatus {
    OperationStatus {
        state: match proto::OperationState::try_from(status.state) {
            Ok(state) => state.as_str_name().to_owned(),
            Err(_) => format!("operation state {}", status.state),
        },
        operation: status.operation_id.map(|id| OperationId::from(id.value)),
        message: status.message.unwrap_or_default(),
    }
}

fn failure(content: scheduler::event::Failure) -> Result<Event, ConvertError> {
    let agent = content.agent_id.map(|id| AgentId::from(id.value));
    match (agent, content.executor_id) {
        (agent, Some(executor)) => Ok(Event::ExecutorFailure {
            agent,
            executor: ExecutorId::from(executor.value),
            exit: content.status.and_then(ExitStatus::from_raw),
        }),
        (Some(agent), None) => Ok(Event::AgentFailure(agent)),
        (None, None) => Err(ConvertError {
            message: "FAILURE",
            field: "agent_id",
        }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::*;

    fn of_type(number: i32) -> scheduler::Event {
        scheduler::Event {
            r#type: Some(number),
            ..scheduler::Event::default()
        }
    }

    #[test]
    fn unknown_events_are_no_errors() {
        assert_eq!(event_from_wire(of_type(99)), Ok(Event::Unknown(Some(99))));
        assert_eq!(event_from_wire(of_type(0)), Ok(Event::Unknown(Some(0))));
        assert_eq!(
            event_from_wire(scheduler::Event::default()),
            Ok(Event::Unknown(None))
        );
    }

    #[test]
    fn an_event_without_its_content_is_refused() {
        for number in 1..=11 {
            let event = event_from_wire(of_type(number));
            if number == 8 {
                assert_eq!(event, Ok(Event::Heartbeat));
            } else {
                assert_eq!(event.unwrap_err().field, "content", "{number}");
            }
        }
    }

    #[test]
    fn a_failure_is_of_an_agent_or_of_an_executor() {
        let mut event = of_type(6);
        event.failure = Some(scheduler::event::Failure::default());
        assert!(event_from_wire(event.clone()).is_err());
        event.failure = Some(scheduler::event::Failure {
            agent_id: Some(proto::AgentId { value: "a".into() }),
            ..Default::default()
        });
        assert_eq!(
            event_from_wire(event.clone()),
            Ok(Event::AgentFailure("a".into()))
        );
        event.failure = Some(scheduler::event::Failure {
            agent_id: None,
            executor_id: Some(proto::ExecutorId { value: "e".into() }),
            status: Some(9),
        });
        assert_eq!(
            event_from_wire(event),
            Ok(Event::ExecutorFailure {
                agent: None,
                executor: "e".into(),
                exit: Some(ExitStatus::Signal(9)),
            })
        );
    }

    #[test]
    fn a_heartbeat_interval_that_is_no_time_promises_none() {
        for seconds in [f64::NAN, -1.0, 0.0, f64::INFINITY] {
            let mut event = of_type(1);
            event.subscribed = Some(scheduler::event::Subscribed {
                framework_id: proto::FrameworkId { value: "f".into() },
                heartbeat_interval_seconds: Some(seconds),
                master_info: None,
            });
            let Ok(Event::Subscribed(subscribed)) = event_from_wire(event) else {
                panic!("it is SUBSCRIBED")
            };
            assert_eq!(subscribed.heartbeat_interval, None, "{seconds}");
        }
    }

    proptest! {
        #[test]
        fn no_event_that_can_be_decoded_makes_it_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            kind in 0u8..13,
        ) {
            let mut typed = vec![8, kind];
            typed.extend(bytes);
            if let Ok(event) = scheduler::Event::decode(&typed[..]) {
                let _ = event_from_wire(event);
            }
        }
    }
}
