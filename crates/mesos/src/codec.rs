//! Messages to bytes and back, as protobuf or as JSON. Pure.
//!
//! Responsible for the two encodings of the Mesos v1 APIs and their media
//! types. Protobuf is the one used; JSON is for people who watch the wire. It
//! knows neither framing nor what a message means.

use std::sync::LazyLock;

use bytes::Bytes;
use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage, SerializeOptions};

use super::proto;
use mesquite_base::conf::properties::mesos::WireFormat;

/// An encoding of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Codec {
    /// `application/x-protobuf`.
    #[default]
    Protobuf,
    /// `application/json`, in Mesos's own mapping: field names as declared,
    /// enumerations by name, bytes in base64.
    Json,
}

/// A message that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The bytes are no protobuf of that message.
    #[error("the peer sent something that is not a protobuf {message}")]
    Protobuf {
        /// The message's full name.
        message: String,
        /// Where it went wrong.
        source: prost::DecodeError,
    },
    /// The bytes are no JSON of that message.
    #[error("the peer sent something that is not a JSON {message}")]
    Json {
        /// The message's full name.
        message: String,
        /// Where it went wrong.
        source: serde_json::Error,
    },
}

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(proto::DESCRIPTORS).expect("the build wrote valid descriptors")
});

impl Codec {
    /// The media type, exactly as Mesos compares it: a parameter or another
    /// case would be refused with 415.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }

    /// The bytes of a message.
    pub fn encode<M: Message + Name>(self, message: &M) -> Bytes {
        match self {
            Self::Protobuf => message.encode_to_vec().into(),
            Self::Json => {
                let mut dynamic = DynamicMessage::new(descriptor::<M>());
                dynamic
                    .transcode_from(message)
                    .expect("the descriptors describe the generated types");
                let options = SerializeOptions::new()
                    .use_proto_field_name(true)
                    .stringify_64_bit_integers(false);
                let mut bytes = Vec::new();
                dynamic
                    .serialize_with_options(&mut serde_json::Serializer::new(&mut bytes), &options)
                    .expect("a message in memory has a JSON form");
                bytes.into()
            }
        }
    }

    /// The message in `bytes`. Unknown fields and enumeration names are
    /// skipped, as newer masters may send them.
    ///
    /// # Errors
    /// The bytes are something else.
    pub fn decode<M: Message + Name + Default>(self, bytes: Bytes) -> Result<M, CodecError> {
        match self {
            Self::Protobuf => M::decode(bytes).map_err(|source| CodecError::Protobuf {
                message: M::full_name(),
                source,
            }),
            Self::Json => decode_json(&bytes).map_err(|source| CodecError::Json {
                message: M::full_name(),
                source,
            }),
        }
    }
}

fn decode_json<M: Message + Name + Default>(bytes: &[u8]) -> Result<M, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let options = DeserializeOptions::new().deny_unknown_fields(false);
    let dynamic =
        DynamicMessage::deserialize_with_options(descriptor::<M>(), &mut deserializer, &options)?;
    deserializer.end()?;
    dynamic.transcode_to().map_err(serde::de::Error::custom)
}

fn descriptor<M: Name>() -> prost_reflect::MessageDescriptor {
    POOL.get_message_by_name(&M::full_name())
        .expect("every generated type has a descriptor")
}

impl From<WireFormat> for Codec {
    fn from(format: WireFormat) -> Self {
        match format {
            WireFormat::Protobuf => Self::Protobuf,
            WireFormat::Json => Self::Json,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::proto::scheduler::{Call, Event, call, event};
    use super::*;

    fn acknowledge() -> Call {
        Call {
            framework_id: Some(proto::FrameworkId { value: "f".into() }),
            r#type: Some(call::Type::Acknowledge.into()),
            acknowledge: Some(call::Acknowledge {
                agent_id: proto::AgentId { value: "a".into() },
                task_id: proto::TaskId { value: "t".into() },
                uuid: Bytes::from_static(&[0xfb, 0xff, 0xfe]),
            }),
            ..Default::default()
        }
    }

    #[test]
    fn json_is_spelled_as_mesos_spells_it() {
        let json = Codec::Json.encode(&acknowledge());
        assert_eq!(
            std::str::from_utf8(&json).unwrap(),
            r#"{"framework_id":{"value":"f"},"type":"ACKNOWLEDGE","acknowledge":{"agent_id":{"value":"a"},"task_id":{"value":"t"},"uuid":"+//+"}}"#
        );
    }

    #[test]
    fn both_encodings_give_back_what_went_in() {
        for codec in [Codec::Protobuf, Codec::Json] {
            let back: Call = codec.decode(codec.encode(&acknowledge())).unwrap();
            assert_eq!(back, acknowledge());
        }
    }

    #[test]
    fn an_event_of_a_newer_master_is_readable() {
        let json = br#"{"type":"SOMETHING_NEW","something_new":{"a":[1]},"error":{"message":"m","code":7}}"#;
        let event: Event = Codec::Json.decode(Bytes::from_static(json)).unwrap();
        assert_eq!(event.r#type, None);
        assert_eq!(event.error.unwrap().message, "m");
        // Type 99, and field 99 of length 1.
        let event: Event = Codec::Protobuf
            .decode(Bytes::from_static(&[0x08, 99, 0x9a, 0x06, 1, 0]))
            .unwrap();
        assert_eq!(event.r#type, Some(99));
    }

    #[test]
    fn a_scalar_without_presence_is_told_from_zero() {
        let json = br#"{"type":"FAILURE","failure":{"status":0}}"#;
        let event: Event = Codec::Json.decode(Bytes::from_static(json)).unwrap();
        assert_eq!(event.failure.unwrap().status, Some(0));
        let json = Codec::Json.encode(&Event {
            failure: Some(event::Failure::default()),
            ..Default::default()
        });
        assert_eq!(&json[..], br#"{"failure":{}}"#);
    }

    #[test]
    fn what_is_no_message_is_an_error_that_names_the_message() {
        let error = Codec::Protobuf.decode::<Event>(Bytes::from_static(b"<html>"));
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("mesos.v1.scheduler.Event")
        );
        for text in [&b"{"[..], b"[]", b"{} x", b"<html>"] {
            assert!(
                Codec::Json
                    .decode::<Event>(Bytes::copy_from_slice(text))
                    .is_err()
            );
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Codec::Protobuf.decode::<Event>(bytes.clone().into());
            let _ = Codec::Json.decode::<Event>(bytes.into());
        }
    }
}
