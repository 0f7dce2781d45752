"""The gate's rules: what a candidate must show on the hold-out before it may go to Production.

Pure functions: what was seen of the models in (dsgo/gate/evidence.py), a table out. What each rule protects from stands
in README.md beside this file.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import ModelSignature

from dsgo.data.schema import CAPACITY, TARGETS
from dsgo.gate.comparison import RESAMPLINGS, share_better
from dsgo.models.metrics import scores
from dsgo.models.rows import model_input

HOURS = 180 * 24  # of the hold-out
R2 = 0.5
SHARE = 95.0  # percent of the resamplings
STRAY = 1.25  # of the judged fit's mae: a serving fit that knows the hold-out by heart differs by that mae exactly
MILLISECONDS = 200.0

BETTER = f"better in % of {RESAMPLINGS:,} resamplings"

Row = dict[str, Any]  # model, run_id, rule, figure (number or text; None: not a number), limit, verdict


@dataclass(frozen=True)
class Seen:
    """What one logged model did on the hold-out."""

    predicted: pd.DataFrame  # solar_GW, wind_GW in GW, index of the hold-out; all NaN where it does not predict
    signature: ModelSignature | None = None
    milliseconds: float = float("nan")  # for one row
    problem: str = ""  # why it does not load or predict
    loaded: bool = False


@dataclass(frozen=True)
class Evidence:
    """What was seen of a candidate: its judged fit, and the one that would serve."""

    name: str  # as people call it: "rf"
    run_id: str
    judged: Seen
    serving: Seen
    scores: dict[str, float]  # of the judged fit, see dsgo.models.metrics.scores
    until: pd.Timestamp | None  # the last hour that the judged fit learned from; None: not known
    doubt: str = ""  # why it is not known


@dataclass(frozen=True)
class Incumbent:
    """What a candidate has to beat: the version in Production, or the last that was there."""

    name: str  # "version 3"
    run_id: str
    signature: ModelSignature | None
    in_production: bool
    predicted: pd.DataFrame = field(default_factory=pd.DataFrame)  # of the hours to compare on; empty: none
    left_out: str = ""  # why there is none


def judge(
    candidate: Evidence,
    incumbent: Incumbent | None,
    reference: ModelSignature,
    test: pd.DataFrame,
    metric: str,
    margin: float,
) -> list[Row]:
    """Return a row for each rule: rule, figure, limit, and the verdict "passed" or "failed".

    `test` is the hold-out with its capacities in GW; `incumbent` what is to be beaten, if there is anything;
    `reference` the signature whose outputs to keep; `margin` the share of the incumbent's `metric` that a candidate
    must take off.
    """
    found, judged, serving = candidate.scores, candidate.judged, candidate.serving
    power, capacity = judged.predicted, test[CAPACITY].to_numpy()
    rows: list[Row] = []

    def rule(name: str, figure: float | str, limit: str, holds: object) -> None:
        shown = None if isinstance(figure, float) and not math.isfinite(figure) else figure
        verdict = "passed" if holds else "failed"
        identity = {"model": candidate.name, "run_id": candidate.run_id}
        rows.append(identity | {"rule": name, "figure": shown, "limit": limit, "verdict": verdict})

    rule("loads and predicts", judged.problem or "yes", "yes", not judged.problem)
    lacking = needs(judged.signature, [str(name) for name in model_input(test.head(1)).columns])
    rule("needs columns that are not in the data", lacking or "none", "none", not lacking)
    lost = loses(judged.signature, reference)
    rule("keeps the outputs", lost or "yes", "yes", not lost)
    last, first = candidate.until, test.index[0]
    rule(
        *("last hour it learned from", f"{last:%Y-%m-%d %H:%M}" if last is not None else candidate.doubt),
        *(f"before {first:%Y-%m-%d %H:%M}", last is not None and last < first),
    )
    rule("hours of the hold-out", len(test), f"at least {HOURS:,} (180 days)", len(test) >= HOURS)
    missing = int((~np.isfinite(power)).any(axis=1).sum())
    rule("hours without a number", missing, "0", missing == 0)
    least = float(power.min().min())
    rule("lowest power, GW", least, "at least 0", least >= 0)
    above = int((~(power.to_numpy() <= capacity)).any(axis=1).sum())
    rule("hours not within installed capacity", above, "0", above == 0)
    for target in TARGETS:
        r2 = found[f"r2_{target.removesuffix('_GW')}"]
        rule(f"r2 of {target.removesuffix('_GW')}", r2, f"above {R2}", r2 > R2)
    rule("skill over the baseline", found["mae_skill"], "above 0", found["mae_skill"] > 0)
    _compare(candidate, incumbent, test, metric, margin, rule)
    rule("serving fit: loads and predicts", serving.problem or "yes", "yes", not serving.problem)
    outside = int((~((serving.predicted >= 0) & (serving.predicted <= capacity))).any(axis=1).sum())
    rule("serving fit: hours not from 0 to capacity", outside, "0", outside == 0)
    apart, most = float((serving.predicted - power).abs().to_numpy().mean()), STRAY * found["mae"]
    rule("serving fit: apart from the judged one, GW", apart, f"at most {most:.5g} ({STRAY} of its mae)", apart <= most)
    rule("one row, ms", serving.milliseconds, f"under {MILLISECONDS:.0f}", serving.milliseconds < MILLISECONDS)
    return rows


def compared(
    candidate: Evidence, incumbent: Incumbent, test: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the hours to compare two recipes on, and what candidate and incumbent predict of them."""
    hours = incumbent.predicted.index
    return test.loc[hours], candidate.judged.predicted.loc[hours], incumbent.predicted


