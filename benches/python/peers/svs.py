"""SVS: a Vamana graph over rows of 8 or 16 bits, refined by the float32 rows.

LVQ and LeanVec, SVS's own codes, run on Intel's processors alone: there, `lvq` measures them;
elsewhere the library says so and ends the process.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import svs

from peers.peer import Footprint, Ids, Matrix, Peer, Setting, best_of, best_of_each, to_i8

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Vamana(Peer):
    """A graph over `i8`, `f16`, `f32`, or `lvq` of 4 bits with 8 of residual."""

    distribution = "scalable-vs"

    def __init__(self, codes: str, degree: int = 32, window: int = 200) -> None:
        """Choose what the graph's distances are computed on, its degree and its effort."""
        self._codes, self._degree, self._window = codes, degree, window
        refined = ", float32 refine" if codes == "i8" else ""
        self.method = f"Vamana {codes}, degree {degree}, window {window}{refined}"

    def build(self, base: Matrix, threads: int = 1) -> None:
        """Link the base."""
        self._base = base
        self._scale = 127 / float(np.abs(base).max())
        parameters = svs.VamanaBuildParameters(
            graph_max_degree=self._degree, window_size=self._window
        )
        if self._codes == "lvq":
            with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
                file = str(Path(folder) / "base.fvecs")
                svs.write_vecs(base, file)
                loader = svs.VectorDataLoader(file, svs.DataType.float32)
                codes = svs.LVQLoader(loader, primary=4, residual=8)
                self._link(parameters, codes, threads)
        else:
            self._link(parameters, self._cast(base), threads)

    def _link(self, parameters: Any, rows: Any, threads: int) -> None:
        self._index = svs.Vamana.build(parameters, rows, svs.DistanceType.MIP, num_threads=threads)
        self._index.num_threads = threads

    def _cast(self, rows: NDArray[np.float32]) -> NDArray[Any]:
        if self._codes == "i8":
            return to_i8(rows, self._scale)
        return rows.astype(np.float16) if self._codes == "f16" else rows

    def footprint(self) -> Footprint:
        """Return rows as the graph has them and links, and the rows for refining; computed."""
        dim = self._base.shape[1]
        width = {"i8": 1.0, "f16": 2.0, "f32": 4.0, "lvq": 1.5}[self._codes]
        links = 4 * (self._degree + 1)
        return Footprint(dim * width + links, dim * 4 if self._codes == "i8" else 0)

    def settings(self) -> list[Setting]:
        """Sweep the search window and, where rows refine, how many."""
        windows = [10, 13, 17, 23, 30, 40, 56, 80, 112, 160, 224, 320, 448]
        if self._codes != "i8":
            return [{"window": window} for window in windows]
        # Half as many again as are wanted make up for what 8 bits confuse; more found no more.
        return [{"window": window, "refined": min(window, 15)} for window in windows]

    def use(self, setting: Setting) -> None:
        """Set the window."""
        self._index.search_window_size = int(setting["window"])
        self._candidates = int(setting.get("refined", 0))

    def search_one(self, query: NDArray[np.float32], k: int) -> Ids:
        """Return the rows most similar to one query."""
        wanted = max(k, self._candidates)
        found, _ = self._index.search(self._cast(query), wanted)
        ids = found[0].astype(np.int64)
        return best_of(self._base, ids, query, k) if self._candidates else ids

    def search_batch(self, queries: Matrix, k: int) -> Ids:
        """Return the rows most similar to each query."""
        wanted = max(k, self._candidates)
        found, _ = self._index.search(self._cast(queries), wanted)
        ids = found.astype(np.int64)
        return best_of_each(self._base, ids, queries, k) if self._candidates else ids
