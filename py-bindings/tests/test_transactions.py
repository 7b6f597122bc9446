"""Transactions: all or none, reading their own writes, refusing what changed under them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import sutra_storage
from sutra_storage import ConflictError, GraphStore, StoreClosedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[GraphStore]:
    """A store of two concepts and an association."""
    with GraphStore(tmp_path / "s", 2) as store:
        store.put_concepts(["a", "b"], ["first", "second"], np.eye(2))
        store.add_association("a", "b")
        yield store


def test_a_block_commits_as_one(store: GraphStore) -> None:
    before = store.epoch
    with store.transaction() as transaction:
        transaction.put_concept("c", "third", [1, 1])
        transaction.put_concepts(["d", "e"], "fourth", sources="s")
        transaction.add_association("c", "d", type="t")
        transaction.add_associations(["d", "d"], ["e", "new"], types="t", create_missing=True)
        transaction.add_vector("d", np.array([0.0, 2.0]))
        transaction.update_concept("a", content="changed")
        assert transaction.delete("b")
        assert not transaction.delete("nobody")
        assert "c" not in store
    assert store.epoch == before + 1
    assert list(store) == ["a", "c", "d", "e", "new"]
    assert store.get_neighbors("d") == ["e", "new"]
    assert store.search_text("changed") == ["a"]
    assert store.search_text("second") == []


def test_it_reads_its_own_writes(store: GraphStore) -> None:
    transaction = store.transaction()
    transaction.put_concept("c", "third", [3, 4])
    transaction.add_association("c", "a", type="t", weight=0.5)
    assert "c" in transaction
    assert transaction.contains("c")
    found = transaction.get_concept("c", vector=False)
    assert found is not None
    assert (found.content, found.vector) == ("third", None)
    vector = transaction.get_vector("c")
    assert vector is not None
    assert vector.tolist() == [3.0, 4.0]
    association = transaction.get_association("c", "a", "t")
    assert association is not None
    assert association.weight == 0.5
    assert [x.source_id for x in transaction.get_associations("a", direction="in")] == ["c"]
    assert transaction.get_associations("a", direction="both", types="t") == [association]
    transaction.delete_association("c", "a", "t")
    assert transaction.get_association("c", "a", "t") is None
    transaction.delete("a")
    assert "a" not in transaction
    assert transaction.get_concept("a") is None
    transaction.rollback()
    assert "a" in store


def test_an_association_by_key_is_the_one_among_all(store: GraphStore) -> None:
    store.put_concepts(["c", "d"])
    store.add_associations(["a", "a", "b"], ["b", "c", "c"], types=["t", "semantic", "t"])
    with store.transaction() as transaction:
        transaction.add_association("a", "b", type="t", weight=0.5)
        transaction.add_association("a", "new", type="t", create_missing=True)
        transaction.delete_association("a", "c")
        transaction.delete("d")
        transaction.put_concept("d")
        transaction.add_association("d", "a", type="t")
        transaction.delete("b")
        transaction.add_association("c", "c")
        ids, types = ["a", "b", "c", "d", "new", "nobody"], ["semantic", "t", "none"]
        for source in ids:
            all_ = {(x.target_id, x.type): x for x in transaction.get_associations(source)}
            for target in ids:
                for type_ in types:
                    found = transaction.get_association(source, target, type_)
                    assert found == all_.get((target, type_))
    assert {(x.source_id, x.target_id) for x in store.get_associations("a", direction="both")} == {
        ("a", "new"),
        ("d", "a"),
    }


def test_an_association_by_key_takes_the_same_ids_everywhere(store: GraphStore) -> None:
    transaction = store.transaction()
    for reader in (store, store.snapshot(), transaction):
        assert reader.get_association("a", "b") is not None
        assert reader.get_association("a", "b", "none") is None
        for source, target in (("", "b"), ("a", ""), ("a", "x" * 1025)):
            with pytest.raises(sutra_storage.InvalidArgumentError, match="1 to 1024 bytes"):
                reader.get_association(source, target)


def test_an_association_read_by_key_must_stand(store: GraphStore) -> None:
    changes: list[Callable[[], object]] = [
        lambda: store.add_association("a", "b", weight=0.5),
        lambda: store.delete_association("a", "b"),
        lambda: store.add_association("a", "b"),
        lambda: store.delete("b"),
    ]
    for change in changes:
        transaction = store.transaction()
        transaction.get_association("a", "b")
        transaction.put_concept("c")
        change()
        with pytest.raises(ConflictError):
            transaction.commit()
    assert "c" not in store


def test_an_exception_leaves_nothing_behind(store: GraphStore) -> None:
    before = store.epoch
    with pytest.raises(RuntimeError, match="mine"), store.transaction() as transaction:
        transaction.put_concept("c")
        raise RuntimeError("mine")
    assert (store.epoch, "c" in store) == (before, False)


def test_a_conflict_is_told_and_can_be_retried(store: GraphStore) -> None:
    transaction = store.transaction()
    found = transaction.get_concept("a")
    assert found is not None
    store.update_concept("a", content="meanwhile")
    transaction.update_concept("a", content=found.content + "!")
    with pytest.raises(ConflictError) as caught:
        transaction.commit()
    assert caught.value.retryable
    again = store.get_concept("a")
    assert again is not None
    assert again.content == "meanwhile"


def test_a_missing_end_fails_the_whole(store: GraphStore) -> None:
    with pytest.raises(sutra_storage.ConceptNotFoundError), store.transaction() as transaction:
        transaction.put_concept("c")
        transaction.add_association("c", "nobody")
    assert "c" not in store


def test_what_is_unfit_is_refused_at_once_and_the_rest_stands(store: GraphStore) -> None:
    with store.transaction() as transaction:
        transaction.put_concept("c")
        with pytest.raises(sutra_storage.InvalidVectorError):
            transaction.add_vector("c", [1, 2, 3])
        with pytest.raises(sutra_storage.ConceptNotFoundError):
            transaction.update_concept("nobody", content="x")
        with pytest.raises(sutra_storage.InvalidArgumentError):
            transaction.put_concept("")
    assert "c" in store


def test_a_batch_that_is_refused_adds_nothing(store: GraphStore) -> None:
    with store.transaction() as transaction:
        transaction.put_concept("c")
        with pytest.raises(sutra_storage.InvalidArgumentError):
            transaction.put_concepts(["d", "e", ""])
        with pytest.raises(sutra_storage.InvalidArgumentError):
            transaction.add_associations(["c", "c"], ["a", "f"], types=["t", ""])
        with pytest.raises(sutra_storage.InvalidArgumentError):
            transaction.add_associations(["c", "c"], ["f", ""], create_missing=True)
        assert [x in transaction for x in ("c", "d", "e", "f")] == [True, False, False, False]
        assert transaction.get_associations("c") == []
    assert list(store) == ["a", "b", "c"]
    assert store.get_neighbors("c") == []


def test_it_ends_once(store: GraphStore) -> None:
    transaction = store.transaction(durability="buffered")
    transaction.put_concept("c")
    assert "open" in repr(transaction)
    epoch = transaction.commit()
    assert epoch == store.epoch
    assert "ended" in repr(transaction)
    transaction.rollback()
    for call in (transaction.commit, lambda: transaction.put_concept("d")):
        with pytest.raises(StoreClosedError, match="ended"):
            call()
    with pytest.raises(StoreClosedError):
        "c" in transaction  # noqa: B015 - it is the question that raises
    with store.transaction() as block:
        block.put_concept("e")
        block.commit()
    assert "e" in store


def test_a_closed_store_commits_nothing(store: GraphStore) -> None:
    transaction = store.transaction()
    transaction.put_concept("c")
    store.close()
    with pytest.raises(StoreClosedError):
        transaction.commit()


def test_an_empty_transaction_changes_nothing(store: GraphStore) -> None:
    before = store.epoch
    with store.transaction():
        pass
    assert store.epoch == before


def test_a_ticket_tells_when_a_transaction_is_durable(tmp_path: Path) -> None:
    with GraphStore(tmp_path / "store", 2) as store:
        tx = store.transaction()
        tx.put_concept("a", "river")
        ticket = tx.commit_async()
        assert "a" in store
        assert ticket.wait() == ticket.epoch == store.epoch
        assert ticket.is_durable
        assert repr(ticket) == "<Ticket of epoch 1, durable>"
        with pytest.raises(StoreClosedError):
            tx.commit_async()
    assert ticket.wait() == 1
