//! Numbers of many keys.
//!
//! Responsible for keeping them so that those of a key are near each other: what is looked
//! up by chance costs a wait for memory for each line of the cache.

use super::number::Number;

/// Numbers, by place.
#[derive(Default)]
pub(super) struct Numbers {
    mantissas: Vec<i128>,
    /// How many digits of each are behind the point.
    scales: Vec<u8>,
}

impl Numbers {
    /// Bytes of memory for one.
    pub(super) const EACH: usize = size_of::<i128>() + 1;

    /// So many, all 0.
    pub(super) fn zeros(count: usize) -> Self {
        let mut zeros = Self::default();
        zeros.grow_to(count);
        zeros
    }

    pub(super) const fn len(&self) -> usize {
        self.mantissas.len()
    }

    /// New ones are 0.
    pub(super) fn grow_to(&mut self, count: usize) {
        self.mantissas.resize(count, 0);
        self.scales.resize(count, 0);
    }

    pub(super) fn push(&mut self, number: Number) {
        let (mantissa, scale) = number.parts();
        self.mantissas.push(mantissa);
        self.scales.push(scale);
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Number {
        Number::of_parts((self.mantissas[at], self.scales[at]))
    }

    #[inline]
    pub(super) fn set(&mut self, at: usize, number: Number) {
        (self.mantissas[at], self.scales[at]) = number.parts();
    }

    /// Has rows that begin there in the cache: they are fetched at the same time, where
    /// each would be waited for alone if it were looked at when its turn comes.
    pub(super) fn touch(&self, rows: impl Iterator<Item = usize>, width: usize) {
        let mut all = 0;
        for row in rows {
            let first = self.mantissas.get(row).copied().unwrap_or_default();
            let last = (row + width).checked_sub(1);
            let last = last.and_then(|at| self.mantissas.get(at)).copied();
            all ^= first as u64 ^ last.unwrap_or_default() as u64;
        }
        std::hint::black_box(all);
    }

    /// All are 0.
    pub(super) fn zero(&mut self) {
        self.mantissas.fill(0);
        self.scales.fill(0);
    }

    pub(super) fn clear(&mut self) {
        self.mantissas.clear();
        self.scales.clear();
    }
}
