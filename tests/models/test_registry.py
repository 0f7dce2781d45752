"""The registry on running stores: who is in Production, also after a crash and with several at once."""

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import mlflow
import pytest
from click.testing import CliRunner

from dsgo.base.errors import UserError
from dsgo.cli import main
from dsgo.models import production, registry
from gate_models import empty_registry, log_code, stages


class Crash(BaseException):
    """The process ends here: nothing may catch it."""


@pytest.fixture(scope="module")
def models(stores):
    """Three logged models, as (run id, model id)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", stores.tracking_uri)
        return [log_code("registry") for _ in range(3)]


@pytest.fixture
def versions(tracking, models):
    """Three versions in no stage: "1", "2", "3"."""
    empty_registry()
    yield [registry.register(*ids, {"gate.mae": 0.5}, "a model").version for ids in models]
    empty_registry()


def crash_at(monkeypatch, call):
    """Let the registry's writes to the server work up to that one, counted from 1, which does not begin."""
    calls = []

    class Client:
        def __getattr__(self, name):
            def counted(*args, **kwargs):
                if not name.startswith(("get_", "search_")):
                    calls.append(name)
                if len(calls) == call and calls[-1] == name:
                    raise Crash(name)
                return getattr(mlflow.MlflowClient(), name)(*args, **kwargs)

            return counted

    monkeypatch.setattr(registry, "MlflowClient", Client)
    monkeypatch.setattr(production, "MlflowClient", Client)


@pytest.fixture
def files_there(monkeypatch):
    """Take it as read that every version's files are there: quicker where a test promotes many times."""
    monkeypatch.setattr(registry, "model_info", lambda uri: None)


def test_promote__moves_stage_and_alias_and_archives_the_one_before(versions):
    registry.promote("1", "first", "gate")
    assert stages() == ({"None": ["3", "2"], "Production": ["1"]}, "1")

    registry.promote("2", "better", "gate")

    assert stages() == ({"None": ["3"], "Production": ["2"], "Archived": ["1"]}, "2")
    assert registry.production().version == "2"


def test_registry__asks_for_all_versions_once_and_again_only_after_it_wrote(versions, files_there, monkeypatch):
    search, asked = mlflow.MlflowClient.search_model_versions, []

    def counted(self, *args, **kwargs):
        asked.append(args)
        return search(self, *args, **kwargs)

    def asks(what):
        asked.clear()
        what()
        return len(asked)

    monkeypatch.setattr(mlflow.MlflowClient, "search_model_versions", counted)

    assert asks(lambda: registry.promote("1", "first", "gate")) == 3  # before, after the stage, after the alias
    assert asks(lambda: registry.promote("1", "again", "gate")) == 2
    registry.promote("2", "better", "gate")
    assert asks(registry.history) == 1
    assert asks(lambda: registry.rollback("bad")) == 4  # its own look, and a promotion
    registry._transition("1", "Staging")
    assert asks(registry.history) == 1


def test_promote__twice_changes_nothing(versions):
    registry.promote("1", "first", "gate")
    before = registry.history()

    registry.promote("1", "again", "gate")

    assert registry.history() == before


def test_promote__warns_of_nothing(versions):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        registry.stage("1")
        registry.promote("1", "first", "gate")


def test_promote__of_an_unknown_version_names_those_there_are(versions):
    with pytest.raises(UserError, match="has no version 9; its versions: 3, 2, 1"):
        registry.promote("9", "typo", "gate")


def test_register__a_model_again_gives_its_version_with_the_new_figures(versions, models):
    again = registry.register(*models[1], {"gate.mae": 0.4}, "another description")

    assert again.version == "2"
    assert registry.version_of("2").tags["gate.mae"] == "0.4"
    assert len(registry.versions()) == 3


def test_history__says_from_when_to_when_and_why(versions, models):
    registry.promote("1", "first", "gate")
    registry.promote("2", "better", "by hand")

    newest, oldest = registry.history()

    assert (oldest.version, oldest.how, oldest.why, oldest.run_id) == ("1", "gate", "first", models[0][0])
    assert (newest.version, newest.how, newest.why, newest.until) == ("2", "by hand", "better", None)
    assert oldest.since < oldest.until == newest.since


