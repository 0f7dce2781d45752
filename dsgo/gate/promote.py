"""The gate to Production: judge candidates and the Production model on the same hold-out, promote the best that passes.

In: the run ids of candidates (`--run-ids a,b,c`) and a dataset (`--data`; nothing: the newest of this experiment),
whose last 365 days are the hold-out. What the trainers logged of their models' quality is not used. Out, on the MLflow
run: the table of all rules (gate.json), the winner's figures, and how the data stands against what the Production model
of before learned from (drift.json); in the registry: the winner as a version of BestModel in Production, only in
Staging (`--to Staging`) or in no stage (`--to none`). The version is the fit on every hour; its tags name the judged
one. If no candidate passes, nothing changes. What each rule protects from: README.md beside this file.
Run it with `mlflow run . -e promote --env-manager local -P run_ids=...`.
"""

import json
import re

import click
import mlflow
import pandas as pd
from mlflow.entities import Run
from rich.box import HEAVY_HEAD
from rich.table import Table
from rich.text import Text

from dsgo.base import tags
from dsgo.base.errors import UserError
from dsgo.base.terminal import console
from dsgo.data.dataset import load_dataset
from dsgo.data.hold_out import period, split_dataset
from dsgo.gate.evidence import HoldOut, find_candidate, observe_candidate, observe_incumbent
from dsgo.gate.rules import BETTER, Evidence, Incumbent, Row, compared, failures, figure_text, judge, passed
from dsgo.models import drift, fits, registry
from dsgo.models.metrics import scores
from dsgo.models.training import JUDGED, SERVING, SIGNATURE
from dsgo.runs import options
from dsgo.runs.lineage import tracked
from dsgo.runs.run_ids import parse_run_ids
from dsgo.runs.step import run_step, start_run


@click.command
@click.option("--run-ids", default="", help="The candidates: run ids, with commas between them.")
@options.gate
@options.data
def main(run_ids: str, to: str, metric: str, margin: float, data: str) -> None:
    """See every model on the hold-out, judge it by every rule, promote the best that passes."""
    with start_run("promote") as gate:
        runs = [find_candidate(run_id)[0] for run_id in parse_run_ids(run_ids)]
        dataset = load_dataset(data)
        train, test = split_dataset(dataset.frame, "chronological")
        simulated = " (simulated data)" if dataset.frame.attrs.get("simulated") else ""
        mlflow.log_input(tracked(dataset.frame, dataset.uri), "hold-out")
        mlflow.set_tags({tags.DATA_RUN_ID: dataset.run_id or "none", tags.SIMULATED: bool(simulated)})

        production = registry.production()
        to_beat = registry.incumbent()
        incumbent = observe_incumbent(to_beat, production is not None, test) if to_beat else None
        if production:
            since = drift.check_version(production, dataset)
            since.log()
            print(f"version {production.version}, now in Production: {since.said}")
        hold_out = HoldOut.of(train, test)
        seen = [observe_candidate(run, hold_out) for run in runs]

        reference = (incumbent and incumbent.signature) or SIGNATURE
        tables = [judge(one, incumbent, reference, test, metric, margin) for one in seen]
        when = f"{period(test.index)}{simulated}"
        show_and_log(tables, f"The gate, on {when}")

        passing = [i for i, rows in enumerate(tables) if passed(rows)]
        if passing:
            best = min(passing, key=lambda i: seen[i].scores[metric])
            if number(registry.production()) != number(production):
                raise UserError("another version went to Production while this gate was judging: run promote again")
            why = f"{seen[best].name}: {metric} {seen[best].scores[metric]:.4g} GW on {when}"
            why += against(seen[best], incumbent, test, metric)
            version, conclusion = enter(gate, runs[best], seen[best], tables[best], to, why)
        else:
            failed = (f"{one.name}: {failures(rows)}" for one, rows in zip(seen, tables, strict=True))
            version, conclusion = "none", f"no candidate passes, nothing changes. {'. '.join(failed)}"
        mlflow.set_tags({tags.PROMOTED_VERSION: version, tags.CONCLUSION: conclusion[:5000]})
        if not passing and production is None and to == "Production":
            raise UserError(f"{registry.look().said}. The gate: {conclusion}")
    print(conclusion)


