"""The native half of `sutra_storage`; import that instead.

Its docstrings are those of the module itself: a test compares them.
"""

# An argument is named after what it is, also where a builtin has that name: id, type, filter.
# ruff: noqa: A002

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from os import PathLike
from types import TracebackType
from typing import (
    Any,
    ClassVar,
    Literal,
    Self,
    TypeAlias,
    TypedDict,
    Unpack,
    final,
    type_check_only,
)

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import disjoint_base

__all__ = [
    "BeyondRetentionError",
    "ConceptIds",
    "ConceptNotFoundError",
    "ConflictError",
    "CorruptionError",
    "Deadline",
    "DeadlineError",
    "Entity",
    "ExportReport",
    "Extraction",
    "Filter",
    "ForkedError",
    "FormatVersionError",
    "GraphStore",
    "Hit",
    "HybridHit",
    "ImportReport",
    "InvalidArgumentError",
    "InvalidExportError",
    "InvalidVectorError",
    "Leg",
    "Loss",
    "NetworkFileSystemError",
    "NotAStoreError",
    "NotLastError",
    "OptionMismatchError",
    "Path",
    "PoisonedError",
    "ReadOnlyError",
    "Reader",
    "Relation",
    "RepairReport",
    "Snapshot",
    "StaticEmbedder",
    "StoreClosedError",
    "StoreFullError",
    "StoreIOError",
    "StoreLockedError",
    "StoreNotFoundError",
    "StoredAssociation",
    "StoredConcept",
    "SutraError",
    "Ticket",
    "Transaction",
    "TransactionTooLargeError",
    "UntrustedTooLargeError",
    "VectorIndex",
    "VerifyReport",
    "__version__",
    "analyze",
    "extract",
    "open_untrusted",
    "repair",
]

_Direction: TypeAlias = Literal["out", "in", "both"]
_Durability: TypeAlias = Literal["sync", "interval", "buffered"]
_Operator: TypeAlias = Literal["or", "and"]
_Time: TypeAlias = float | datetime
_Attributes: TypeAlias = dict[str, Any]
_Floats: TypeAlias = Sequence[float | None] | NDArray[Any]
_Expiry: TypeAlias = _Time | timedelta
_Expiries: TypeAlias = Sequence[_Expiry | None] | NDArray[Any]
_Times: TypeAlias = Sequence[_Time | None] | NDArray[Any]
_Counts: TypeAlias = Sequence[int | None] | NDArray[Any]
_Texts: TypeAlias = Iterable[str | None]
_Vectors: TypeAlias = ArrayLike | Sequence[ArrayLike | None]

@type_check_only
class _FilterArguments(TypedDict, total=False):
    category: str | None
    source: str | None
    created_from: _Time | None
    created_to: _Time | None
    valid_at: _Time | None
    ids: str | Iterable[str] | None
    attributes: _Attributes | None

@type_check_only
class _ConceptFields(TypedDict, total=False):
    content: str
    vector: ArrayLike | None
    strength: float
    confidence: float
    source: str | None
    category: str | None
    valid_from: _Time | None
    valid_to: _Time | None
    expires: _Expiry | None
    attributes: _Attributes

@type_check_only
class _Stats(TypedDict):
    total_vectors: int
    total_concepts: int
    total_edges: int
    namespaces: int
    epoch: int
    association_types: int
    segments: int
    memory_parts: int
    segment_bytes: int
    memory_bytes: int
    log_bytes: int
    dead_rows: int
    discarded_bytes: int
    generation: int
    oldest_epoch: int
    history_files: int
    history_bytes: int
    indexed_vectors: int
    unindexed_vectors: int
    vector_index_bytes: int
    last_commit: float
    index_audits: list[_IndexAudit]
    set_aside: list[str]
    maintenance_error: str | None

@type_check_only
class _Audit(TypedDict):
    queries: int
    recall: float
    error: float
    worst: float

@type_check_only
class _IndexAudit(TypedDict):
    segment: str
    time: float
    k: int
    target: float
    all: _Audit
    filtered: _Audit

@type_check_only
class _Explained(TypedDict):
    lists: int
    blocks: int
    coded: int
    exact: int
    is_exact: bool

__version__: str

class SutraError(Exception):
    """The base of all errors of a store.

    `retryable` says whether the same call may succeed later by itself.
    """

    retryable: ClassVar[bool]

class CorruptionError(SutraError):
    """Bytes are not what was written: a store's file, an index or a model.

    `path` and `offset` say where in a file; they are None for bytes that were given.
    """

    path: str | None
    offset: int | None
    expected: str | None
    found: str | None

class StoreLockedError(SutraError, TimeoutError):
    """Another writer, flush or compaction kept its lock for longer than the timeout.

    `pid` names the process that last took it, if it is known.
    """

    pid: int | None

class ConflictError(SutraError):
    """What a transaction read was changed before it committed; run it again."""

class NotLastError(ConflictError):
    """Only the last transaction, `last`, can be undone, and by a handle of its namespace."""

    last: int | None

class ConceptNotFoundError(SutraError, KeyError):
    """There is no concept `concept_id`."""

    concept_id: str | None

class InvalidArgumentError(SutraError, ValueError):
    """An argument has an unfit value."""

class InvalidVectorError(InvalidArgumentError):
    """A vector has the wrong dimension or number type, or a component that is not finite."""

    concept_id: str | None

class StoreNotFoundError(SutraError, FileNotFoundError):
    """There is no store at the path, and none was to be made."""

class NotAStoreError(SutraError):
    """The directory holds files, but no store.

    `found` is one of them, or "backup" or "repair" for what one left there that was cut short.
    """

    path: str | None
    found: str | None

class FormatVersionError(SutraError):
    """The files have a format version that this version of the library does not read."""

    path: str | None
    found: int | None
    supported: int | None
    feature: str | None

class OptionMismatchError(SutraError, ValueError):
    """The store was made with another value of `option` than it is opened with."""

    option: str | None
    stored: str | None
    given: str | None

class StoreFullError(SutraError):
    """The store has used up its numbers."""

class BeyondRetentionError(SutraError, LookupError):
    """The store does not keep the epoch `asked`; the oldest that it keeps is `oldest`."""

    asked: int | None
    oldest: int | None

class PoisonedError(SutraError):
    """A sync failed, so the store takes no writes until it is opened anew."""

    path: str | None
    reason: str | None

class ReadOnlyError(SutraError, PermissionError):
    """The store was opened for reading only."""

class StoreClosedError(SutraError, ValueError):
    """The store, snapshot or transaction is closed (a ValueError, as for files)."""

class ForkedError(SutraError):
    """The store was opened by process `opened_by`, and came here by fork."""

    opened_by: int | None

class TransactionTooLargeError(SutraError):
    """A transaction has `size` bytes, more than the `max_size` of one frame of the log."""

    size: int | None
    max_size: int | None

class UntrustedTooLargeError(SutraError):
    """An untrusted store has more bytes than `max_bytes`: `size` by the file `path`."""

    path: str | None
    size: int | None
    max_size: int | None

class InvalidExportError(SutraError, ValueError):
    """Line `line` of an export is not what one has there."""

    path: str | None
    line: int | None
    expected: str | None
    found: str | None

