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

/// How small and how large a block can be of which [`BlockSizes::get`] says so
/// many bytes, in an output of so many blocks.
pub fn limits(told: u64, blocks: u32) -> (u64, u64) {
    if told == 0 {
        return (0, 0);
    }
    if blocks as usize > MOST_KEPT_EACH {
        // All that the output has may be in one block.
        let most = told.saturating_add(1).saturating_mul(blocks.into());
        return (1, most);
    }
    let exponent = ROUNDED.partition_point(|rounded| *rounded < told);
    let least = exponent.checked_sub(1).map_or(0, |below| ROUNDED[below]) + 1;
    let is_largest = exponent + 1 >= ROUNDED.len();
    (least, if is_largest { u64::MAX } else { told })
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
        fn a_block_is_within_the_limits_of_what_is_told_of_it(
            size in prop_oneof![0..2_000_u64, any::<u64>()], many in any::<bool>(),
        ) {
            let blocks = if many { 3000 } else { 2 };
            let mut sizes = vec![0; blocks];
            sizes[1] = size;
            let told = BlockSizes::new(&sizes);
            let blocks = u32::try_from(blocks).expect("few");
            let (least, most) = limits(told.get(1), blocks);
            prop_assert!((least..=most).contains(&size), "{least} to {most}");
            prop_assert_eq!(limits(told.get(0), blocks), (0, 0));
            prop_assert!(!many || told.get(1) > 1_000_000 || most < 4_000_000_000);
            // What is told exactly is possible as well.
            let (least, most) = limits(size, blocks);
            prop_assert!((least..=most).contains(&size), "{least} to {most}");
            // Less than nine tenths is not.
            let usual = (20..=30_000_000_000).contains(&size);
            prop_assert!(many || size / 20 * 17 < least || !usual);
        }

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