def against(candidate: Evidence, incumbent: Incumbent | None, test: pd.DataFrame, metric: str) -> str:
    """Return what the incumbent has, as the end of a sentence about the candidate; empty where there is none."""
    if incumbent is None:
        return ""
    if incumbent.left_out:
        return f"; {incumbent.left_out}"
    hours, ours, theirs = compared(candidate, incumbent, test)
    other = f"{incumbent.name} has {scores(hours, theirs, theirs)[metric]:.4g} GW"
    if len(hours) == len(test):
        return f", {other}"
    return f"; since {hours.index[0]:%Y-%m-%d} {scores(hours, ours, ours)[metric]:.4g} GW, {other}"


def enter(gate: Run, run: Run, seen: Evidence, rows: list[Row], to: str, why: str) -> tuple[str, str]:
    """Register the winner's fit to serve, move it on as far as `to`, and return its version and what was done."""
    found = fits.of_run(run)
    judged, serving = (found[name].uri.removeprefix("models:/") for name in (JUDGED, SERVING))
    figures = {f"gate.{name}": f"{value:.6g}" for name, value in seen.scores.items()}
    shares = [row["figure"] for row in rows if row["rule"] == BETTER]
    figures |= {"gate.better_percent": f"{shares[0]:.6g}"} if shares else {}
    figures |= {"gate.milliseconds": f"{seen.serving.milliseconds:.3g}", tags.TABLE: json.dumps(rows)}
    until = (tags.TRAINED_UNTIL, tags.SERVING_UNTIL)
    figures |= {tags.JUDGED: judged} | {name: run.data.tags[name] for name in until if name in run.data.tags}
    version = registry.register(run.info.run_id, serving, figures, f"{why}.\n\n{links(run, gate)}").version
    if to in ("Staging", "Production"):
        registry.stage(version)
    if to == "Production":
        registry.promote(version, why, "gate")
    mlflow.log_metrics(seen.scores)
    where = "registered, in no stage" if to == "none" else f"in {to}"
    return version, f"version {version} of {registry.MODEL} is {where}. {why}"


def number(version: registry.ModelVersion | None) -> str | None:
    """Return a version's number; None for none."""
    return version.version if version else None


def show_and_log(tables: list[list[Row]], title: str) -> None:
    """Leave the gate's table on the run as gate.json, and print it."""
    frame = pd.DataFrame([row for rows in tables for row in rows], dtype=object)
    mlflow.log_table(frame, "gate.json")  # MLflow's UI shows it as a table
    screen = console()
    box = HEAVY_HEAD if screen.is_terminal else None
    for rows in tables:
        table = Table("rule", "figure", "limit", "verdict", title=Text(f"{title}: {rows[0]['model']}"), box=box)
        for row in rows:
            cells = [row["rule"], figure_text(row["figure"]), row["limit"], row["verdict"]]
            table.add_row(*map(Text, cells), style="red" if row["verdict"] == "failed" else None)
        screen.print(table)


def links(run: Run, gate: Run) -> str:
    """Return Markdown links to a candidate's run, its dataset, this gate's run and the workflow around it."""
    ids = {"run": run.info.run_id, "dataset": run.data.tags.get(tags.DATA_RUN_ID, "none")}
    ids |= {"gate": gate.info.run_id, "workflow": gate.data.tags.get("mlflow.parentRunId", "none")}
    server = re.sub(r"//[^/@]*@", "//", mlflow.get_tracking_uri())  # no password in a description
    return ", ".join(f"[{name}]({server}/#/runs/{run_id})" for name, run_id in ids.items() if run_id != "none")


if __name__ == "__main__":
    run_step(main)