class StoreIOError(SutraError, OSError):
    """The operating system refused an operation; `errno` and `filename` say which."""

class DeadlineError(SutraError, TimeoutError):
    """A call did not end by its `Deadline`; it has changed nothing."""

class NetworkFileSystemError(SutraError):
    """The store would be on a network's file system, where two machines could write at once."""

    path: str | None
    file_system: str | None

@final
class Deadline:
    """A time by which the calls of a store in a `with` block are to end, in the thread of it.

    What can take long (searches, paths, verifying, compacting, backups, erasing, waiting for a
    lock) looks at it every 20 ms or so, and raises `DeadlineError` once it has passed; a write that
    raises it has changed nothing. Within another, the earlier counts.

    Args:
        seconds: From the block's beginning, 0 or more.
    """

    def __new__(cls, seconds: float) -> Self: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> Literal[False]: ...

@final
class StoredConcept:
    """A concept as it was read from a store. Times are seconds since the Unix epoch."""

    def __new__(
        cls,
        id: str,
        content: str = "",
        vector: ArrayLike | None = None,
        *,
        created: _Time | None = None,
        last_accessed: _Time | None = None,
        access_count: int = 0,
        strength: float = 1.0,
        confidence: float = 1.0,
        source: str | None = None,
        category: str | None = None,
        attributes: _Attributes | None = None,
        valid_from: _Time | None = None,
        valid_to: _Time | None = None,
        expires: _Expiry | None = None,
    ) -> Self: ...
    @property
    def id(self) -> str:
        """The stable public id."""
    @property
    def content(self) -> str:
        """The text that is searched."""
    @property
    def vector(self) -> NDArray[np.float32] | None:
        """The vector, a new array each time; None when it has none or was read without."""
    @property
    def created(self) -> float:
        """When it was first put."""
    @property
    def last_accessed(self) -> float | None:
        """When it was last accessed; None: never."""
    @property
    def access_count(self) -> int:
        """How often it was accessed."""
    @property
    def strength(self) -> float:
        """How well it is remembered, 0.0 or more."""
    @property
    def confidence(self) -> float:
        """How sure it is, 0.0 to 1.0."""
    @property
    def source(self) -> str | None:
        """Where it was learned."""
    @property
    def category(self) -> str | None:
        """What it is filed under."""
    @property
    def valid_from(self) -> float | None:
        """From when on what it says holds; None: since ever."""
    @property
    def valid_to(self) -> float | None:
        """Up to when, exclusive, what it says holds; None: for ever."""
    @property
    def expires(self) -> float | None:
        """When it expires; None: never."""
    @property
    def attributes(self) -> _Attributes:
        """Anything else, a new dict each time."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __getnewargs_ex__(self) -> tuple[tuple[str, str], dict[str, Any]]: ...

@final
class StoredAssociation:
    """An association as it was read from a store. Times are seconds since the Unix epoch."""

    def __new__(
        cls,
        source_id: str,
        target_id: str,
        type: str = "semantic",
        *,
        weight: float = 1.0,
        confidence: float = 1.0,
        source: str | None = None,
        attributes: _Attributes | None = None,
        created: _Time | None = None,
        last_used: _Time | None = None,
        valid_from: _Time | None = None,
        valid_to: _Time | None = None,
        expires: _Expiry | None = None,
    ) -> Self: ...
    @property
    def source_id(self) -> str:
        """The concept it starts at."""
    @property
    def target_id(self) -> str:
        """The concept it points to."""
    @property
    def type(self) -> str:
        """Its type."""
    @property
    def weight(self) -> float:
        """How strong it is, 0.0 or more."""
    @property
    def confidence(self) -> float:
        """How sure it is, 0.0 to 1.0."""
    @property
    def created(self) -> float:
        """When it was first put."""
    @property
    def last_used(self) -> float | None:
        """When it was last used; None: never."""
    @property
    def source(self) -> str | None:
        """Where it was learned."""
    @property
    def valid_from(self) -> float | None:
        """From when on it holds; None: since ever."""
    @property
    def valid_to(self) -> float | None:
        """Up to when, exclusive, it holds; None: for ever."""
    @property
    def expires(self) -> float | None:
        """When it expires; None: never."""
    @property
    def attributes(self) -> _Attributes:
        """Anything else, a new dict each time."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __getnewargs_ex__(self) -> tuple[tuple[str, str], dict[str, Any]]: ...

@final
class Hit:
    """A concept that a search found: `id, score = hit`. A larger score is better."""

    __match_args__ = ("id", "score")
    def __new__(cls, id: str, score: float) -> Self: ...
    @property
    def id(self) -> str:
        """The concept."""
    @property
    def score(self) -> float:
        """Words: BM25. Vectors: cosine in [-1, 1], dot product, or negated Euclidean distance."""
    def __iter__(self) -> Iterator[Any]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __getnewargs__(self) -> tuple[str, float]: ...

@final
class Leg:
    """A concept's place in one leg of a hybrid search: `rank, score = leg`. Rank 1 is the best."""

    __match_args__ = ("rank", "score")
    def __new__(cls, rank: int, score: float) -> Self: ...
    @property
    def rank(self) -> int:
        """1 for the best."""
    @property
    def score(self) -> float:
        """The leg's own score."""
    def __iter__(self) -> Iterator[Any]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __getnewargs__(self) -> tuple[int, float]: ...

@final
class HybridHit:
    """A concept that a hybrid search found, with what each leg said of it.

    It unpacks into id, score, words and vector; the last two are None where a leg did not find it.
    """

    __match_args__ = ("id", "score", "words", "vector")
    def __new__(
        cls, id: str, score: float, words: Leg | None = None, vector: Leg | None = None
    ) -> Self: ...
    @property
    def id(self) -> str:
        """The concept."""
    @property
    def score(self) -> float:
        """The fused score; larger is better."""
    @property
    def words(self) -> Leg | None:
        """Its place in the word search."""
    @property
    def vector(self) -> Leg | None:
        """Its place in the vector search."""
    def __iter__(self) -> Iterator[Any]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __getnewargs__(self) -> tuple[str, float, Leg | None, Leg | None]: ...

@final
class Path:
    """A path between two concepts."""

    @property
    def concept_ids(self) -> list[str]:
        """The concepts on it, first to last."""
    @property
    def associations(self) -> list[StoredAssociation]:
        """The associations between them, in the same order."""
    @property
    def forward(self) -> list[bool]:
        """For each association, whether the path follows it from source to target."""
    @property
    def confidence(self) -> float:
        """The product of the associations' confidences, 0.0 to 1.0."""
    def __len__(self) -> int: ...
    def __bool__(self) -> Literal[True]: ...

