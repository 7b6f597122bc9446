"""The exceptions: one tree, builtins as second bases, data as attributes, messages that help."""

from __future__ import annotations

import copy
import errno
import os
import pickle
import sys
import threading
from typing import TYPE_CHECKING

import pytest

import sutra_storage
from sutra_storage import GraphStore, SutraError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BASES: dict[str, tuple[type[BaseException], ...]] = {
    "CorruptionError": (SutraError,),
    "StoreLockedError": (SutraError, TimeoutError, OSError),
    "ConflictError": (SutraError,),
    "NotLastError": (sutra_storage.ConflictError, SutraError),
    "ConceptNotFoundError": (SutraError, KeyError, LookupError),
    "InvalidArgumentError": (SutraError, ValueError),
    "InvalidVectorError": (sutra_storage.InvalidArgumentError, SutraError, ValueError),
    "StoreNotFoundError": (SutraError, FileNotFoundError),
    "NotAStoreError": (SutraError,),
    "FormatVersionError": (SutraError,),
    "OptionMismatchError": (SutraError, ValueError),
    "BeyondRetentionError": (SutraError, LookupError),
    "StoreFullError": (SutraError,),
    "PoisonedError": (SutraError,),
    "ReadOnlyError": (SutraError, PermissionError),
    "StoreClosedError": (SutraError, ValueError),
    "ForkedError": (SutraError,),
    "TransactionTooLargeError": (SutraError,),
    "UntrustedTooLargeError": (SutraError,),
    "InvalidExportError": (SutraError, ValueError),
    "StoreIOError": (SutraError, OSError),
    "NetworkFileSystemError": (SutraError,),
    "DeadlineError": (SutraError, TimeoutError, OSError),
}


def test_every_exception_is_in_the_tree() -> None:
    exported = {
        name
        for name in sutra_storage.__all__
        if isinstance(getattr(sutra_storage, name), type)
        and issubclass(getattr(sutra_storage, name), BaseException)
    }
    assert exported == {*BASES, "SutraError"}
    assert SutraError.__bases__ == (Exception,)


@pytest.mark.parametrize("name", BASES)
def test_an_exception_has_its_bases_and_its_public_name(name: str) -> None:
    found = getattr(sutra_storage, name)
    assert issubclass(found, BASES[name])
    assert (found.__module__, found.__qualname__) == ("sutra_storage", name)
    assert found.__doc__
    assert found.retryable is (name in {"StoreLockedError", "ConflictError", "DeadlineError"})
    raised = found("the message")
    assert str(raised) == "the message"
    assert repr(raised) == f"{name}('the message')"
    again = pickle.loads(pickle.dumps(raised))  # noqa: S301 - it was made here
    assert (type(again), again.args) == (found, raised.args)


def test_attributes_survive_a_pickle(tmp_path: Path) -> None:
    with GraphStore(tmp_path / "s", 2) as store:
        with pytest.raises(sutra_storage.ConceptNotFoundError) as missing:
            store.add_association("a", "b")
        with pytest.raises(sutra_storage.InvalidVectorError) as vector:
            store.add_vector("a", [1])
    with pytest.raises(sutra_storage.OptionMismatchError) as mismatch:
        GraphStore(tmp_path / "s", 3)
    with pytest.raises(sutra_storage.StoreNotFoundError) as absent:
        GraphStore(tmp_path / "none", create=False)
    for caught in (missing, vector, mismatch, absent):
        error = caught.value
        for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301
            assert type(again) is type(error)
            assert str(again) == str(error)
            assert (
                vars(again).items()
                >= {key: value for key, value in vars(error).items() if key != "__notes__"}.items()
            )


def test_a_missing_concept_reads_as_a_sentence() -> None:
    with GraphStore(":memory:", 2) as store:
        with pytest.raises(KeyError) as caught:
            store.access('it\'s "odd"')
        assert str(caught.value).startswith('there is no concept "it\'s \\"odd\\""')


def test_a_missing_concept_is_told_with_what_the_call_takes() -> None:
    with GraphStore(":memory:", 2) as store:
        calls: list[Callable[[], object]] = [
            lambda: store.access("a"),
            lambda: store.update_concept("a", content="x"),
        ]
        for call in calls:
            with pytest.raises(sutra_storage.ConceptNotFoundError) as caught:
                call()
            assert str(caught.value) == 'there is no concept "a"; put it first'
        with pytest.raises(sutra_storage.ConceptNotFoundError, match="create_missing=True"):
            store.add_association("a", "b")


