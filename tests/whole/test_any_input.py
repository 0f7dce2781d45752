"""Each public entrance gets generated bad input: it answers as it says it does, and writes nothing half.

ENTRANCES is the table; tests/README.md shows it to readers. The same SEED makes the same inputs on every run.
"""

import contextlib
import gzip
import io
import json
import re
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlencode

import click
import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from mlflow.pyfunc import scoring_server
from sklearn.linear_model import LinearRegression

from dsgo import pipeline
from dsgo.base.errors import UserError, refused_paths
from dsgo.base.places import ROOT
from dsgo.cli import main as dsgo
from dsgo.data import clock, live
from dsgo.data.dataset import locate, read_dataset
from dsgo.data.opsd import find_pair, period
from dsgo.data.schema import CAPACITY, COLUMNS, TARGETS, TIME, WEATHER
from dsgo.gate.promote import parse_run_ids
from dsgo.models.loading import load_model
from dsgo.stores import running
from dsgo.workflow import keys
from dsgo.workflow.plan import own_parameters
from ftp_server import wait_until
from saved_model import save_model
from scripts import command_of

SEED = 11
fed = Counter[str]()

# Texts as they reach a command line: any but NUL; \udcff is a byte that is no UTF-8.
ODD = ["", " ", "-1", "0", "1e309", "nan", "inf", "None", "..", "/", "~", "~nobody/x", "a,b,", "{x}", "{0}", "%00"]
ODD += ["--", "-", "\udcff", "x" * 300, "/".join("x" * 5000), "2016-13-01", "2016-01-01", "0001-01-01", "9999-12-31"]
ODD += ["models:/", "runs:/x/y", "file:///no/such/file", "C:/x", "0" * 32, "\u0661", "9" * 5000, "1/2", "99/0", "1/2/3"]
text = st.sampled_from(ODD) | st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)
numbers = st.floats().map(str) | st.integers().map(str)
value = text | numbers

# ---- MLproject commands: click's parsing, then what is checked without a server

CHECKS: dict[str, Callable[[str], Any]] = {
    "data": lambda data: data and locate(data),
    "source": lambda source: source in ("sample", "opsd", *live.SOURCES) or find_pair(Path(source)),
    "now": live.present,
    "weather_late": lambda hours: clock.parse("weather_late", hours),
    "power_late": lambda hours: clock.parse("power_late", hours),
    "run_ids": parse_run_ids,
}
MLPROJECTS = {
    "process_data": ("process_data", "process_data"),
    "process_data -e validate": ("process_data", "validate"),
    "lr": ("lr", "lr"),
    "rf": ("rf", "rf"),
    "rf -e sweep": ("rf", "sweep"),
    "gbm": ("gbm", "gbm"),
    "kernel": ("kernel", "kernel"),
    "keras_nn": ("keras_nn", "keras_nn"),
    "blend": ("blend", "blend"),
    "report": ("report", "report"),
    "forecast": ("forecast", "forecast"),
    ". (workflow)": (".", "dsgo.pipeline"),
    ". -e promote": (".", "dsgo.gate.promote"),
    ". -e rollback": (".", "dsgo.gate.rollback"),
}


@pytest.fixture
def command(request, monkeypatch):
    """The click command of an MLproject's entry point."""
    if request.param is None:
        return None
    monkeypatch.setattr(keys, "files", lru_cache(keys.files))  # no file of a project changes meanwhile
    return command_of(*request.param)


def parameters(project):
    """The options of a command, as its MLproject has them."""
    folder, module = MLPROJECTS[project]
    points = yaml.safe_load((ROOT / folder / "MLproject").read_text(encoding="utf-8"))["entry_points"]
    point = next(p for p in points.values() if re.search(rf"{re.escape(module)}(\.py)? ", p["command"]))
    return [name.replace("_", "-") for name in point["parameters"]]


@st.composite
def options_of(draw, project):
    """Values of one or two options of a command, and now and then what no command has."""
    names = parameters(project)
    if project == ". (workflow)":
        names += ["rf.seed", "lr.x", "x.y"]
    given = draw(st.lists(st.tuples(st.sampled_from(names), value), min_size=1, max_size=2))
    strange = draw(st.sampled_from([[]] * 9 + [["--nothing", "1"], ["more"], ["--"], ["--help"]]))
    return [part for name, given_value in given for part in (f"--{name}", given_value)] + strange


