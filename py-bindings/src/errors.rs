//! The exceptions of `sutra_storage`: one base, one class for each thing that a caller can handle.
//!
//! The classes are made once, when the module is imported, with Python's own `type`, because several
//! have a builtin as their second base. Invariant: a [`storage_core::Error`] maps to exactly one class,
//! keeps its data as attributes, and its message says what to do next in Python's words.

use std::path::Path;

use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};
use storage_core::Error;

/// Which exception; in the order of [`CLASSES`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sutra,
    Corruption,
    StoreLocked,
    Conflict,
    NotLast,
    ConceptNotFound,
    InvalidArgument,
    InvalidVector,
    StoreNotFound,
    NotAStore,
    FormatVersion,
    OptionMismatch,
    StoreFull,
    Poisoned,
    ReadOnly,
    StoreClosed,
    Forked,
    BeyondRetention,
    TransactionTooLarge,
    UntrustedTooLarge,
    InvalidExport,
    StoreIo,
    Deadline,
    NetworkFileSystem,
}

struct Class {
    name: &'static str,
    base: Kind,
    /// A builtin exception that it is, too.
    builtin: Option<&'static str>,
    retryable: bool,
    /// Attributes that are `None` until an error sets them.
    attributes: &'static [&'static str],
    doc: &'static str,
}

const fn class(name: &'static str, doc: &'static str) -> Class {
    let base = Kind::Sutra;
    Class { name, base, builtin: None, retryable: false, attributes: &[], doc }
}

/// In the order of [`Kind`]; a class stands after its base.
const CLASSES: [Class; 24] = [
    class(
        "SutraError",
        "The base of all errors of a store.\n\n`retryable` says whether the same call may succeed \
         later by itself.",
    ),
    Class {
        attributes: &["path", "offset", "expected", "found"],
        ..class(
            "CorruptionError",
            "Bytes are not what was written: a store's file, an index or a model.\n\n\
             `path` and `offset` say where in a file; they are None for bytes that were given.",
        )
    },
    Class {
        builtin: Some("TimeoutError"),
        retryable: true,
        attributes: &["pid"],
        ..class(
            "StoreLockedError",
            "Another writer, flush or compaction kept its lock for longer than the timeout.\n\n\
             `pid` names the process that last took it, if it is known.",
        )
    },
    Class {
        retryable: true,
        ..class(
            "ConflictError",
            "What a transaction read was changed before it committed; run it again.",
        )
    },
    Class {
        base: Kind::Conflict,
        attributes: &["last"],
        ..class(
            "NotLastError",
            "Only the last transaction, `last`, can be undone, and by a handle of its namespace.",
        )
    },
    Class {
        builtin: Some("KeyError"),
        attributes: &["concept_id"],
        ..class("ConceptNotFoundError", "There is no concept `concept_id`.")
    },
    Class {
        builtin: Some("ValueError"),
        ..class("InvalidArgumentError", "An argument has an unfit value.")
    },
    Class {
        base: Kind::InvalidArgument,
        attributes: &["concept_id"],
        ..class(
            "InvalidVectorError",
            "A vector has the wrong dimension or number type, or a component that is not finite.",
        )
    },
    Class {
        builtin: Some("FileNotFoundError"),
        ..class("StoreNotFoundError", "There is no store at the path, and none was to be made.")
    },
    Class {
        attributes: &["path", "found"],
        ..class(
            "NotAStoreError",
            "The directory holds files, but no store.\n\n`found` is one of them, or \"backup\" or \
             \"repair\" for what one left there that was cut short.",
        )
    },
    Class {
        attributes: &["path", "found", "supported", "feature"],
        ..class(
            "FormatVersionError",
            "The files have a format version that this version of the library does not read.",
        )
    },
    Class {
        builtin: Some("ValueError"),
        attributes: &["option", "stored", "given"],
        ..class(
            "OptionMismatchError",
            "The store was made with another value of `option` than it is opened with.",
        )
    },
    class("StoreFullError", "The store has used up its numbers."),
    Class {
        attributes: &["path", "reason"],
        ..class(
            "PoisonedError",
            "A sync failed, so the store takes no writes until it is opened anew.",
        )
    },
    Class {
        builtin: Some("PermissionError"),
        ..class("ReadOnlyError", "The store was opened for reading only.")
    },
    Class {
        builtin: Some("ValueError"),
        ..class(
            "StoreClosedError",
            "The store, snapshot or transaction is closed (a ValueError, as for files).",
        )
    },
    Class {
        attributes: &["opened_by"],
        ..class(
            "ForkedError",
            "The store was opened by process `opened_by`, and came here by fork.",
        )
    },
    Class {
        builtin: Some("LookupError"),
        attributes: &["asked", "oldest"],
        ..class(
            "BeyondRetentionError",
            "The store does not keep the epoch `asked`; the oldest that it keeps is `oldest`.",
        )
    },
    Class {
        attributes: &["size", "max_size"],
        ..class(
            "TransactionTooLargeError",
            "A transaction has `size` bytes, more than the `max_size` of one frame of the log.",
        )
    },
    Class {
        attributes: &["path", "size", "max_size"],
        ..class(
            "UntrustedTooLargeError",
            "An untrusted store has more bytes than `max_bytes`: `size` by the file `path`.",
        )
    },
    Class {
        builtin: Some("ValueError"),
        attributes: &["path", "line", "expected", "found"],
        ..class("InvalidExportError", "Line `line` of an export is not what one has there.")
    },
    Class {
        builtin: Some("OSError"),
        ..class(
            "StoreIOError",
            "The operating system refused an operation; `errno` and `filename` say which.",
        )
    },
    Class {
        builtin: Some("TimeoutError"),
        retryable: true,
        ..class("DeadlineError", "A call did not end by its `Deadline`; it has changed nothing.")
    },
    Class {
        attributes: &["path", "file_system"],
        ..class(
            "NetworkFileSystemError",
            "The store would be on a network's file system, where two machines could write at once.",
        )
    },
];

