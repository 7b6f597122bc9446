"""The table and the plot of a run. Both show rates a CPU-second: the machine may be shared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from peers.dataset import SEED
from peers.filtered import WANTED, fastest
from peers.recall import Rate, frontier, rate_at

if TYPE_CHECKING:
    from collections.abc import Iterator

RECALLS: Final = (0.90, 0.95, 0.99, 0.999)
MODES: Final = {"single": "single calls", "batch": "one batch"}
LEAST: Final = 0.8
MOST: Final = 0.9999
EDGE: Final = 0.99993
"""What the plot shows: a recall of 1 is drawn as the most, whose marks fit within the edge."""


def without_paths(arguments: list[str]) -> list[str]:
    """Return arguments with files and folders by their names alone."""
    return [Path(each).name if "/" in each else each for each in arguments]


def points(sweep: list[dict[str, Any]], mode: str) -> list[tuple[float, float]]:
    """Return a sweep's (recall, queries a CPU-second)."""
    return [(each[mode]["recall"], each[mode]["qps_cpu"]) for each in sweep]


def with_rates(results: dict[str, Any]) -> dict[str, Any]:
    """Add to each peer the rates at the recalls of the table; None where it reaches none."""
    for peer in results["peers"].values():
        if "skipped" in peer:
            continue
        peer["qps_at_recall"] = {
            name: {
                mode: {
                    str(wanted): _record(rate_at(points(sweep, mode), wanted)) for wanted in RECALLS
                }
                for mode in MODES
            }
            for name, sweep in peer["sets"].items()
        }
    return results


def _record(rate: Rate | None) -> dict[str, Any] | None:
    return None if rate is None else {"qps": rate.qps, "at_least": rate.at_least}


def shown(rate: Rate | None) -> str:
    """Return a rate as the table has it."""
    if rate is None:
        return "-"
    return f"≥ {rate.qps:,.0f}" if rate.at_least else f"{rate.qps:,.0f}"


