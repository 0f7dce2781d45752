"""What the dashboard knows, kept up to date by one thread: the registry, the runs, the dataset, models and predictions.

Callbacks only read: `now()` gives the newest Snapshot, which never changes, and `predictions()` what a model says of
every hour. All that takes time (the stores, loading a model, predicting a dataset) happens in the thread.
"""

import logging
import os
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PyFuncModel

from dsgo.base import tags
from dsgo.base.errors import UserError, reason
from dsgo.data.dataset import Dataset, load_dataset, locate
from dsgo.data.schema import COLUMNS, TARGETS
from dsgo.forecast.lights import Lights, lights
from dsgo.models import fits, registry
from dsgo.models.bands import has_band, predict_with_band
from dsgo.models.drift import Drift, check
from dsgo.models.loading import load_model
from dsgo.models.rows import model_input
from dsgo.runs.server import require_server, require_tracking
from finished import finished_runs, has_model, learning_curves, split_of, what_carries_the_best
from forecasts import NOTHING_CAME, Ahead, look_ahead
from series import Array, Band, Grid, Power

POLL_SECONDS = 3.0
RUNS_EVERY = 4  # polls: the runs take longer to list than the registry
RETRY_SECONDS = 30.0  # until a model that failed to load is tried again
KEPT = 8  # models with their predictions: some 4 MB each for four years
log = logging.getLogger("dashboard")


@dataclass(frozen=True, eq=False)  # itself a key of what is computed from it
class Data:
    """The dataset on a complete hourly grid."""

    run: Run  # of process_data
    frame: pd.DataFrame
    grid: Grid
    values: dict[str, Array]  # by column, NaN in a missing hour
    stamps: Array  # of every hour of the grid, ISO 8601
    simulated: bool
    licences: list[str]  # lines that the data's sources ask to be shown
    country: str | None = None  # its two letters


@dataclass(frozen=True, eq=False)
class Predictions:
    """What one model says of every hour of a dataset; `problem` instead, if it cannot."""

    key: str
    model: PyFuncModel | None
    power: Power
    band: Band
    problem: str = ""
    at: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)  # keras predicts for one at a time


@dataclass(frozen=True)
class Snapshot:
    """All that is known at one moment. `serial` grows with every change that a page would show.

    It begins with the time, so that a page which outlived a restart of the dashboard notices.
    """

    serial: int = field(default_factory=lambda: int(time.time()))
    problem: str = "connecting"  # with the tracking server; empty: none
    asked: datetime | None = None  # when it last answered
    data: Data | None = None
    state: registry.State | None = None  # of Production
    production: ModelVersion | None = None  # the one version there
    served: str = ""  # key of the Production model whose predictions are there
    versions: tuple[ModelVersion, ...] = ()
    history: tuple[registry.Entry, ...] = ()
    runs: tuple[Run, ...] = ()  # finished, newest first
    curves: dict[str, dict[str, list[float]]] = field(default_factory=dict)  # by run id and metric
    drift: Drift | None = None  # of the data since the Production model learned
    ahead: Ahead | None = None  # the forecasts of the data's country
    lights: Lights = field(default_factory=dict)  # how the whole stands
    carries: tuple[str, str] = ("", "")  # the best run's id and its importance.csv; empty: it has none

    @property
    def ready(self) -> bool:
        """Return whether there is a Production model with its predictions."""
        return self.data is not None and bool(self.served)

    def run(self, run_id: str | None) -> Run | None:
        """Return a run of the experiment by its id."""
        return next((run for run in self.runs if run.info.run_id == run_id), None)

    def hold_out(self, choice: str, metric: str = "mae") -> dict[str, float]:
        """Return by target a metric that a chosen model has on its hold-out, as far as its run is known; errors in GW.

        A choice is "production", a version's number or a run id.
        """
        number = self.served.rpartition("/")[2] if choice == "production" else choice
        version = next((version for version in self.versions if version.version == number), None)
        run = self.run(version.run_id if version else choice)
        figures = run.data.metrics if run and split_of(run) == "chronological" else {}
        names = {target: f"{metric}_{target.removesuffix('_GW')}" for target in TARGETS}
        return {target: figures[name] for target, name in names.items() if name in figures}

    def key(self, choice: str) -> str | None:
        """Return the key of a page's choice: "production", a version's number or a run id; None: there is no such."""
        if choice == "production":
            return self.served or None
        if any(version.version == choice for version in self.versions):
            return f"models:/{registry.MODEL}/{choice}"
        if any(has_model(run) and run.info.run_id == choice for run in self.runs):
            return f"runs:/{choice}/model"
        return None


