"""Benchmark records as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot, ticker

from pipelines.drawing import OURS
from serving.atomic import atomic_file

PEER = "#c05a2e"


def plot_train(record: dict[str, Any], picture: Path) -> None:
    """Targets a second of every model, and what the time bought: validation NDCG@10 of the SASRecs."""
    speeds = record["targets_per_second"]
    names = sorted(speeds, key=speeds.get)
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 5), layout="constrained")
    bars = left.barh(names, [speeds[n] for n in names], color=[PEER if "RecTools" in n else OURS for n in names])
    labels = [f"{speeds[n]:,}  ({record['seconds_an_epoch'][n]:.1f} s an epoch)" for n in names]
    left.bar_label(bars, labels, padding=4, fontsize=9)
    left.set(title=f"training speed, {record['dataset']}", xlabel="next-item targets per second")
    left.set_xlim(0, 1.55 * max(speeds.values()))
    for name, seconds in record["epochs"].items():
        if "SASRec" in name:
            elapsed = [sum(seconds[: i + 1]) for i in range(len(seconds))]
            style = {"color": PEER if "RecTools" in name else OURS, "linestyle": "--" if "padded" in name else "-"}
            score = record["validation"][name]["NDCG@10"]
            right.plot(elapsed, record["losses"][name], marker=".", label=f"{name}: NDCG@10 {score:.4f}", **style)
    right.set(title="the same SASRec, epoch by epoch", xlabel="seconds of training", ylabel="training loss (nats)")
    right.set_xscale("log")
    right.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    right.xaxis.set_minor_formatter(ticker.NullFormatter())
    right.legend(frameon=False, fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.14))
    left.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
    _save(figure, (left, right), picture)


def plot_growth(record: dict[str, Any], picture: Path) -> None:
    """Step time and peak memory over history length, catalogue and width."""
    curves = record["curves"]
    panels = (
        ("length", (("length", "full softmax"),), "events in a row", False),
        ("items", (("items", "full softmax"), ("items_sampled", f"{record['negatives']:,} negatives")), "items", True),
        ("dim", (("dim", "full softmax"),), "width", False),
    )
    figure, axes = pyplot.subplots(2, 3, figsize=(12, 6.4), layout="constrained", sharex="col")
    for column, (key, series, label, logarithmic) in enumerate(panels):
        for row, (measure, unit) in enumerate((("step_ms", "ms a step"), ("peak_mb", "peak MB"))):
            axis = axes[row, column]
            for (curve, name), colour in zip(series, (OURS, PEER), strict=False):
                points = curves[curve]
                axis.plot([p[key] for p in points], [p[measure] for p in points], marker="o", label=name, color=colour)
            axis.set_ylim(0, None)
            if logarithmic:
                axis.set_xscale("log")
                axis.legend(frameon=False)
            if column == 0:
                axis.set_ylabel(unit)
        axes[1, column].set_xlabel(label)
    figure.suptitle(f"SASRec, {record['positions_a_step']:,} positions a step")
    _save(figure, axes.flat, picture)


def plot_prepare(record: dict[str, Any], picture: Path) -> None:
    """Time and peak memory of preparation over the events of the log, one line an engine."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    for (engine, points), colour in zip(record["curves"].items(), (OURS, PEER), strict=False):
        events = [point["events"] for point in points]
        left.plot(events, [point["seconds"] for point in points], marker="o", label=engine, color=colour)
        right.plot(events, [point["peak_mb"] for point in points], marker="o", label=engine, color=colour)
        for point in points:
            speed = f"{point['events_per_second']:,}/s"
            left.annotate(speed, (point["events"], point["seconds"]), (5, -12), textcoords="offset points", fontsize=8)
    left.set(title="wall time", ylabel="seconds", yscale="log")
    right.set(title="peak memory, all processes", ylabel="MB")
    most = max(point["peak_mb"] for points in record["curves"].values() for point in points)
    right.set_ylim(0, 1.3 * most)
    for axis in (left, right):
        axis.set(xlabel="events of the log", xscale="log")
        axis.margins(x=0.2)
        axis.xaxis.set_major_formatter(ticker.EngFormatter(sep=""))
        axis.xaxis.set_minor_formatter(ticker.NullFormatter())
    left.margins(y=0.15)
    left.yaxis.set_minor_locator(ticker.LogLocator(subs=(2, 5)))
    for which in (left.yaxis.set_major_formatter, left.yaxis.set_minor_formatter):
        which(ticker.StrMethodFormatter("{x:,.0f}"))
    right.legend(frameon=False, loc="lower right")
    figure.suptitle("intentrec prepare, simulated logs")
    _save(figure, (left, right), picture)


