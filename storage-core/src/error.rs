//! Everything that can go wrong, as data: what, where, what was expected, and whether a retry helps.

use std::io;
use std::path::{Path, PathBuf};

/// The result of a store's operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation of the store failed.
///
/// After any of these but [`Error::Poisoned`] the store goes on working. A write that fails has changed nothing that
/// is read, with two exceptions, after which it may be there or not when the store is opened anew: its sync failed
/// ([`Error::Poisoned`]; it is visible meanwhile), or the system failed while its bytes were written and could not
/// be read back ([`Error::Io`]).
///
/// What goes in steps may have taken some of them, and is called again to take the others:
///
/// - [`crate::GraphStore::erase`] and [`crate::GraphStore::erase_namespace`] first delete, then rewrite the files:
///   what was to be erased may be deleted and still be in the files;
/// - [`crate::GraphStore::compact`] and [`crate::GraphStore::delete_expired`] delete what has expired by up to
///   10,000 concepts and associations a transaction, and flush before they compact;
/// - [`crate::GraphStore::import_jsonl`] and [`crate::GraphStore::read_jsonl`] keep the transactions before the one
///   that failed;
/// - [`crate::GraphStore::set_retention`] flushes first, and an opening may have made or recovered the store before
///   it fails;
/// - [`crate::GraphStore::backup`] and [`crate::GraphStore::repair`] leave a directory that does not open, if any,
///   of which the next to the same place takes the place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused an operation on a file.
    #[error("{action} {path}: {source}", path = path.display())]
    Io {
        /// What was tried, as a verb: "read", "write", "sync".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's own error.
        source: io::Error,
    },
    /// Bytes of a store's file are not what was written.
    #[error(
        "{path} is damaged at byte {offset}: expected {expected}, found {found}; restore a backup, repair, \
         or, where the store still opens, run verify to list all damage",
        path = path.display()
    )]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// Where in the file.
        offset: u64,
        /// What a sound file has there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The files were written by a version of the format that this one does not read.
    #[error(
        "{path} has format version {found}, this library reads version {supported}; open it with \
         the version of the library that wrote it, and export",
        path = path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its format version.
        found: u32,
        /// The newest version that is read.
        supported: u32,
    },
    /// The files use a feature of the format that this version does not know.
    #[error(
        "{path} has {feature}, which this version of the library does not know; open it with the \
         version of the library that wrote it, or a newer one",
        path = path.display()
    )]
    Feature {
        /// The file.
        path: PathBuf,
        /// What is not known.
        feature: String,
    },
    /// There is no store at the path, and none was to be created.
    #[error(
        "there is no store at {path}{advice}",
        path = path.display(),
        advice = if *read_only {
            "; check the path, or open it for writing once, with create = true, to make one"
        } else {
            "; pass create = true to make one"
        }
    )]
    NotFound {
        /// The directory.
        path: PathBuf,
        /// Whether it was only to be read, or repaired, which makes none whatever `create` says.
        read_only: bool,
    },
    /// The directory holds files, but no store.
    #[error(
        "{path} is no directory for a new store, since it has {found} in it; choose an empty or a new one",
        path = path.display()
    )]
    NotAStore {
        /// The directory.
        path: PathBuf,
        /// One of the files in it, or what is missing.
        found: String,
    },
    /// The directory has what a backup or a repair left there that did not end, or what one is writing.
    #[error(
        "{path} holds a {maker} that has not ended; wait for it or, if it was cut short, make the {maker} to the same \
         directory again, which takes its place, or remove the directory",
        path = path.display()
    )]
    Unfinished {
        /// The directory.
        path: PathBuf,
        /// What it was that did not end: "backup", "repair".
        maker: &'static str,
    },
    /// The store would be on a file system of a network, where the locks and the shared memory of several
    /// machines do not work together.
    #[error(
        "{path} is on a network file system ({kind}), where two machines could write at once; keep the \
         store on a local disk, or pass allow_network = true if only one machine ever opens it",
        path = path.display()
    )]
    NetworkFileSystem {
        /// The directory.
        path: PathBuf,
        /// What it is on.
        kind: &'static str,
    },
    /// Another writer held the lock for longer than the timeout, or another's flush or compaction its
    /// lease.
    #[error(
        "the store {path} is locked by process {pid}; retry, raise the timeout, or close the store there",
        path = path.display()
    )]
    Locked {
        /// The store's directory.
        path: PathBuf,
        /// The process that last took the lock, or the lease of flush and compaction, whichever was
        /// waited for (0: unknown).
        ///
        /// A lock lasts until no process has its file open: when this one is dead, a child that it
        /// forked meanwhile may keep it.
        pid: u32,
    },
    /// A sync failed earlier, so what the medium holds is unknown until the store is opened anew.
    #[error(
        "the store {path} refuses writes since a sync failed ({reason}); free space or mend the \
         disk, then open it anew: what was acknowledged as durable before is safe",
        path = path.display()
    )]
    Poisoned {
        /// The store's directory.
        path: PathBuf,
        /// The failure that poisoned it.
        reason: String,
    },
    /// The store was opened for reading only.
    #[error("the store {path} was opened read-only", path = path.display())]
    ReadOnly {
        /// The store's directory.
        path: PathBuf,
    },
    /// The handle was closed.
    #[error("the store is closed; open it anew")]
    Closed,
    /// Something that this transaction read has been changed by another since.
    #[error("{what} changed after this transaction read it; run the transaction again")]
    Conflict {
        /// What was changed.
        what: String,
    },
    /// A transaction can't be taken back, since it is not the last, or was in another namespace.
    #[error("{}", not_last(*asked, *last))]
    NotLast {
        /// The transaction that was to be taken back; `None`: the last, of whatever namespace.
        asked: Option<u64>,
        /// The last one but for sweeps of what had expired.
        last: u64,
    },
    /// A concept that must exist does not.
    #[error(
        "there is no concept {id:?}; put it first{advice}",
        advice = if *is_end { ", or pass create_missing = true" } else { "" }
    )]
    ConceptNotFound {
        /// The missing concept.
        id: String,
        /// Whether it is an end of an association, which `create_missing` would make.
        is_end: bool,
    },
    /// A concept id is empty or longer than [`crate::MAX_ID_BYTES`].
    #[error("a concept id has 1 to {max} bytes of UTF-8, this one has {len}", max = crate::MAX_ID_BYTES)]
    InvalidId {
        /// The id's length in bytes.
        len: usize,
    },
    /// A vector is unfit: wrong dimension, or a component that is not finite, also as it is stored.
    #[error("vector of concept {id:?}: {source}")]
    InvalidVector {
        /// The concept ("" for a query).
        id: String,
        /// What is wrong with it.
        source: vector_kernel::QueryError,
    },
    /// An argument is out of its range.
    #[error("{name} must be {expected}, not {found}")]
    InvalidArgument {
        /// The argument.
        name: &'static str,
        /// Its range.
        expected: String,
        /// What was given.
        found: String,
    },
    /// The store was created with other options than it is opened with.
    #[error(
        "the store has {name} = {stored}, but was opened with {given}; leave it out, or reembed into a new store"
    )]
    OptionMismatch {
        /// The option.
        name: &'static str,
        /// What the store was created with.
        stored: String,
        /// What was asked for.
        given: String,
    },
    /// A transaction is too large for one frame of the log.
    #[error("the transaction has {bytes} bytes, a transaction may have {max}; split it")]
    TransactionTooLarge {
        /// Its size as written.
        bytes: u64,
        /// The largest size.
        max: u64,
    },
    /// The store has used up its concept numbers (4,294,967,295) or its association types (65,536).
    #[error("the store is full: {what}; export it into a new store")]
    Full {
        /// What ran out.
        what: &'static str,
    },
    /// An untrusted store has more bytes than its opening allows.
    #[error(
        "{path} makes it {bytes} bytes to be read or unpacked of an untrusted store, where \
         max_untrusted_bytes is {max}; raise it if the store is to be that large and memory holds it",
        path = path.display()
    )]
    UntrustedTooLarge {
        /// The file that was one too many.
        path: PathBuf,
        /// Bytes so far, with its own.
        bytes: u64,
        /// The option's value.
        max: u64,
    },
    /// A line of an export is not what one has there.
    #[error(
        "line {line} of {path}: expected {expected}, found {found}; {advice}",
        path = path.display(),
        advice = if *line == 1 {
            "nothing was imported: export anew, or import what is for this store"
        } else {
            "what was committed of it before stays: put the line right, or export anew, and import again"
        }
    )]
    InvalidExport {
        /// The file, or "(import)".
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What an export has there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The past that was asked for is not kept.
    #[error(
        "the store at epoch {asked} can't be read: it keeps the past from epoch {oldest} on{advice}",
        advice = if *kept { "" } else { "; set a retention to keep what is replaced or deleted from then on" }
    )]
    BeyondRetention {
        /// The epoch that was asked for.
        asked: u64,
        /// The oldest epoch that can be read.
        oldest: u64,
        /// Whether the store keeps the past at all.
        kept: bool,
    },
    /// The call was told to stop; see [`crate::interruptible`].
    #[error("the call was interrupted; nothing is lost, call it again to have it done")]
    Interrupted,
    /// The handle was opened by a parent process.
    #[error(
        "this store was opened by process {opened_by} and came here by fork; open it anew in this process"
    )]
    Forked {
        /// The process that opened it.
        opened_by: u32,
    },
}

