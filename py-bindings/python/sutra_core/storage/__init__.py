"""The store in terms of concepts and associations."""

from sutra_core.storage.reader import KnowledgeReader
from sutra_core.storage.rust_adapter import RustStorageAdapter

__all__ = ["KnowledgeReader", "RustStorageAdapter"]
