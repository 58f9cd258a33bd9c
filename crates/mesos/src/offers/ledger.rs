//! Which offers are outstanding.
//!
//! Responsible for each offer leaving exactly once: accepted, declined,
//! rescinded or expired. Whoever speaks to the master tells the ledger what
//! came and asks it before answering. It keeps who offered and when, not what:
//! the offers themselves go to whoever decides about them.
//!
//! ```text
//!                 accept ──▶ accepted
//! receive ──▶ outstanding
//!                 decline ─▶ declined
//!                 rescind ─▶ rescinded    the master took it back
//!                 expire ──▶ expired      the subscription it came by has ended
//! ```

use std::collections::BTreeMap;
use std::collections::hash_map::Entry;

use rustc_hash::FxHashMap;

use super::{InverseOffer, Offer, OfferGroup};
use crate::clock::Timestamp;
use crate::ids::{AgentId, OfferId, Role};

/// All outstanding offers and inverse offers.
#[derive(Debug, Default)]
pub struct OfferLedger {
    offers: Book<OutstandingOffer>,
    inverse_offers: Book<OutstandingInverseOffer>,
}

/// An offer that waits for its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutstandingOffer {
    /// The offer.
    pub id: OfferId,
    /// The agent it is of.
    pub agent_id: AgentId,
    /// The role it is offered to.
    pub role: Option<Role>,
    /// When it came.
    pub received: Timestamp,
}

/// An inverse offer that waits for its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutstandingInverseOffer {
    /// The inverse offer.
    pub offer: InverseOffer,
    /// When it came.
    pub received: Timestamp,
}

/// The offers that an answer is for.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "only the offers that left may be answered"]
pub struct Departed<T> {
    /// Those that have left now, in the order in which they were named.
    pub left: Vec<T>,
    /// Those that were not outstanding: rescinded meanwhile, or named twice.
    pub unknown: Vec<OfferId>,
}

/// Why offers cannot be accepted together. None of them has left.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotAccept {
    /// No offer was named.
    #[error("no offer was named to accept")]
    Nothing,
    /// Some are not outstanding: rescinded meanwhile, or named twice. The master
    /// would refuse the whole call and lose its tasks.
    #[error("offers are not outstanding: {}", texts(.0))]
    Unknown(Vec<OfferId>),
    /// They are not all of one agent and one role.
    #[error("offers {first} and {other} are not of one agent and one role")]
    Mixed {
        /// The first one named.
        first: OfferId,
        /// One that does not go with it.
        other: OfferId,
    },
}

/// How many offers came and left, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct OfferTally {
    /// All that came.
    pub received: u64,
    /// Those that were accepted.
    pub accepted: u64,
    /// Those that were declined.
    pub declined: u64,
    /// Those that the master took back.
    pub rescinded: u64,
    /// Those that ended with their subscription.
    pub expired: u64,
}

impl OfferLedger {
    /// A ledger without offers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes offers that came together, and returns them grouped by what one
    /// ACCEPT can name. An offer that is outstanding already is dropped: the
    /// first one counts.
    pub fn receive(&mut self, now: Timestamp, mut offers: Vec<Offer>) -> Vec<OfferGroup> {
        self.offers.places.reserve(offers.len());
        offers.retain(|offer| {
            self.offers.insert(OutstandingOffer {
                id: offer.id.clone(),
                agent_id: offer.agent_id.clone(),
                role: offer.role.clone(),
                received: now,
            })
        });
        OfferGroup::gather(offers)
    }

    /// The outstanding offers, in the order in which they came.
    pub fn offers(&self) -> impl Iterator<Item = &OutstandingOffer> {
        self.offers.entries.values()
    }

    /// One outstanding offer.
    pub fn offer(&self, id: &OfferId) -> Option<&OutstandingOffer> {
        self.offers.get(id)
    }

    /// Lets offers of one agent and one role leave, to be named in one ACCEPT.
    ///
    /// # Errors
    /// If the master would refuse the call; then none of them leaves.
    pub fn accept(&mut self, ids: &[OfferId]) -> Result<Vec<OutstandingOffer>, CannotAccept> {
        let mut first: Option<&OutstandingOffer> = None;
        let mut other = None;
        let mut unknown = Vec::new();
        for (index, id) in ids.iter().enumerate() {
            match self.offers.get(id) {
                Some(offer) if !ids[..index].contains(id) => {
                    let first = first.get_or_insert(offer);
                    if (&offer.agent_id, &offer.role) != (&first.agent_id, &first.role) {
                        other = Some(id);
                    }
                }
                _ => unknown.push(id.clone()),
            }
        }
        if !unknown.is_empty() {
            return Err(CannotAccept::Unknown(unknown));
        }
        match (first, other) {
            (None, _) => Err(CannotAccept::Nothing),
            (Some(first), Some(other)) => Err(CannotAccept::Mixed {
                first: first.id.clone(),
                other: other.clone(),
            }),
            (Some(_), None) => Ok(self.offers.leave(ids, |tally| &mut tally.accepted).left),
        }
    }

