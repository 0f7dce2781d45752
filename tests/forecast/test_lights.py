"""How the whole stands at one look, on numbers that can be checked by hand."""

from datetime import UTC, datetime

import pandas as pd
import pytest
from mlflow.entities.model_registry import ModelVersion

from dsgo.forecast.lights import lights
from dsgo.forecast.record import collect, lay_beside
from dsgo.models.production import State

END = pd.Timestamp("2026-01-29", tz="UTC")
NOW = datetime(2026, 1, 30, tzinfo=UTC)


@pytest.fixture
def frame():
    """Four weeks of 2 GW of wind out of 10, no solar."""
    hours = pd.date_range(END - pd.Timedelta(weeks=4), END, freq="h", name="utc_timestamp")
    columns = {"solar_GW": 0.0, "wind_GW": 2.0, "solar_capacity_GW": 10.0, "wind_capacity_GW": 10.0}
    return pd.DataFrame(columns, hours)


def laid(frame, wind, held, days=28):
    """A forecast of the first day a day: `wind` GW; its band holds what came in the first `held` of 20 hours, or 24."""
    parts = []
    for day in range(1, days):
        hours = frame.index[24 * day : 24 * day + 24]
        table = pd.DataFrame({"issued": hours[0], "lead": range(1, 25), "wind_GW": wind}, hours)
        table["wind_GW_low"] = [1.0 if hour < held else 3.0 for hour in range(24)]
        table["wind_GW_high"] = 4.0
        parts.append(table.assign(solar_GW=0.0, solar_GW_low=0.0, solar_GW_high=0.0))
    return lay_beside(pd.concat(parts), frame)


def state(*versions):
    made = tuple(ModelVersion("BestModel", version, 0, current_stage="Production") for version in versions)
    return State(made, made, (), made[0].version if made else None)


def found(frame, wind=2.5, held=20, days=28, live=True, now=NOW, versions=("3",), normal=0.5):
    hold_out = {"wind_GW": normal} if normal else {}
    return lights(state(*versions), END, live, laid(frame, wind, held, days), hold_out, now)


def test_lights__of_good_forecasts_are_good_with_their_limits(frame):
    told = found(frame)

    assert {name: status.level for name, status in told.items()} == dict.fromkeys(told, "good")
    assert told["model"].words == "version 3"
    assert told["data"].words == "the newest hour is 24 hours old; normal up to 36 hours"
    assert told["error"].words == ("wind, a day ahead: 1.0 times the hold-out error of 0.50 GW; normal up to 1.5 times")
    assert told["coverage"].words == (
        "wind, last four weeks: 83% of the hours in the band of 80%; normal from 75 to 85%"
    )


@pytest.mark.parametrize(
    ("change", "name", "level"),
    [
        ({"now": datetime(2026, 1, 30, 13, tzinfo=UTC)}, "data", "warning"),
        ({"now": datetime(2026, 1, 31, 1, tzinfo=UTC)}, "data", "alarm"),
        ({"now": datetime(2036, 1, 1, tzinfo=UTC), "live": False}, "data", "good"),
        ({"held": 16}, "coverage", "alarm"),
        ({"held": 17}, "coverage", "warning"),
        ({"held": 24}, "coverage", "alarm"),
        ({"wind": 2.9}, "error", "warning"),
        ({"wind": 3.1}, "error", "alarm"),
        ({"versions": ()}, "model", "alarm"),
        ({"versions": ("3", "4")}, "model", "alarm"),
    ],
)
def test_lights__change_with_what_is_beyond_a_limit(frame, change, name, level):
    told = found(frame, **change)

    assert {other: status.level for other, status in told.items() if other != name} == dict.fromkeys(
        set(told) - {name}, "good"
    )
    assert told[name].level == level


def test_lights__are_not_known_before_a_week_of_forecasts_has_come(frame):
    told = found(frame, days=7)

    assert (told["error"], told["coverage"]) == (None, None)
    nothing_came = lay_beside(collect([]), frame)
    told = lights(state("3"), END, True, nothing_came, {"wind_GW": 0.5}, NOW)
    assert (told["error"], told["coverage"]) == (None, None)
    assert found(frame, normal=None)["error"] is None  # the hold-out's error is not known