def test_history__survives_the_deletion_of_a_version(versions):
    for version in versions:
        registry.promote(version, f"why {version}", "gate")

    mlflow.MlflowClient().delete_model_version(registry.MODEL, "2")

    assert [entry.version for entry in registry.history()] == ["3", "2", "1"]
    assert registry.rollback("bad")[1] == "1"


def test_history__shows_a_move_in_mlflows_ui(versions):
    registry.promote("1", "first", "gate")
    registry._transition("2", "Production")

    assert [(entry.version, entry.how) for entry in registry.history()] == [("2", "unrecorded"), ("1", "gate")]

    registry.promote("3", "better", "gate")

    assert [(entry.version, entry.how) for entry in registry.history()] == [
        ("3", "gate"),
        ("2", "unrecorded"),
        ("1", "gate"),
    ]


def test_history__ends_when_production_is_emptied_by_hand(versions):
    registry.promote("1", "first", "gate")
    registry._transition("1", "Staging")

    assert registry.production() is None
    nothing, first = registry.history()
    assert (nothing.version, nothing.until) == ("", None)
    assert (first.version, first.until) == ("1", nothing.since)


def test_rollback__goes_back_version_by_version_and_then_says_so(versions):
    for version in versions:
        registry.promote(version, f"why {version}", "gate")

    assert registry.rollback("bad") == ("3", "2")
    assert registry.rollback("bad too") == ("2", "1")
    assert stages() == ({"Production": ["1"], "Archived": ["3", "2"]}, "1")
    with pytest.raises(UserError, match="version 1 has no Production version before it"):
        registry.rollback("worse")
    assert [(entry.version, entry.how) for entry in registry.history()[:2]] == [("1", "rollback"), ("2", "rollback")]


def test_rollback__after_a_rollback_and_a_promotion_passes_over_what_was_left(versions):
    registry.promote("1", "first", "gate")
    registry.promote("2", "bad", "gate")
    registry.rollback("it was bad")
    registry.promote("3", "better", "gate")

    assert registry.rollback("bad as well") == ("3", "1")


def test_rollback__of_an_empty_registry_is_a_users_mistake(tracking):
    empty_registry()

    with pytest.raises(UserError, match="nothing to roll back: no version of BestModel was in Production yet"):
        registry.rollback("why not")
    assert registry.history() == []


def test_production__two_by_hand_is_said_with_the_way_to_mend_it(versions):
    client = mlflow.MlflowClient()
    for version in ("1", "2"):
        with pytest.warns(FutureWarning):
            client.transition_model_version_stage(registry.MODEL, version, "Production")

    with pytest.raises(UserError, match="versions 2 and 1 in Production: `dsgo promote 2` keeps"):
        registry.production()
    assert CliRunner().invoke(main, ["promote", "1"]).exit_code == 0
    assert stages() == ({"None": ["3"], "Production": ["1"], "Archived": ["2"]}, "1")


def test_promote__a_crash_at_any_call_leaves_one_production_version_and_the_next_call_mends_the_rest(
    tracking, models, files_there, monkeypatch
):
    def enter_second():
        version = registry.register(*models[1], {"gate.mae": 0.4}, "the second").version
        registry.stage(version)
        registry.promote(version, "better", "gate")

    call, crashed = 0, True
    while crashed:
        call += 1
        empty_registry()
        registry.promote(registry.register(*models[0], {}, "the first").version, "first", "gate")
        with monkeypatch.context() as patch:
            crash_at(patch, call)
            try:
                enter_second()
                crashed = False
            except Crash:
                pass
        assert registry.production().version in ("1", "2")
        assert len(registry.history()) == int(registry.production().version)

        enter_second()

        assert stages() == ({"Production": ["2"], "Archived": ["1"]}, "2")
        assert [entry.version for entry in registry.history()] == ["2", "1"]
    assert call == 7  # model, version, two stages, alias, history; then it ran through