def plot_serve(record: dict[str, Any], picture: Path) -> None:
    """The 99th percentile of each signature's latency over the rate of requests, without and with batching."""
    rates = record["rates"]
    names = list(record["p50_ms"])
    figure, axes = pyplot.subplots(1, len(names), figsize=(4 * len(names), 4.2), layout="constrained", sharey=True)
    limit = record["limit_ms"]
    for axis, name in zip(axes, names, strict=True):
        for batching, colour in (("off", OURS), ("on", PEER)):
            loads = [load for load in rates[batching][name]["loads"] if load["p99_ms"] is not None]
            for share, line in (("p50", ":"), ("p99", "-")):
                points = [load[f"{share}_ms"] for load in loads]
                label = f"{share}, batching {batching}"
                axis.plot([load["rate"] for load in loads], points, line, marker=".", color=colour, label=label)
        axis.axhline(limit, color="#888888", linewidth=1)
        axis.annotate(f"{limit:g} ms", (0.01, limit), xycoords=("axes fraction", "data"), va="bottom", color="#666666")
        axis.set(title=name, xlabel="requests a second")
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    axes[0].set_ylabel("ms from the moment a request was due")
    axes[0].legend(frameon=False, fontsize=9)
    figure.suptitle(f"{record['dataset']}, {record['model']}, {record['length']} events, {record['server']} server")
    _save(figure, axes, picture)


def plot_retrieve(record: dict[str, Any], picture: Path) -> None:
    """Latency and memory of each kind of search over the catalogue, and latency over the number of queries."""
    looks = {"graph": (OURS, "-"), "graph_plain": (OURS, ":"), "exact": ("#666666", "-"), "faiss": (PEER, "-")}
    words = {"graph": "exact, in the model", "graph_plain": "the same, plain top-k", "exact": "exact, NumPy"}
    names = sorted(record["p50_ms"]["graph"], key=int)
    sizes, counts = [int(name) for name in names], sorted(map(int, record["p50_ms"]["graph"][names[0]]))
    most = str(counts[-1])
    figure, (left, middle, right) = pyplot.subplots(1, 3, figsize=(13, 4.4), layout="constrained")
    for kind, (colour, line) in looks.items():
        style = {"color": colour, "linestyle": line, "marker": "o", "markersize": 4, "label": words.get(kind, "FAISS")}
        p50, p99 = record["p50_ms"][kind], record["p99_ms"][kind]
        left.plot(sizes, [p50[name][most] for name in names], **style)
        left.fill_between(
            sizes, [p50[name][most] for name in names], [p99[name][most] for name in names], color=colour, alpha=0.08
        )
        middle.plot(counts, [p50[names[-1]][str(count)] for count in counts], **style)
        right.plot(sizes, [record["memory_mb"][kind][name][most] for name in names], **style)
    left.set(title=f"{most} queries: p50, up to p99 shaded", xlabel="items", ylabel="ms")
    middle.set(title=f"{sizes[-1]:,} items: p50", xlabel="queries at once (interests of a user)", ylabel="ms")
    right.set(title="peak memory of the process", xlabel="items", ylabel="MB")
    for axis in (left, middle):
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    for axis in (left, right):
        axis.set_xscale("log")
    right.set_ylim(0, None)
    left.legend(frameon=False, fontsize=9)
    found = min(record["recall_at_100"]["faiss"].values())
    figure.suptitle(
        f"The {record['k']} nearest of each query, {record['dim']} dimensions, {record['threads']} thread(s), "
        f"noise {record['noise']:g}; FAISS finds at least {found:.1%} of them"
    )
    _save(figure, (left, middle, right), picture)


def _save(figure: Any, axes: Any, picture: Path) -> None:
    for axis in axes:
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_axisbelow(True)
    with atomic_file(picture) as work:
        figure.savefig(work, format="png", dpi=120)
    pyplot.close(figure)
