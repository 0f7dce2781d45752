"""Every state of Production on every entrance: each says what is so, and the command it names mends it."""

import re
import time
import warnings

import mlflow
import pytest
from click.testing import CliRunner

import live
from dsgo import cli, pipeline
from dsgo.base.errors import UserError
from dsgo.gate.rollback import main as rollback
from dsgo.models import production, registry
from gate_models import empty_registry, log_code, stages
from weekly.inputs import PRODUCTION, find_model


@pytest.fixture(scope="module")
def models(stores):
    """Three logged models, as (run id, model id)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", stores.tracking_uri)
        return [log_code("states") for _ in range(3)]


@pytest.fixture
def versions(tracking, models):
    """Three versions in no stage: "1", "2", "3"."""
    empty_registry()
    yield [registry.register(*ids, {}, "a model").version for ids in models]
    empty_registry()


def move(version, stage, archive=False):
    """What a click in MLflow's UI does."""
    time.sleep(0.005)  # clicks are not in the same millisecond
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.MlflowClient().transition_model_version_stage(registry.MODEL, version, stage, archive)


def never():
    empty_registry()


def registered():
    pass


def staged():
    registry.stage("2")


def archived():
    registry.promote("1", "first", "gate")
    move("1", "Archived")


def deleted():
    registry.promote("1", "first", "gate")
    registry.promote("2", "better", "gate")
    mlflow.MlflowClient().delete_model_version(registry.MODEL, "2")


def several():
    registry.promote("1", "first", "gate")
    move("2", "Production")


def three():
    several()
    move("3", "Production")


def alias_behind():
    registry.promote("1", "first", "gate")
    move("2", "Production", archive=True)


STATES = {
    never: r"no version of BestModel was in Production yet: the workflow promotes one \(`mlflow run .*`\)$",
    registered: r"no version of BestModel was in Production yet: .*, or `dsgo promote 3` puts a registered version th",
    staged: r"no version of BestModel was in Production yet: .*, or `dsgo promote 2` puts",
    archived: r"BestModel is in Production since [\d-]+ [\d:]+ UTC; the last was version 1: `dsgo promote 1` puts it b",
    deleted: r"is in Production since .*; the last was version 2, deleted since: `dsgo promote 1` puts the one before",
    several: r"BestModel has versions 2 and 1 in Production: `dsgo promote 2` keeps version 2 and archives the rest",
    three: r"BestModel has versions 3, 2 and 1 in Production: `dsgo promote 3` keeps version 3",
    alias_behind: r"version 2 of BestModel is in Production since .*, but the alias production names version 1: `dsgo",
}


def run(command, *arguments):
    return CliRunner().invoke(command, arguments).output


def refusal(act):
    with pytest.raises(UserError) as error:
        act()
    return error.value.message


def dashboard():
    follower = live.Follower("states")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(follower, "_newest_data", lambda: None)
        follower._poll(0)
    return follower.snapshot.state.said


ENTRANCES = {
    "dsgo history": lambda folder: run(cli.main, "history").rstrip().splitlines()[-1],
    "dsgo score": lambda folder: run(cli.main, "score", str(folder / "in.csv"), str(folder / "out.parquet")),
    "rollback": lambda folder: refusal(lambda: rollback.main([], standalone_mode=False)),
    "gate": lambda folder: refusal(registry.production),
    "report": lambda folder: refusal(lambda: find_model(PRODUCTION)),
    "workflow": lambda folder: pipeline.nothing_to_report_on({}),
    "dashboard": lambda folder: dashboard(),
    "serving": lambda folder: refusal(lambda: mlflow.models.get_model_info("models:/BestModel/Production")),
}
FITTING = {alias_behind: ["dsgo history", "dashboard"]}  # the stage counts: the version there is used
MANY = ["gate"]  # it goes on without an incumbent, but not with several


