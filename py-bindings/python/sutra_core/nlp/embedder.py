"""Embedders: what turns texts into vectors.

Anything with two methods and two names is one. The one of the package is a table of token vectors,
read from a file that the wheel carries: it needs no network, and gives the same bits everywhere.
Invariant: a vector comes from a model, or there is none; nothing is made up in its place.
"""

from __future__ import annotations

import functools
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol, runtime_checkable

import numpy as np

from sutra_core.errors import ModelNotFoundError
from sutra_storage import _native

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MODEL_FILE: Final = "static-minilm.bin"


@runtime_checkable
class Embedder(Protocol):
    """What turns texts into vectors."""

    @property
    def model_id(self) -> str:
        """Names the model: vectors of two embedders of one name may be compared."""
        ...

    @property
    def dim(self) -> int:
        """Components of each vector, at least 1."""
        ...

    def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
        """Return the vectors of texts that are stored, ``(len(texts), dim)`` float32."""
        ...

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return the vector of a text that is searched for, ``(dim,)`` float32."""
        ...


class StaticEmbedder:
    """The embedder of the package: a weighted mean of the vectors of a text's tokens.

    A text without a known token has the zero vector, which is similar to nothing. Other vectors
    have length 1.

    Example:
        >>> from sutra_core.nlp import StaticEmbedder
        >>> embedder = StaticEmbedder()
        >>> vectors = embedder.embed_documents(["a dog", "a wolf", "an invoice"])
        >>> vectors.shape
        (3, 384)
        >>> bool(vectors[0] @ vectors[1] > vectors[0] @ vectors[2])
        True
    """

    def __init__(self, model_path: str | Path | None = None) -> None:
        """Read the model.

        Args:
            model_path: Its file; None: the one that the wheel carries.

        Raises:
            ModelNotFoundError: If there is no such file.
            ValueError: If the file is not a model, or damaged.
        """
        self._native = _load(carried_model() if model_path is None else Path(model_path))

    @property
    def model_id(self) -> str:
        """Names the model's recipe."""
        return self._native.model_id

    @property
    def dim(self) -> int:
        """Components of each vector: 384 in the package's own model."""
        return self._native.dim

    def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
        """Return the texts' vectors, ``(len(texts), dim)`` float32, computed on all cores."""
        return self._native.embed_documents(texts)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return the text's vector, ``(dim,)`` float32: the one that a document would get."""
        return self._native.embed_query(text)

    def __repr__(self) -> str:
        """Name the model."""
        return f"StaticEmbedder(model_id={self.model_id!r}, dim={self.dim})"


def carried_model() -> Path:
    """Return the path of the model that the wheel carries.

    Raises:
        ModelNotFoundError: If the package has none: it was not built by `cargo xtask setup`.
    """
    # Wheels are unpacked at installation, so the resource is a file.
    path = Path(str(resources.files("sutra_core"))) / "model" / MODEL_FILE
    if not path.is_file():
        raise ModelNotFoundError(
            f"the embedding model {path} is missing; run `cargo xtask setup`, which puts it"
            ' into the wheel, or choose embedder="none" to search by words and associations only'
        )
    return path


def choose_embedder(embedder: Embedder | Literal["none"] | None) -> Embedder | None:
    """Return the embedder that an argument asks for.

    Args:
        embedder: An embedder; None: the package's own; "none": no vectors at all.

    Raises:
        ModelNotFoundError: If the package's own is asked for, and its model is missing.
        TypeError: If it is no embedder.
    """
    if embedder is None:
        return StaticEmbedder()
    if isinstance(embedder, str):
        if embedder == "none":
            return None
        raise TypeError(f'embedder must be an Embedder, None or "none", not {embedder!r}')
    if not isinstance(embedder, Embedder):
        raise TypeError(
            f"{type(embedder).__name__} is no embedder: it needs model_id, dim, embed_documents"
            " and embed_query(text)"
        )
    return embedder


def embed_in_batches(
    embedder: Embedder, texts: Sequence[str], batch: int = 4096
) -> NDArray[np.float32]:
    """Return the vectors of any number of texts, a bounded number of them at a time.

    Raises:
        ValueError: If the embedder returns another shape than it promised.
    """
    vectors = np.empty((len(texts), embedder.dim), dtype=np.float32)
    for start in range(0, len(texts), batch):
        part = list(texts[start : start + batch])
        found = np.asarray(embedder.embed_documents(part), dtype=np.float32)
        if found.shape != (len(part), embedder.dim):
            raise ValueError(
                f"{embedder.model_id}: embed_documents returned shape {found.shape} for {len(part)}"
                f" texts of {embedder.dim} components"
            )
        vectors[start : start + len(part)] = found
    return vectors


def _load(path: Path) -> _native.StaticEmbedder:
    if not path.is_file():
        raise ModelNotFoundError(f"there is no embedding model at {path}")
    return _read(str(path), path.stat().st_mtime_ns)


# Models never change, and each takes some 16 MB: engines of one process share theirs.
@functools.lru_cache(maxsize=2)
def _read(path: str, _mtime_ns: int) -> _native.StaticEmbedder:
    return _native.StaticEmbedder(path)
