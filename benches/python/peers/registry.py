"""Which peers there are. To add one: a module with a `Peer`, and a line here.

Invariant: naming a peer imports nothing of it; only `make` does.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from peers.peer import FilteringPeer, Peer


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a peer is.

    Attributes:
        module: Its module in this package, and the family that `--only` may name.
        peer: The class; empty where a program measures it, which `--program` names.
        arguments: What the class is made with.
    """

    module: str
    peer: str
    arguments: dict[str, Any] = field(default_factory=dict)

    @property
    def is_program(self) -> bool:
        """Whether no class here measures it."""
        return not self.peer


PEERS: Final = {
    "sutra": Entry("ours", "Sutra"),
    "sutra-rust": Entry("ours", ""),
    "numpy-exact": Entry("exact", "NumpyExact"),
    "faiss-ivf-pq192": Entry("faiss", "IvfPq", {"codes": "PQ{half}x4fsr"}),
    "faiss-ivf-pq96": Entry("faiss", "IvfPq", {"codes": "PQ{quarter}x4fsr"}),
    "scann-soar": Entry("scann", "Scann", {"soar": 1.5}),
    "turbovec-4": Entry("turbovec", "TurboQuant", {"bits": 4}),
    "svs-i8": Entry("svs", "Vamana", {"codes": "i8"}),
    "faiss-hnsw-sq8": Entry("faiss", "HnswSq"),
    "usearch-i8": Entry("usearch", "Usearch", {"dtype": "i8", "refined": True}),
    "scann": Entry("scann", "Scann"),
    "turbovec-2": Entry("turbovec", "TurboQuant", {"bits": 2}),
    "qdrant-i8": Entry("qdrant", "Qdrant", {"codes": "i8"}),
    "hnswlib-m16": Entry("hnswlib", "Hnsw", {"m": 16}),
    "usearch-bf16": Entry("usearch", "Usearch", {"dtype": "bf16"}),
    "lancedb-ivf-pq": Entry("lancedb", "Lance", {"kind": "pq"}),
    "lancedb-hnsw-sq": Entry("lancedb", "Lance", {"kind": "hnsw"}),
    "usearch-f16": Entry("usearch", "Usearch", {"dtype": "f16"}),
    "hnswlib-m32": Entry("hnswlib", "Hnsw", {"m": 32}),
    "svs-f16": Entry("svs", "Vamana", {"codes": "f16"}),
    "svs-lvq": Entry("svs", "Vamana", {"codes": "lvq"}),
    "qdrant-turbo4": Entry("qdrant", "Qdrant", {"codes": "turbo4"}),
}


FILTERING: Final = {
    "sutra": Entry("ours", "FilteredSutra"),
    "sutra-exact": Entry("ours", "ExactSutra"),
    "sutra-after": Entry("ours", "SutraFilteringAfter"),
    "faiss-flat": Entry("faiss", "SelectedFlat"),
    "faiss-ivf-pq192": Entry("faiss", "SelectedIvfPq", {"codes": "PQ{half}x4fsr"}),
    "faiss-hnsw-sq8": Entry("faiss", "SelectedHnsw"),
    "lancedb-ivf-pq": Entry("lancedb", "FilteringLance", {"kind": "pq"}),
    "qdrant-i8": Entry("qdrant", "FilteringQdrant", {"codes": "i8"}),
}
"""Those that search under filters, each of them a `FilteringPeer`."""


def chosen(only: list[str], peers: Mapping[str, Entry] = PEERS) -> list[str]:
    """Return the names of the peers that are asked for, all of them where none is.

    Raises:
        KeyError: A name is neither a peer's nor a family's.
    """
    for name in only:
        if name not in peers and all(entry.module != name for entry in peers.values()):
            raise KeyError(f"no peer {name}; there are {', '.join(peers)}")
    return [name for name, entry in peers.items() if not only or {name, entry.module} & set(only)]


def make(name: str) -> Peer:
    """Return a peer, its library imported."""
    return cast("Peer", _made(PEERS[name]))


def make_filtering(name: str) -> FilteringPeer:
    """Return a peer that searches under filters, its library imported."""
    return cast("FilteringPeer", _made(FILTERING[name]))


def _made(entry: Entry) -> Any:
    module = importlib.import_module(f"peers.{entry.module}")
    return getattr(module, entry.peer)(**entry.arguments)
