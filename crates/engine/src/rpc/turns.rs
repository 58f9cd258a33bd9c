//! Who is served now, and who waits.
//!
//! Responsible for how many are served at once, in all and of one address, so that
//! one who takes long keeps others waiting no longer than itself. Who may ask at all
//! is the business of the [`gate`](super::gate) and the [`guard`](super::guard).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// See the module.
#[derive(Debug)]
pub struct Turns {
    all: Arc<Semaphore>,
    of_one: usize,
    of_each: Mutex<BTreeMap<IpAddr, Weak<Semaphore>>>,
}

/// A turn, which is over when this is dropped.
#[derive(Debug)]
pub struct Turn {
    _of_all: OwnedSemaphorePermit,
    _of_one: OwnedSemaphorePermit,
}

impl Turns {
    /// So many at once, and so many of one address.
    pub fn new(all: usize, of_one: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(all)),
            of_one,
            of_each: Mutex::default(),
        }
    }

    /// Waits for a turn; `None` when there are no more.
    pub async fn take(&self, from: IpAddr) -> Option<Turn> {
        let own = {
            let mut of_each = self.of_each.lock().unwrap_or_else(PoisonError::into_inner);
            of_each.retain(|_, own| own.strong_count() > 0);
            let own = of_each.get(&from).and_then(Weak::upgrade);
            let own = own.unwrap_or_else(|| Arc::new(Semaphore::new(self.of_one)));
            of_each.insert(from, Arc::downgrade(&own));
            own
        };
        // First its own: one that waits for that keeps nobody else waiting.
        let of_one = own.acquire_owned().await.ok()?;
        let of_all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(Turn {
            _of_all: of_all,
            _of_one: of_one,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;

    #[tokio::test]
    async fn one_address_does_not_take_all_turns() {
        let turns = Turns::new(3, 2);
        let [greedy, other] = [1, 2].map(|it| IpAddr::from([10, 0, 0, it]));
        let first = turns.take(greedy).await.expect("a turn");
        let _second = turns.take(greedy).await.expect("a turn");
        let mut third = Box::pin(turns.take(greedy));
        assert!(matches!(futures_util::poll!(&mut third), Poll::Pending));
        let _others = turns.take(other).await.expect("a turn");
        drop(first);
        assert!(third.await.is_some());
    }
}
