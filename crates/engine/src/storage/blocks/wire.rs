//! The question for many blocks, and the head of each block in its answer.
//!
//! Responsible for the bytes of both:
//!
//! ```text
//! question: for each block  u32 shuffle | u32 map | u64 task | u32 reduce
//! answer:   for each block  u8 0 | u64 length | stored bytes
//!           or              u8 1 | u64 length | why it cannot be had, as text
//! ```
//! All numbers are little endian. Names are numbers, so that no question can
//! lead out of the folder.

use crate::ids::{Partition, ShuffleId, TaskId};
use crate::storage::shuffle::WantedBlock;
use crate::storage::shuffle::files::OutputId;

/// The length of one block's name in a question.
const NAME: usize = 20;

/// No question has more blocks.
pub const MOST_BLOCKS: usize = 10_000;

/// No question is longer.
pub const MOST_QUESTION: usize = MOST_BLOCKS * NAME;

/// The bytes before a block in an answer.
pub const HEAD: usize = 9;

/// No explanation is longer.
pub const MOST_REASON: u64 = 4096;

/// What follows a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// So many stored bytes.
    Block(u64),
    /// A text of so many bytes.
    Refusal(u64),
}

/// Asks for these.
pub fn question<'a>(wanted: impl IntoIterator<Item = &'a WantedBlock>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for WantedBlock { output, reduce, .. } in wanted {
        bytes.extend(output.shuffle.0.to_le_bytes());
        bytes.extend(output.map.0.to_le_bytes());
        bytes.extend(output.task.0.to_le_bytes());
        bytes.extend(reduce.0.to_le_bytes());
    }
    bytes
}

/// The blocks that are asked for; `None` if it is no question.
pub fn read_question(bytes: &[u8]) -> Option<Vec<(OutputId, Partition)>> {
    if !bytes.len().is_multiple_of(NAME) || bytes.len() > MOST_QUESTION {
        return None;
    }
    let four = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes"));
    let names = bytes.chunks_exact(NAME).map(|name| {
        let output = OutputId {
            shuffle: ShuffleId(four(&name[..4])),
            map: Partition(four(&name[4..8])),
            task: TaskId(u64::from_le_bytes(
                name[8..16].try_into().expect("eight bytes"),
            )),
        };
        (output, Partition(four(&name[16..])))
    });
    Some(names.collect())
}

impl Head {
    /// As it is sent.
    pub fn bytes(self) -> [u8; HEAD] {
        let (kind, length) = match self {
            Self::Block(length) => (0, length),
            Self::Refusal(length) => (1, length),
        };
        let mut bytes = [kind; HEAD];
        bytes[1..].copy_from_slice(&length.to_le_bytes());
        bytes
    }

    /// `None` if it is no head.
    pub fn read(bytes: [u8; HEAD]) -> Option<Self> {
        let [kind, length @ ..] = bytes;
        let length = u64::from_le_bytes(length);
        match kind {
            0 => Some(Self::Block(length)),
            1 if length <= MOST_REASON => Some(Self::Refusal(length)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_asked_is_understood(names in prop::collection::vec(any::<(u32, u32, u64, u32)>(), 0..20)) {
            let wanted: Vec<_> = names
                .iter()
                .map(|(shuffle, map, task, reduce)| WantedBlock {
                    output: OutputId {
                        shuffle: ShuffleId(*shuffle),
                        map: Partition(*map),
                        task: TaskId(*task),
                    },
                    reduce: Partition(*reduce),
                    bytes: 0,
                    limits: (0, 0),
                })
                .collect();
            let understood = read_question(&question(&wanted)).expect("a question");
            let names: Vec<_> = wanted.iter().map(|block| (block.output, block.reduce)).collect();
            prop_assert_eq!(understood, names);
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..100), head in any::<[u8; HEAD]>()) {
            let understood = read_question(&bytes);
            prop_assert_eq!(understood.is_some(), bytes.len().is_multiple_of(NAME));
            if let Some(read) = Head::read(head) {
                prop_assert_eq!(read.bytes(), head);
            }
        }
    }
}
