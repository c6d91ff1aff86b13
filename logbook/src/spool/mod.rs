//! Where records wait on disk while the log's database, or the way to it, is away.
//!
//! A folder of numbered segments. New records are appended to the last; the first is read, sent, and deleted once all of it is acknowledged. How far it was sent is
//! not written down: after a crash it is sent from its beginning, and whoever takes it knows by id what it has.
//!
//! What [`Spool::append`] returned for survives the machine: it syncs the file, and the folder when there is a new file. A crash before that leaves a torn last frame, which is passed over.
//! All calls block on the disk. A folder belongs to one process.

mod frame;

use crate::record::Record;
use frame::Next;
use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// How large a segment grows; what a crash makes us send again at most, beside one batch.
const SEGMENT: u64 = 8 << 20;

/// Records on disk, oldest first.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    max_bytes: u64,
    segments: VecDeque<Segment>,
    /// The last segment's file, while it is still written to.
    last: Option<File>,
    /// The first segment's bytes, while it is read.
    first: Option<Vec<u8>>,
    /// How far the first segment is acknowledged, and how far it is read.
    sent: usize,
    read: usize,
}

#[derive(Debug)]
struct Segment {
    number: u64,
    bytes: u64,
    since: Instant,
}

/// Why records could not be appended; none of them was.
#[derive(Debug, thiserror::Error)]
pub enum Full {
    /// The spool holds all that it may. There is room again once the database has taken some.
    #[error("the spool holds all that it may")]
    Bound,
    /// The disk does not take them.
    #[error("the spool's disk: {0}")]
    Disk(#[from] io::Error),
}

impl Spool {
    /// The spool in a folder, which is made if need be, with what an earlier process left in it. It holds at most so many bytes.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(folder: &Path, max_bytes: u64) -> io::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let mut segments = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if let Some(number) = number(&entry.path()) {
                segments.push(Segment {
                    number,
                    bytes: entry.metadata()?.len(),
                    since: Instant::now(),
                });
            }
        }
        segments.sort_by_key(|segment| segment.number);
        Ok(Self {
            folder: folder.to_owned(),
            max_bytes,
            segments: segments.into(),
            last: None,
            first: None,
            sent: 0,
            read: 0,
        })
    }

    /// Bytes on disk.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Since when the oldest segment waits; for one of an earlier process, since the spool was opened.
    #[must_use]
    pub fn since(&self) -> Option<Instant> {
        self.segments.front().map(|segment| segment.since)
    }

    /// Puts records at the end, and syncs them.
    ///
    /// # Errors
    /// [`Full`], and nothing was appended.
    pub fn append(&mut self, records: &[Record]) -> Result<(), Full> {
        let mut frames = Vec::new();
        records
            .iter()
            .for_each(|record| frame::write(record, &mut frames));
        let size = frames.len() as u64;
        if self.bytes() + size > self.max_bytes {
            return Err(Full::Bound);
        }
        if self
            .segments
            .back()
            .is_none_or(|segment| segment.bytes >= SEGMENT)
        {
            self.last = None;
        }
        let mut file = match self.last.take() {
            Some(file) => file,
            None => self.begin()?,
        };
        let Some(segment) = self.segments.back_mut() else {
            return Err(Full::Bound);
        };
        if let Err(error) = file.write_all(&frames).and_then(|()| file.sync_data()) {
            // What was half written goes; if even that fails, the sum of the torn frame does not match, and this segment is ended.
            if file.set_len(segment.bytes).is_ok() && segment.bytes > 0 {
                self.last = Some(file);
            }
            return Err(error.into());
        }
        segment.bytes += size;
        self.last = Some(file);
        Ok(())
    }

    /// The next records in order, at most so many and about so many bytes; none at the end. They are read again if they are not [acknowledged](Self::acknowledge).
    ///
    /// # Errors
    /// Those of the file system. A segment that cannot be read is passed over and left for the next process, or for a person.
    pub fn next(&mut self, most: usize, bytes: usize) -> io::Result<Vec<Record>> {
        loop {
            let Some(first) = self.segments.front() else {
                return Ok(Vec::new());
            };
            if self.segments.len() == 1 {
                // Whoever reads a segment has it to themselves.
                self.last = None;
            }
            let path = self.path(first.number);
            let content = match self.first.take().map_or_else(|| fs::read(path), Ok) {
                Ok(content) => content,
                Err(error) => {
                    self.segments.pop_front();
                    return Err(error);
                }
            };
            self.read = self.sent;
            let records = self.records(&content, most, bytes);
            self.first = Some(content);
            if !records.is_empty() {
                return Ok(records);
            }
            self.finish()?;
        }
    }

    /// What [`Self::next`] gave last is stored: a segment that was read to its end is deleted.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn acknowledge(&mut self) -> io::Result<()> {
        self.sent = self.read;
        let content = self.first.as_deref().unwrap_or_default();
        if matches!(
            frame::read(content.get(self.sent..).unwrap_or_default()),
            Next::End
        ) {
            self.finish()?;
        }
        Ok(())
    }

    fn records(&mut self, content: &[u8], most: usize, bytes: usize) -> Vec<Record> {
        let (mut records, began) = (Vec::new(), self.read);
        while records.len() < most && self.read - began < bytes {
            match frame::read(content.get(self.read..).unwrap_or_default()) {
                Next::Record(record, length) => {
                    records.push(*record);
                    self.read += length;
                }
                Next::Foreign(length) => {
                    tracing::warn!(
                        "passed over a record in the spool that this version cannot read"
                    );
                    self.read += length;
                }
                Next::End => break,
            }
        }
        records
    }

    /// Deletes the first segment, whose whole frames are all stored.
    fn finish(&mut self) -> io::Result<()> {
        let Some(segment) = self.segments.front() else {
            return Ok(());
        };
        let torn = self
            .first
            .as_ref()
            .map_or(0, |content| content.len() - self.read);
        if torn > 0 {
            tracing::warn!(
                bytes = torn,
                "the spool held a torn frame, which a crash leaves"
            );
        }
        match fs::remove_file(self.path(segment.number)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.segments.pop_front();
        (self.first, self.sent, self.read) = (None, 0, 0);
        if self.segments.is_empty() {
            self.last = None;
        }
        Ok(())
    }

    /// Makes the next segment, and makes sure that the folder knows it.
    fn begin(&mut self) -> io::Result<File> {
        let number = self.segments.back().map_or(1, |segment| segment.number + 1);
        let mut options = OpenOptions::new();
        let file = options
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(self.path(number))?;
        self.segments.push_back(Segment {
            number,
            bytes: 0,
            since: Instant::now(),
        });
        File::open(&self.folder)?.sync_all()?;
        Ok(file)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:020}.spool"))
    }
}

fn number(path: &Path) -> Option<u64> {
    let spool = path.extension()? == "spool";
    path.file_stem()?.to_str()?.parse().ok().filter(|_| spool)
}

#[cfg(test)]
mod tests;
