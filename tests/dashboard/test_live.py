"""What the dashboard's thread asks of the stores."""

import mlflow
import pytest

import live
from dsgo.models import registry
from gate_models import empty_registry, log_code


@pytest.fixture
def version(tracking):
    """One version, in Production."""
    empty_registry()
    made = registry.register(*log_code("live"), {}, "a model").version
    registry.promote(made, "first", "gate")
    yield made
    empty_registry()


def test_poll__asks_for_all_versions_once(version, monkeypatch):
    search, asked = mlflow.MlflowClient.search_model_versions, []

    def counted(self, *args, **kwargs):
        asked.append(args)
        return search(self, *args, **kwargs)

    monkeypatch.setattr(mlflow.MlflowClient, "search_model_versions", counted)
    follower = live.Follower("no such experiment")

    follower._poll(0)

    assert len(asked) == 1
    snapshot = follower.snapshot
    assert snapshot.production.version == snapshot.history[0].version == snapshot.versions[0].version == version