@final
class Filter:
    """Restricts a search to the concepts that meet all given conditions."""

    def __new__(
        cls,
        *,
        category: str | None = None,
        source: str | None = None,
        created_from: _Time | None = None,
        created_to: _Time | None = None,
        valid_at: _Time | None = None,
        ids: str | Iterable[str] | None = None,
        attributes: _Attributes | None = None,
    ) -> Self: ...
    @property
    def category(self) -> str | None:
        """Only concepts of this category."""
    @property
    def source(self) -> str | None:
        """Only concepts of this source."""
    @property
    def created_from(self) -> float | None:
        """Only concepts created at or after this time."""
    @property
    def created_to(self) -> float | None:
        """Only concepts created before this time."""
    @property
    def valid_at(self) -> float | None:
        """Only concepts that hold at this time."""
    @property
    def attributes(self) -> _Attributes | None:
        """Only concepts for whose attributes this holds, a new dict each time."""
    @property
    def ids(self) -> list[str] | None:
        """Only these concepts."""
    def __eq__(self, other: object, /) -> bool: ...

@final
class ConceptIds:
    """An iterator over the ids of one state."""

    def __iter__(self) -> Self: ...
    def __next__(self) -> str: ...

@final
class VerifyReport:
    """What `verify()` found: every file was read whole and compared with its checksums."""

    @property
    def files(self) -> int:
        """Files that were read."""
    @property
    def bytes(self) -> int:
        """Bytes that were compared with checksums."""
    @property
    def damage(self) -> list[SutraError]:
        """Every damaged place, as the error that reading it would raise; at most 10,000 of them."""
    @property
    def unlisted_damage(self) -> int:
        """Damaged places beyond those that are listed."""
    @property
    def is_sound(self) -> bool:
        """Whether nothing is damaged."""

_FilterLike: TypeAlias = Filter | _FilterArguments | Mapping[str, Any]

@final
class ExportReport:
    """What an export holds."""

    @property
    def concepts(self) -> int:
        """Concepts."""
    @property
    def associations(self) -> int:
        """Associations."""
    @property
    def bytes(self) -> int:
        """Bytes of all lines."""
    @property
    def epoch(self) -> int:
        """The number of the last transaction in it."""

@final
class ImportReport:
    """What an import did."""

    @property
    def concepts(self) -> int:
        """Concepts that were put."""
    @property
    def associations(self) -> int:
        """Associations that were put."""
    @property
    def transactions(self) -> int:
        """Transactions in which they were."""
    @property
    def epoch(self) -> int:
        """The number of the last of them, or of the store's last before."""

@final
class Loss:
    """Something that a repair could not save; `str()` says what in words."""

    @property
    def kind(self) -> str:
        """What it is, in one word.

        "concept", "number", "vector", "vectors", "created", "association", "associations",
        "accesses", "transactions", "log_end", "log", "segment", "deletions", "type_names",
        "options" or "past".
        """
    @property
    def path(self) -> str | None:
        """The file that it was lost from, if it was one."""
    @property
    def concept_id(self) -> str | None:
        """The concept that it is or was a part of, if its id is known."""

@final
class RepairReport:
    """What a repair found, saved and lost."""

    @property
    def files(self) -> int:
        """Files of the damaged store that were read."""
    @property
    def bytes(self) -> int:
        """Their bytes."""
    @property
    def damage(self) -> list[SutraError]:
        """Every damaged place, as the error that reading it would raise; at most 10,000 of them."""
    @property
    def unlisted_damage(self) -> int:
        """Damaged places beyond those that are listed."""
    @property
    def generation(self) -> int | None:
        """The generation of the manifest that was gone by; None where no manifest could be read."""
    @property
    def epoch(self) -> int:
        """The damaged store's last transaction that is in the repaired one."""
    @property
    def concepts_saved(self) -> int:
        """Concepts in the repaired store."""
    @property
    def vectors_saved(self) -> int:
        """Vectors in it."""
    @property
    def associations_saved(self) -> int:
        """Associations in it."""
    @property
    def concepts_lost(self) -> int:
        """Concepts that are known to be lost."""
    @property
    def vectors_lost(self) -> int:
        """Vectors that are known to be lost."""
    @property
    def associations_lost(self) -> int:
        """Associations that are known to be lost."""
    @property
    def losses(self) -> list[Loss]:
        """What was lost, each named as far as it could be; at most 10,000 of them."""
    @property
    def unnamed_losses(self) -> int:
        """Losses beyond those that are named."""
    @property
    def is_whole(self) -> bool:
        """Whether everything of the damaged store's newest state was saved."""