static TYPES: PyOnceLock<Vec<Py<PyType>>> = PyOnceLock::new();

fn types(py: Python<'_>) -> PyResult<&'static [Py<PyType>]> {
    TYPES.get_or_try_init(py, || make_types(py)).map(Vec::as_slice)
}

fn make_types(py: Python<'_>) -> PyResult<Vec<Py<PyType>>> {
    let builtins = py.import("builtins")?;
    let exception = builtins.getattr("Exception")?;
    let metaclass = builtins.getattr("type")?;
    let mut made: Vec<Py<PyType>> = Vec::with_capacity(CLASSES.len());
    for class in &CLASSES {
        let mut bases = match made.get(class.base as usize) {
            Some(base) => vec![base.bind(py).clone().into_any()],
            None => vec![exception.clone()],
        };
        if let Some(name) = class.builtin {
            bases.push(builtins.getattr(name)?);
        }
        let members = PyDict::new(py);
        members.set_item("__module__", "sutra_storage")?;
        members.set_item("__doc__", class.doc)?;
        members.set_item("retryable", class.retryable)?;
        for attribute in class.attributes {
            members.set_item(attribute, py.None())?;
        }
        if class.builtin == Some("KeyError") {
            // A KeyError shows the repr of its argument, which garbles a sentence.
            members.set_item("__str__", exception.getattr("__str__")?)?;
        }
        let made_class = metaclass.call1((class.name, PyTuple::new(py, bases)?, members))?;
        made.push(made_class.cast_into::<PyType>()?.unbind());
    }
    Ok(made)
}

/// Puts the classes into the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    look_up_errno(module.py())?;
    for (class, made) in CLASSES.iter().zip(types(module.py())?) {
        module.add(class.name, made)?;
    }
    Ok(())
}

/// An error of a kind, with its attributes.
struct Raised<'py> {
    py: Python<'py>,
    made: PyResult<Bound<'py, PyAny>>,
}

impl<'py> Raised<'py> {
    fn new(py: Python<'py>, kind: Kind, message: &str) -> Self {
        Self {
            py,
            made: types(py).and_then(|types| types[kind as usize].bind(py).call1((message,))),
        }
    }

    /// As an `OSError` is made: its `errno` and `filename` are set by its arguments.
    fn os(py: Python<'py>, kind: Kind, number: i32, message: &str, path: &Path) -> Self {
        let arguments = (number, message, path.as_os_str());
        Self {
            py,
            made: types(py).and_then(|types| types[kind as usize].bind(py).call1(arguments)),
        }
    }

    fn with(self, name: &str, value: impl IntoPyObject<'py>) -> Self {
        let made = self.made.and_then(|made| made.setattr(name, value).map(|()| made));
        Self { py: self.py, made }
    }

    fn path(self, path: &Path) -> Self {
        self.with("path", path.as_os_str())
    }

    fn error(self) -> PyErr {
        self.made.map_or_else(|failure| failure, PyErr::from_value)
    }
}

/// An error with nothing but a message.
pub(crate) fn raise(py: Python<'_>, kind: Kind, message: &str) -> PyErr {
    Raised::new(py, kind, message).error()
}

