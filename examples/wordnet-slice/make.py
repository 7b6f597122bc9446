"""Makes this slice of WordNet from the full data set: `cargo xtask slice`.

The slice holds the best known concepts under some roots, what they are parts or members of, the
verbs that cause or entail one another, and pairs of opposites. Invariant: the same input gives the
same bytes; every concept's hypernyms are in the slice up to the top; an association is in it, once,
if both its ends are.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

# How many concepts to take from what lies under each root.
ROOTS = {
    "n00015388": 1050,  # animal
    "n00017222": 480,  # plant
    "n04524313": 280,  # vehicle
    "n05220461": 330,  # body part
    "n14070360": 260,  # disease
    "n00021265": 330,  # food
    "n03800933": 90,  # musical instrument
    "n04451818": 130,  # tool
    "n03294048": 100,  # equipment
    "n02913152": 120,  # building
    "n09287968": 170,  # geological formation
    "n09225146": 120,  # body of water
    "n14622893": 90,  # chemical element
    "n11524662": 130,  # weather
    "n10560637": 120,  # scientist
    "n08544813": 190,  # country
    "n09239740": 60,  # celestial body
    "n15154774": 90,  # unit of time
    "n07037465": 70,  # musical composition
    "n14299637": 60,  # symptom
}
OPPOSITES = 200

# Both directions are listed in the data, so one of each pair is enough to follow.
DOWN = frozenset({"hyponym", "instance_hyponym"})
UP = frozenset({"hypernym", "instance_hypernym"})
PARTS = frozenset({"part_meronym", "member_meronym", "substance_meronym"})
CONSEQUENCES = frozenset({"cause", "entailment"})
WORD = re.compile(r"[a-z]+")


@dataclass
class Graph:
    """The full data set: lines by id, in the order of the files."""

    lines: dict[str, str] = field(default_factory=dict)
    first_word: dict[str, str] = field(default_factory=dict)
    mentions: Counter[str] = field(default_factory=Counter)
    associations: list[tuple[str, str, str]] = field(default_factory=list)
    targets: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def read(cls, folder: Path) -> Graph:
        """Reads concepts.jsonl and associations.tsv of `folder`."""
        graph = cls()
        with (folder / "concepts.jsonl").open(encoding="utf-8") as file:
            for line in file:
                concept = json.loads(line)
                graph.lines[concept["id"]] = line
                graph.first_word[concept["id"]] = concept["words"][0].lower()
                graph.mentions.update(set(WORD.findall(concept["gloss"].lower())))
        with (folder / "associations.tsv").open(encoding="utf-8") as file:
            # A dictionary keeps the order and drops the rows that repeat an earlier one.
            rows = dict.fromkeys(line.rstrip("\n") for line in file)
        for row in rows:
            source, target, kind = row.split("\t")
            graph.associations.append((source, target, kind))
            graph.targets[source].append((target, kind))
        return graph

    def follow(self, concept: str, kinds: frozenset[str]) -> list[str]:
        """The concepts that `concept` points to by one of `kinds`."""
        return [target for target, kind in self.targets[concept] if kind in kinds]

    def closure(self, starts: set[str], kinds: frozenset[str]) -> set[str]:
        """`starts` and everything that is reached from them by `kinds`."""
        reached = set(starts)
        pending = sorted(starts)
        while pending:
            for target in self.follow(pending.pop(), kinds):
                if target not in reached:
                    reached.add(target)
                    pending.append(target)
        return reached

    def renown(self, concept: str) -> float:
        """How well known a concept is: glosses that mention its word, and its associations."""
        mentions = self.mentions[self.first_word[concept]]
        return math.log1p(mentions) + 0.5 * math.log1p(len(self.targets[concept]))

    def best(self, concepts: set[str], count: int) -> set[str]:
        """The `count` best known of `concepts`; of equals, the first by id."""
        ranked = sorted(concepts, key=lambda concept: (-round(self.renown(concept), 9), concept))
        return set(ranked[:count])


def choose(graph: Graph) -> set[str]:
    """The ids of the slice."""
    chosen: set[str] = set()
    for root, count in ROOTS.items():
        chosen |= graph.best(graph.closure({root}, DOWN), count)
    # A part is worth having where the whole is known, if the part is known too.
    parts = {part for whole in chosen for part in graph.follow(whole, PARTS)}
    chosen |= graph.best(parts, len(parts) // 2)
    verbs = {source for source, _, kind in graph.associations if kind in CONSEQUENCES}
    chosen |= verbs | {target for verb in verbs for target in graph.follow(verb, CONSEQUENCES)}
    adjectives = {
        source for source, _, kind in graph.associations if kind == "antonym" and source[0] == "a"
    }
    opposites = graph.best(adjectives, OPPOSITES)
    chosen |= opposites
    chosen |= {other for one in opposites for other in graph.follow(one, frozenset({"antonym"}))}
    return graph.closure(chosen, UP)


def render(graph: Graph, chosen: set[str]) -> dict[str, str]:
    """The text of each file of the slice."""
    return {
        "concepts.jsonl": "".join(line for id_, line in graph.lines.items() if id_ in chosen),
        "associations.tsv": "".join(
            f"{source}\t{target}\t{kind}\n"
            for source, target, kind in graph.associations
            if source in chosen and target in chosen
        ),
    }


def main() -> int:
    """Writes the slice, or compares it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the full data set's folder")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    arguments = parser.parse_args()
    graph = Graph.read(arguments.data)
    files = render(graph, choose(graph))
    files["LICENSE"] = (arguments.data / "LICENSE.txt").read_text(encoding="utf-8")
    folder = Path(__file__).parent
    differing = []
    for name, text in files.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            differing.append(name)
            if not arguments.check:
                path.write_text(text, encoding="utf-8", newline="\n")
        sys.stdout.write(f"{name}: {text.count(chr(10))} lines, {len(text.encode())} bytes\n")
    if arguments.check and differing:
        sys.stderr.write(f"differing from what would be made: {', '.join(differing)}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
