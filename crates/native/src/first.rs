//! The datasets with which an application begins: files, numbers, records of the driver,
//! sources of the user's.

use mesquite_engine::storage::listing::splits_of;

use crate::BoxError;
use crate::call_site::CallSite;
use crate::codec::{CodecError, Line, Record, decode};
use crate::context::{Context, field};
use crate::dataset::Dataset;
use crate::source::{Placed, Source};

/// Files are cut into splits of about so many bytes.
const SPLIT: u64 = 32 << 20;

impl Context {
    /// Lines of text files: a name, a folder with all that it contains, a pattern with
    /// `*`, `?`, `[..]` and `**`, or a URL, as `text` in job files has them. Packed files
    /// (`.gz`, `.zst`, `.bz2`, `.xz`) are unpacked. A line that is not UTF-8 fails its
    /// task: see [`bytes`](Self::bytes).
    #[track_caller]
    pub fn text(&self, path: impl AsRef<str>) -> Dataset<String> {
        self.files(CallSite::of("text"), path.as_ref())
    }

    /// Lines of files in any encoding, named as for [`text`](Self::text).
    #[track_caller]
    pub fn bytes(&self, path: impl AsRef<str>) -> Dataset<Line> {
        self.files(CallSite::of("bytes"), path.as_ref())
    }

    fn files<T: Record>(&self, place: CallSite, path: &str) -> Dataset<T> {
        let path = path.to_owned();
        Dataset::planned_by(self, place, move |context, settings| {
            if context.is_executor() {
                return None;
            }
            match splits_of(&path, &[], SPLIT) {
                Ok(splits) => context.add(settings, |builder, name| {
                    builder.text_packed(name, splits, SPLIT)
                }),
                Err(error) => context.problem(format!("{place}: {error}")),
            }
        })
    }

    /// The numbers from `start` up to but not `end`, in so many partitions.
    #[track_caller]
    pub fn range(&self, start: i64, end: i64, partitions: u32) -> Dataset<i64> {
        Dataset::planned_by(self, CallSite::of("range"), move |context, settings| {
            context.add(settings, |builder, name| {
                builder.range(name, start, end, partitions)
            })
        })
    }

    /// Records that the driver has, in so many partitions of about equal size. They
    /// are sent to executors as part of the plan: for what is large there are files.
    #[track_caller]
    pub fn parallelize<T: Record>(
        &self,
        records: impl IntoIterator<Item = T>,
        partitions: u32,
    ) -> Dataset<T> {
        let records: Vec<T> = records.into_iter().collect();
        let each = records.len().div_ceil(partitions.max(1) as usize).max(1);
        let parts = records
            .chunks(each)
            .map(|part| field(&part).map(Into::into));
        let parts: Result<Vec<Placed<String>>, CodecError> = parts.collect();
        let read = |part: &str, _: &_| {
            let (records,): (Vec<T>,) = decode(part.as_bytes())?;
            Ok::<_, BoxError>(Box::new(records.into_iter().map(Ok)) as _)
        };
        let parts = parts.map_err(Into::into);
        Dataset::sourced(self, CallSite::of("parallelize"), parts, read)
    }

    /// Records of a source of your own.
    #[track_caller]
    pub fn source<S: Source>(&self, source: S) -> Dataset<S::Record> {
        let place = CallSite::of("source");
        let parts = if self.is_executor() {
            Ok(Vec::new())
        } else {
            source.partitions().map_err(Into::into).and_then(|parts| {
                let described = parts.into_iter().map(|part| {
                    Ok(Placed {
                        partition: field(&part.partition)?,
                        hosts: part.hosts,
                    })
                });
                described.collect::<Result<Vec<_>, BoxError>>()
            })
        };
        Dataset::sourced(self, place, parts, move |part, task| {
            let (part,) = decode::<(S::Partition,)>(part.as_bytes())?;
            let records = source.read(part, task).map_err(Into::into)?;
            Ok(Box::new(records.map(|it| it.map_err(Into::into))) as _)
        })
    }
}
