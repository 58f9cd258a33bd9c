//! Bytes in JSON.
//!
//! Responsible for how bytes are written where only text will do: for
//! `#[serde(with = ...)]` on fields of bytes, and of what is made of bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Writes bytes.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    STANDARD.encode(bytes).serialize(serializer)
}

/// Reads bytes.
///
/// # Errors
/// It is no base64.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bytes = STANDARD.decode(text).map_err(serde::de::Error::custom)?;
    Ok(bytes.into())
}

/// Messages of protocol buffers.
pub mod message {
    use prost::Message;
    use serde::{Deserializer, Serializer};

    /// Writes a message.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<M: Message, S: Serializer>(
        message: &M,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        super::serialize(&message.encode_to_vec().into(), serializer)
    }

    /// Reads a message.
    ///
    /// # Errors
    /// It is none of this kind.
    pub fn deserialize<'de, M: Message + Default, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<M, D::Error> {
        let bytes = super::deserialize(deserializer)?;
        M::decode(bytes).map_err(serde::de::Error::custom)
    }
}

/// Bytes, or what went wrong.
pub mod result {
    use super::{Bytes, Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    enum Form {
        Ok(#[serde(with = "super")] Bytes),
        Err(String),
    }

    /// Writes a result.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(
        result: &Result<Bytes, String>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let form = match result {
            Ok(bytes) => Form::Ok(bytes.clone()),
            Err(error) => Form::Err(error.clone()),
        };
        form.serialize(serializer)
    }

    /// Reads a result.
    ///
    /// # Errors
    /// It is none.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Result<Bytes, String>, D::Error> {
        Ok(match Form::deserialize(deserializer)? {
            Form::Ok(bytes) => Ok(bytes),
            Form::Err(error) => Err(error),
        })
    }
}
