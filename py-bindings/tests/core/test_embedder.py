"""The package's own embedder: real vectors, offline, the same each time; or a clear error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from sutra_core.errors import ModelNotFoundError
from sutra_core.nlp import Embedder, StaticEmbedder, choose_embedder, embedder
from sutra_core.nlp.embedder import embed_in_batches
from sutra_core.reasoning import ReasoningEngine
from sutra_storage import SutraError

if TYPE_CHECKING:
    from pathlib import Path


def test_likeness_of_meaning_is_likeness_of_vectors() -> None:
    own = StaticEmbedder()
    vectors = own.embed_documents(["a dog", "a wolf", "an unpaid invoice"])
    assert vectors.shape == (3, own.dim)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    assert own.embed_query("a dog").tobytes() == vectors[0].tobytes()
    assert own.model_id in repr(own)
    assert isinstance(own, Embedder)


def test_no_text_has_no_likeness() -> None:
    own = StaticEmbedder()
    assert not own.embed_documents(["", "\x00"]).any()
    assert own.embed_documents([]).shape == (0, own.dim)


def test_batches_change_no_bit() -> None:
    own = StaticEmbedder()
    texts = [f"text number {at} about dogs" for at in range(50)]
    whole = own.embed_documents(texts)
    assert embed_in_batches(own, texts, batch=7).tobytes() == whole.tobytes()
    assert embed_in_batches(own, []).shape == (0, own.dim)


def test_a_missing_model_is_an_error_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelNotFoundError, match="no embedding model"):
        StaticEmbedder(tmp_path / "missing.bin")
    monkeypatch.setattr(embedder, "MODEL_FILE", "missing.bin")
    with pytest.raises(ModelNotFoundError, match="cargo xtask setup") as raised:
        ReasoningEngine(tmp_path / "store")
    assert isinstance(raised.value, (SutraError, FileNotFoundError))
    assert not (tmp_path / "store").exists()
    with ReasoningEngine(tmp_path / "store", embedder="none") as engine:
        engine.learn("Dogs bark.")


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    bad = tmp_path / "bad.bin"
    bad.write_bytes(b"not a model" * 100)
    with pytest.raises(ValueError):  # noqa: PT011  # the message is the binding's
        StaticEmbedder(bad)


def test_none_is_chosen_by_name() -> None:
    assert choose_embedder("none") is None
    assert isinstance(choose_embedder(None), StaticEmbedder)
    own = StaticEmbedder()
    assert choose_embedder(own) is own