fn not_last(asked: Option<u64>, last: u64) -> String {
    match asked {
        Some(asked) => format!(
            "transaction {asked} is not the last, which is {last}: only the last can be taken back; what \
             was before {asked} can be read as of {}",
            asked.saturating_sub(1)
        ),
        None => format!(
            "the last transaction, {last}, was made in another namespace: take it back there, or by the \
             store's own handle"
        ),
    }
}

impl Error {
    /// Whether the same call may succeed later without anyone changing the store or its options.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Locked { .. } | Self::Conflict { .. } | Self::Interrupted)
    }

    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }

    /// Whether what wrote the file may have meant what this version of the library does not know.
    pub(crate) fn is_of_another_version(&self) -> bool {
        matches!(self, Self::Version { .. } | Self::Feature { .. })
    }

    /// Refuses the bits in a file's header that stand for what a reader must know: there is none yet.
    pub(crate) fn check_features(path: &Path, bits: u32) -> Result<()> {
        if bits == 0 {
            return Ok(());
        }
        Err(Self::Feature { path: path.to_owned(), feature: format!("feature bits {bits:#x}") })
    }

    pub(crate) fn corrupt(
        path: &Path,
        offset: u64,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Corrupt {
            path: path.to_owned(),
            offset,
            expected: expected.into(),
            found: found.into(),
        }
    }
}
