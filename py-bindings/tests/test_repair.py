"""Damaged stores and stores from elsewhere: repaired, verified first, or refused."""

import hashlib
from pathlib import Path

import pytest

import sutra_storage


def _make(path: Path) -> None:
    with sutra_storage.GraphStore(path, vector_dimension=3) as store:
        store.put_concepts(
            ["dog", "wolf", "mammal"],
            ["a mammal that barks", "a mammal that howls", "an animal"],
            [[1.0, 0.2, 0.0], [0.9, 0.4, 0.0], None],
        )
        store.add_association("dog", "mammal", type="is_a")
        store.compact()
        store.put_concept("owl", "a bird that hunts at night")


def _digest(path: Path) -> dict[str, str]:
    files = (found for found in path.rglob("*") if found.is_file())
    return {str(found): hashlib.sha256(found.read_bytes()).hexdigest() for found in files}


def _flip(path: Path, text: bytes) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(text)] ^= 1
    path.write_bytes(content)


def _newest_segment(path: Path) -> Path:
    return max((path / "seg").glob("*.seg"))


def test_an_undamaged_store_is_repaired_whole(tmp_path: Path) -> None:
    """The new store holds the same, and the old one is not touched."""
    damaged, target = tmp_path / "damaged", tmp_path / "target"
    _make(damaged)
    before = _digest(damaged)
    report = sutra_storage.repair(damaged, str(target))
    assert _digest(damaged) == before
    assert report.is_whole
    assert report.damage == []
    assert report.losses == []
    assert (report.concepts_saved, report.vectors_saved, report.associations_saved) == (4, 2, 1)
    assert (report.concepts_lost, report.vectors_lost, report.associations_lost) == (0, 0, 0)
    assert report.unnamed_losses == 0
    assert report.files > 0
    assert report.bytes > 0
    assert report.generation is not None
    with (
        sutra_storage.GraphStore(damaged) as old,
        sutra_storage.GraphStore(target) as new,
    ):
        assert report.epoch == old.epoch
        assert list(new) == list(old)
        assert all(new.get_concept(found) == old.get_concept(found) for found in new)
        assert new.search_text_scored("mammal") == old.search_text_scored("mammal")
        assert new.verify().is_sound


def test_damage_is_told_and_what_lies_beside_it_is_saved(tmp_path: Path) -> None:
    """Where the segment's records are damaged, and no log has them, the rest is there."""
    damaged, target = tmp_path / "damaged", tmp_path / "target"
    _make(damaged)
    for older in sorted(damaged.glob("MANIFEST-*"))[:-1]:
        older.unlink()
    _flip(_newest_segment(damaged), b"a mammal that barks")
    report = sutra_storage.repair(damaged, target)
    assert not report.is_whole
    assert report.concepts_lost == 3
    assert report.associations_lost == 1
    assert isinstance(report.damage[0], sutra_storage.CorruptionError)
    assert {loss.concept_id for loss in report.losses if loss.kind == "concept"} == {
        "dog",
        "wolf",
        "mammal",
    }
    loss = report.losses[0]
    assert loss.path == str(_newest_segment(damaged))
    assert str(loss) in repr(loss)
    assert repr(report) == "<RepairReport: 1 damaged places, 1 concepts saved, 4 losses>"
    with sutra_storage.GraphStore(target) as new:
        assert list(new) == ["owl"]
        assert new.search_text("hunts") == ["owl"]


def test_what_can_not_be_repaired_is_refused(tmp_path: Path) -> None:
    """Each cause by its class."""
    store, target = tmp_path / "store", tmp_path / "target"
    with pytest.raises(
        sutra_storage.StoreNotFoundError, match="no store; check the path"
    ) as caught:
        sutra_storage.repair(store, target)
    assert caught.value.filename == str(store)
    _make(store)
    with pytest.raises(sutra_storage.InvalidArgumentError):
        sutra_storage.repair(store, tmp_path)
    full = tmp_path / "full"
    full.mkdir()
    (full / "file").touch()
    with pytest.raises(sutra_storage.NotAStoreError):
        sutra_storage.repair(store, full)
    with (
        sutra_storage.GraphStore(store, exclusive=True),
        pytest.raises(sutra_storage.StoreLockedError),
    ):
        sutra_storage.repair(store, target)
    assert not target.exists()


def test_a_repair_takes_the_place_of_one_that_was_cut_short(tmp_path: Path) -> None:
    """What it left does not open, says what to do, and is no store to repair."""
    damaged, target = tmp_path / "damaged", tmp_path / "target"
    _make(damaged)
    sutra_storage.repair(damaged, target)
    mark = target / "UNFINISHED"
    mark.write_text("my own notes")
    with pytest.raises(sutra_storage.NotAStoreError, match="no repair wrote"):
        sutra_storage.repair(damaged, target)
    # As a repair writes it, before anything else is there.
    mark.write_text(
        "A store is being made here. If no one does so any more, make it again: "
        "that replaces this.\n"
    )
    advice = "make the repair to the same directory again, which takes its place"
    for attempt in (
        lambda: sutra_storage.GraphStore(target),
        lambda: sutra_storage.repair(target, tmp_path / "another"),
    ):
        with pytest.raises(sutra_storage.NotAStoreError, match=advice) as caught:
            attempt()
        assert (caught.value.path, caught.value.found) == (str(target), "repair")
    assert sutra_storage.repair(damaged, target).is_whole
    assert not mark.exists()
    with sutra_storage.GraphStore(target) as new:
        assert len(new) == 4


def test_a_store_from_elsewhere_is_read_and_never_written(tmp_path: Path) -> None:
    """It answers, refuses writes, and stays as it was opened."""
    path = tmp_path / "store"
    _make(path)
    before = _digest(path)
    with sutra_storage.open_untrusted(path) as store:
        assert isinstance(store, sutra_storage.GraphStore)
        assert store.search_text("barks") == ["dog"]
        assert repr(store) == f"<GraphStore {str(path)!r}, vector_dimension=3, concepts=4>"
        with pytest.raises(sutra_storage.ReadOnlyError):
            store.delete("dog")
        assert _digest(path) == before
        with sutra_storage.GraphStore(path) as writer:
            writer.put_concept("later")
        assert "later" not in store


def test_a_store_that_is_not_sound_or_too_large_is_refused(tmp_path: Path) -> None:
    """Damage in what is not even read, and a limit of bytes."""
    path = tmp_path / "store"
    _make(path)
    with pytest.raises(sutra_storage.UntrustedTooLargeError, match="max_bytes is 100") as caught:
        sutra_storage.open_untrusted(path, max_bytes=100)
    assert caught.value.max_size == 100
    assert caught.value.size is not None
    assert caught.value.size > 100
    assert caught.value.path is not None
    with pytest.raises(sutra_storage.InvalidArgumentError):
        sutra_storage.open_untrusted(path, max_bytes=-1)
    with pytest.raises(sutra_storage.StoreNotFoundError):
        sutra_storage.open_untrusted(tmp_path / "none")
    _flip(_newest_segment(path), b"a mammal that howls")
    for older in sorted(path.glob("MANIFEST-*"))[:-1]:
        older.unlink()
    with pytest.raises(sutra_storage.CorruptionError):
        sutra_storage.open_untrusted(path)