/// An argument whose value is unfit.
pub(crate) fn invalid(py: Python<'_>, message: &str) -> PyErr {
    raise(py, Kind::InvalidArgument, message)
}

/// A vector that is unfit, of a concept (or none: a query).
pub(crate) fn invalid_vector(py: Python<'_>, concept_id: Option<&str>, message: &str) -> PyErr {
    Raised::new(py, Kind::InvalidVector, message).with("concept_id", concept_id).error()
}

/// Bytes of another version of their format.
pub(crate) fn raise_version(py: Python<'_>, message: &str, found: u32, supported: u32) -> PyErr {
    Raised::new(py, Kind::FormatVersion, message)
        .with("found", found)
        .with("supported", supported)
        .error()
}

/// An argument of the wrong type, by the name of what was given.
pub(crate) fn wrong_type(what: &str, expected: &str, given: &Bound<'_, PyAny>) -> PyErr {
    let found =
        given.get_type().qualname().map_or_else(|_| "another".to_owned(), |n| n.to_string());
    PyTypeError::new_err(format!("{what} must be {expected}, not {found}"))
}

/// Whether an error was raised by Python code that an argument ran (its `__index__`, say) and is not
/// about the argument: it has a traceback, or no argument could raise it by being unfit.
pub(crate) fn is_callers(py: Python<'_>, error: &PyErr) -> bool {
    let unfit = error.is_instance_of::<PyTypeError>(py)
        || error.is_instance_of::<PyValueError>(py)
        || error.is_instance_of::<PyOverflowError>(py);
    !unfit || error.traceback(py).is_some()
}

/// System errors that the store raises by itself.
#[derive(Clone, Copy)]
enum Errno {
    Io,
    NotFound,
    TimedOut,
    ReadOnly,
}

/// Their names in the module `errno`, in the order of [`Errno`].
const ERRNO_NAMES: [&str; 4] = ["EIO", "ENOENT", "ETIMEDOUT", "EROFS"];

/// Their numbers on this platform, from the import of the module on: an import within an error could
/// fail, for one by an interrupt.
static ERRNO_NUMBERS: PyOnceLock<[i32; 4]> = PyOnceLock::new();

impl Errno {
    fn number(self, py: Python<'_>) -> i32 {
        let numbers = ERRNO_NUMBERS.get(py);
        numbers.expect("they were looked up when the module was imported")[self as usize]
    }
}

fn look_up_errno(py: Python<'_>) -> PyResult<()> {
    let errno = py.import("errno")?;
    let mut numbers = [0; 4];
    for (number, name) in numbers.iter_mut().zip(ERRNO_NAMES) {
        *number = errno.getattr(name)?.extract()?;
    }
    ERRNO_NUMBERS.get_or_init(py, || numbers);
    Ok(())
}

/// Turns what the store reports into what Python raises.
pub(crate) trait OrRaise<T> {
    /// The value, or the error as a Python exception.
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> OrRaise<T> for storage_core::Result<T> {
    #[inline]
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| to_python(py, &error, Moment::Open))
    }
}

/// When an error came up, as far as that decides what helps.
#[derive(Clone, Copy)]
pub(crate) enum Moment {
    /// The store was being opened: there is no handle to do anything with.
    Opening,
    /// All damage is being listed.
    Verifying,
    Open,
}