def test_a_missing_store_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="create=True") as caught:
        GraphStore(tmp_path / "none", create=False)
    assert caught.value.errno == errno.ENOENT
    assert caught.value.filename == str(tmp_path / "none")
    assert isinstance(caught.value, sutra_storage.StoreNotFoundError)
    for create in (False, True):
        with pytest.raises(sutra_storage.StoreNotFoundError, match="open it for writing once"):
            GraphStore(tmp_path / "none", read_only=True, create=create)
    assert not (tmp_path / "none").exists()


def test_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(sutra_storage.NotAStoreError, match=r"has thesis\.txt in it") as caught:
        GraphStore(tmp_path)
    assert caught.value.path == str(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_locked_store_names_its_holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # An import within an error could fail, for one by an interrupt.
    monkeypatch.setitem(sys.modules, "errno", None)
    with GraphStore(tmp_path / "s", 2, exclusive=True) as holder:
        holder.put_concept("a")
        with (
            GraphStore(tmp_path / "s", 2, timeout=0.01) as other,
            pytest.raises(TimeoutError, match="locked") as caught,
        ):
            other.put_concept("b")
        error = caught.value
        assert isinstance(error, sutra_storage.StoreLockedError)
        assert (error.pid, error.retryable, error.errno) == (os.getpid(), True, errno.ETIMEDOUT)
        assert error.filename == str(tmp_path / "s")
        assert (error.strerror or "").startswith("the store is locked")
        with pytest.raises(sutra_storage.StoreLockedError):
            GraphStore(tmp_path / "s", 2, exclusive=True, timeout=0)
    with GraphStore(tmp_path / "s", 2) as store:
        assert list(store) == ["a"]


def test_a_read_only_store_says_so(tmp_path: Path) -> None:
    GraphStore(tmp_path / "s", 2).close()
    with GraphStore(tmp_path / "s", 2, read_only=True) as store:
        for call in (
            lambda: store.put_concept("a"),
            lambda: store.add_vectors(["a"], [[1, 2]]),
            store.compact,
        ):
            with pytest.raises(PermissionError, match="read_only=True") as caught:
                call()
            assert isinstance(caught.value, sutra_storage.ReadOnlyError)


def test_a_closed_store_refuses_every_call(tmp_path: Path) -> None:
    store = GraphStore(tmp_path / "s", 2)
    store.put_concept("a")
    iterator = iter(store)
    store.close()
    store.close()
    calls: list[Callable[[], object]] = [
        lambda: store.get_vector("a"),
        lambda: store.put_concept("b"),
        lambda: store.search_text("a"),
        lambda: store.search_vectors([[1, 2]]),
        lambda: len(store),
        lambda: list(store),
        lambda: "a" in store,
        store.stats,
        store.save,
        store.flush,
        store.compact,
        store.verify,
        store.snapshot,
        store.transaction,
        store.__enter__().save,
    ]
    for call in calls:
        with pytest.raises(sutra_storage.StoreClosedError, match="closed"):
            call()
    assert "closed" in repr(store)
    # What was begun before reads its own state.
    assert list(iterator) == ["a"]


def _damage_the_oldest_segment(folder: Path) -> Path:
    segment = min((folder / "seg").glob("*.seg"))
    content = bytearray(segment.read_bytes())
    content[: len(content) // 2] = bytes(len(content) // 2)
    segment.write_bytes(content)
    return segment


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    with GraphStore(tmp_path / "s", 2) as store:
        for part in "abc":
            store.put_concepts([f"{part}{at}" for at in range(500)], "some words here")
            store.flush()
    segment = _damage_the_oldest_segment(tmp_path / "s")
    with (
        pytest.raises(sutra_storage.CorruptionError) as caught,
        GraphStore(tmp_path / "s", 2) as store,
    ):
        store.get_concepts(list(store))
    error = caught.value
    assert error.path == str(segment)
    assert isinstance(error.offset, int)
    assert error.expected
    assert error.found
    assert not error.retryable


def test_damage_in_an_open_store_can_be_listed(tmp_path: Path) -> None:
    with GraphStore(tmp_path / "s", 2) as store:
        store.put_concepts([f"c{at}" for at in range(500)], "some words here")
        store.flush()
    segment = next((tmp_path / "s" / "seg").glob("*.seg"))
    content = bytearray(segment.read_bytes())
    content[content.index(b"some words")] ^= 1
    segment.write_bytes(content)
    with GraphStore(tmp_path / "s", 2, read_only=True) as store:
        with pytest.raises(sutra_storage.CorruptionError, match=r"verify\(\) lists all") as caught:
            store.get_concepts(list(store))
        (damage,) = store.verify().damage
        assert isinstance(damage, sutra_storage.CorruptionError)
        assert (damage.path, damage.offset) == (caught.value.path, caught.value.offset)
        assert "verify" not in str(damage)


def test_a_store_that_does_not_open_is_not_to_be_verified(tmp_path: Path) -> None:
    GraphStore(tmp_path / "s", 2).close()
    log = next((tmp_path / "s" / "wal").iterdir())
    content = bytearray(log.read_bytes())
    content[10] ^= 255
    log.write_bytes(content)
    for read_only in (False, True):
        with pytest.raises(sutra_storage.CorruptionError, match="restore a backup") as caught:
            GraphStore(tmp_path / "s", 2, read_only=read_only)
        assert "verify" not in str(caught.value)


def test_a_damaged_segment_is_made_again_while_the_log_has_its_content(tmp_path: Path) -> None:
    with GraphStore(tmp_path / "s", 2) as store:
        store.put_concepts([f"c{at}" for at in range(500)], "some words here")
        store.flush()
    _damage_the_oldest_segment(tmp_path / "s")
    with GraphStore(tmp_path / "s", 2) as store:
        assert len(store.search_text("words", 1000)) == 500


def _crc32c(data: bytes) -> int:
    crc = 0xFFFF_FFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F6_3B78 if crc & 1 else 0)
    return crc ^ 0xFFFF_FFFF


@pytest.mark.parametrize(
    ("at", "word", "expected"),
    [(8, 3, (3, 2, None)), (8, 1, (1, 2, None)), (12, 512, (None, None, "feature bits 0x200"))],
)
def test_another_version_of_the_format_is_told(
    tmp_path: Path, at: int, word: int, expected: tuple[int | None, int | None, str | None]
) -> None:
    store = tmp_path / "s"
    GraphStore(store, 2).close()
    manifest = max(store.glob("MANIFEST-*"))
    content = bytearray(manifest.read_bytes())
    content[at : at + 4] = word.to_bytes(4, "little")
    content[28:32] = _crc32c(bytes(content[:28])).to_bytes(4, "little")
    manifest.write_bytes(content)
    for attempt in (
        lambda: GraphStore(store, 2),
        lambda: GraphStore(store, read_only=True),
        lambda: sutra_storage.open_untrusted(store),
        lambda: sutra_storage.repair(store, tmp_path / "repaired"),
    ):
        with pytest.raises(
            sutra_storage.FormatVersionError, match="open it with the version of the library"
        ) as caught:
            attempt()
        error = caught.value
        assert error.path == str(manifest)
        assert (error.found, error.supported, error.feature) == expected
    assert manifest.read_bytes() == content
    assert not (tmp_path / "repaired").exists()


def test_too_large_a_transaction_is_told(tmp_path: Path) -> None:
    with GraphStore(tmp_path / "s", 2, use_compression=False) as store:
        text = "word " * (1 << 24)
        with pytest.raises(sutra_storage.TransactionTooLargeError, match="split it") as caught:
            store.put_concepts([str(at) for at in range(4)], text)
        assert caught.value.max_size == 256 << 20
        assert caught.value.size is not None
        assert caught.value.size > caught.value.max_size
        assert len(store) == 0
        store.put_concept("a")
        assert len(store) == 1


def test_an_operating_systems_refusal_keeps_its_number(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError, match="file") as caught:
        GraphStore(tmp_path / "file" / "below")
    assert isinstance(caught.value, sutra_storage.StoreIOError)
    assert caught.value.errno in {errno.ENOTDIR, errno.EEXIST}


def test_errors_are_raised_in_other_threads_too() -> None:
    caught: list[BaseException] = []

    def run() -> None:
        try:
            with GraphStore(":memory:", 2) as store:
                store.access("nobody")
        except SutraError as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert isinstance(caught[0], sutra_storage.ConceptNotFoundError)


def test_what_the_system_says_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(sutra_storage.StoreIOError) as caught:
        sutra_storage.GraphStore(tmp_path / "file")
    assert caught.value.errno == errno.ENOTDIR
    assert "os error" not in str(caught.value)
    assert str(caught.value).count(str(errno.ENOTDIR)) == 1
