"""The page of a simulated A/B test, made from its record alone."""

from __future__ import annotations

from typing import Any

from pipelines.abtest.statistics import METRICS
from pipelines.abtest.words import SIMULATION, interval, luck, percent_change, plain_number, signed, verdicts
from pipelines.look.words import literal, number, percent
from pipelines.markdown import markdown


def page(record: dict[str, Any]) -> str:
    """Markdown with every number, pictures beside it by their names."""
    a, b = record["models"]
    design = (
        "Every person lives the same days twice, once with each model, and is compared with themself."
        if record["paired"]
        else "People are assigned to A or B by a hash of their id, so nobody meets both."
    )
    parts = [
        f"# Simulated A/B test: {literal(a['title'])} (A) and {literal(b['title'])} (B)",
        f"**{SIMULATION}**",
        f"Made by `{record['command']}` on {record['date'][:10]}; all numbers are in [`abtest.json`](abtest.json).",
        "\n".join(f"- {line}" for line in verdicts(record)),
        "![differences with intervals](effects.png)",
        "## Metrics",
        markdown(
            ["metric", "A", "B", "B - A", "95% interval", "relative", "p", "p (Holm)"],
            [_row(name, one) for name, one in record["metrics"].items()],
        ),
        f"A value is computed for each person first, then averaged. {design} Intervals and p-values are of "
        + ("paired t-tests" if record["paired"] else "Welch's t-tests")
        + " over persons; Holm's correction is over all metrics.",
        "## Power",
        markdown(
            ["metric", "persons", "smallest difference found in 80%", "of A's mean", "persons for a change of 1%"],
            [_power(name, one) for name, one in record["metrics"].items()],
        ),
        "The smallest difference that a test of this size finds in 80% of repetitions at 5%; a true difference below "
        "it is likely to be missed. The last column is how many persons each model needs to find a change of 1%.",
        "## Day by day",
        "![hours watched](daily.png)",
        *_interleaving(record.get("interleaving")),
        "## Setting",
        _setting(record),
    ]
    return "\n\n".join(parts) + "\n"


def _row(name: str, one: dict[str, Any]) -> list[str]:
    return [
        METRICS[name],
        plain_number(one["a"]),
        plain_number(one["b"]),
        signed(one["difference"]),
        interval(one["interval"]),
        percent_change(one["relative"]),
        luck(one["p"]),
        luck(one["adjusted_p"]),
    ]


def _power(name: str, one: dict[str, Any]) -> list[str]:
    share = one["detectable"] / abs(one["a"]) if one["detectable"] is not None and one["a"] else None
    return [
        METRICS[name],
        " / ".join(f"{count:,}" for count in one["users"]),
        plain_number(one["detectable"]),
        percent(share),
        number(one["users_for_1_percent"]),
    ]


def _interleaving(shared: dict[str, Any] | None) -> list[str]:
    if shared is None:
        return []
    rows = [
        ["clicks on its titles", *(f"{one:,}" for one in shared["clicks"])],
        ["persons who open more of its titles", *(f"{one:,}" for one in shared["users"])],
    ]
    return [
        "## Shared pages (interleaving)",
        markdown(["", "A", "B"], rows),
        "Everybody sees pages that both models fill in turns (team draft, who is first is drawn). The preference of a "
        "person is whose titles they open more often; the test is a sign test over persons. It finds smaller "
        "differences in what is opened, and says nothing of staying and returning.",
    ]


def _setting(record: dict[str, Any]) -> str:
    service = record["service"]
    lines = [
        f"{service['users']:,} people ({record['users'][0]:,} with A, {record['users'][1]:,} with B), drawn with seed "
        f"{service['seed']}, in no training log; {service['past']} days of past, then {record['days']} days.",
        f"{service['titles']:,} titles of the simulated service, catalogue seed {service['data_seed']}; pages of "
        f"{record['page']} titles from the signature `{record['signature']}`.",
        *(
            f"{side}: {literal(one['title'])}, export {literal(one['name'])}, training data fingerprint "
            f"`{one['fingerprint'][:12]}`, exported at commit `{one['commit']}`."
            for side, one in zip("AB", record["models"], strict=True)
        ),
        "A person reads a page from the top, opens what fits the hidden intent of the visit, plays, saves or goes on, "
        "asks for another page or leaves, and comes back more or less often, for visits that went well lift the mood.",
    ]
    return "\n".join(f"- {line}" for line in lines)
