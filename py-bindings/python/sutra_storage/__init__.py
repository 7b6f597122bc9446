"""An embedded store of concepts, associations, vectors and words.

One directory holds everything; nothing runs beside the process that opens it. What a transaction
wrote becomes visible together, survives together and is removed together.

Example:
    >>> import tempfile
    >>> import numpy as np
    >>> import sutra_storage
    >>> folder = tempfile.TemporaryDirectory()
    >>> with sutra_storage.GraphStore(folder.name, vector_dimension=3) as store:
    ...     _ = store.put_concept("dog", "a domesticated mammal that barks", [1.0, 0.2, 0.0])
    ...     _ = store.put_concept("wolf", "a wild mammal that howls", [0.9, 0.4, 0.0])
    ...     _ = store.add_association("dog", "wolf", type="descends_from", confidence=0.5)
    >>> with sutra_storage.GraphStore(folder.name) as store:
    ...     store.search_text("barking mammals")
    ...     store.get_neighbors("dog")
    ...     store.search_vector(np.array([0.9, 0.4, 0.0]), k=1)
    ...     store.find_paths("dog", "wolf")
    ['dog', 'wolf']
    ['wolf']
    [Hit(id='wolf', score=1.0)]
    [Path('dog' -descends_from-> 'wolf', confidence=0.5)]
    >>> folder.cleanup()

Errors have one base, `SutraError`, and a class for each thing that a caller can handle.
"""

from sutra_storage._native import (
    BeyondRetentionError,
    ConceptIds,
    ConceptNotFoundError,
    ConflictError,
    CorruptionError,
    Deadline,
    DeadlineError,
    ExportReport,
    Filter,
    ForkedError,
    FormatVersionError,
    GraphStore,
    Hit,
    HybridHit,
    ImportReport,
    InvalidArgumentError,
    InvalidExportError,
    InvalidVectorError,
    Leg,
    Loss,
    NetworkFileSystemError,
    NotAStoreError,
    NotLastError,
    OptionMismatchError,
    Path,
    PoisonedError,
    Reader,
    ReadOnlyError,
    RepairReport,
    Snapshot,
    StoreClosedError,
    StoredAssociation,
    StoredConcept,
    StoreFullError,
    StoreIOError,
    StoreLockedError,
    StoreNotFoundError,
    SutraError,
    Ticket,
    Transaction,
    TransactionTooLargeError,
    UntrustedTooLargeError,
    VectorIndex,
    VerifyReport,
    __version__,
    analyze,
    open_untrusted,
    repair,
)

__all__ = [
    "BeyondRetentionError",
    "ConceptIds",
    "ConceptNotFoundError",
    "ConflictError",
    "CorruptionError",
    "Deadline",
    "DeadlineError",
    "ExportReport",
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
    "RepairReport",
    "Snapshot",
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
    "open_untrusted",
    "repair",
]