def each_option(project):
    """Each option alone with each of the odd texts."""
    return [[f"--{name}", odd] for name in parameters(project) for odd in ODD]


def feed_command(arguments, command):
    try:
        with refused_paths():  # as run_step has it
            context = command.make_context("step", list(arguments))
            for name, check in CHECKS.items():
                if name in context.params:
                    check(context.params[name])
            if {"start", "end"} <= context.params.keys():
                period(context.params["start"], context.params["end"])
            if command is pipeline.main:
                pipeline.plan_steps(pipeline.values_of(context.params), own_parameters(context.params["own"]))
    except click.ClickException as error:
        assert not isinstance(error, UserError) or "\n" not in error.message
        return f"exit code {error.exit_code}"
    except click.exceptions.Exit as end:
        return f"exit code {end.exit_code}"
    return "taken"


# ---- dsgo

ADDRESSES = [None, "", "localhost:5000", "ftp://x/y", "file:///x", "http://", "http://127.0.0.1:9", "http://[::1"]
ADDRESSES += ["http://127.0.0.1:99999", "sqlite:///missing.db", "sqlite://", "databricks", "http://:0", "HTTP://:x"]
address = st.sampled_from(ADDRESSES) | text.filter(lambda t: not re.match(r"(?i)http|\w+sql", t.strip()))


def is_port(given):
    with contextlib.suppress(ValueError):
        return 1 <= int(given) <= 65535
    return False


bad_port = value.filter(lambda given: not is_port(given))
# Nothing that could begin: these have a wrong port, or a home that is none.
stores = st.builds(
    lambda name, option, port, rest: [name, option, port, *rest],
    st.sampled_from(["up", "demo"]),
    st.sampled_from(["--ftp-port", "--mlflow-port"]),
    bad_port,
    st.lists(st.sampled_from(["--direct", "--once", "--nothing", "--home=x", "--dashboard-port=0"]), max_size=2),
)
asks = st.one_of(
    st.builds(lambda rest: ["history", *rest], st.lists(text, max_size=1)),
    st.builds(lambda version, why: ["promote", version, "--why", why], text, text),
    st.builds(lambda step, given: ["why", step, "-P", given], text, text | st.just("rf.seed=1")),
    st.builds(
        lambda source, target, model: ["score", source, target, *model],
        text | st.just("in.csv"),
        text | st.just("out.parquet"),
        st.just([]) | text.map(lambda uri: ["--model", uri]),
    ),
)
copies = st.builds(
    lambda name, folder, home: [name, folder, f"--home={home}"], st.sampled_from(["backup", "restore"]), text, text
)


EACH_PATH = [
    ([*before, odd, *after], None)
    for odd in ODD
    for before, after in [
        (["score"], ["out.parquet", "--model=m"]),
        (["score", "in.csv"], ["--model=m"]),
        (["score", "in.csv", "out.parquet", "--model"], []),
        (["promote"], []),
        (["why"], []),
        (["why", "rf", "-P"], []),
        (["history"], []),
    ]
]
EACH_COPY = [
    ([name, *folder],)
    for odd in ODD
    for name in ("backup", "restore")
    for folder in ([odd, "--home=home"], ["folder", f"--home={odd}"])
]


def run_dsgo(arguments, given_address=None, files=None):
    """Run `dsgo` in an empty folder that holds `files` alone; they must be all that is there afterwards."""
    files = files or {}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name, content in files.items():
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_bytes(content)
        done = CliRunner().invoke(dsgo, arguments, env={"MLFLOW_TRACKING_URI": given_address})
        assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
        left = {path.as_posix(): path.read_bytes() for path in Path().rglob("*") if path.is_file()}
        assert left == files
    assert "Traceback" not in done.output
    return f"exit code {done.exit_code}"


def feed_dsgo(given, _):
    return run_dsgo(*given)


def feed_manifest(manifest, _):
    backup = {"made/manifest.json": manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()}
    return run_dsgo(["restore", "made", "--home", "home"], None, backup)


