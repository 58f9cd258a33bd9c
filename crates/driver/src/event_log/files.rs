//! The bytes of an event log on the disk.
//!
//! Responsible for lines that go to one file or, where logs roll, to one after the other,
//! compressed or not. Called by the thread that writes the log; says nothing of what the
//! lines mean.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use zstd::bulk::Compressor;
use zstd::zstd_safe::compress_bound;

use super::place::{Place, create};
use super::uploads::Uploads;

/// A log that grows.
pub(super) struct Files {
    place: Place,
    compress: bool,
    /// How many bytes a file has at most, but for lines that come together.
    most: Option<u64>,
    part: u32,
    sink: Sink,
    /// What brings it to a store, if it is to be in one.
    uploads: Option<Uploads>,
}

impl Files {
    /// Begins a log. `most` bytes are a part, if it has parts.
    ///
    /// # Errors
    /// The disk.
    pub(super) fn begin(place: Place, compress: bool, most: Option<u64>) -> io::Result<Self> {
        let part = 1;
        let sink = Sink::new(create(&place.part(part))?, compress)?;
        let store = place.store().cloned();
        let uploads = store.map(|it| Uploads::begin(it, &place)).transpose()?;
        Ok(Self {
            uploads,
            place,
            compress,
            most,
            part,
            sink,
        })
    }

    /// Writes whole lines, which readers see together.
    ///
    /// # Errors
    /// The disk.
    pub(super) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.most.is_some_and(|most| self.sink.written() >= most) {
            self.part += 1;
            // The next one is there and held before this one is let go.
            let next = Sink::new(create(&self.place.part(self.part))?, self.compress)?;
            std::mem::replace(&mut self.sink, next).finish()?;
            if let Some(uploads) = &self.uploads {
                uploads.add(self.place.part(self.part - 1));
            }
        }
        self.sink.write(lines)
    }

    /// What was written can be read from now on.
    ///
    /// # Errors
    /// The disk.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }

    /// The run is over, and all of its log is on the disk, or in its store; why it is not in
    /// the store, for people.
    ///
    /// # Errors
    /// The disk.
    pub(super) fn finish(self) -> io::Result<Result<(), String>> {
        let file = self.sink.finish()?;
        file.sync_all()?;
        self.place.over()?;
        let Some(uploads) = self.uploads else {
            return Ok(Ok(()));
        };
        // What shows that a log is whole comes after all else of it.
        if self.place.status_while_it_lasts().is_some() {
            uploads.add(self.place.part(self.part));
        }
        Ok(uploads.end(&self.place))
    }
}

/// Where lines go.
enum Sink {
    Plain(BufWriter<Counted>),
    Compressed(Frames),
}

/// A file of frames that follow each other, one for all lines that come together. Made at
/// once from where they lie they take less time than a stream, which has to keep what came
/// before.
struct Frames {
    file: Counted,
    compressor: Compressor<'static>,
    frame: Vec<u8>,
}

impl Sink {
    fn new(file: File, compress: bool) -> io::Result<Self> {
        let file = Counted { file, written: 0 };
        Ok(match compress {
            false => Self::Plain(BufWriter::new(file)),
            true => Self::Compressed(Frames {
                file,
                compressor: Compressor::new(1)?,
                frame: Vec::new(),
            }),
        })
    }

    /// Bytes that have reached the file.
    fn written(&self) -> u64 {
        match self {
            Self::Plain(file) => file.get_ref().written,
            Self::Compressed(frames) => frames.file.written,
        }
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.write_all(lines),
            Self::Compressed(frames) => frames.write(lines),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            // No frame is held back.
            Self::Compressed(_) => Ok(()),
        }
    }

    fn finish(self) -> io::Result<File> {
        Ok(match self {
            Self::Plain(file) => {
                let counted = file.into_inner().map_err(io::IntoInnerError::into_error)?;
                counted.file
            }
            Self::Compressed(frames) => frames.file.file,
        })
    }
}

impl Frames {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        self.frame.clear();
        self.frame.reserve(compress_bound(lines.len()));
        self.compressor.compress_to_buffer(lines, &mut self.frame)?;
        self.file.write_all(&self.frame)
    }
}

/// A file, and what has gone into it.
struct Counted {
    file: File,
    written: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
