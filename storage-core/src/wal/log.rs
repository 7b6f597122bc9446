//! One process's handle on one log: it follows what all processes append, and appends itself.
//!
//! Invariant: `position` is the end of the last frame that this handle has read or written whole, and
//! nothing is written elsewhere than there or, as zeros, behind the end of the file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::frame::{self, FRAME_HEADER_BYTES, FrameHeader, Kind};
use super::group_commit::GroupCommit;
use super::header::{self, HEADER_BYTES, LogHeader};
use super::reader::{self, Read, Window};
use super::{MAX_PAYLOAD_BYTES, log_dir, log_path};
use crate::fs::{Access, File, FileSystem};
use crate::{Error, Result};

/// Frames above this size grow the file; see the module's description.
const MAX_PREALLOCATED_FRAME_BYTES: u64 = 64 << 10;

/// How far zeros are written ahead.
const PREALLOCATION_BYTES: u64 = 1 << 20;

/// How much of the encoding buffer is kept for the next frame.
const KEPT_BUFFER_BYTES: usize = 1 << 20;

/// A transaction, as read from the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    /// Its sequence number.
    pub(crate) lsn: u64,
    /// Its bytes, as they were given to [`Log::append`].
    pub(crate) payload: &'a [u8],
}

/// How a log ends, at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// With the last frame: more may be appended.
    Clean,
    /// With bytes that are no frame and were never shown to be durable.
    ///
    /// Who holds the write lock may conclude that a writer died; for anyone else, a living writer may
    /// just be writing them.
    Torn {
        /// Where the bytes start.
        offset: u64,
        /// From there to the last byte that is not zero.
        discarded_bytes: u64,
    },
    /// With a seal: the log never grows again.
    Sealed {
        /// The number of the log that goes on.
        next: u64,
    },
}

/// What the handle knows of the end of the log.
#[derive(Debug)]
enum Tail {
    /// Not yet followed.
    Unknown,
    Ends(End),
    /// An append failed, for this reason; only following tells what it left.
    Failed(String),
}

/// One log file, opened.
#[derive(Debug)]
pub(crate) struct Log {
    store: PathBuf,
    path: PathBuf,
    header: LogHeader,
    access: Access,
    file: Arc<dyn File>,
    group: Arc<GroupCommit>,
    position: u64,
    newest_lsn: u64,
    /// The highest synced LSN that a frame in the file carries.
    marked_lsn: u64,
    /// The file's length when last asked for; it only grows.
    file_bytes: u64,
    tail: Tail,
    /// Whether everything behind the last frame was once found to be no proof of damage. Holes before
    /// later frames come from power loss, which no open handle outlives: one search is enough.
    searched: bool,
    /// Where the bytes that are not zero ended at that search. Beyond the position they are a torn tail,
    /// even where zeros come first: a frame appended before them could bring them back to life.
    used_until: u64,
    window: Window,
    /// Where a frame is encoded; empty between frames.
    buffer: Vec<u8>,
}

impl Log {
    /// Creates the log `header.number` of the store at `dir`, whose `wal` directory exists.
    ///
    /// The file, its header and its name are durable on return.
    ///
    /// # Errors
    /// [`Error::Io`]; where the file can't be removed either, a log is left whose creation never finished.
    pub(crate) fn create(fs: &dyn FileSystem, dir: &Path, header: LogHeader) -> Result<Self> {
        assert!(
            header.start_lsn > 0 && header.cut_lsn >= header.start_lsn - 1,
            "a log starts at 1 or above, and not after its cut: {header:?}"
        );
        let path = log_path(dir, header.number);
        let file = fs.create_new(&path).map_err(|error| Error::io("create", &path, error))?;
        let finish = || {
            let encoded = header.encode();
            file.write_all_at(&encoded, 0).map_err(|error| Error::io("write", &path, error))?;
            file.sync_data().map_err(|error| Error::io("sync", &path, error))?;
            let names = log_dir(dir);
            fs.sync_dir(&names).map_err(|error| Error::io("sync", &names, error))
        };
        if let Err(error) = finish() {
            // Nothing names it. Each try would leave one more, on a disk that is full perhaps.
            fs.remove(&path).ok();
            return Err(error);
        }
        let mut log = Self::new(dir, path, header, Access::ReadWrite, Arc::from(file));
        log.tail = Tail::Ends(End::Clean);
        log.searched = true;
        Ok(log)
    }