json_value = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
entry = st.fixed_dictionaries({}, optional={"size": json_value, "sha256": json_value, "schema_revision": json_value})
manifests = st.one_of(
    st.binary(max_size=30),
    json_value,
    st.fixed_dictionaries(
        {"format": st.just(1) | json_value},
        optional={
            "files": st.dictionaries(text, entry | json_value, max_size=2) | json_value,
            "empty_folders": st.lists(text, max_size=2) | json_value,
            "database": entry | json_value,
            "made": json_value,
        },
    ),
)

# ---- the reader of datasets

STAMPS = ["2016-01-01T00:00:00Z", "2016-01-01 01:00+00", "2016-03-27T02:30", "2016-10-30T02:00+02:00", "1451606400"]
STAMPS += ["2016-01-01T00:00:00+99:99", "0000-00-00T00:00Z", "99999-01-01T00:00Z", "2262-12-31T00:00Z", "", "-1", "now"]
STAMPS += ["1600-01-01T00:00Z", "T00:00Z", "2016-W01-1T00Z", "2016-01-01T24:00Z", "2016-01-01T00:00Z[Europe/Nowhere]"]
stamp = st.sampled_from(STAMPS) | st.text(max_size=12)
field = (
    st.sampled_from(["1", "2", "30"])
    | st.sampled_from(["1", "-1", "1,5", "1e999", "nan", "-", '"', "NULL", "0x1", "1_0", "", "\0", "\r"])
    | value
)


@st.composite
def almost_csv(draw):
    names = draw(st.permutations([TIME, *COLUMNS])) if draw(st.booleans()) else [TIME, *COLUMNS]
    names = names[: draw(st.sampled_from([0, 1, 5, 9, 9, 9, 9, 9]))] + draw(
        st.just([]) | st.lists(text | st.sampled_from(COLUMNS), max_size=2)
    )
    mark, end = draw(st.sampled_from([",", ";", "\t", "|"])), draw(st.sampled_from(["\n", "\r\n", "\r"]))
    rows = draw(st.lists(st.lists(field, min_size=len(names), max_size=len(names)), max_size=3))
    rows = [[draw(stamp) if name == TIME else cell for name, cell in zip(names, row, strict=True)] for row in rows]
    whole = end.join(mark.join(row) for row in [names, *rows]).encode("utf-8", "surrogateescape")
    return whole + draw(st.sampled_from([b"", b"\n", b",", b"\xff", b'"']))


HOURS = pd.date_range("2016-01-01", periods=6, freq="h", tz="UTC", name=TIME)
GOOD = pd.DataFrame({name: 1.0 + np.arange(6) for name in COLUMNS}, HOURS).assign(**dict.fromkeys(CAPACITY, 40.0))
LINES = [line.split(",") for line in GOOD.to_csv(date_format="%Y-%m-%dT%H:%M:%SZ").splitlines()]


@st.composite
def spoilt_csv(draw):
    """A dataset that holds the contract, with up to three fields replaced."""
    rows = [line.copy() for line in LINES]
    for row, column in draw(st.lists(st.tuples(st.integers(0, 6), st.integers(0, len(COLUMNS))), max_size=3)):
        rows[row][column] = draw(stamp | field)
    return "\n".join(",".join(row) for row in rows).encode("utf-8", "surrogateescape")


