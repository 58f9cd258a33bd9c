//! What cannot be written or read.

use std::fmt::Display;

/// Why a record cannot be written as a line, or a line not be read as a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// A text that is a record of its own has an end of line in it.
    #[error(
        "a text that is a record may have no end of line in it: make several records of it \
         (`flat_map`), or one with fields, such as `(text,)`"
    )]
    EndOfLine,
    /// A text is expected, and the bytes are none.
    #[error("it is not UTF-8: read such lines as `Line`")]
    NotUtf8,
    /// It has not as many fields or values as its type.
    #[error("it has {0} {1} than its type")]
    Count(&'static str, &'static str),
    /// A value is written in a way in which none of its type is.
    #[error("`{value}` is no {expected}")]
    Value {
        /// As it is written.
        value: String,
        /// What it is to be.
        expected: &'static str,
    },
    /// The type needs what lines do not say.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The type itself says so.
    #[error("{0}")]
    Type(String),
}

impl serde::ser::Error for CodecError {
    fn custom<T: Display>(message: T) -> Self {
        Self::Type(message.to_string())
    }
}

impl serde::de::Error for CodecError {
    fn custom<T: Display>(message: T) -> Self {
        Self::Type(message.to_string())
    }
}
