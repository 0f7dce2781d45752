"""Measure the running dashboard with 20 people at once: first byte of each page, and every callback that a page makes.

    dsgo demo                          # or any running dashboard with four years of data
    python benchmarks/dashboard.py --url http://127.0.0.1:8050

Each of the people is a thread with a connection of its own that opens pages, zooms, changes models, moves sliders and
downloads, an action every 0.5 to 1.5 s, and asks for news every 3 s as an open page does. It sends what a browser would
send. Prints the table in README.md.
"""

import json
import random
import statistics
import threading
import time
from collections import defaultdict
from typing import Any

import click
import requests

PAGES = ["/", "/explore", "/years", "/models", "/what-if"]
SLIDERS = {"windspeed": 15, "temperature": 30, "rad_horizontal": 800, "rad_diffuse": 400, "hour": 23}
Timings = dict[str, list[tuple[float, int]]]


class Callbacks:
    """The dashboard's callbacks, as a browser calls them."""

    def __init__(self, url: str) -> None:
        """Ask the dashboard what callbacks it has."""
        self.url = url
        self.known = requests.get(f"{url}/_dash-dependencies", timeout=10).json()

    def body(self, output: str, values: dict[str, Any]) -> str:
        """Return the request for the callback that sets `output`, with the values of its inputs and states."""
        entry = next(one for one in self.known if output in one["output"] and not one["clientside_function"])
        names = entry["output"].strip(".").split("...") if entry["output"].startswith("..") else [entry["output"]]
        outputs = [dict(zip(("id", "property"), name.rsplit(".", 1), strict=True)) for name in names]

        def filled(side: str) -> list[dict[str, Any]]:
            return [one | {"value": values.get(f"{one['id']}.{one['property']}")} for one in entry[side]]

        inputs, state = filled("inputs"), filled("state")
        changed = [f"{inputs[0]['id']}.{inputs[0]['property']}"]
        plain = outputs if len(names) > 1 else outputs[0]
        return json.dumps(
            {"output": entry["output"], "outputs": plain, "inputs": inputs, "state": state, "changedPropIds": changed}
        )


def act(
    callbacks: Callbacks, session: requests.Session, chance: random.Random, models: list[str], took: Timings
) -> None:
    """Do one thing that a person does."""

    def ask(name: str, output: str, values: dict[str, Any]) -> None:
        body = callbacks.body(output, values | {"live.data": {"serial": 1, "ready": True}})
        begun = time.perf_counter()
        answer = session.post(
            f"{callbacks.url}/_dash-update-component", body, headers={"Content-Type": "application/json"}, timeout=30
        )
        took[name].append((1000 * (time.perf_counter() - begun), len(answer.content)))
        answer.raise_for_status()

    year, month = chance.randint(2013, 2016), chance.randint(1, 9)
    days = {"from": f"{year}-{month:02}-01T00:00", "to": f"{year}-{month + 3:02}-01T00:00"}
    view = chance.choice([days, {"from": "2013-01-01T00:00", "to": "2017-01-01T00:00"}])
    kind = chance.choice(
        ["page", "overview", "explore", "explore", "years", "runs", "compare", "what if", "what if", "csv"]
    )
    values: dict[str, Any] = {}
    if kind == "page":
        path = chance.choice(PAGES)
        begun = time.perf_counter()
        with session.get(callbacks.url + path, stream=True, timeout=30) as answer:
            next(answer.iter_content(1))
            took["first byte of a page"].append((1000 * (time.perf_counter() - begun), 0))
            answer.raise_for_status()
        ask("open a page", "_pages_content.children", {"_pages_location.pathname": path, "_pages_location.search": ""})
    elif kind == "overview":
        ask("overview", "overview-week.figure", {})
    elif kind == "explore":
        size = "four years" if view["from"] == "2013-01-01T00:00" else "a quarter"
        values = {
            "explore-view.data": view,
            "explore-target.value": "both",
            "explore-model.value": chance.choice(models),
        }
        ask(f"explore, {size}", "explore-chart.figure", values)
    elif kind == "years":
        values = {"years-source.value": chance.choice(["recorded", "predicted"])}
        values |= {"years-chosen.value": ["2013", "2014", "2015", "2016"]}
        values |= {"years-window.data": {"from": "2016-01-01", "to": "2016-12-31"}}
        ask("years", "years-chart.figure", values)
    elif kind == "runs":
        ask("models, runs", "models-runs.children", {})
    elif kind == "compare":
        values = {"side-view.data": view, "side-a.value": models[0], "side-b.value": models[-1]}
        ask("models, side by side", "side-chart.figure", values | {"models-tab.value": "compare"})
    elif kind == "what if":
        values = {f"what-{name}.value": round(chance.uniform(0, most), 1) for name, most in SLIDERS.items()}
        values |= {"what-hour.value": chance.randint(0, 23), "what-solar_capacity_GW.value": 40.0}
        values |= {"what-wind_capacity_GW.value": 50.0, "what-model.value": chance.choice(models)}
        ask("what if", "what-gauge-solar_GW.figure", values)
    else:
        begun = time.perf_counter()
        answer = session.get(f"{callbacks.url}/explore.csv", params=view, timeout=30)
        took["CSV download" + (", four years" if view != days else "")].append(
            (1000 * (time.perf_counter() - begun), len(answer.content))
        )
        answer.raise_for_status()
    if chance.random() < 1 / 3:
        ask("what is new", "live.data", {"live.data": None})


def person(callbacks: Callbacks, number: int, models: list[str], until: float, took: Timings, wrong: list[str]) -> None:
    """Act until the time is over."""
    chance, session = random.Random(number), requests.Session()
    time.sleep(chance.uniform(0, 1))
    while time.monotonic() < until and not wrong:
        try:
            act(callbacks, session, chance, models, took)
        except (requests.RequestException, StopIteration) as error:
            wrong.append(repr(error))
        time.sleep(chance.uniform(0.5, 1.5))


@click.command(context_settings={"show_default": True})
@click.option("--url", default="http://127.0.0.1:8050")
@click.option("--people", default=20)
@click.option("--seconds", default=60.0)
@click.option("--model", "models", multiple=True, default=["production"], help="As in the address of Explore; several.")
def main(url: str, people: int, seconds: float, models: tuple[str, ...]) -> None:
    """Measure and print the table."""
    callbacks = Callbacks(url)
    took: Timings = defaultdict(list)
    warm, chance = requests.Session(), random.Random(0)
    for _ in range(40):  # models are loaded once, before anyone is timed
        act(callbacks, warm, chance, list(models), took)
    time.sleep(15)
    took.clear()
    wrong: list[str] = []
    until = time.monotonic() + seconds
    arguments = (list(models), until, took, wrong)
    crowd = [threading.Thread(target=person, args=(callbacks, number, *arguments)) for number in range(people)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    if wrong:
        raise click.ClickException(wrong[0])
    print(f"| {people} people, {seconds:.0f} s | times | median, ms | 95%, ms | most, ms | kB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, rows in sorted(took.items()):
        spent = sorted(row[0] for row in rows)
        cells = [statistics.median(spent), spent[int(0.95 * (len(spent) - 1))], spent[-1]]
        cells.append(statistics.mean(row[1] for row in rows) / 1000)
        print(f"| {name} | {len(rows)} | {' | '.join(f'{cell:,.0f}' for cell in cells)} |")


if __name__ == "__main__":
    main()