def zipped(content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.csv", content)
    return file.getvalue()


def cut(content, at):
    return content[: max(len(content) - at, 1)]


rubbish = st.sampled_from([b"", b"PAR1", b"PAR1PAR1", b"PK\x03\x04", b"\x1f\x8b\x08", b"\xef\xbb\xbf", b"\xff\xfe"])
raw_bytes = st.builds(lambda begin, rest: begin + rest, rubbish, st.binary(max_size=60))
packed = st.builds(
    lambda content, pack, at: cut(pack(content), at),
    almost_csv() | spoilt_csv() | raw_bytes,
    st.sampled_from([gzip.compress, zipped]),
    st.sampled_from([0, 0, 1, 9, 30]),
)


datasets = st.tuples(
    almost_csv() | spoilt_csv() | raw_bytes | packed, st.sampled_from(["a.csv", "a.parquet", "a.gz", "a.zip", "a"])
)


def feed_reader(given, tmp_path):
    content, name = given
    file = tmp_path / name
    file.write_bytes(content)
    try:
        frame, found = read_dataset(file)
    except UserError as error:
        assert "\n" not in error.message
        return "refused"
    finally:
        assert list(tmp_path.iterdir()) == [file]
        file.unlink()
    assert found.lines() or set(COLUMNS) <= set(frame.columns)
    return "findings" if found.lines() else "a dataset"


# ---- the model, and the model served

cell = st.one_of(
    st.floats(allow_subnormal=False),
    st.integers(-(10**30), 10**30),
    st.sampled_from(
        [0, 5, 5.5, None, "5", "", "fog", True, [1], {}, b"x", pd.NaT, np.inf, pd.Timestamp("2016", tz="UTC")]
    ),
    st.text(max_size=5),
)
mostly = st.one_of(st.floats(0, 50), st.floats(0, 50), st.floats(0, 50), cell)
times = stamp | st.datetimes() | st.sampled_from([None, 5, pd.Timestamp("2016-01-01", tz="Asia/Tokyo")])


@st.composite
def frames(draw, cells=mostly, at=times):
    names = [name for name in WEATHER if draw(st.integers(0, 14))]
    names += draw(st.lists(st.sampled_from([*CAPACITY, "place", "solar_GW"]), unique=True, max_size=3))
    rows = draw(st.integers(0, 3))
    table = {name: draw(st.lists(cells, min_size=rows, max_size=rows)) for name in names}
    if draw(st.booleans()):
        table[TIME] = draw(st.lists(at, min_size=rows, max_size=rows))
    return table


def feed_model(table, model):
    frame = pd.DataFrame(table)
    try:
        power = model.predict(frame)
    except mlflow.exceptions.MlflowException as error:
        return "refused" if error.error_code == "INVALID_PARAMETER_VALUE" else error.error_code
    assert list(power.columns) == TARGETS
    assert len(power) == len(frame)
    assert np.isfinite(power.to_numpy()).all()
    assert (power.to_numpy() >= 0).all()
    for target, limit in zip(TARGETS, CAPACITY, strict=True):
        if limit in table:
            most = pd.to_numeric(frame[limit].astype(object)).to_numpy("float64", na_value=np.inf)
            assert (power[target].to_numpy() <= np.where(np.isnan(most), np.inf, most)).all()
    return "power"


plain = st.floats(0, 50) | json_value
bodies = st.one_of(
    st.binary(max_size=30).map(lambda body: ("application/json", body.decode("latin-1"))),
    json_value.map(lambda body: ("application/json", json.dumps(body))),
    st.builds(
        lambda form, table: ("application/json", json.dumps({form: table})),
        st.sampled_from(["dataframe_split", "dataframe_records", "inputs", "instances", "nothing"]),
        json_value | frames(plain, stamp | json_value) | st.lists(frames(plain, stamp), max_size=2),
    ),
    frames(plain, stamp).map(
        lambda table: (
            "application/json",
            json.dumps({"dataframe_split": {"columns": list(table), "data": list(zip(*table.values(), strict=True))}}),
        )
    ),
    almost_csv().map(lambda body: ("text/csv", body.decode("utf-8", "replace"))),
    st.tuples(text, st.just("{}")),
)


def feed_served(body, model):
    kind, content = body
    schema = model.metadata.get_input_schema()
    try:
        answer = scoring_server.invocations(content, kind, model, schema)
    except mlflow.exceptions.MlflowException as error:  # its server turns these into their status
        return f"status {error.get_http_status_code()}"
    return f"status {answer.status}"


# ---- the dashboard

PATHS = ["/", "/record", "/overview", "/explore", "/years", "/models", "/what-if", "/explore.csv", "/forecast.csv"]
when = (
    st.sampled_from(["2016-06-01", "2016-06-08T00:00Z", "2016-06-01T00:00 01:00", "2015-01-01", "2016-12-31"]) | stamp
)
query = st.lists(
    st.tuples(
        st.sampled_from(
            ["from", "to", "issued", "model", "target", "years", "source", "view", "x", "y", "self", "temperature"]
        )
        | st.text(max_size=5),
        when | value.filter(lambda given: len(given) < 400),
    ),
    max_size=5,
).map(lambda pairs: urlencode(pairs, errors="replace"))
queries = query | st.text(st.characters(codec="ascii", exclude_characters="#"), max_size=20).map(
    lambda given: quote(given, safe="=&%;+")
)
addresses = st.tuples(st.sampled_from(PATHS) | st.text(max_size=8).map(lambda path: "/" + quote(path)), queries)


def feed_dashboard(given, client):
    path, search = given
    answer = client.get(f"{path}?{search}", base_url="http://127.0.0.1:8050")
    if path != "/explore.csv" and answer.status_code == 200:  # what the browser asks for next: the page itself
        body = {
            "output": ".._pages_content.children..._pages_store.data..",
            "outputs": [{"id": "_pages_content", "property": "children"}, {"id": "_pages_store", "property": "data"}],
            "inputs": [
                {"id": "_pages_location", "property": "pathname", "value": path},
                {"id": "_pages_location", "property": "search", "value": f"?{search}" if search else ""},
            ],
            "changedPropIds": ["_pages_location.pathname"],
        }
        page = client.post("/_dash-update-component", json=body, base_url="http://127.0.0.1:8050")
        assert page.status_code == 200, (given, page.text)
    return f"status {answer.status_code}"


# ---- the artifact store

VERBS = (
    "ABOR ALLO APPE AUTH CDUP CWD DELE EPRT EPSV FEAT HELP LIST MDTM MFMT MKD MLSD MLST MODE NLST NOOP OPTS PASV PBSZ"
)
VERBS += " PORT PROT PWD REST RETR RMD RNFR RNTO SITE SIZE STAT STOR STOU STRU SYST TYPE XCUP XCWD XMKD XPWD XRMD"
paths = (
    st.sampled_from(
        ["a", "a", "a/b", ".", "", "..", "/../../etc/passwd", "a\\b", "~", ".upload-x", "C:", "CON", "*", "/"]
    )
    | text
)
hosts = st.sampled_from(
    ["127,0,0,1,0,9", "10,0,0,1,4,1", "|1|127.0.0.1|9|", "|9|x|y|", "1,2", "20160101000000 a", "UTF8 ON"]
)
lines = st.one_of(
    st.builds(
        lambda verb, rest: f"{verb} {rest}".encode("utf-8", "surrogateescape"), st.sampled_from(VERBS.split()), paths
    ),
    st.builds(lambda verb, rest: f"{verb} {rest}".encode(), st.sampled_from(VERBS.split()), hosts),
    st.binary(max_size=40),
    st.binary(max_size=4).map(lambda part: part * 1000),
).map(lambda line: line.replace(b"\r", b"").replace(b"\n", b""))


class Session:
    """One user's connection to a store; it is opened again after the store has closed it."""

    def __init__(self, server):
        self.server, self.ftp = server, server.connect()

    def say(self, line):
        self.ftp.sock.sendall(line + b"\r\n")
        try:
            return self.ftp.getmultiline()
        except EOFError:
            self.ftp.close()
            self.ftp = self.server.connect()
            return "closed"


def feed_store(line, session):
    answer = session.say(line)
    return answer[0] + "xx" if re.match(r"[1-5]\d\d[ -]", answer) else answer


@dataclass(frozen=True)
class Entrance:
    """A way in: the strategy of its inputs, how one is fed (with the fixture's value), and what may come of it."""

    inputs: st.SearchStrategy
    feed: Callable[[Any, Any], str]
    outcomes: set[str]
    count: int
    fixture: str = "tmp_path"
    each: Sequence[Any] = ()  # inputs that are fed before the generated ones

    @property
    def total(self):
        return len(self.each) + self.count


TAKEN = {"exit code 2", "exit code 0", "taken"}
ENTRANCES = {
    **{
        f"mlflow run {project}": Entrance(options_of(project), feed_command, TAKEN, 40, "command", each_option(project))
        for project in MLPROJECTS
    },
    "dsgo up, demo": Entrance(st.tuples(stores), feed_dsgo, {"exit code 2"}, 100),
    "dsgo history, promote, why, score": Entrance(
        st.tuples(asks, address), feed_dsgo, {"exit code 2", "exit code 0"}, 250, each=EACH_PATH
    ),
    "dsgo backup, restore": Entrance(st.tuples(copies), feed_dsgo, {"exit code 2", "exit code 0"}, 100, each=EACH_COPY),
    "dsgo restore, manifest": Entrance(manifests, feed_manifest, {"exit code 2"}, 150),
    "dataset file": Entrance(datasets, feed_reader, {"refused", "findings", "a dataset"}, 400),
    "model": Entrance(frames(), feed_model, {"power", "refused"}, 200, "model"),
    "serving": Entrance(bodies, feed_served, {"status 200", "status 400", "status 415"}, 200, "model"),
    "dashboard": Entrance(addresses, feed_dashboard, {"status 200", "status 400", "status 404"}, 200, "client"),
    "artifact store": Entrance(lines, feed_store, {"1xx", "2xx", "3xx", "4xx", "5xx", "closed"}, 300, "session"),
}


@pytest.fixture(scope="module")
def model(small_dataset, tmp_path_factory):
    """A model as a trainer logs it, loaded; what it estimates lies below 0 and above every capacity too."""
    folder = tmp_path_factory.mktemp("model")
    estimator = LinearRegression().fit(small_dataset[WEATHER], small_dataset[TARGETS])
    return load_model(save_model(estimator, folder))


@pytest.fixture(scope="module")
def client(two_years):
    """A client of the dashboard, which knows a dataset and what a Production model says of it; no server is asked."""
    sys.path.append(str(ROOT / "dashboard"))
    import live as follower
    from app import create_app
    from series import Grid

    grid = Grid.of(two_years.index)
    stamps = two_years.index.strftime("%Y-%m-%dT%H:%M:%SZ").to_numpy()
    values = {name: two_years[name].to_numpy() for name in COLUMNS}
    data = follower.Data(None, two_years, grid, values, stamps, True, [])
    key = "models:/BestModel/1"
    made = follower.Predictions(key, None, {name: values[name] for name in TARGETS}, {})
    snapshot = follower.Snapshot(problem="", data=data, served=key)
    before = getattr(follower, "_follower", None)
    follower._follower = SimpleNamespace(snapshot=snapshot, predictions=lambda _, key: made, experiment="any")
    yield create_app([]).server.test_client()
    follower._follower = before


@pytest.fixture
def session(serve):
    """A user's connection to a running store, whose root must hold no file at the end."""
    server = serve()
    session = Session(server)
    yield session
    session.ftp.close()
    server.connect().quit()
    wait_until(lambda: not server.files())


@pytest.fixture(autouse=True)
def nothing_begins(monkeypatch):
    def begin(*_):
        raise AssertionError("the stores were begun")

    monkeypatch.setattr(running, "running_stores", begin)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("name", "command"),
    [(name, MLPROJECTS.get(name.removeprefix("mlflow run "))) for name in ENTRANCES],
    indirect=["command"],
    ids=list(ENTRANCES),
)
def test_entrance__answers_any_input_as_it_says(name, command, request):
    entrance = ENTRANCES[name]
    there = command if entrance.fixture == "command" else request.getfixturevalue(entrance.fixture)
    seen = Counter()

    for one in entrance.each:
        fed[name] += 1
        outcome = entrance.feed(one, there)
        seen[outcome] += 1
        assert outcome in entrance.outcomes, one

    @seed(SEED)
    @settings(max_examples=entrance.count, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(entrance.inputs)
    def feed(given_input):
        fed[name] += 1
        outcome = entrance.feed(given_input, there)
        seen[outcome] += 1
        assert outcome in entrance.outcomes, outcome

    feed()
    assert fed[name] >= entrance.total
    print(name, dict(seen))


def test_inputs__are_two_thousand_at_least():
    assert sum(fed.values()) >= sum(entrance.total for entrance in ENTRANCES.values()) >= 2000


def test_readme__has_the_figures_of_the_table():
    total = sum(entrance.total for entrance in ENTRANCES.values())
    rows = [
        f"| `{name}` | {entrance.total:,} | {', '.join(sorted(entrance.outcomes))} |"
        for name, entrance in ENTRANCES.items()
    ]
    page = (ROOT / "tests" / "README.md").read_text(encoding="utf-8")

    assert [line for line in page.splitlines() if line.startswith("| `")] == rows
    assert f"{total:,} inputs" in page
    assert f"`SEED = {SEED}`" in page