    /// Lets offers leave, to be named in one DECLINE.
    pub fn decline(&mut self, ids: &[OfferId]) -> Departed<OutstandingOffer> {
        self.offers.leave(ids, |tally| &mut tally.declined)
    }

    /// Forgets an offer that the master took back. `None` if it has left before,
    /// as when the RESCIND crossed our answer.
    pub fn rescind(&mut self, id: &OfferId) -> Option<OutstandingOffer> {
        self.offers.remove(id, |tally| &mut tally.rescinded)
    }

    /// Notes an inverse offer that came. Returns whether it is new.
    pub fn receive_inverse(&mut self, now: Timestamp, offer: InverseOffer) -> bool {
        self.inverse_offers.insert(OutstandingInverseOffer {
            offer,
            received: now,
        })
    }

    /// The outstanding inverse offers, in the order in which they came.
    pub fn inverse_offers(&self) -> impl Iterator<Item = &OutstandingInverseOffer> {
        self.inverse_offers.entries.values()
    }

    /// Lets inverse offers leave, to be named in one ACCEPT_INVERSE_OFFERS.
    pub fn accept_inverse(&mut self, ids: &[OfferId]) -> Departed<OutstandingInverseOffer> {
        self.inverse_offers.leave(ids, |tally| &mut tally.accepted)
    }

    /// Lets inverse offers leave, to be named in one DECLINE_INVERSE_OFFERS.
    pub fn decline_inverse(&mut self, ids: &[OfferId]) -> Departed<OutstandingInverseOffer> {
        self.inverse_offers.leave(ids, |tally| &mut tally.declined)
    }

    /// Forgets an inverse offer that the master took back.
    pub fn rescind_inverse(&mut self, id: &OfferId) -> Option<OutstandingInverseOffer> {
        self.inverse_offers.remove(id, |tally| &mut tally.rescinded)
    }

    /// Forgets everything: offers end with the subscription by which they came.
    /// Returns how many offers and inverse offers there were.
    pub fn expire_all(&mut self) -> usize {
        self.offers.expire_all() + self.inverse_offers.expire_all()
    }

    /// When the offer came that waits longest for its answer.
    pub fn oldest(&self) -> Option<Timestamp> {
        let first = self.offers.entries.values().next();
        first.map(|offer| offer.received)
    }

    /// What became of all offers.
    pub fn tally(&self) -> OfferTally {
        self.offers.tally
    }

    /// What became of all inverse offers.
    pub fn inverse_tally(&self) -> OfferTally {
        self.inverse_offers.tally
    }
}

impl OfferTally {
    /// How many have not left yet.
    pub const fn outstanding(&self) -> u64 {
        self.received - self.accepted - self.declined - self.rescinded - self.expired
    }
}

/// The life of one kind of offers.
#[derive(Debug)]
struct Book<T> {
    /// By arrival, counted from 0.
    entries: BTreeMap<u64, T>,
    /// Where each stands in `entries`. Only for looking up, never iterated.
    places: FxHashMap<OfferId, u64>,
    tally: OfferTally,
}

/// What a [`Book`] has to know of its offers.
trait Identified {
    fn id(&self) -> &OfferId;
}

impl Identified for OutstandingOffer {
    fn id(&self) -> &OfferId {
        &self.id
    }
}

impl Identified for OutstandingInverseOffer {
    fn id(&self) -> &OfferId {
        &self.offer.id
    }
}

impl<T> Default for Book<T> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            places: FxHashMap::default(),
            tally: OfferTally::default(),
        }
    }
}

impl<T: Identified> Book<T> {
    fn insert(&mut self, offer: T) -> bool {
        match self.places.entry(offer.id().clone()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(self.tally.received);
                self.entries.insert(self.tally.received, offer);
                self.tally.received += 1;
                true
            }
        }
    }

    fn get(&self, id: &OfferId) -> Option<&T> {
        self.entries.get(self.places.get(id)?)
    }

    fn remove(&mut self, id: &OfferId, count: fn(&mut OfferTally) -> &mut u64) -> Option<T> {
        let place = self.places.remove(id)?;
        let offer = self.entries.remove(&place)?;
        *count(&mut self.tally) += 1;
        Some(offer)
    }

    fn leave(&mut self, ids: &[OfferId], count: fn(&mut OfferTally) -> &mut u64) -> Departed<T> {
        let mut departed = Departed {
            left: Vec::with_capacity(ids.len()),
            unknown: Vec::new(),
        };
        for id in ids {
            match self.remove(id, count) {
                Some(offer) => departed.left.push(offer),
                None => departed.unknown.push(id.clone()),
            }
        }
        departed
    }

    fn expire_all(&mut self) -> usize {
        let count = self.entries.len();
        self.tally.expired += count as u64;
        self.entries.clear();
        self.places.clear();
        count
    }
}

fn texts(ids: &[OfferId]) -> String {
    let texts: Vec<&str> = ids.iter().map(OfferId::as_str).collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests;
