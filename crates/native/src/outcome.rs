//! How functions of the user's say whether they succeeded.

use crate::BoxError;

/// What a function may give back: nothing, or a result without a value.
pub trait Outcome {
    /// The error, if it is one.
    ///
    /// # Errors
    /// The function failed.
    fn outcome(self) -> Result<(), BoxError>;
}

impl Outcome for () {
    fn outcome(self) -> Result<(), BoxError> {
        Ok(())
    }
}

impl<E: Into<BoxError>> Outcome for Result<(), E> {
    fn outcome(self) -> Result<(), BoxError> {
        self.map_err(Into::into)
    }
}
