//! Values that the driver makes and all tasks have.

use std::ops::Deref;
use std::sync::Arc;

/// A value that the driver made, in all executors. See
/// [`Context::broadcast`](crate::Context::broadcast).
///
/// Cheap to clone: clones are the same value.
#[derive(Debug)]
pub struct Broadcast<T>(pub(crate) Arc<T>);

impl<T> Clone for Broadcast<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Broadcast<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