    /// Opens the log `number` of the store at `dir`, without reading any frame.
    ///
    /// `None` when a crash interrupted its creation: the header is not there whole, and nothing is
    /// behind it. Believe that only of the newest log, and only if neither a manifest nor the seal of
    /// the log before names it.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for a damaged header, another number or another store's log;
    /// [`Error::Version`]; [`Error::Io`].
    pub(crate) fn open(
        fs: &dyn FileSystem,
        dir: &Path,
        number: u64,
        store_uuid: [u8; 16],
        access: Access,
    ) -> Result<Option<Self>> {
        let path = log_path(dir, number);
        let file = fs.open(&path, access).map_err(|error| Error::io("open", &path, error))?;
        let read_failed = |error| Error::io("read", &path, error);
        let mut bytes = [0; HEADER_BYTES];
        let filled = file.read_at(&mut bytes, 0).map_err(read_failed)?;
        if filled < HEADER_BYTES {
            return Ok(None);
        }
        if !header::is_sound(&bytes) {
            // Frames follow only a header that was synced.
            let behind = HEADER_BYTES as u64;
            let rest = reader::search(&*file, 0, behind, u64::MAX).map_err(read_failed)?;
            if rest.used_until == behind {
                return Ok(None);
            }
        }
        let header = LogHeader::decode(&bytes, &path)?;
        if header.store_uuid != store_uuid {
            let name = |uuid: [u8; 16]| format!("store {:032x}", u128::from_be_bytes(uuid));
            return Err(Error::corrupt(&path, 16, name(store_uuid), name(header.store_uuid)));
        }
        if header.number != number {
            let name = |number: u64| format!("log {number}");
            return Err(Error::corrupt(&path, 32, name(number), name(header.number)));
        }
        Ok(Some(Self::new(dir, path, header, access, Arc::from(file))))
    }

    fn new(
        store: &Path,
        path: PathBuf,
        header: LogHeader,
        access: Access,
        file: Arc<dyn File>,
    ) -> Self {
        let before = header.start_lsn - 1;
        Self {
            group: Arc::new(GroupCommit::new(Arc::clone(&file), store, &path, before)),
            store: store.to_owned(),
            path,
            header,
            access,
            file,
            position: HEADER_BYTES as u64,
            newest_lsn: before,
            marked_lsn: before,
            file_bytes: HEADER_BYTES as u64,
            tail: Tail::Unknown,
            searched: false,
            used_until: 0,
            window: Window::default(),
            buffer: Vec::new(),
        }
    }

