"""1_starting_point beside its notebooks: the data, the report, the dashboard, and its README's table of sins."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request

import pandas as pd
import pytest

from dsgo.base.network import free_port
from dsgo.base.places import ROOT
from dsgo.base.processes import APART, kill_tree
from dsgo.data import quality
from dsgo.data.capacity import capacity_from_table
from dsgo.data.opsd import period, read_raw
from dsgo.data.sample import write_sample
from dsgo.data.schema import TARGETS, WEATHER

HERE = ROOT / "1_starting_point"
README = (HERE / "README.md").read_text(encoding="utf-8")
SINS = [row.split(" | ") for row in README.splitlines() if row.startswith("| [")]


@pytest.fixture(scope="module")
def germany():
    return pd.read_csv(HERE / "germany.csv", index_col="utc_timestamp", parse_dates=True)


@pytest.fixture
def copy(tmp_path):
    """The folder without what notebooks wrote into it."""
    return shutil.copytree(HERE, tmp_path / "copy", ignore=shutil.ignore_patterns("raw", "*.html", "__pycache__"))


def test_germany_csv__is_the_sample_with_its_dirt(germany, tmp_path):
    """Made anew, byte for byte, by make_processed_data.ipynb: test_notebooks.py."""
    hours = period("2013-01-01", "2016-12-31")
    power, weather = read_raw(write_sample(tmp_path), hours, "DE")
    capacity = capacity_from_table(hours, "DE")
    clean, _ = quality.clean(power, weather, capacity, hours)

    assert germany.index.duplicated().sum() == 4
    once = germany[~germany.index.duplicated()]
    pd.testing.assert_frame_equal(once, clean[TARGETS + WEATHER], check_index_type=False, check_freq=False)


def test_create_report__writes_the_week_as_a_page(copy, germany):
    report = copy / "report"
    done = subprocess.run(
        [sys.executable, "create_report.py"], cwd=report, capture_output=True, text=True, timeout=120, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "weekly_report.html written" in done.stdout
    page = (report / "weekly_report.html").read_text(encoding="utf-8")
    energy = germany.loc["2016-08-01":"2016-08-07", TARGETS].sum()
    for target in TARGETS:
        assert re.search(rf"<th>{target.removesuffix('_GW')}</th>\s*<td>{energy[target]:.1f}</td>", page)
    assert len(re.findall("<img [^>]*data:image/png", page)) == 2
    assert "train_test_split" not in page  # no code


def test_dashboard__answers_a_browser_with_the_month_asked_for(copy, germany):
    url = f"http://127.0.0.1:{(port := free_port())}"
    server = subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=copy / "dashboard",
        env=os.environ | {"PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **APART,
    )
    try:
        deadline = time.monotonic() + 90
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/_dash-layout", timeout=5) as answer:
                layout = answer.read().decode()
                break
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)
        names = ["solar", "wind", "day-solar", "day-wind"]
        asked = {
            "output": ".." + "...".join(f"{name}.figure" for name in names) + "..",
            "outputs": [{"id": name, "property": "figure"} for name in names],
            "inputs": [{"id": "month", "property": "value", "value": "2016-03"}],
            "changedPropIds": ["month.value"],
        }
        request = urllib.request.Request(
            f"{url}/_dash-update-component", json.dumps(asked).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            figures = json.load(answer)["response"]
    finally:
        kill_tree(server)

    assert "Model quality: R2 = 0.9" in layout  # as it claims, of hours that it learned from
    assert set(figures) == set(names)
    recorded, predicted = figures["wind"]["figure"]["data"]
    assert (recorded["name"], predicted["name"]) == ("recorded", "predicted")
    assert len(recorded["x"]) == len(germany.loc["2016-03"])
    assert figures["wind"]["figure"]["layout"]["title"]["text"].startswith("Wind (MAE ")


@pytest.mark.parametrize("row", SINS, ids=[f"{i}" for i in range(len(SINS))])
def test_readme__names_each_sin_by_code_that_is_there_and_links_to_its_cure(row):
    where, what, cure = row

    places = re.findall(r"\[[^]]+\]\(([^)]+)\)((?:,? ?:? ?`[^`]+`)+)", where)
    assert places
    for path, quoted in places:
        source = (HERE / path).read_text(encoding="utf-8")
        if path.endswith(".ipynb"):
            source = "\n".join("".join(cell["source"]) for cell in json.loads(source)["cells"])
        for fragment in re.findall(r"`([^`]+)`", quoted):
            assert fragment in source, (path, fragment)
    assert what
    links = re.findall(r"\]\(([^)]+)\)", cure)
    assert links or cure.strip(" |") == "the same"
    assert [link for link in links if not (HERE / link).is_file()] == []


def test_readme__has_the_table():
    assert len(SINS) >= 15