def measured(results: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the peers that were not skipped."""
    return {name: peer for name, peer in results["peers"].items() if "skipped" not in peer}


def _table_of(results: dict[str, Any], queries: str) -> Iterator[str]:
    rates = " | ".join(f"{mode} {wanted}" for mode in MODES for wanted in RECALLS)
    yield f"| peer, one thread | build CPU s | B/vector | {rates} | load |"
    yield "|---|---:|---:|" + "---:|" * (len(RECALLS) * len(MODES)) + "---:|"
    for name, peer in measured(results).items():
        bytes_ = peer["bytes_per_vector"]
        size = f"{bytes_['index']:,.0f}"
        if bytes_["rows_beside"]:
            size += f" + {bytes_['rows_beside']:,.0f}"
        sweep = peer["sets"][queries]
        cells = [
            shown(rate_at(points(sweep, mode), wanted)) for mode in MODES for wanted in RECALLS
        ]
        load = peer["load_average_1_min"]
        more = "" if not threaded(peer) else " (more than one thread)"
        yield (
            f"| {name}{more} | {peer['build']['cpu_s']:.1f} | {size} | {' | '.join(cells)} | "
            f"{load['before']:.1f} to {load['after']:.1f} |"
        )


def threaded(peer: dict[str, Any]) -> bool:
    """Return whether a peer's searches computed on more than one thread."""
    return any(
        each[mode]["more_than_one_thread"]
        for sweep in peer["sets"].values()
        for each in sweep
        for mode in MODES
    )


def table(results: dict[str, Any]) -> str:
    """Return the tables in Markdown: one for each set of queries, the methods, what was skipped."""
    data, machine = results["data"], results["machine"]
    count = data["base_rows"]
    lines = [
        f"# Vector search over {count:,} rows of {data['dimension']}, one thread",
        "",
        f"Queries a CPU-second at a recall@{results['k']}, between the best points of the sweep",
        "(the log of the rate is linear in the recall); ≥ where the sweep begins above, - where it",
        f"ends below. {machine['cpu']}, {machine['cores']} cores; load is the machine's average.",
    ]
    sets = dict.fromkeys(name for peer in measured(results).values() for name in peer["sets"])
    for queries in sets:
        lines += ["", f"Queries {queries}:", "", *_table_of(results, queries)]
    lines += _methods(results)
    return "\n".join(lines) + "\n"


def _methods(results: dict[str, Any]) -> list[str]:
    lines = ["", "| peer | version | method |", "|---|---|---|"]
    for name, peer in measured(results).items():
        lines.append(f"| {name} | {peer['version']} | {peer['method']} |")
    skipped = {n: p["skipped"] for n, p in results["peers"].items() if "skipped" in p}
    lines += [""] if skipped else []
    lines += [f"- {name} was skipped: {reason}" for name, reason in skipped.items()]
    return lines


def with_fastest(results: dict[str, Any]) -> dict[str, Any]:
    """Add to each peer the fastest setting of each selection that finds enough; None for none."""
    for peer in measured(results).values():
        peer["fastest"] = {name: fastest(sweep) for name, sweep in peer["sets"].items()}
    return results


def _under_filter(sweep: list[dict[str, Any]]) -> str:
    best = fastest(sweep)
    if best is None:
        return f"- ({max(each['single']['recall'] for each in sweep):.2f})"
    fewer = " †" if best["short"] else ""
    return f"{best['single']['qps_cpu']:,.0f}{fewer}"


def times_as_fast(results: dict[str, Any], others: list[str], name: str) -> str:
    """Return Sutra's rate under a filter by the fastest of the others', and which that is."""
    peers = measured(results)
    rates = {
        peer: float(best["single"]["qps_cpu"])
        for peer in ["sutra", *others]
        if peer in peers and (best := fastest(peers[peer]["sets"][name])) is not None
    }
    own = rates.pop("sutra", None)
    if own is None or not rates:
        return "-"
    rival = max(rates, key=lambda peer: rates[peer])
    return f"{own / rates[rival]:.2f}" + (f" ({rival})" if len(others) > 1 else "")


def filters_table(results: dict[str, Any]) -> str:
    """Return the tables of searches under filters: rates, Sutra's beside the others', methods."""
    data, machine, k = results["data"], results["machine"], results["k"]
    peers = measured(results)
    names = list(data["selections"]["rows"])
    lines = [
        f"# Vector search under filters over {data['base_rows']:,} rows of {data['dimension']}",
        "",
        "Queries a CPU-second by single calls on one thread, at the fastest setting with a",
        f"recall@{k} of {WANTED} or more; - where there is none, with the most that was found;",
        f"† where some queries got fewer than {k} rows. random: rows drawn at random; near: the",
        f"rows most similar to one of them. {machine['cpu']}, {machine['cores']} cores; load is",
        f"the machine's average. Seed {SEED}; Python {results['python']}; commit",
        f"{results['commit']}.",
        "",
        f"| peer | build CPU s | {' | '.join(names)} | load |",
        "|---|---:|" + "---:|" * len(names) + "---:|",
    ]
    for name, peer in peers.items():
        cells = " | ".join(_under_filter(peer["sets"][each]) for each in names)
        load = peer["load_average_1_min"]
        lines.append(
            f"| {name} | {peer['build']['cpu_s']:.1f} | {cells} | "
            f"{load['before']:.1f} to {load['after']:.1f} |"
        )
    lines += ["", f"| sutra is | {' | '.join(names)} |", "|---|" + "---:|" * len(names)]
    others = [name for name in peers if not name.startswith("sutra")]
    for title, rivals in (("filtering after", ["sutra-after"]), ("the fastest other", others)):
        cells = " | ".join(times_as_fast(results, rivals, each) for each in names)
        lines.append(f"| times as fast as {title} | {cells} |")
    lines += _methods(results)
    return "\n".join(lines) + "\n"


def plot(results: dict[str, Any], output: Path) -> None:
    """Draw recall against rate, single calls beside a batch, a row for each set of queries."""
    import matplotlib as mpl  # noqa: PLC0415  # drawing is the one thing that needs it

    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    # So that the same figures give the same bytes.
    mpl.rcParams["svg.hashsalt"] = "peers"
    peers = measured(results)
    sets = list(dict.fromkeys(name for peer in peers.values() for name in peer["sets"]))
    if not sets:
        return
    figure, axes = plt.subplots(
        len(sets), len(MODES), figsize=(14, 6.5 * len(sets)), sharey=True, squeeze=False
    )
    markers = "osv^Dp*XP<>h"
    for row, queries in zip(axes, sets, strict=True):
        for axis, (mode, title) in zip(row, MODES.items(), strict=True):
            for at, (name, peer) in enumerate(peers.items()):
                best = [p for p in frontier(points(peer["sets"][queries], mode)) if p[0] >= LEAST]
                axis.plot(
                    [min(recall, MOST) for recall, _ in best],
                    [qps for _, qps in best],
                    label=name,
                    color=mpl.colormaps["tab20"](at % 20),
                    marker=markers[at % len(markers)],
                    markersize=4,
                    linewidth=1,
                )
            axis.set(xscale="logit", yscale="log", xlim=(LEAST, EDGE))
            ticks = [LEAST, *RECALLS, MOST]
            axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            axis.set_xticks([], minor=True)
            axis.grid(visible=True, which="both", alpha=0.3)
            axis.set_title(f"{results['data']['base_rows']:,} rows, {title}, queries {queries}")
            axis.set_xlabel(f"recall@{results['k']}")
        row[0].set_ylabel("queries a CPU-second")
    axes[0][-1].legend(fontsize="small", loc="center left", bbox_to_anchor=(1.01, 0.5))
    figure.tight_layout()
    figure.savefig(output, format="svg", metadata={"Date": None})
    plt.close(figure)