    /// Reads on from where this handle is, and passes each transaction above `from_lsn` to `sink`.
    ///
    /// With nothing new, this costs one small read. When `sink` fails, the handle stays before that
    /// transaction. Following also clears a failed append: it finds what that left in the file.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when something that was durable can't be read, or a checked frame is out of
    /// order; [`Error::Io`]; whatever `sink` returns.
    pub(crate) fn follow(
        &mut self,
        from_lsn: u64,
        sink: &mut dyn FnMut(Frame<'_>) -> Result<()>,
    ) -> Result<End> {
        if let Tail::Ends(end @ End::Sealed { .. }) = self.tail {
            return Ok(end);
        }
        // Bytes read earlier may have been overwritten by frames since.
        let mut window = std::mem::take(&mut self.window);
        window.forget();
        let end = self.follow_through(&mut window, from_lsn, sink);
        window.shrink();
        self.window = window;
        if let Ok(end) = end {
            self.tail = Tail::Ends(end);
        }
        end
    }

    fn follow_through(
        &mut self,
        window: &mut Window,
        from_lsn: u64,
        sink: &mut dyn FnMut(Frame<'_>) -> Result<()>,
    ) -> Result<End> {
        let file = Arc::clone(&self.file);
        let salt = self.header.salt;
        loop {
            let path = &self.path;
            let failed = |error| Error::io("read", path, error);
            match reader::read_frame(window, &*file, salt, self.position).map_err(failed)? {
                Read::Frame(header, payload) => {
                    self.check_order(&header)?;
                    if header.kind == Kind::Transaction && header.lsn > from_lsn {
                        sink(Frame { lsn: header.lsn, payload })?;
                    }
                    let next = if header.kind == Kind::Sealed {
                        Some(self.decode_seal(payload)?)
                    } else {
                        None
                    };
                    self.advance(&header);
                    if let Some(next) = next {
                        return Ok(End::Sealed { next });
                    }
                }
                Read::Blank if self.searched && self.used_until <= self.position => {
                    return Ok(End::Clean);
                }
                Read::Blank | Read::Bad(_) => {
                    let missing = self.newest_lsn + 1;
                    let rest = reader::search(&*file, salt, self.position, missing);
                    let rest = rest.map_err(failed)?;
                    // A frame that a living writer had not finished may be whole by now; what was
                    // found behind it, if anything, is then no proof of damage.
                    window.forget();
                    let found = match reader::read_frame(window, &*file, salt, self.position) {
                        Ok(Read::Frame(..)) => continue,
                        Ok(Read::Blank) => "zeros",
                        Ok(Read::Bad(found)) => found,
                        Err(error) => return Err(failed(error)),
                    };
                    if let Some(proof) = rest.proof {
                        let expected = format!(
                            "transaction {missing}, which the frame at byte {proof} says was durable"
                        );
                        return Err(Error::corrupt(path, self.position, expected, found));
                    }
                    self.searched = true;
                    self.used_until = rest.used_until;
                    return Ok(match rest.used_until - self.position {
                        0 => End::Clean,
                        discarded_bytes => End::Torn { offset: self.position, discarded_bytes },
                    });
                }
            }
        }
    }

    /// Refuses a frame that passes its checksums, and yet can't follow the one before.
    fn check_order(&self, header: &FrameHeader) -> Result<()> {
        let lsn = match header.kind {
            Kind::Transaction => self.newest_lsn + 1,
            Kind::Synced | Kind::Sealed => self.newest_lsn,
        };
        if header.lsn != lsn || header.synced_lsn > self.newest_lsn {
            let expected = format!("LSN {lsn}, synced to {} at most", self.newest_lsn);
            let found = format!("LSN {}, synced to {}", header.lsn, header.synced_lsn);
            return Err(Error::corrupt(&self.path, self.position, expected, found));
        }
        Ok(())
    }

    fn decode_seal(&self, payload: &[u8]) -> Result<u64> {
        let next = payload.try_into().map(u64::from_le_bytes);
        next.ok().filter(|&next| next > self.header.number).ok_or_else(|| {
            let expected = format!("a log's number above {}", self.header.number);
            Error::corrupt(&self.path, self.position, expected, format!("{payload:?}"))
        })
    }

    /// Steps over a frame that is whole in the file.
    fn advance(&mut self, header: &FrameHeader) {
        self.position += header.frame_bytes();
        self.newest_lsn = header.lsn;
        self.marked_lsn = self.marked_lsn.max(header.synced_lsn);
        self.group.note_appended(header.lsn);
        self.group.note_synced(header.synced_lsn);
    }

    /// Appends a transaction, visible to all processes on return, durable after a sync.
    ///
    /// The caller holds the store's write lock and, holding it, has followed the log to its clean end.
    /// When this fails, nothing was committed; the handle then refuses to append until it has
    /// followed the log anew, which finds a torn tail if part of the frame was written.
    ///
    /// # Errors
    /// [`Error::TransactionTooLarge`]; [`Error::ReadOnly`]; [`Error::Io`]; [`Error::Poisoned`] after
    /// an append that failed.
    ///
    /// # Panics
    /// When `lsn` is not the newest plus 1, or the log was not followed to a clean end.
    pub(crate) fn append(&mut self, lsn: u64, payload: &[u8]) -> Result<()> {
        check_size(payload.len() as u64)?;
        assert_eq!(lsn, self.newest_lsn + 1, "transactions are numbered without gaps");
        self.write_frame(Kind::Transaction, lsn, payload)
    }

    /// Writes a marker that says what is durable by now, unless a frame says so already.
    ///
    /// The caller holds the store's write lock and has followed the log to its clean end.
    ///
    /// # Errors
    /// As for [`Log::append`]. What was durable stays so.
    ///
    /// # Panics
    /// When the log was not followed to a clean end.
    pub(crate) fn mark_synced(&mut self) -> Result<()> {
        if self.group.synced_lsn() <= self.marked_lsn {
            return Ok(());
        }
        self.write_frame(Kind::Synced, self.newest_lsn, &[])
    }

    /// Ends the log for good, at the end of its last good frame; the log `next` goes on.
    ///
    /// The caller holds the store's write lock, has followed this log to a clean or torn end, and has
    /// created the next one. Syncs what the log holds, so that nothing in the next one can outlive
    /// it; the seal itself need not be durable. A seal takes the place of a torn tail.
    ///
    /// # Errors
    /// [`Error::ReadOnly`]; [`Error::Io`]; [`Error::Poisoned`] when the sync fails.
    ///
    /// # Panics
    /// When the log was not followed to an end, or is sealed, or `next` is not above its number.
    pub(crate) fn seal(&mut self, next: u64) -> Result<()> {
        assert!(next > self.header.number, "log {} can't go on in {next}", self.header.number);
        self.group.sync(self.newest_lsn)?;
        if let Tail::Ends(End::Torn { .. }) = self.tail {
            self.tail = Tail::Ends(End::Clean);
        }
        self.write_frame(Kind::Sealed, self.newest_lsn, &next.to_le_bytes())?;
        self.tail = Tail::Ends(End::Sealed { next });
        Ok(())
    }

    fn write_frame(&mut self, kind: Kind, lsn: u64, payload: &[u8]) -> Result<()> {
        if self.access == Access::Read {
            return Err(Error::ReadOnly { path: self.store.clone() });
        }
        match &self.tail {
            Tail::Ends(End::Clean) => {}
            Tail::Failed(reason) => {
                return Err(Error::Poisoned { path: self.store.clone(), reason: reason.clone() });
            }
            tail => panic!("a log is written only at its clean end, not at {tail:?}"),
        }
        let header = FrameHeader {
            payload_bytes: payload.len() as u32,
            payload_crc: crc32c::crc32c(payload),
            lsn,
            synced_lsn: self.group.synced_lsn(),
            kind,
        };
        // Zeros change nothing that the log says, so a failure here leaves the handle usable.
        self.preallocate(header.frame_bytes()).map_err(|error| self.write_failed(error))?;
        self.buffer.extend_from_slice(&header.encode(self.header.salt, self.position));
        self.buffer.extend_from_slice(payload);
        self.buffer.resize(header.frame_bytes() as usize, 0);
        let written = self.file.write_all_at(&self.buffer, self.position);
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_BUFFER_BYTES);
        if let Err(error) = written
            && !self.is_in_file(&header)
        {
            let error = self.write_failed(error);
            self.tail = Tail::Failed(error.to_string());
            self.searched = false;
            return Err(error);
        }
        self.advance(&header);
        Ok(())
    }

    fn write_failed(&self, error: io::Error) -> Error {
        Error::io("write", &self.path, error)
    }

    /// Whether the frame is whole in spite of an error: then others see it, and it is committed.
    fn is_in_file(&mut self, header: &FrameHeader) -> bool {
        self.window.forget();
        let read =
            reader::read_frame(&mut self.window, &*self.file, self.header.salt, self.position);
        matches!(read, Ok(Read::Frame(found, _)) if found == *header)
    }

    /// Writes zeros ahead if a small frame would not fit into the file.
    fn preallocate(&mut self, frame_bytes: u64) -> io::Result<()> {
        let end = self.position + frame_bytes;
        if frame_bytes > MAX_PREALLOCATED_FRAME_BYTES || end <= self.file_bytes {
            return Ok(());
        }
        self.file_bytes = self.file.len()?;
        if end <= self.file_bytes {
            return Ok(());
        }
        let target = end.next_multiple_of(PREALLOCATION_BYTES);
        let zeros = [0; 16 << 10];
        while self.file_bytes < target {
            let count = (target - self.file_bytes).min(zeros.len() as u64);
            self.file.write_all_at(&zeros[..count as usize], self.file_bytes)?;
            self.file_bytes += count;
        }
        Ok(())
    }

    /// What the log says of itself.
    pub(crate) fn header(&self) -> &LogHeader {
        &self.header
    }

    /// The log's path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes from the file's start to the end of the last frame read or written.
    pub(crate) fn bytes(&self) -> u64 {
        self.position
    }

    /// Whether the last look at the log found its clean end.
    pub(crate) fn is_at_clean_end(&self) -> bool {
        matches!(self.tail, Tail::Ends(End::Clean))
    }

    /// The LSN of the newest transaction read or written; the start LSN minus 1 if there is none.
    pub(crate) fn newest_lsn(&self) -> u64 {
        self.newest_lsn
    }

    /// Whether the log, as far as it was followed, holds all copies that recovery was to make in it.
    pub(crate) fn is_whole(&self) -> bool {
        self.newest_lsn >= self.header.cut_lsn
    }

    /// What makes this log durable, for use without any lock on the log.
    pub(crate) fn group(&self) -> &Arc<GroupCommit> {
        &self.group
    }
}

/// Refuses a payload that no frame holds.
///
/// # Errors
/// [`Error::TransactionTooLarge`].
pub(super) fn check_size(bytes: u64) -> Result<()> {
    if bytes > MAX_PAYLOAD_BYTES {
        return Err(Error::TransactionTooLarge { bytes, max: MAX_PAYLOAD_BYTES });
    }
    Ok(())
}

const _: () = assert!(HEADER_BYTES.is_multiple_of(frame::FRAME_ALIGNMENT));
const _: () = assert!(FRAME_HEADER_BYTES.is_multiple_of(frame::FRAME_ALIGNMENT));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::SimulatedFileSystem;

    #[test]
    fn the_buffer_of_a_large_frame_is_given_back_and_that_of_a_small_one_kept() {
        let fs = SimulatedFileSystem::new();
        fs.create_dir_all(&log_dir(Path::new(""))).expect("created");
        let header =
            LogHeader { store_uuid: [0; 16], number: 1, salt: 5, start_lsn: 1, cut_lsn: 0 };
        let mut log = Log::create(&fs, Path::new(""), header).expect("created");
        log.append(1, &[1; 5000]).expect("appended");
        assert!((5000..10_000).contains(&log.buffer.capacity()));
        log.append(2, &vec![1; 3 << 20]).expect("appended");
        assert_eq!((log.buffer.len(), log.buffer.capacity()), (0, 1 << 20));
    }
}