@disjoint_base
class Reader:
    """The reading half of a store.

    A `GraphStore` reads its newest state, a `Snapshot` always the same.
    """

    @property
    def epoch(self) -> int:
        """The number of the last transaction that is read; 0 before the first."""
    def export_jsonl(self, path: str | os.PathLike[str]) -> ExportReport:
        """Export all concepts and associations to a file, one JSON object a line, without loss.

        The file gets its name, in place of one that has it, when it is whole and durable.
        `GraphStore.import_jsonl` reads it; docs/export-format.md describes the lines. The store's
        own handle exports all namespaces, a snapshot and a handle on a namespace what they see.

        Args:
            path: The file, outside of any store's directory.

        Raises:
            InvalidArgumentError: The path is no file's, or leads into a store's directory, links
                followed.
        """
    def get_vector(self, concept_id: str) -> NDArray[np.float32] | None:
        """Return a concept's vector, a new array of shape (dim,), float32; None if it has none."""
    def get_vectors(self, ids: Iterable[str]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return the vectors of several concepts, and which of them have one.

        Returns:
            A matrix (len(ids), dim) of float32, with zeros where there is no vector, and a mask
            (len(ids),) of bool.
        """
    def get_concept(self, concept_id: str, *, vector: bool = True) -> StoredConcept | None:
        """Return a concept, or None; without its vector, faster, with `vector=False`."""
    def get_concepts(
        self, ids: Iterable[str], *, vector: bool = True
    ) -> list[StoredConcept | None]:
        """Return several concepts of one state, None for each that isn't there."""
    def contains(self, concept_id: str) -> bool:
        """Whether there is a concept with this id."""
    def __contains__(self, concept_id: str, /) -> bool: ...
    def __len__(self) -> int: ...
    def __bool__(self) -> Literal[True]: ...
    def __iter__(self) -> ConceptIds: ...
    def concept_ids(
        self,
        *,
        filter: Filter | _FilterArguments | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> list[str]:
        """Return the ids of concepts, in order of first put.

        Args:
            filter: A `Filter`, or a dict of its arguments; None: all.
            after: Only those behind this one, which must be there; None: from the first on.
            limit: At most so many; None: all.
        """
    def get_concepts_in_range(self, start: _Time, end: _Time) -> list[str]:
        """Return the ids of the concepts created in `start <= t < end`, by time.

        Times are seconds since the Unix epoch, or aware datetimes.
        """
    def get_neighbors(
        self,
        concept_id: str,
        *,
        direction: _Direction = "out",
        types: str | Iterable[str] | None = None,
    ) -> list[str]:
        """Return the distinct concepts that associations lead to, in order of first put.

        Args:
            concept_id: The concept; none of this id has no neighbours.
            direction: "out", "in" or "both".
            types: Only along associations of this type, or of these.
        """
    def get_associations(
        self,
        concept_id: str,
        *,
        direction: _Direction = "out",
        types: str | Iterable[str] | None = None,
    ) -> list[StoredAssociation]:
        """Return the associations at a concept, by source, target and type in order of first put.

        Args:
            concept_id: The concept; none of this id has no associations.
            direction: "out", "in" or "both".
            types: Only associations of this type, or of these.
        """
    def get_association(
        self, source_id: str, target_id: str, type: str = "semantic"
    ) -> StoredAssociation | None:
        """Return the association of a source, target and type, or None.

        The three are its key: without `type` the one of type "semantic" is looked up, and no other.
        `get_associations(source_id)` returns those of every type.
        """
    def association_types(self) -> list[str]:
        """Return the types that associations have had, in order of first use."""
    def find_paths(
        self,
        sources: str | Iterable[str],
        targets: str | Iterable[str],
        *,
        k: int = 5,
        max_depth: int = 6,
        direction: _Direction = "out",
        types: str | Iterable[str] | None = None,
        min_confidence: float = 0.0,
        max_visited: int = 1000000,
    ) -> list[Path]:
        """Return the best paths from any of some concepts to any of others, best first.

        A path's confidence is the product of its associations'; of equals the shorter is better. A
        path has at least one association and visits no concept twice. Without any, the list is
        empty.

        Args:
            sources: One id or several; those that don't exist are passed over, so that an unknown
                id has no paths.
            targets: Likewise.
            k: At most this many paths.
            max_depth: At most this many associations in a path, 0 to 64; longer ones are not found.
            direction: "out", "in" or "both": how a path runs along associations.
            types: Only associations of this type, or of these.
            min_confidence: Only associations of at least this confidence. One of confidence 0.0 is
                never followed: it is held impossible, and explains nothing.
            max_visited: Associations looked at before the search gives up, with a `RuntimeWarning`:
                what it returns then are paths, but there may be better or further ones.
        """
    def search_text(
        self,
        query: str | Iterable[str],
        limit: int = 10,
        *,
        operator: _Operator = "or",
        filter: _FilterLike | None = None,
    ) -> list[str]:
        """Return the ids of the best concepts for some words, best first.

        Args:
            query: Free text, or a list of words; no character has a meaning of its own.
            limit: At most this many.
            operator: "or": any of the words; "and": all of them.
            filter: A `Filter`, or a dict of its arguments.
        """
    def search_text_scored(
        self,
        query: str | Iterable[str],
        limit: int = 10,
        *,
        operator: _Operator = "or",
        k1: float = 1.2,
        b: float = 0.75,
        filter: _FilterLike | None = None,
    ) -> list[Hit]:
        """Return the best concepts for some words with their BM25 scores, best first.

        Args:
            query: Free text, or a list of words.
            limit: At most this many.
            operator: "or": any of the words; "and": all of them.
            k1: Term saturation, 0.0 or more.
            b: Length normalisation, 0.0 to 1.0.
            filter: A `Filter`, or a dict of its arguments.
        """
    def search_vector(
        self,
        query: ArrayLike,
        k: int = 10,
        *,
        filter: _FilterLike | None = None,
        recall: float = 1.0,
    ) -> list[Hit]:
        """Return the concepts whose vectors are nearest to a query's, best first.

        Scores are larger for nearer: cosine in [-1, 1], dot product, or negated Euclidean distance.

        Args:
            query: A vector of the store's dimension.
            k: At most this many.
            filter: A `Filter`, or a dict of its arguments.
            recall: How many of the nearest are to be found, as a share, on average: 1.0 for all of
                them; less, to search by the indexes that the background builds.
        """
    def search_vectors(
        self,
        queries: ArrayLike,
        k: int = 10,
        *,
        filter: _FilterLike | None = None,
        recall: float = 1.0,
    ) -> list[list[Hit]]:
        """Return what `search_vector` would for each row of a matrix (n, dim), in one go."""
    def search_hybrid(
        self,
        text: str | Iterable[str] | None = None,
        vector: ArrayLike | None = None,
        k: int = 10,
        *,
        filter: _FilterLike | None = None,
        recall: float = 1.0,
    ) -> list[HybridHit]:
        """Return the best concepts for words and a vector together, fused by reciprocal rank.

        Args:
            text: Free text, a list of words, or None.
            vector: A vector of the store's dimension, or None; one of the two is needed.
            k: At most this many.
            filter: A `Filter`, or a dict of its arguments.
            recall: As for `search_vector`, of what is nearest to the vector, 1,000 concepts or `k`.
        """
    def audit_vectors(
        self,
        queries: ArrayLike | None = None,
        *,
        sample: int = 256,
        k: int = 10,
        recall: float = 0.98,
        filter: _FilterLike | None = None,
        seed: int = 0,
    ) -> _Audit:
        """Measure what share of the nearest `search_vector` finds, on queries answered exactly too.

        It tells of the indexes of now, and of the vectors that have none yet, which are scanned. A
        hit counts where its score is no less than that of the last of the `k` nearest.

        Args:
            queries: A vector of the store's dimension a row; None for some of the stored vectors,
                none of which finds itself. Real queries most often find somewhat less than these.
            sample: How many of the stored vectors, at most.
            k: As for `search_vector`.
            recall: As for `search_vector`: what the searches aim for.
            filter: As for `search_vector`; stored vectors are sampled whether it holds or not.
            seed: Of the choice of vectors.

        Returns:
            "queries" that there was something to find for, "recall", the mean of the shares found,
            1 where there are none, its standard "error", and "worst", the least of the shares.
        """
    def distance(self, a: str, b: str) -> float | None:
        """Return how far apart two concepts' vectors are; None when either has none.

        Smaller is nearer: 1 - cosine (0.0 to 2.0), the negated dot product, or the Euclidean
        distance, by the store's metric.
        """

@final
class Snapshot(Reader):
    """One state of a store, to be read at leisure: later commits do not show in it.

    Files that only it still needs are kept until it is closed, or is no longer referred to.
    """

    def valid_at(self, time: _Time) -> Snapshot:
        """Return the same state, restricted to what holds at a time.

        A concept or association holds while `valid_from <= time < valid_to`, an association only
        while both its concepts do. Reads without this find what holds at any time.

        Args:
            time: Seconds since the Unix epoch, or an aware datetime.
        """
    def close(self) -> None:
        """Let go of the state; a second call does nothing."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> Literal[False]: ...

@final
class Ticket:
    """A transaction that is committed, but perhaps not yet durable; `commit_async()` makes it."""

    @property
    def epoch(self) -> int:
        """The transaction's number."""
    @property
    def is_durable(self) -> bool:
        """Whether the transaction is known to survive power loss."""
    def wait(self) -> int:
        """Return once the transaction survives power loss, with its number.

        Raises:
            PoisonedError: A sync has failed; it may or may not be there when the store is opened
                again.
        """

@final
class Transaction:
    """Several writes that become visible, and durable, together.

    It reads the state that it began with, and its own writes. Used with `with`, it commits at the
    end of the block, or leaves nothing behind when the block raises. If something that it read by
    id was changed meanwhile, committing raises `ConflictError`: run it again.
    """

    def get_concept(self, concept_id: str, *, vector: bool = True) -> StoredConcept | None:
        """Return a concept as the transaction would leave it."""
    def get_vector(self, concept_id: str) -> NDArray[np.float32] | None:
        """Return a concept's vector as the transaction would leave it."""
    def contains(self, concept_id: str) -> bool:
        """Whether there would be a concept with this id."""
    def __contains__(self, concept_id: str, /) -> bool: ...
    def get_associations(
        self,
        concept_id: str,
        *,
        direction: _Direction = "out",
        types: str | Iterable[str] | None = None,
    ) -> list[StoredAssociation]:
        """Return the associations at a concept as the transaction would leave them."""
    def get_association(
        self, source_id: str, target_id: str, type: str = "semantic"
    ) -> StoredAssociation | None:
        """Return the association of a key as the transaction would leave it, or None."""
    def put_concept(
        self,
        concept_id: str,
        content: str = "",
        vector: ArrayLike | None = None,
        *,
        created: _Time | None = None,
        last_accessed: _Time | None = None,
        access_count: int = 0,
        strength: float = 1.0,
        confidence: float = 1.0,
        source: str | None = None,
        category: str | None = None,
        attributes: _Attributes | None = None,
        valid_from: _Time | None = None,
        valid_to: _Time | None = None,
        expires: _Expiry | None = None,
    ) -> None:
        """Put a concept, in place of any of its id; see `GraphStore.put_concept`."""
    def put_concepts(
        self,
        ids: Iterable[str],
        contents: str | _Texts | None = None,
        vectors: _Vectors | None = None,
        *,
        created: _Time | _Times | None = None,
        last_accessed: _Time | _Times | None = None,
        access_counts: int | _Counts | None = None,
        strengths: float | _Floats | None = None,
        confidences: float | _Floats | None = None,
        sources: str | _Texts | None = None,
        categories: str | _Texts | None = None,
        attributes: _Attributes | Sequence[_Attributes | None] | None = None,
        valid_from: _Time | _Times | None = None,
        valid_to: _Time | _Times | None = None,
        expires: _Expiry | _Expiries | None = None,
    ) -> None:
        """Put several concepts; see `GraphStore.put_concepts`."""
    def add_vector(self, concept_id: str, embedding: ArrayLike) -> None:
        """Set a concept's vector; makes a bare concept when there is none."""
    def update_concept(self, concept_id: str, **fields: Unpack[_ConceptFields]) -> None:
        """Change some fields of a concept; see `GraphStore.update_concept`."""
    def delete(self, concept_id: str) -> bool:
        """Delete a concept with its associations; return whether it was there."""
    def add_association(
        self,
        source_id: str,
        target_id: str,
        type: str = "semantic",
        *,
        weight: float = 1.0,
        confidence: float = 1.0,
        source: str | None = None,
        attributes: _Attributes | None = None,
        created: _Time | None = None,
        last_used: _Time | None = None,
        create_missing: bool = False,
        valid_from: _Time | None = None,
        valid_to: _Time | None = None,
        expires: _Expiry | None = None,
    ) -> None:
        """Put an association, in place of any of its key; see `GraphStore.add_association`."""
    def add_associations(
        self,
        source_ids: Iterable[str],
        target_ids: Iterable[str],
        *,
        types: str | _Texts | None = None,
        weights: float | _Floats | None = None,
        confidences: float | _Floats | None = None,
        sources: str | _Texts | None = None,
        attributes: _Attributes | Sequence[_Attributes | None] | None = None,
        created: _Time | _Times | None = None,
        last_used: _Time | _Times | None = None,
        create_missing: bool = False,
        valid_from: _Time | _Times | None = None,
        valid_to: _Time | _Times | None = None,
        expires: _Expiry | _Expiries | None = None,
    ) -> None:
        """Put several associations; see `GraphStore.add_associations`."""
    def delete_association(self, source_id: str, target_id: str, type: str = "semantic") -> None:
        """Delete an association; one that isn't there is passed over."""
    def commit(self) -> int:
        """Commit all writes, with the transaction's durability; return the transaction's number."""
    def commit_async(self) -> Ticket:
        """Commit all writes, and return before they are durable, with a ticket that tells when.

        They are visible and in the log on return, so they survive the death of the process; the
        sync that makes them survive power loss begins in the background, and one serves many
        transactions.
        """
    def rollback(self) -> None:
        """Drop all writes; does nothing once it has ended."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> Literal[False]: ...

@final
class GraphStore(Reader):
    """A store of concepts and associations, found by id, vector, words and time.

    Any number of handles, in any number of threads and processes, may be open on one store. Reads
    see the newest committed state and never wait for a writer.

    Args:
        path: The store's directory; ":memory:" keeps it in memory.
        vector_dimension: Components of every vector, 1 to 65,535. None, as for the other options
            that are fixed when a store is made (metric, vector_storage, analyzer): as the store has
            it; of a new store, 384.
        create: Make the store when there is none.
        read_only: Never write.
        exclusive: Keep the write lock as long as it is open, which shuts other writers out.
        timeout: Seconds to wait for the write lock.
        durability: What a single call outside a transaction promises when it returns. "sync": it
            survives power loss; "interval": it survives the death of the process, and power loss
            once the interval has passed; "buffered": it survives the death of the process, and
            power loss after a later save.
            Batches, transactions, `save()` and leaving `with` are "sync".
        interval_ms: Milliseconds of the interval.
        metric: "cosine" (the default of a new store), "dot" or "euclidean".
        vector_storage: "f32" (the default; vectors come back bit-exact) or "f16" (half the bytes).
        use_compression: Whether contents of 256 bytes and more are compressed (LZ4) where that
            saves an eighth, from now on. Attributes, sources and categories are stored as they are.
            None: as the store has it; of a new store, True.
        analyzer: Of the word index: "english" (the default) or "simple".
        retention: Seconds, or a timedelta, for which states of the past can be read: 0 keeps
            nothing, `math.inf` everything. It is the store's: a change holds for all handles from
            then on. None: as the store has it, which is 0 at first.
        allow_network: Whether it may be written to on a network file system; then one machine
            alone may have it open.
    """

    def __new__(
        cls,
        path: str | PathLike[str],
        vector_dimension: int | None = None,
        *,
        create: bool = True,
        read_only: bool = False,
        exclusive: bool = False,
        timeout: float = 5.0,
        durability: _Durability = "interval",
        interval_ms: float = 50,
        metric: Literal["cosine", "dot", "euclidean"] | None = None,
        vector_storage: Literal["f32", "f16"] | None = None,
        use_compression: bool | None = None,
        analyzer: Literal["english", "simple"] | None = None,
        retention: float | timedelta | None = None,
        allow_network: bool = False,
    ) -> Self: ...
    def add_vector(self, concept_id: str, embedding: ArrayLike) -> int:
        """Set a concept's vector; makes a bare concept when there is none of this id.

        Args:
            concept_id: 1 to 1,024 bytes of UTF-8.
            embedding: A vector of the store's dimension, all components finite.

        Returns:
            The number of the transaction.
        """
    def add_vectors(self, ids: Iterable[str], matrix: ArrayLike) -> int:
        """Set several concepts' vectors in one durable transaction; return its number.

        Args:
            ids: The concepts; missing ones are made, bare.
            matrix: (len(ids), dim), or a sequence of vectors.
        """
    def put_concept(
        self,
        concept_id: str,
        content: str = "",
        vector: ArrayLike | None = None,
        *,
        created: _Time | None = None,
        last_accessed: _Time | None = None,
        access_count: int = 0,
        strength: float = 1.0,
        confidence: float = 1.0,
        source: str | None = None,
        category: str | None = None,
        attributes: _Attributes | None = None,
        valid_from: _Time | None = None,
        valid_to: _Time | None = None,
        expires: _Expiry | None = None,
    ) -> int:
        """Put a concept, in place of any of its id; return the number of the transaction.

        Args:
            concept_id: 1 to 1,024 bytes of UTF-8.
            content: The text that is searched.
            vector: A vector of the store's dimension, or None.
            created: Seconds since the epoch, or an aware datetime. None: as it was, or now.
            last_accessed: Likewise; None: never.
            access_count: How often it was accessed.
            strength: How well it is remembered, 0.0 or more.
            confidence: How sure it is, 0.0 to 1.0.
            source: Where it was learned.
            category: What it is filed under.
            attributes: A dict of what JSON can hold.
            valid_from: From when on what it says holds: seconds since the epoch, or an aware
                datetime. None: since ever. See `Snapshot.valid_at`.
            valid_to: Likewise, up to when, exclusive; None: for ever.
            expires: When no read finds it any more, and it is deleted: seconds since the epoch, an
                aware datetime, or a timedelta from now. None: never.
        """
    def put_concepts(
        self,
        ids: Iterable[str],
        contents: str | _Texts | None = None,
        vectors: _Vectors | None = None,
        *,
        created: _Time | _Times | None = None,
        last_accessed: _Time | _Times | None = None,
        access_counts: int | _Counts | None = None,
        strengths: float | _Floats | None = None,
        confidences: float | _Floats | None = None,
        sources: str | _Texts | None = None,
        categories: str | _Texts | None = None,
        attributes: _Attributes | Sequence[_Attributes | None] | None = None,
        valid_from: _Time | _Times | None = None,
        valid_to: _Time | _Times | None = None,
        expires: _Expiry | _Expiries | None = None,
    ) -> int:
        """Put several concepts in one durable transaction; return its number.

        Each argument but `ids` is one value for all, or a sequence with a value (or None) for each.
        Where an id stands more than once, its last row wins, as if they were put one after another.

        Args:
            ids: The concepts.
            contents: Their texts.
            vectors: (len(ids), dim), or a sequence of vectors and None.
            created: As in `put_concept`, like all that follow.
            last_accessed: Times.
            access_counts: Counts.
            strengths: Numbers.
            confidences: Numbers.
            sources: Texts.
            categories: Texts.
            attributes: Dicts.
            valid_from: Times.
            valid_to: Times.
            expires: Times, or timedeltas from now.
        """
    def update_concept(self, concept_id: str, **fields: Unpack[_ConceptFields]) -> int:
        """Change some fields of a concept; return the number of the transaction.

        Args:
            concept_id: The concept, which must be there.
            **fields: Any of content, vector, strength, confidence, source, category, valid_from,
                valid_to, expires, attributes; None removes a vector, source, category or time.
        """
    def delete(self, concept_id: str) -> bool:
        """Delete a concept with its vector, words and associations; return whether it was there."""
    def delete_many(self, ids: Iterable[str]) -> int:
        """Delete several concepts in one durable transaction; return its number.

        Those that aren't there are passed over.
        """
    def erase(self, concept_id: str) -> bool:
        """Delete a concept, and rewrite the files so that none holds anything of it.

        No earlier state has it any more, either. Takes as long as a compaction. Returns whether it
        was there.
        """
    def access(self, concept_id: str, strength: float | None = None) -> int:
        """Count an access to a concept; return the number of the transaction.

        Args:
            concept_id: The concept, which must be there.
            strength: How well it is remembered from now on; None: as before.
        """
    def add_association(
        self,
        source_id: str,
        target_id: str,
        type: str = "semantic",
        *,
        weight: float = 1.0,
        confidence: float = 1.0,
        source: str | None = None,
        attributes: _Attributes | None = None,
        created: _Time | None = None,
        last_used: _Time | None = None,
        create_missing: bool = False,
        valid_from: _Time | None = None,
        valid_to: _Time | None = None,
        expires: _Expiry | None = None,
    ) -> int:
        """Put an association, in place of any of its source, target and type.

        Args:
            source_id: The concept it starts at.
            target_id: The concept it points to.
            type: Any text of 1 to 1,024 bytes.
            weight: How strong it is, 0.0 or more.
            confidence: How sure it is, 0.0 to 1.0.
            source: Where it was learned.
            attributes: A dict of what JSON can hold.
            created: Seconds since the epoch, or an aware datetime. None: as it was, or now.
            last_used: Likewise; None: never.
            create_missing: Make missing concepts, bare, instead of raising.
            valid_from: As in `put_concept`, like all that follow.
            valid_to: Up to when it holds.
            expires: When it expires.

        Returns:
            The number of the transaction.

        Raises:
            ConceptNotFoundError: It names the missing concept.
        """
    def add_associations(
        self,
        source_ids: Iterable[str],
        target_ids: Iterable[str],
        *,
        types: str | _Texts | None = None,
        weights: float | _Floats | None = None,
        confidences: float | _Floats | None = None,
        sources: str | _Texts | None = None,
        attributes: _Attributes | Sequence[_Attributes | None] | None = None,
        created: _Time | _Times | None = None,
        last_used: _Time | _Times | None = None,
        create_missing: bool = False,
        valid_from: _Time | _Times | None = None,
        valid_to: _Time | _Times | None = None,
        expires: _Expiry | _Expiries | None = None,
    ) -> int:
        """Put several associations in one durable transaction; return its number.

        Each keyword argument is one value for all, or a sequence with a value (or None) for each.
        Where a key stands more than once, its last row wins, as if they were put one after another.

        Args:
            source_ids: The concepts they start at.
            target_ids: The concepts they point to.
            types: As in `add_association`, like all that follow.
            weights: Numbers.
            confidences: Numbers.
            sources: Where they were learned.
            attributes: Dicts.
            created: Times.
            last_used: Times.
            create_missing: Make missing concepts, bare, instead of raising.
            valid_from: Times.
            valid_to: Times.
            expires: Times, or timedeltas from now.
        """
    def delete_association(self, source_id: str, target_id: str, type: str = "semantic") -> bool:
        """Delete the association of a source, target and type; return whether it was there.

        Those of the other types between the two stay; `type` is "semantic" unless given.
        """
    def transaction(self, *, durability: _Durability = "sync") -> Transaction:
        """Begin a transaction; with `with`, it commits at the end of the block.

        Args:
            durability: What its commit promises: "sync", "interval" or "buffered".
        """
    def snapshot(
        self,
        *,
        epoch: int | None = None,
        time: _Time | None = None,
        valid_at: _Time | None = None,
    ) -> Snapshot:
        """Take a snapshot: the state as of now, or of a moment that the retention keeps.

        Making one of the past takes time in proportion to what was written since: read several
        things from one.

        A moment that is asked for shows what had not expired by then: by the commit of the epoch,
        the newest one too, or by the time. The state as of now shows nothing that has expired.

        Args:
            epoch: Right after the transaction of this number.
            time: After the last transaction committed by then: seconds since the Unix epoch, or an
                aware datetime.
            valid_at: Only what holds at this time, wherever the moment is; see `Snapshot.valid_at`.

        Raises:
            BeyondRetentionError: The store does not keep that moment.
        """
    def undo(self, expected: int | None = None) -> int:
        """Take the last transaction back by another, durable one; return that one's number.

        Needs a retention that keeps the state before. Taking the new transaction back restores what
        it took back. Deletions of what had expired are passed over, and nothing that has expired
        comes back. A handle on a namespace takes back only what was done in it.

        Args:
            expected: Only if this is still the last transaction's number.

        Raises:
            NotLastError: Another transaction is the last, or it was made in another namespace.
            BeyondRetentionError: The store does not keep what was before.
        """
    @property
    def retention(self) -> float:
        """Seconds for which states of the past can be read; `math.inf`: all since it was set."""
    def set_retention(self, retention: float | timedelta) -> None:
        """Keep the past for another time from now on, in all handles.

        Args:
            retention: Seconds, or a timedelta; 0 keeps nothing, `math.inf` everything from now on.
        """
    def namespace(self, name: str) -> GraphStore:
        """Return a handle on a namespace: a store within the store, for a user or a session, say.

        Its reads, searches and writes concern what is in it alone, under ids of its own, with word
        statistics of its own. It begins empty, and needs not be made. The store's own handle is on
        the default namespace, which has no name. Closing it closes nothing else; with the store it
        is closed, too. Snapshots of the past, `undo`, retention and maintenance are the whole
        store's, and so are the names of association types.

        Args:
            name: 1 to 1,024 bytes of UTF-8.
        """
    @property
    def namespace_name(self) -> str:
        """The namespace that this handle is on; "" for the default one."""
    def namespaces(self) -> list[str]:
        """Return the names of namespaces that have concepts, sorted, without the default one.

        One whose concepts have all expired is not among them.
        """
    def delete_namespace(self, name: str) -> int:
        """Delete all concepts of a namespace durably, at once; return how many there were."""
    def erase_namespace(self, name: str) -> int:
        """Delete a namespace, and rewrite the files so that none holds anything of it.

        Its name and its past included, as `erase` does it of a concept. Returns how many concepts
        were in it.
        """
    def delete_expired(self) -> int:
        """Delete all that has expired, to give its space back; return how much that was.

        Reads pass over it from the moment that it expires, and the background deletes it soon
        after.

        Returns:
            How many concepts and associations were deleted.
        """
    def stats(self) -> _Stats:
        """Return what the store holds and how it is doing, by name."""
    def save(self) -> None:
        """Make all that was committed survive power loss; on return it does."""
    def flush(self) -> None:
        """Write the log's tail to a segment; happens by itself in the background, too."""
    def compact(self) -> None:
        """Delete what has expired, and rewrite all segments as one, without what is dead."""
    def index_vectors(self) -> int:
        """Build the indexes for approximate search that are missing; return how many were built.

        Happens by itself in the background, too, for segments of 4,096 vectors and more; what that
        or another process is building is waited for. It takes about 120 microseconds a vector of
        384 components, on half of the cores; Ctrl-C stops it.
        """
    def verify(self) -> VerifyReport:
        """Read every file whole, compare all checksums, and report what is damaged."""
    def backup(self, path: str | os.PathLike[str]) -> int:
        """Make a backup in a new or empty directory while reads and writes go on; return its epoch.

        The backup is a store of its own, durable on return: open it as any other. All of it was
        compared with its checksums. One that was cut short is no store, and the next to the same
        path takes its place.

        Args:
            path: A new or empty directory, or what a backup left that was cut short.

        Raises:
            CorruptionError: the store is damaged; there is no backup.
            NotAStoreError: the directory has anything else in it, or a backup is being made there.
            InvalidArgumentError: the store is in memory; the path is empty or has a NUL, or leads
                into this store's directory or another's, links followed.
        """
    def import_jsonl(self, path: str | os.PathLike[str]) -> ImportReport:
        """Import the export in a file, as `export_jsonl` writes it.

        Puts its concepts and associations, each in place of any of the same id or key; what the
        store has besides stays. Whether the file is whole is known before anything is put. It goes
        in by transactions of bounded size, all durable on return; when a line is refused, those
        before stay, and to import the file again puts the same once more.

        Args:
            path: The file. Its vectors must have the store's dimension.

        Raises:
            InvalidExportError: A line is not what an export has there; `line` says which.
        """
    def close(self) -> None:
        """Save and close; a second call does nothing. A handle on a namespace only saves."""
    @property
    def path(self) -> str:
        """The store's directory, as it was given."""
    @property
    def vector_dimension(self) -> int:
        """Components of every vector."""
    @property
    def metric(self) -> Literal["cosine", "dot", "euclidean"]:
        """How vectors are compared: "cosine", "dot" or "euclidean"."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> Literal[False]: ...

@final
class VectorIndex:
    """An index over vectors, without a store: finds the rows most similar to a query, by ordinal.

    It keeps a copy of the vectors, 4 bytes a component (2 of float16), so that no one can change
    them under a search; `nbytes` says what an approximate index adds. Building takes some 60 µs of
    one core a vector of 384 components, on all cores, and can't be interrupted. An index never
    changes, and any number of threads may search it at once.

    Args:
        vectors: A matrix (n, dim). float32 and float16 are kept as they are, other numbers become
            float32.
        metric: "cosine", "dot", or "euclidean" (the negated distance), which is exact only.
        seed: Of the random numbers that building draws: the same index for the same seed.
        approximate: Whether searches may aim for less than all of the best; with False nothing is
            built, and each search compares all rows.

    Raises:
        InvalidVectorError: `vectors` is no matrix of finite numbers.
        InvalidArgumentError: There is no such metric, or no approximate search by it.
    """

    def __new__(
        cls,
        vectors: ArrayLike,
        metric: Literal["cosine", "dot", "euclidean"] = "cosine",
        *,
        seed: int = 0,
        approximate: bool = True,
    ) -> Self: ...
    @staticmethod
    def from_bytes(
        data: bytes,
        vectors: ArrayLike,
        metric: Literal["cosine", "dot", "euclidean"] = "cosine",
    ) -> VectorIndex:
        """Lay an index that `to_bytes` gave over the vectors that it was built of.

        Args:
            data: What `to_bytes` returned; it is copied.
            vectors: As for building, the same rows in the same order. Their number and dimension
                are checked; with other rows the index finds what is not the best.
            metric: The one that it was built for.

        Raises:
            CorruptionError: The bytes are no index, or not all of one.
            FormatVersionError: Another version of the library built it.
            InvalidArgumentError: It was built of other vectors, or for another metric.
        """
    def to_bytes(self) -> bytes:
        """Return the index without its vectors, for `from_bytes`; these are for the caller to keep.

        Raises:
            InvalidArgumentError: It was made with `approximate=False`, so there is nothing to keep.
        """
    def search(
        self,
        query: ArrayLike,
        k: int = 10,
        *,
        recall: float = 0.98,
        only: ArrayLike | None = None,
        exclude: ArrayLike | None = None,
    ) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
        """Return the ordinals and scores of the `k` rows most similar to a query, best first.

        Equal scores are in the order of rows. There are fewer where fewer rows are selected.

        Args:
            query: A vector of the index's dimension.
            k: At most this many.
            recall: What share of the best `k` to aim for, above 0 and up to 1: met on average on a
                sample of the index's own vectors, and no bound. Others find somewhat less; of
                the best ten, the default found at least 0.95 on all data that it was tried on. The
                search is exact at 1, and where few rows are selected.
            only: Ordinals of the rows to look at, or a mask with a bool for each row.
            exclude: Ordinals of rows to leave out, or a mask; both may be given.
        """
    def search_batch(
        self,
        queries: ArrayLike,
        k: int = 10,
        *,
        recall: float = 0.98,
        only: ArrayLike | None = None,
        exclude: ArrayLike | None = None,
        threads: int | None = None,
    ) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
        """Return what `search` would for each row of a matrix (n, dim), as two matrices (n, k).

        Where a query has fewer than `k` hits, its row ends with ordinals 2**32 - 1 and scores -inf.

        Args:
            queries: A vector of the index's dimension a row.
            k: As many for each.
            recall: As for `search`.
            only: As for `search`, for all queries.
            exclude: As for `search`, for all queries.
            threads: How many to search with; None for as many as there are cores.
        """
    def explain(
        self,
        query: ArrayLike,
        k: int = 10,
        *,
        recall: float = 0.98,
        only: ArrayLike | None = None,
        exclude: ArrayLike | None = None,
    ) -> _Explained:
        """Return what a search does, for the same arguments: how many lists and blocks it looks at.

        Returns:
            "lists" whose blocks' centres are compared, "blocks" of up to 32 rows that are scanned,
            "coded" rows that are compared by the codes of all components, "exact" rows that are
            compared by their components, and "is_exact": whether no other row can be as good as
            the hits: each is compared, or the bounds of its code rule it out.
        """
    def audit(
        self,
        queries: ArrayLike | None = None,
        *,
        sample: int = 256,
        k: int = 10,
        recall: float = 0.98,
        only: ArrayLike | None = None,
        exclude: ArrayLike | None = None,
        seed: int = 0,
    ) -> _Audit:
        """Measure what share of the best `k` searches find, on queries answered exactly, too.

        Args:
            queries: A vector of the index's dimension a row; None for some of the index's own rows,
                none of which finds itself. Real queries most often find somewhat less than these.
            sample: How many of its own rows.
            k: As for `search`.
            recall: As for `search`.
            only: As for `search`.
            exclude: As for `search`.
            seed: Of the choice of rows.

        Returns:
            "queries" that there was something to find for, "recall", the mean of the shares found,
            1 where there are none, its standard "error", and "worst", the least of the shares.
        """
    def __len__(self) -> int: ...
    @property
    def dimension(self) -> int:
        """Number of components of each vector."""
    @property
    def metric(self) -> str:
        """How vectors are compared: "cosine", "dot" or "euclidean"."""
    @property
    def approximate(self) -> bool:
        """Whether searches may aim for less than all of the best."""
    @property
    def nbytes(self) -> int:
        """Bytes that the index takes beside its copy of the vectors."""

@final
class StaticEmbedder:
    """Embeds texts by a table of token vectors: no network, and the same answer everywhere."""

    def __new__(cls, model_path: str | PathLike[str]) -> Self: ...
    @property
    def model_id(self) -> str:
        """The name of the model's recipe: vectors of two models with one name may be compared."""
    @property
    def dim(self) -> int:
        """Number of components of each vector."""
    def embed_documents(self, texts: Iterable[str]) -> NDArray[np.float32]:
        """Return the texts' vectors, (len(texts), dim) of float32, each of length 1.

        A text without a known word gets zeros, which are similar to nothing.
        """
    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return the text's vector, (dim,) of float32: the one that a document would get."""

@final
class Entity:
    """One mention of a thing."""

    @property
    def name(self) -> str:
        """The noun phrase in normal form: lower case, singular, without articles."""
    @property
    def span(self) -> tuple[int, int]:
        """Where it is mentioned."""

@final
class Relation:
    """A statement of the text."""

    @property
    def subject(self) -> str:
        """Name of the first entity."""
    @property
    def relation(self) -> str:
        """Name of the relation, such as "is_a", "causes" or "part_of"."""
    @property
    def object(self) -> str:
        """Name of the second entity."""
    @property
    def kind(
        self,
    ) -> Literal["semantic", "causal", "temporal", "hierarchical", "compositional"]:
        """One of "semantic", "causal", "temporal", "hierarchical" and "compositional"."""
    @property
    def negated(self) -> bool:
        """Whether the text denies it."""
    @property
    def confidence(self) -> float:
        """How surely the text says so, over 0.0 to 1.0."""
    @property
    def sentence(self) -> tuple[int, int]:
        """The span of the sentence that says so."""

@final
class Extraction:
    """What `extract` found, each list in the order of the text."""

    @property
    def sentences(self) -> list[tuple[int, int]]:
        """The spans of the sentences."""
    @property
    def entities(self) -> list[Entity]:
        """Each mention of an entity, those outside relations too."""
    @property
    def relations(self) -> list[Relation]:
        """The statements."""

def extract(text: str) -> Extraction:
    """Find the sentences, entities and typed relations of an English text, by rules."""

def analyze(text: str, analyzer: Literal["english", "simple"] = "english") -> list[str]:
    """Return the terms that the word index makes of a text, in its order.

    Args:
        text: Any text.
        analyzer: "english" (stop words and stemming) or "simple".
    """

def open_untrusted(path: str | os.PathLike[str], *, max_bytes: int = 4294967296) -> GraphStore:
    """Open a store that came from elsewhere, and trust none of its bytes.

    It is opened for reading only, as it is at this moment, and does not follow later commits. Every
    file is read to memory, none is mapped, and all of it is verified before this returns:
    checksums, and what they can't tell, whether records decode and every index says of each row
    what the row says. Whatever the bytes are, they are opened or refused by an exception.

    Args:
        path: The store's directory.
        max_bytes: Bytes that its files may have together, with what their contents unpack to.

    Raises:
        UntrustedTooLargeError: It has more than `max_bytes`.
        CorruptionError: Bytes are not what a store writes.
        StoreNotFoundError: There is no store at the path.
    """

def repair(damaged: str | os.PathLike[str], target: str | os.PathLike[str]) -> RepairReport:
    """Write everything that is still readable in a damaged store to a new one; say what is lost.

    The damaged store is only read. Each concept, vector, association and transaction stands by
    itself: what is damaged is left out, what lies beside it is saved. Indexes are made anew, so
    damage in them loses nothing. The new store is durable on return. Close the damaged one
    everywhere first. What a repair left that was cut short does not open, and the next to the same
    target takes its place.

    Args:
        damaged: The damaged store's directory.
        target: A new or empty directory, or what a repair left that was cut short.

    Raises:
        StoreNotFoundError: Nothing of a store is there.
        StoreLockedError: Another process writes to it.
        NotAStoreError: The target has anything else in it, or another process repairs to it; or the
            damaged store is itself what a repair or a backup left that was cut short.
        FormatVersionError: Another version of the library wrote the damaged store.
        InvalidArgumentError: One path leads into the other, or the target into another store.
    """
