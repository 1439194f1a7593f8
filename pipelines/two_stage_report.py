"""Results of candidates and their ranking for people and for files."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from intentrec_tf.ranking import JointRanker
from pipelines.config import RankingRunConfig
from pipelines.environment import provenance
from pipelines.merging import USUAL, Merging
from pipelines.run_folder import RunFolder
from pipelines.split import PARTS
from pipelines.two_stage import make_retriever, tally_candidates
from pipelines.validate import DataError


def two_stage_record(
    implicit: Path,
    explicit: Path | None,
    run: Path | None,
    counts: Sequence[int],
    part: str,
    max_targets: int | None = None,
    rankers: Sequence[Path] = (),
    merging: Merging = USUAL,
) -> dict[str, Any]:
    """:func:`tally_candidates` of training runs, with everything a result must state.

    Args:
        implicit, explicit: folders of retrieval runs.
        run: folder of the run that ranks; None takes the one whose features the first ranker reads.
        counts: list lengths.
        part: ``validation`` or ``test``.
        max_targets: a seeded random subset.
        rankers: folders of ranking runs, which go by the names of their folders.
        merging: how candidates become one list.

    Raises:
        DataError: a run that is not there or does not fit, or counts that are none.
    """
    first, second = RunFolder(implicit), RunFolder(explicit) if explicit else None
    joint, described = _rankers(first, rankers)
    retriever = make_retriever(first, second, max(counts, default=1), merging)
    prepared, config = first.read()
    model, ranking = None, None
    if run is None and described:
        run = next(iter(described.values())).run
    if run is not None:
        first.check_same_data(RunFolder(run))
        model, _, ranking = RunFolder(run).load_next_item_model()
    start = time.perf_counter()
    result = tally_candidates(retriever, prepared, counts, model, PARTS.index(part), max_targets, joint).result()
    seconds = round(time.perf_counter() - start, 1)
    return {
        "dataset": prepared.spec.schema.name,
        "fingerprint": prepared.fingerprint,
        "part": part,
        "filter_seen": prepared.spec.schema.exclude_seen,
        "implicit": config.model_dump(mode="json"),
        "explicit": second.read()[1].model_dump(mode="json") if second else None,
        "merging": {**asdict(merging), "by_score": retriever.by_score},
        "ranking": ranking.model_dump(mode="json") if ranking else None,
        "data_caveats": prepared.manifest["sources"],
        "rankers": {name: config.described() for name, config in described.items()},
        **result,
        "seconds": seconds,
        **provenance(),
    }


def _rankers(first: RunFolder, folders: Sequence[Path]) -> tuple[dict[str, JointRanker], dict[str, RankingRunConfig]]:
    """Rankers and their configurations by the names of their folders.

    Raises:
        DataError: one is not there, is no ranker, or two have one name.
    """
    named: dict[str, RunFolder] = {}
    for folder in folders:
        name = folder.absolute().name
        if name in named:
            raise DataError(f"--ranker {folder}: another one is called {name} too; give it a folder of another name.")
        named[name] = RunFolder(folder)
        first.check_same_data(named[name])
    joint, described = {}, {}
    for name, run in named.items():
        joint[name], _, config = run.load_ranker()
        assert config.ranking is not None
        described[name] = config.ranking
    return joint, described


def print_two_stages(record: dict[str, Any], console: Console) -> None:
    """Show a result: a row per list length, what each ranker makes of the lists, then how interests are used."""
    ranked = "full_ndcg@10" in record
    kinds = list(record["targets_in"])
    table = Table(
        box=SIMPLE,
        padding=(0, 1, 0, 0),  # fits 80 columns
        title=f"{record['dataset']}, {record['part']} part: recall of candidates",
        caption=f"{record['targets']:,} targets; "
        + ", ".join(f"{name} {count:,}" for name, count in record["targets_in"].items() if name != "all"),
    )
    for name in ("candidates", *kinds, "coverage", *(["NDCG@10 ranked", "of full"] if ranked else [])):
        table.add_column(name.replace(" ", "\n", 1), justify="right", no_wrap=True)
    for count, values in record["candidates"].items():
        cells = [f"{values['recall'][kind]:.4f}" if record["targets_in"][kind] else "-" for kind in kinds]
        cells.append(f"{values['coverage']:.1%}")
        if ranked:
            share = values["ndcg@10"] / record["full_ndcg@10"] if record["full_ndcg@10"] else 0.0
            cells += [f"{values['ndcg@10']:.4f}", f"{share:.1%}"]
        table.add_row(count, *cells)
    console.print(table)
    if record["rankers"]:
        console.print(_by_ranker(record))
    used, longest = record["interests"], list(record["candidates"].values())[-1]
    console.print(
        f"{used['per_user']:.1f} interests a user; {used['effective_number']:.1f} effectively used, "
        f"{used['never_used']:.0%} of the slots never; {longest['explicit_share']:.0%} of the candidates from topics; "
        + (f"full ranking NDCG@10 {record['full_ndcg@10']:.4f}" if ranked else "no ranking (name one with --run)")
    )


def _by_ranker(record: dict[str, Any]) -> Table:
    """NDCG@10 of the final list by the item state and by each ranker, a row each."""
    table = Table(
        title="NDCG@10 of the final list",
        caption=f"the same {record['targets']:,} targets; the whole catalogue ranked: {record['full_ndcg@10']:.4f}",
    )
    table.add_column("ranked by")
    lists = record["candidates"]
    for count in lists:
        table.add_column(f"{count} candidates", justify="right")
    table.add_row("item state (inner product)", *(f"{values['ndcg@10']:.4f}" for values in lists.values()))
    for name, config in record["rankers"].items():
        reads = " and ".join(word for word, read in (("Z", config["intent"]), ("item state", config["state"])) if read)
        words = f"{name} ({config['kind']}, with {reads})" if reads else f"{name} ({config['kind']})"
        table.add_row(words, *(f"{values['rankers'][name]:.4f}" for values in lists.values()))
    return table
