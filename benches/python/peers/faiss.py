"""faiss: inverted lists over 4-bit product codes, refined exactly, and HNSW over 8-bit codes.

Both score by inner product; the settings are faiss's own search parameters, given with each call.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import faiss
import numpy as np

from peers import selections
from peers.peer import FilteringPeer, Footprint, Ids, Matrix, Peer, Setting

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Lists probed, and how many times k is refined then: the frontier of a sweep over all pairs.
COARSE_FACTORS: Final = {
    4: (2, 4),
    6: (4,),
    8: (4, 8),
    12: (4, 8),
    16: (8,),
    24: (8, 16),
    32: (8, 16),
    48: (16,),
    64: (16, 32),
    128: (16, 32),
    256: (32,),
    512: (32, 64),
}
FINE_FACTORS: Final = {
    4: (1.5, 2),
    6: (2,),
    8: (2, 3),
    12: (2, 3),
    16: (3,),
    24: (3, 4),
    32: (3, 4),
    48: (4,),
    64: (4, 8),
    128: (4, 8),
    256: (8,),
    512: (8, 16),
}


def lists_for(count: int) -> int:
    """Return how many inverted lists suit a number of rows: about 1.5 times its root."""
    return 1 << round(math.log2(1.5 * math.sqrt(count)))


class _Faiss(Peer):
    distribution = "faiss-cpu"
    _parameters: Any = None
    _index: Any

    def _build(self, factory: str, base: Matrix, threads: int) -> None:
        faiss.omp_set_num_threads(threads)
        self.method = factory
        self._index = faiss.index_factory(base.shape[1], factory, faiss.METRIC_INNER_PRODUCT)

    def version(self) -> str:
        """Name the instruction set that was loaded, too."""
        return f"{super().version()} ({faiss.get_compile_options().strip()})"

    def search_one(self, query: NDArray[np.float32], k: int) -> Ids:
        """Return the rows most similar to one query."""
        _, found = self._index.search(query[None, :], k, params=self._parameters)
        ids: Ids = found[0]
        return ids

    def search_batch(self, queries: Matrix, k: int) -> Ids:
        """Return the rows most similar to each query."""
        _, found = self._index.search(queries, k, params=self._parameters)
        ids: Ids = found
        return ids


class IvfPq(_Faiss):
    """IVF, PQ of 4 bits scanned in registers, refined by the float32 rows."""

    def __init__(self, codes: str) -> None:
        """Choose the codes; `half` stands for half of the dimension, `quarter` for a quarter."""
        self._codes = codes
        # The finer the codes, the fewer rows their ranking has to be trusted for.
        self._factors = FINE_FACTORS if "half" in codes else COARSE_FACTORS

    def build(self, base: Matrix, threads: int = 1) -> None:
        """Train on the base and add it."""
        dim = base.shape[1]
        codes = self._codes.format(half=dim // 2, quarter=dim // 4)
        self._rows_bytes = dim * 4
        lists = lists_for(len(base))
        prefix, _, rest = codes.rpartition(",")
        self._build(f"{prefix + ',' if prefix else ''}IVF{lists},{rest},RFlat", base, threads)
        self._index.train(base)
        self._index.add(base)
        self._lists = lists

    def footprint(self) -> Footprint:
        """Return codes and lists, and the rows for refining."""
        bytes_ = faiss.serialize_index(self._index.base_index).nbytes / self._index.ntotal
        return Footprint(bytes_, self._rows_bytes)

    def settings(self) -> list[Setting]:
        """Sweep the lists probed and how many times k is refined."""
        return [
            {"nprobe": probe, "k_factor": factor}
            for probe, factors in self._factors.items()
            if probe <= self._lists
            for factor in factors
        ]

    def use(self, setting: Setting) -> None:
        """Take the parameters with each call."""
        inner = faiss.SearchParametersIVF(nprobe=int(setting["nprobe"]))
        self._parameters = faiss.IndexRefineSearchParameters(
            k_factor=float(setting["k_factor"]), base_index_params=inner
        )


class HnswSq(_Faiss):
    """HNSW over codes of 8 bits a dimension."""

    def __init__(self, m: int = 16, ef_construction: int = 200) -> None:
        """Choose the degree and the effort of building."""
        self._m, self._ef_construction = m, ef_construction

    def build(self, base: Matrix, threads: int = 1) -> None:
        """Train the codes on the base and link it."""
        self._build(f"HNSW{self._m}_SQ8", base, threads)
        self.method += f", efConstruction {self._ef_construction}"
        self._index.hnsw.efConstruction = self._ef_construction
        self._index.train(base)
        self._index.add(base)

    def footprint(self) -> Footprint:
        """Return codes and links."""
        return Footprint(faiss.serialize_index(self._index).nbytes / self._index.ntotal)

    def settings(self) -> list[Setting]:
        """Sweep efSearch."""
        efs = [10, 14, 20, 28, 40, 56, 80, 112, 160, 224, 320, 448, 640]
        return [{"efSearch": ef} for ef in efs]

    def use(self, setting: Setting) -> None:
        """Take efSearch with each call."""
        self._parameters = faiss.SearchParametersHNSW(efSearch=int(setting["efSearch"]))


class _Selecting(FilteringPeer):
    """Makes a selector of a bit for each row once for all queries."""

    _index: Any
    _selector: Any = None

    def select(self, name: str) -> None:
        """Make the selector; the library reads the bits, and keeps none of its own."""
        chosen = selections.mask(self._selections[name], self._index.ntotal)
        self._bits = np.packbits(chosen, bitorder="little")
        self._selector = faiss.IDSelectorBitmap(self._bits)


class SelectedIvfPq(IvfPq, _Selecting):
    """The same lists and codes, where the selector leaves out codes."""

    def settings(self) -> list[Setting]:
        """Sweep the lists probed, all of them at last; few pass where few are selected."""
        probes = [probe for probe in (8, 16, 32, 64, 128, 256, 512) if probe <= self._lists]
        return [{"nprobe": probe, "k_factor": factor} for probe in probes for factor in (2, 4)]

    def use(self, setting: Setting) -> None:
        """Take the parameters and the selector with each call."""
        inner = faiss.SearchParametersIVF(nprobe=int(setting["nprobe"]), sel=self._selector)
        self._parameters = faiss.IndexRefineSearchParameters(
            k_factor=float(setting["k_factor"]), base_index_params=inner
        )


class SelectedHnsw(HnswSq, _Selecting):
    """The same graph, where the selector decides which of the rows met are returned."""

    def settings(self) -> list[Setting]:
        """Sweep efSearch, further than without a filter."""
        efs = [10, 20, 40, 80, 160, 320, 640, 1_280, 2_560]
        return [{"efSearch": ef} for ef in efs]

    def use(self, setting: Setting) -> None:
        """Take efSearch and the selector with each call."""
        self._parameters = faiss.SearchParametersHNSW(
            efSearch=int(setting["efSearch"]), sel=self._selector
        )


class SelectedFlat(_Faiss, FilteringPeer):
    """Every selected row compared, by its number."""

    def build(self, base: Matrix, threads: int = 1) -> None:
        """Copy the base."""
        self._rows_bytes = base.shape[1] * 4
        self._build("Flat", base, threads)
        self.method = "Flat, IDSelectorArray"
        self._index.add(base)

    def footprint(self) -> Footprint:
        """Return the rows themselves."""
        return Footprint(0.0, self._rows_bytes)

    def select(self, name: str) -> None:
        """Make the selector; the library compares the rows that this one names, and no others."""
        self._rows = self._selections[name]
        self._parameters = faiss.SearchParameters(sel=faiss.IDSelectorArray(self._rows))

    def settings(self) -> list[Setting]:
        """Return the one there is."""
        return [{}]

    def use(self, setting: Setting) -> None:
        """Do nothing."""