def _compare(
    candidate: Evidence,
    incumbent: Incumbent | None,
    test: pd.DataFrame,
    metric: str,
    margin: float,
    rule: Callable[[str, float | str, str, object], None],
) -> None:
    """Add the rows of a candidate against the incumbent: recipe against recipe, on hours that neither learned from."""
    name, mine = f"{metric}, GW", candidate.scores[metric]
    if incumbent is None:
        rule(name, mine, "nothing is in Production yet", True)
        return
    if incumbent.left_out:
        rule(name, mine, incumbent.left_out, True)
        return
    hours, ours, theirs = compared(candidate, incumbent, test)
    if len(hours) < len(test):
        name += f", since {hours.index[0]:%Y-%m-%d}"  # the incumbent learned from the hours before
    who = incumbent.name + (", this very model" if incumbent.run_id == candidate.run_id else "")
    figure, other = (scores(hours, predicted, predicted)[metric] for predicted in (ours, theirs))
    if not incumbent.in_production:
        rule(name, figure, f"at most {other:.5g} (as {who}, the last in Production)", figure <= other)
        return
    limit = other * (1 - margin)
    rule(
        name, figure, f"at most {limit:.5g} ({f'{100 * margin:.4g}% below' if margin else 'as'} {who})", figure <= limit
    )
    share = 100 * share_better(hours, ours, theirs, metric)
    rule(BETTER, share, f"at least {SHARE:.0f}", share >= SHARE)


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


def needs(signature: ModelSignature | None, given: list[str]) -> str:
    """Return the columns that a model requires and is not given; empty: none. An optional one is no need.

    A model without a signature may need anything, and says so here.
    """
    if signature is None or signature.inputs is None:
        return "not known: it has no signature"
    return ", ".join(str(name) for name in signature.inputs.required_input_names() if name not in given)


def loses(signature: ModelSignature | None, reference: ModelSignature) -> str:
    """Return the outputs of `reference` that a signature lacks or has in another type; empty: none."""
    if signature is None or signature.outputs is None:
        return "not known: it has no signature"
    kept = {str(column) for column in signature.outputs}
    lost = [str(column) for column in reference.outputs or [] if str(column) not in kept]
    return f"it lacks {', '.join(lost)}" if lost else ""
