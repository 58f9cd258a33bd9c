//! How large the blocks of one map output are, in about a byte each.
//!
//! Responsible for Spark's compression of map statuses: up to 2000 reduce
//! partitions each size is rounded up to a power of 1.1 and kept as its
//! exponent; beyond that only the average of the blocks that are not empty is
//! kept, and which ones are empty. What matters for correctness is exact: a
//! block reads as empty only if it is.

/// More reduce partitions than this, and sizes are averaged (Spark's
/// `spark.shuffle.minNumPartitionsToHighlyCompress`).
const MOST_KEPT_EACH: usize = 2000;

/// `ROUNDED[n]` is the size that exponent `n` stands for.
const ROUNDED: [u64; 256] = {
    let mut sizes = [0; 256];
    let mut power = 1.0_f64;
    let mut exponent = 1;
    while exponent < sizes.len() {
        power *= 1.1;
        sizes[exponent] = power as u64;
        exponent += 1;
    }
    sizes
};

/// The sizes of one map output's blocks, by reduce partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockSizes {
    /// One exponent of 1.1 for each block; 0 for an empty one.
    Each(Box<[u8]>),
    /// One size for all that are not empty.
    Average {
        /// Bytes of a block that is not empty, on average.
        average: u64,
        /// One bit for each block: whether it is empty.
        empty: Box<[u64]>,
    },
}

impl BlockSizes {
    /// Compresses exact sizes.
    pub fn new(sizes: &[u64]) -> Self {
        if sizes.len() <= MOST_KEPT_EACH {
            return Self::Each(sizes.iter().map(|size| exponent(*size)).collect());
        }
        let mut empty = vec![0_u64; sizes.len().div_ceil(64)].into_boxed_slice();
        let mut total = 0_u64;
        let mut filled = 0_u64;
        for (reduce, size) in sizes.iter().enumerate() {
            if *size == 0 {
                empty[reduce / 64] |= 1 << (reduce % 64);
            } else {
                total = total.saturating_add(*size);
                filled += 1;
            }
        }
        Self::Average {
            average: total.checked_div(filled).unwrap_or(0).max(1),
            empty,
        }
    }

    /// The approximate size of the block for reduce partition `reduce`, in
    /// bytes; 0 exactly if it is empty or does not exist.
    pub fn get(&self, reduce: u32) -> u64 {
        let reduce = reduce as usize;
        match self {
            Self::Each(exponents) => exponents
                .get(reduce)
                .map_or(0, |exponent| ROUNDED[usize::from(*exponent)]),
            Self::Average { average, empty } => match empty.get(reduce / 64) {
                Some(word) if word & (1 << (reduce % 64)) == 0 => *average,
                _ => 0,
            },
        }
    }
}

fn exponent(size: u64) -> u8 {
    let exponent = ROUNDED.partition_point(|rounded| *rounded < size);
    u8::try_from(exponent).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_sizes_have_the_exponents_that_spark_gives_them() {
        let known = [
            (0, 0),
            (1, 1),
            (2, 8),
            (10, 25),
            (1_000_000, 145),
            (1_000_000_000, 218),
        ];
        for (size, expected) in known {
            assert_eq!(exponent(size), expected, "size {size}");
        }
        assert_eq!(exponent(u64::MAX), 255);
    }

    #[test]
    fn many_blocks_share_the_average_of_those_that_are_not_empty() {
        let mut sizes = vec![0; 3000];
        sizes[7] = 1000;
        sizes[2999] = 3000;
        let compressed = BlockSizes::new(&sizes);
        assert_eq!(compressed.get(7), 2000);
        assert_eq!(compressed.get(2999), 2000);
        assert_eq!(compressed.get(8), 0);
        assert_eq!(compressed.get(1_000_000), 0);
    }

    proptest! {
        #[test]
        fn a_size_is_rounded_up_by_at_most_a_tenth(size in 0..30_000_000_000_u64) {
            let rounded = BlockSizes::new(&[size]).get(0);
            prop_assert!(rounded >= size);
            // Small sizes are whole bytes, which the truncation may cost.
            prop_assert!(rounded as f64 <= size as f64 * 1.1 + 1.0);
            prop_assert_eq!(rounded == 0, size == 0);
        }
    }
}