@pytest.mark.parametrize(
    ("state", "entrance"),
    [
        pytest.param(state, entrance, id=f"{state.__name__}-{entrance}")
        for state in STATES
        for entrance in FITTING.get(state, ENTRANCES)
        if entrance not in MANY or state in (several, three)
    ],
)
def test_state__is_said_by_every_entrance_and_its_advice_works(versions, tmp_path, state, entrance):
    (tmp_path / "in.csv").write_text("utc_timestamp\n")
    state()

    said = ENTRANCES[entrance](tmp_path)

    assert re.search(STATES[state], said.rstrip().removesuffix("\n")), said
    if advice := re.search(r"`dsgo (promote \d+)`", said):
        done = CliRunner().invoke(cli.main, advice[1].split())
        assert done.exit_code == 0, done.output
        number = advice[1].split()[1]
        assert stages()[0]["Production"] == [number]
        assert stages()[1] == number
        assert not registry.look().to_do


def entries():
    return [(entry.version, entry.how, entry.until is None) for entry in registry.history()]


def test_history__keeps_each_move_that_something_saw_and_the_gaps(versions):
    registry.promote("1", "first", "gate")
    move("2", "Production", archive=True)
    dashboard()
    move("1", "Production", archive=True)
    pipeline.nothing_to_report_on({})
    move("1", "Archived")
    registry.promote("1", "back", "by hand")

    assert entries() == [
        ("1", "by hand", True),
        ("", "unrecorded", False),
        ("1", "unrecorded", False),
        ("2", "unrecorded", False),
        ("1", "gate", False),
    ]
    for newer, older in zip(registry.history(), registry.history()[1:], strict=False):
        assert older.until == newer.since
        assert older.since < older.until


def test_history__finds_a_gap_that_nothing_saw_in_the_versions_own_changes(versions):
    registry.promote("1", "first", "gate")
    move("1", "Archived")
    move("2", "Production")

    assert entries() == [("2", "unrecorded", True), ("", "unrecorded", False), ("1", "gate", False)]
    assert "what came and went between two looks is not known" in run(cli.main, "history").lower()


def test_history__several_are_all_there_now_and_looking_again_adds_nothing(versions):
    several()

    assert entries() == [("2", "unrecorded", True), ("1", "gate", True)]
    assert entries() == [("2", "unrecorded", True), ("1", "gate", True)]


def test_history__a_deleted_versions_end_is_not_made_up(versions):
    deleted()

    gap = registry.history()[0]

    assert gap.version == ""
    assert gap.why == "version 2 was deleted: when is not known, seen first at this time"
    assert registry.history()[0] == gap


def test_look__what_was_seen_gives_way_to_what_the_command_recorded(versions):
    move("1", "Production")
    registry.look()
    entry = registry.history()[0]

    production.record(production.Entry("1", entry.since, None, "by hand", "because", entry.run_id))
    registry.look()

    assert [(entry.how, entry.why) for entry in registry.history()] == [("by hand", "because")]


def test_look__of_one_who_may_only_read_tells_the_same(versions, monkeypatch):
    def refused(*_):
        raise mlflow.MlflowException("403")

    move("1", "Production")
    monkeypatch.setattr(mlflow.MlflowClient, "set_registered_model_tag", refused)

    assert entries() == [("1", "unrecorded", True)]


def test_incumbent__is_the_last_that_was_there_where_nothing_is(versions):
    assert registry.incumbent() is None
    registry.promote("1", "first", "gate")
    registry.promote("2", "better", "gate")
    assert registry.incumbent().version == "2"

    move("2", "Archived")
    assert registry.incumbent().version == "2"

    mlflow.MlflowClient().delete_model_version(registry.MODEL, "2")
    assert registry.incumbent().version == "1"


def test_dsgo_promote__of_the_version_that_is_there_says_so(versions):
    registry.promote("2", "first", "gate")

    done = CliRunner().invoke(cli.main, ["promote", "2", "--why", "again"])

    assert done.exit_code == 0
    assert re.fullmatch(
        r"nothing to do: version 2 of BestModel is in Production since .* \(gate\) already; "
        r"the reason 'again' is not kept\n",
        done.output,
    )
    assert [entry.why for entry in registry.history()] == ["first"]


def test_registry__on_the_database_itself(versions, stores, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{stores.home}/mlruns.db")

    assert run(cli.main, "promote", "1").startswith(
        "version 1 of BestModel is in Production; its files were not checked"
    )
    assert registry.promote("2", "better", "gate")
    assert registry.rollback("bad") == ("2", "1")
    assert [entry.version for entry in registry.history()] == ["1", "2", "1"]
    assert stages()[0] == {"None": ["3"], "Production": ["1"], "Archived": ["2"]}
