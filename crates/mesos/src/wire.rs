//! Records to events and calls to bodies, in one step. Pure.
//!
//! Responsible for putting the codec and the conversion together, so that the
//! sockets above deal with bytes and the domain's types alone.

use bytes::Bytes;
use prost::{Message, Name};

use super::call::Call;
use super::codec::{Codec, CodecError};
use super::convert::{self, ConvertError};
use super::event::Event;
use super::proto::{self, scheduler};
use crate::ids::FrameworkId;
use crate::offers::Offer;

/// A record that is no event.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// It is no message of the kind expected.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// It is a message, but says too little.
    #[error(transparent)]
    Convert(#[from] ConvertError),
}

/// Reads an event of the scheduler API.
///
/// # Errors
/// The record is no event. One that this version does not know is no error.
pub fn decode_event(codec: Codec, record: Bytes) -> Result<Event, WireError> {
    if codec == Codec::Protobuf
        && let Some(offers) = SealedOffers::of_record(&record)
    {
        return Ok(Event::Offers(offers.open()?));
    }
    let event: scheduler::Event = codec.decode(record)?;
    Ok(convert::event_from_wire(event)?)
}

/// Writes a call of the scheduler API for the framework of that id.
pub fn encode_call(codec: Codec, call: &Call, framework: &FrameworkId) -> Bytes {
    codec.encode(&convert::call_to_wire(call, framework))
}

/// The OFFERS event with its offers still in bytes.
///
/// It can have ten thousand of them. Each is decoded and turned into the domain's
/// before the next, which takes half the time and a fraction of the memory of
/// decoding them all first.
#[derive(Clone, PartialEq, prost::Message)]
struct SealedOffers {
    #[prost(enumeration = "scheduler::event::Type", optional, tag = "1")]
    kind: Option<i32>,
    /// One, unless the message was written in parts.
    #[prost(message, repeated, tag = "3")]
    contents: Vec<SealedContent>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SealedContent {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    offers: Vec<Bytes>,
}

impl SealedOffers {
    /// `None` if the record is something else.
    fn of_record(record: &Bytes) -> Option<Self> {
        let event = Self::decode(record.clone()).ok()?;
        let is_offers = event.kind == Some(scheduler::event::Type::Offers.into());
        (is_offers && !event.contents.is_empty()).then_some(event)
    }

    fn open(self) -> Result<Vec<Offer>, WireError> {
        let mut reader = convert::OfferReader::default();
        // One for all, since its lists keep their memory when they are cleared.
        let mut offer = proto::Offer::default();
        let sealed = self.contents.into_iter().flat_map(|it| it.offers);
        sealed
            .map(|bytes| {
                offer.clear();
                offer.merge(bytes).map_err(|source| CodecError::Protobuf {
                    message: proto::Offer::full_name(),
                    source,
                })?;
                Ok(reader.read(&offer)?)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(id: &str) -> proto::Offer {
        let mut offer = proto::Offer::default();
        offer.id.value = id.into();
        offer.agent_id.value = "a".into();
        offer
    }

    fn offers(ids: &[&str]) -> scheduler::Event {
        scheduler::Event {
            r#type: Some(scheduler::event::Type::Offers.into()),
            offers: Some(scheduler::event::Offers {
                offers: ids.iter().map(|id| offer(id)).collect(),
            }),
            ..scheduler::Event::default()
        }
    }

    fn ids(event: Result<Event, WireError>) -> Vec<String> {
        match event {
            Ok(Event::Offers(offers)) => offers.iter().map(|it| it.id.to_string()).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn offers_are_the_same_whether_opened_one_by_one_or_together() {
        for some in [&[][..], &["1"], &["1", "2", "3"]] {
            let event = offers(some);
            for codec in [Codec::Protobuf, Codec::Json] {
                assert_eq!(ids(decode_event(codec, codec.encode(&event))), some);
            }
            let Ok(Event::Offers(together)) = convert::event_from_wire(event.clone()) else {
                panic!("offers")
            };
            let record = Codec::Protobuf.encode(&event);
            let one_by_one = SealedOffers::of_record(&record).unwrap().open().unwrap();
            assert_eq!(one_by_one, together);
        }
    }

    #[test]
    fn a_message_in_parts_is_put_together() {
        let mut record = Codec::Protobuf.encode(&offers(&["1", "2"])).to_vec();
        record.extend(Codec::Protobuf.encode(&offers(&["3"])));
        let event = decode_event(Codec::Protobuf, record.into());
        assert_eq!(ids(event), ["1", "2", "3"]);
    }

    #[test]
    fn a_bad_offer_is_an_error() {
        let nameless = Codec::Protobuf.encode(&offers(&["1", ""]));
        assert!(matches!(
            decode_event(Codec::Protobuf, nameless),
            Err(WireError::Convert(ConvertError { field: "id", .. }))
        ));
        // Type 2, and one offer of the byte 0xff.
        let garbage = Bytes::from_static(&[8, 2, 0x1a, 3, 0x0a, 1, 0xff]);
        assert!(matches!(
            decode_event(Codec::Protobuf, garbage),
            Err(WireError::Codec(_))
        ));
        let hollow = Bytes::from_static(&[8, 2]);
        assert!(decode_event(Codec::Protobuf, hollow).is_err());
    }
}
