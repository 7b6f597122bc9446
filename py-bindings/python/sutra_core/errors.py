"""What can go wrong above the store. Invariant: all of it is a `sutra_storage.SutraError`."""

from sutra_storage import SutraError

__all__ = ["EmbedderMismatchError", "ModelNotFoundError", "TextError"]


class ModelNotFoundError(SutraError, FileNotFoundError):
    """The embedder's model file is not there."""


class EmbedderMismatchError(SutraError, ValueError):
    """The store holds another embedder's vectors."""


class TextError(SutraError, ValueError):
    """A text that can't be learned or asked: empty, too long, or not Unicode."""