class Follower(threading.Thread):
    """The thread that asks the stores every POLL_SECONDS and loads what pages want."""

    def __init__(self, experiment: str) -> None:
        """Take the experiment's name; `start()` begins."""
        super().__init__(name="follower", daemon=True)
        self.experiment = experiment
        self.snapshot = Snapshot()
        self._models: OrderedDict[tuple[str, str], Predictions] = OrderedDict()
        self._wanted: list[str] = []
        self._lock = threading.Lock()  # of the two above
        self._wake = threading.Event()
        self._ending = False
        self._drift: Drift | None = None

    def run(self) -> None:
        """Follow until `end()`."""
        turn = 0
        while not self._ending:
            try:
                self._poll(turn)
                turn += 1
            except (UserError, MlflowException, OSError) as error:
                self._publish(problem=_in_words(error))
            except Exception as error:
                log.exception("while asking the stores")
                self._publish(problem=reason(error))
            self._wake.wait(POLL_SECONDS)
            self._wake.clear()
            self._load_wanted()

    def end(self) -> None:
        """Let the thread end after what it is doing."""
        self._ending = True
        self._wake.set()

    def predictions(self, snapshot: Snapshot, key: str) -> Predictions | None:
        """Return what a model says of the snapshot's data; None: it is not there yet, and is being made."""
        assert snapshot.data is not None
        if made := self._kept(snapshot.data, key):
            return made
        with self._lock:
            if key not in self._wanted:
                self._wanted.append(key)
        self._wake.set()
        return None

    def _kept(self, data: Data, key: str) -> Predictions | None:
        """Return a model's predictions if they are there; a failure counts for a while, then it is tried again."""
        name = (data.run.info.run_id, key)
        with self._lock:
            made = self._models.get(name)
            if made and made.problem and time.monotonic() - made.at > RETRY_SECONDS:
                made = self._models.pop(name) and None
            if made:
                self._models.move_to_end(name)
            return made

    def _poll(self, turn: int) -> None:
        require_server.cache_clear()  # it asks once a process; here it must ask every time
        require_tracking()
        state = registry.look()  # it keeps what it sees: each move in MLflow's UI enters the history
        production = state.version
        self._publish(state=state, production=production, versions=state.known, history=state.history)
        if turn % RUNS_EVERY == 0 or not self.snapshot.ready:
            self._publish(runs=finished_runs(self.experiment))
        data = self._newest_data()
        served = f"models:/{registry.MODEL}/{production.version}" if production and data else ""
        if data and production:
            made = self._kept(data, served) or self._load(data, served)
            if made.problem:
                raise UserError(f"version {production.version}, now in Production, cannot be used: {made.problem}")
            again = turn % RUNS_EVERY == 0 and self._drift is not None and self._drift.problem
            if again or (data, served) != (self.snapshot.data, self.snapshot.served):
                self._drift = drifted(data, production, made)
        # Together: pages never see one without the other.
        self._publish(problem="", data=data, served=served, drift=self._drift if served else None)
        if data:
            ahead = look_ahead(self.snapshot.runs, data, self.snapshot.ahead)
            laid = ahead.laid if ahead else NOTHING_CAME
            at, of = (data.frame.index[-1], bool(data.licences)), self.snapshot.hold_out("production")
            self._publish(ahead=ahead, lights=lights(state, *at, laid, of, datetime.now(UTC)))
        if turn % RUNS_EVERY == 0:
            self._publish(curves=learning_curves(self.snapshot.runs, self.snapshot.curves))
            self._publish(carries=what_carries_the_best(self.snapshot.runs, self.snapshot.carries))

    def _newest_data(self) -> Data | None:
        old = self.snapshot.data
        made = next((run for run in self.snapshot.runs if run.data.tags.get(tags.STEP) == "process_data"), None)
        if made is None or (old and old.run.info.run_id == made.info.run_id):
            return old
        return read(made)

    def _load_wanted(self) -> None:
        while self._wanted and (data := self.snapshot.data) and not self._ending:
            self._load(data, self._wanted[0])
            self._publish(serial=self.snapshot.serial + 1)

    def _load(self, data: Data, key: str) -> Predictions:
        """Load a model and let it predict the dataset; keep the result, and forget the one not used for longest."""
        try:
            # A version is looked back with its judged fit: what serves has learned from all the hours that are shown.
            versions = {f"models:/{version.name}/{version.version}": version for version in self.snapshot.versions}
            model = load_model(fits.past_uri(versions[key]) if key in versions else key)
            answer = predict_with_band(model, model_input(data.frame))
            index = pd.DatetimeIndex(data.frame.index)
            said = {name: data.grid.spread(index, answer[name].to_numpy("float64")) for name in answer}
            band = {target: (said[f"{target}_low"], said[f"{target}_high"]) for target in TARGETS}
            power = {target: said[target] for target in TARGETS}
            made = Predictions(key, model, power, band if has_band(model) else {})
        except Exception as error:  # a model's own code may raise anything
            made = Predictions(key, None, {}, {}, reason(error))
        served = (data.run.info.run_id, self.snapshot.served)
        with self._lock:
            self._models[data.run.info.run_id, key] = made
            self._wanted = [other for other in self._wanted if other != key]
            while len(self._models) > KEPT:
                self._models.pop(next(name for name in self._models if name != served))
        return made

    def _publish(self, **changes: Any) -> None:
        old = self.snapshot
        new = replace(old, **changes)
        if not new.problem:
            new = replace(new, asked=datetime.now(UTC))
        if _shown(new) != _shown(old):
            new = replace(new, serial=old.serial + 1)
        self.snapshot = new  # one assignment: readers see the old or the new one, whole