def test_rollback__a_crash_at_any_call_leaves_one_production_version(tracking, models, files_there, monkeypatch):
    call, crashed = 0, True
    while crashed:
        call += 1
        empty_registry()
        for ids in models[:2]:
            registry.promote(registry.register(*ids, {}, "a model").version, "first", "gate")
        with monkeypatch.context() as patch:
            crash_at(patch, call)
            try:
                registry.rollback("bad")
                crashed = False
            except Crash:
                pass
        there = registry.production().version
        assert there in ("1", "2")

        registry.promote("1", "dsgo promote 1", "by hand")

        assert stages() == ({"Production": ["1"], "Archived": ["2"]}, "1")
    assert call == 4


def test_promote__many_at_once_leave_one_winner_and_the_alias_on_it(versions, files_there):
    barrier = threading.Barrier(3)

    def promote(version):
        barrier.wait(30)
        registry.promote(version, f"why {version}", "gate")

    with ThreadPoolExecutor(3) as pool:
        for _ in range(8):
            list(pool.map(promote, versions))
            by_stage, alias = stages()
            assert by_stage["Production"] == [alias]
            assert registry.history()[0].version == alias


def test_promote__looks_again_when_another_enters_the_alias_at_the_same_moment(versions, files_there, monkeypatch):
    enter, calls = mlflow.MlflowClient.set_registered_model_alias, []

    def refused_once(self, *arguments):
        calls.append(arguments)
        if len(calls) == 1:  # what MLflow's SQLite store says, caught in the test above when it happens by itself
            raise mlflow.MlflowException("BAD_REQUEST: (sqlite3.IntegrityError) UNIQUE constraint failed")
        enter(self, *arguments)

    monkeypatch.setattr(mlflow.MlflowClient, "set_registered_model_alias", refused_once)

    registry.promote("1", "why", "gate")

    assert len(calls) == 2
    assert stages() == ({"None": ["3", "2"], "Production": ["1"]}, "1")


def test_settle__keeps_the_later_of_two_that_went_to_production_in_the_same_moment(versions):
    client = mlflow.MlflowClient()
    for version in ("2", "1"):
        with pytest.warns(FutureWarning):
            client.transition_model_version_stage(registry.MODEL, version, "Production")

    registry._settle("2")

    assert stages() == ({"None": ["3"], "Production": ["1"], "Archived": ["2"]}, "1")


def test_settle__puts_a_version_back_when_two_have_archived_each_other(versions):
    registry.promote("1", "first", "gate")
    with pytest.warns(FutureWarning):
        mlflow.MlflowClient().transition_model_version_stage(registry.MODEL, "1", "Archived")

    registry._settle("2")

    assert stages() == ({"None": ["3"], "Production": ["2"], "Archived": ["1"]}, "2")


def test_stage__leaves_the_production_version_where_it_is(versions):
    registry.promote("1", "first", "gate")

    registry.stage("1")

    assert stages() == ({"None": ["3", "2"], "Production": ["1"]}, "1")


def test_dsgo_history__shows_a_line_for_each(versions):
    registry.promote("1", "[red]first", "gate")
    registry.promote("2", "better", "by hand")

    shown = CliRunner().invoke(main, ["history"])

    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    assert lines[1].split()[0] == "2"
    assert lines[1].rstrip().endswith("better")
    assert " now " in lines[1]
    assert lines[2].rstrip().endswith("[red]first")


def test_dsgo_promote__of_a_version_whose_files_are_gone_is_one_line(versions, models, stores):
    client = mlflow.MlflowClient()
    location = client.get_logged_model(models[2][1]).artifact_location
    folder = stores.home / "store" / "artifacts" / location.removeprefix("mlflow-artifacts:/")
    hidden = folder.rename(folder.with_name("hidden"))
    try:
        done = CliRunner().invoke(main, ["promote", "3"])
    finally:
        hidden.rename(folder)

    assert done.exit_code == 2
    assert done.output.startswith("Error: no model can be loaded from models:/BestModel/3")
    assert done.output.count("\n") == 1


def test_dsgo_history__keeps_a_long_reason_on_its_line_in_a_log(versions):
    why = f"see http://127.0.0.1:5000/{'x' * 200} and {'many words ' * 20}so"
    registry.promote("1", why, "by hand")

    assert why in CliRunner().invoke(main, ["history"]).output
