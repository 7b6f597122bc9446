"""Writes vectors_f16.npy beside a concepts.jsonl: a static embedding of each concept's text.

Row i is the vector of line i: 384 dimensions, L2-normalised, float16, C order. The text is the
concept's words, joined by commas, a colon, and its gloss. Invariant: the vectors are those of the
installed wheel's own embedder, so that what a store computes for the same text is the same.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from sutra_core.nlp import StaticEmbedder

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH = 1000


def texts(path: Path) -> Iterator[str]:
    """The text of each concept, in order."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            concept = json.loads(line)
            yield f"{', '.join(concept['words'])}: {concept['gloss']}"


def main() -> int:
    """Embeds the concepts of the folder that the command line names."""
    if len(sys.argv) != 2:  # noqa: PLR2004 the program and the folder
        sys.stderr.write("usage: embed_concepts.py FOLDER\n")
        return 2
    folder = Path(sys.argv[1])
    everything = list(texts(folder / "concepts.jsonl"))
    embedder = StaticEmbedder()
    vectors = np.empty((len(everything), embedder.dim), dtype=np.float16)
    for start in tqdm(range(0, len(everything), BATCH), desc="embedding", unit_scale=BATCH):
        batch = everything[start : start + BATCH]
        vectors[start : start + len(batch)] = embedder.embed_documents(batch)
    np.save(folder / "vectors_f16.npy", vectors)
    return 0


if __name__ == "__main__":
    sys.exit(main())