def _in_words(error: Exception) -> str:
    """Return why the stores could not be asked. A request that broke off is told by how the server is now."""
    if isinstance(error, UserError):
        return error.message
    require_server.cache_clear()
    try:
        require_tracking()
    except UserError as away:
        return away.message
    if str(error).startswith("API request to"):  # MLflow's text holds the request, not what is wrong
        return "the tracking server broke off an answer; it is asked again"
    return f"the stores could not be asked: {reason(error)}"


def _shown(snapshot: Snapshot) -> tuple:
    """Return what makes two snapshots look different."""
    versions = tuple((v.version, v.current_stage, v.last_updated_timestamp) for v in snapshot.versions)
    production = snapshot.production and snapshot.production.version
    data = snapshot.data and snapshot.data.run.info.run_id
    runs = tuple(run.info.run_id for run in snapshot.runs)
    return (
        snapshot.problem,
        data,
        production,
        snapshot.served,
        versions,
        snapshot.history,
        snapshot.state and snapshot.state.said,
        runs,
        len(snapshot.curves),
        snapshot.carries,
        snapshot.ahead and snapshot.ahead.key,
        snapshot.lights,
    )


def read(run: Run) -> Data:
    """Fetch the dataset of a process_data run."""
    dataset = load_dataset(run.info.run_id)
    frame = dataset.frame
    index = pd.DatetimeIndex(frame.index)
    grid = Grid.of(index)
    values = {name: grid.spread(index, frame[name].to_numpy("float64")) for name in COLUMNS}
    stamps = pd.date_range(grid.start, periods=grid.length, freq="h").strftime("%Y-%m-%dT%H:%M:%SZ").to_numpy()
    return Data(run, frame, grid, values, stamps, dataset.simulated, dataset.licences, dataset.country)


def drifted(data: Data, version: ModelVersion, made: Predictions) -> Drift:
    """Return how the data stands against what the version learned from."""
    assert made.model is not None
    with made.lock:
        return check(version.run_id, made.model, Dataset(data.frame, *locate(data.run.info.run_id)))


_follower = Follower("")


def start(experiment: str) -> Follower:
    """Begin to follow the tracking server of MLFLOW_TRACKING_URI."""
    global _follower
    # A dashboard asks again every few seconds: MLflow's own patience (minutes) would only hide that a store is down.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's notes on the CPU are no news
    _follower = Follower(experiment)
    _follower.start()
    return _follower


def now() -> Snapshot:
    """Return the newest snapshot."""
    return _follower.snapshot


def experiment() -> str:
    """Return the name of the experiment that is followed."""
    return _follower.experiment


def predictions(snapshot: Snapshot, key: str) -> Predictions | None:
    """Return a model's predictions, or None while they are being made (see Follower.predictions)."""
    return _follower.predictions(snapshot, key)
