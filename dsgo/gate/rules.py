"""The gate's rules: what a candidate must show on the hold-out before it may go to Production.

Pure functions: what was seen of the models in (dsgo/gate/evidence.py), a table out.
"""

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd
from mlflow.models import ModelSignature

from dsgo.data.schema import CAPACITY, TARGETS

R2 = 0.5
MILLISECONDS = 200.0

Row = dict[str, Any]  # model, run_id, rule, figure (number or text; None: not a number), limit, verdict


@dataclass(frozen=True)
class Evidence:
    """What was seen of one model on the hold-out."""

    name: str  # as people call it: "rf", "version 3"
    run_id: str
    predicted: pd.DataFrame  # solar_GW, wind_GW in GW, index of the hold-out; all NaN where it does not predict
    scores: dict[str, float]  # of `predicted`, see dsgo.models.metrics.scores
    milliseconds: float  # for one row
    signature: ModelSignature | None
    trained_until: pd.Timestamp | None  # its last training hour; None: not known
    problem: str = ""  # why it does not load or predict


def judge(
    candidate: Evidence,
    incumbent: Evidence | None,
    reference: ModelSignature,
    test: pd.DataFrame,
    metric: str,
    margin: float,
) -> list[Row]:
    """Return a row for each rule: rule, figure, limit, and the verdict "passed" or "failed".

    `test` is the hold-out with its capacities in GW; `incumbent` the model now in Production, seen on the same
    hold-out, if there is one; `reference` the signature to keep; `margin` the share of the incumbent's `metric` that a
    candidate must take off.
    """
    found, power, capacity = candidate.scores, candidate.predicted[TARGETS], test[CAPACITY].to_numpy()
    rows: list[Row] = []

    def rule(name: str, figure: float | str, limit: str, holds: object) -> None:
        shown = None if isinstance(figure, float) and not math.isfinite(figure) else figure
        verdict = "passed" if holds else "failed"
        identity = {"model": candidate.name, "run_id": candidate.run_id}
        rows.append(identity | {"rule": name, "figure": shown, "limit": limit, "verdict": verdict})

    rule("loads and predicts", candidate.problem or "yes", "yes", not candidate.problem)
    difference = _difference(candidate.signature, reference)
    rule("keeps the signature", difference or "same", "same", not difference)
    last, first = candidate.trained_until, test.index[0]
    rule(
        *("last hour it learned from", f"{last:%Y-%m-%d %H:%M}" if last else "not known"),
        *(f"before {first:%Y-%m-%d %H:%M}", last is not None and last < first),
    )
    missing = int(power.isna().any(axis=1).sum())
    rule("hours without a number", missing, "0", missing == 0)
    least = float(power.min().min())
    rule("lowest power, GW", least, "at least 0", least >= 0)
    above = int((~(power.to_numpy() <= capacity)).any(axis=1).sum())
    rule("hours not within installed capacity", above, "0", above == 0)
    for target in TARGETS:
        r2 = found[f"r2_{target.removesuffix('_GW')}"]
        rule(f"r2 of {target.removesuffix('_GW')}", r2, f"above {R2}", r2 > R2)
    rule("skill over the baseline", found["mae_skill"], "above 0", found["mae_skill"] > 0)
    if incumbent is None:
        rule(f"{metric}, GW", found[metric], "nothing is in Production yet", True)
    else:
        limit = incumbent.scores[metric] * (1 - margin)
        name = incumbent.name + (", this very model" if incumbent.run_id == candidate.run_id else "")
        below = f"at most {limit:.5g} ({100 * margin:.4g}% below {name})"
        rule(f"{metric}, GW", found[metric], below, found[metric] <= limit)
    rule("one row, ms", candidate.milliseconds, f"under {MILLISECONDS:.0f}", candidate.milliseconds < MILLISECONDS)
    return rows


def passed(rows: list[Row]) -> bool:
    """Return whether every rule holds."""
    return all(row["verdict"] == "passed" for row in rows)


def failures(rows: list[Row]) -> str:
    """Return the rules that do not hold, in words.

    >>> failures([{"rule": "r2 of wind", "figure": 0.41234, "limit": "above 0.5", "verdict": "failed"}])
    'r2 of wind is 0.41234, must be above 0.5'
    """
    return "; ".join(
        f"{row['rule']} is {figure_text(row['figure'])}, must be {row['limit']}"
        for row in rows
        if row["verdict"] == "failed"
    )


def figure_text(figure: float | str | None) -> str:
    """Return a figure as people read it: five significant digits.

    >>> figure_text(2.09382449), figure_text(0), figure_text("same"), figure_text(None)
    ('2.0938', '0', 'same', 'no number')
    """
    if figure is None:
        return "no number"
    return f"{figure:.5g}" if isinstance(figure, float) else str(figure)


def _difference(signature: ModelSignature | None, reference: ModelSignature) -> str:
    """Return what sets two signatures apart, by the columns that differ; empty: they are the same."""
    if signature is None:
        return "it has none"
    differ = []
    for part in ("inputs", "outputs"):
        ours, theirs = getattr(signature, part), getattr(reference, part)
        if ours != theirs:
            names = {str(column) for column in ours or []} ^ {str(column) for column in theirs or []}
            differ.append(f"{part} differ: {', '.join(sorted(names)) or 'their order'}")
    return "; ".join(differ)