/// The exception for a store's error.
#[expect(clippy::too_many_lines, reason = "an arm for each error")]
pub(crate) fn to_python(py: Python<'_>, error: &Error, moment: Moment) -> PyErr {
    let message = error.to_string();
    let raised = match error {
        Error::Io { action, path, source } => {
            let number = source.raw_os_error().unwrap_or_else(|| Errno::Io.number(py));
            // Python shows the number by itself.
            let reason = source.to_string();
            let reason = reason.split(" (os error ").next().unwrap_or_default();
            let reason = format!("could not {action}: {reason}");
            Raised::os(py, Kind::StoreIo, number, &reason, path)
        }
        Error::Corrupt { path, offset, expected, found } => {
            let message = format!(
                "{} is damaged at byte {offset}: expected {expected}, found {found}; {}",
                path.display(),
                match moment {
                    Moment::Opening =>
                        "the store does not open without it: restore a backup, or repair()",
                    Moment::Verifying => "restore a backup, or repair()",
                    Moment::Open => "restore a backup, or repair(); verify() lists all damage",
                }
            );
            Raised::new(py, Kind::Corruption, &message)
                .path(path)
                .with("offset", *offset)
                .with("expected", expected)
                .with("found", found)
        }
        Error::Version { path, found, supported } => Raised::new(py, Kind::FormatVersion, &message)
            .path(path)
            .with("found", *found)
            .with("supported", *supported),
        Error::Feature { path, feature } => {
            Raised::new(py, Kind::FormatVersion, &message).path(path).with("feature", feature)
        }
        Error::NotFound { path, read_only } => {
            let advice = if *read_only {
                "there is no store; check the path, or open it for writing once to make one"
            } else {
                "there is no store; pass create=True to make one"
            };
            Raised::os(py, Kind::StoreNotFound, Errno::NotFound.number(py), advice, path)
        }
        Error::NotAStore { path, found } => {
            Raised::new(py, Kind::NotAStore, &message).path(path).with("found", found)
        }
        Error::Unfinished { path, maker } => {
            Raised::new(py, Kind::NotAStore, &message).path(path).with("found", *maker)
        }
        Error::Locked { path, pid } => {
            let holder = if *pid == 0 { String::new() } else { format!(" by process {pid}") };
            let advice =
                format!("the store is locked{holder}; retry, raise timeout, or close it there");
            Raised::os(py, Kind::StoreLocked, Errno::TimedOut.number(py), &advice, path)
                .with("pid", (*pid != 0).then_some(*pid))
        }
        Error::Poisoned { path, reason } => {
            Raised::new(py, Kind::Poisoned, &message).path(path).with("reason", reason)
        }
        Error::ReadOnly { path } => {
            let advice = "the store was opened with read_only=True";
            Raised::os(py, Kind::ReadOnly, Errno::ReadOnly.number(py), advice, path)
        }
        Error::Closed => Raised::new(py, Kind::StoreClosed, &message),
        Error::Conflict { .. } => Raised::new(py, Kind::Conflict, &message),
        Error::NotLast { last, .. } => Raised::new(py, Kind::NotLast, &message).with("last", *last),
        Error::ConceptNotFound { id, is_end } => {
            let or = if *is_end { ", or pass create_missing=True" } else { "" };
            let advice = format!("there is no concept {id:?}; put it first{or}");
            Raised::new(py, Kind::ConceptNotFound, &advice).with("concept_id", id)
        }
        Error::InvalidVector { id, source } if id.is_empty() => {
            Raised::new(py, Kind::InvalidVector, &format!("query vector: {source}"))
        }
        Error::InvalidVector { id, .. } => {
            Raised::new(py, Kind::InvalidVector, &message).with("concept_id", id)
        }
        Error::OptionMismatch { name, stored, given } => {
            let advice = format!(
                "the store was made with {name}={stored}, and opened with {given}; open it with \
                 {stored}, or copy it into a new store"
            );
            Raised::new(py, Kind::OptionMismatch, &advice)
                .with("option", *name)
                .with("stored", stored)
                .with("given", given)
        }
        Error::TransactionTooLarge { bytes, max } => {
            Raised::new(py, Kind::TransactionTooLarge, &message)
                .with("size", *bytes)
                .with("max_size", *max)
        }
        Error::UntrustedTooLarge { path, bytes, max } => {
            let advice = format!(
                "{} makes it {bytes} bytes to be read or unpacked, where max_bytes is {max}; raise it \
                 if the store is to be that large and memory holds it",
                path.display()
            );
            Raised::new(py, Kind::UntrustedTooLarge, &advice)
                .path(path)
                .with("size", *bytes)
                .with("max_size", *max)
        }
        Error::InvalidExport { path, line, expected, found } => {
            Raised::new(py, Kind::InvalidExport, &message)
                .path(path)
                .with("line", *line)
                .with("expected", expected)
                .with("found", found)
        }
        Error::BeyondRetention { asked, oldest, .. } => {
            Raised::new(py, Kind::BeyondRetention, &message)
                .with("asked", *asked)
                .with("oldest", *oldest)
        }
        Error::Full { .. } => Raised::new(py, Kind::StoreFull, &message),
        Error::Forked { opened_by } => {
            Raised::new(py, Kind::Forked, &message).with("opened_by", *opened_by)
        }
        Error::InvalidId { .. } | Error::InvalidArgument { .. } => {
            Raised::new(py, Kind::InvalidArgument, &message)
        }
        Error::NetworkFileSystem { path, kind } => {
            Raised::new(py, Kind::NetworkFileSystem, &message).path(path).with("file_system", kind)
        }
        Error::Interrupted => Raised::new(py, Kind::Deadline, &message),
        _ => Raised::new(py, Kind::Sutra, &message),
    };
    raised.error()
}
