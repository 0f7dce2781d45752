"""Drift: what has changed shows, what has not does not."""

import mlflow
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from dsgo.base.errors import UserError
from dsgo.data.capacity import capacity_from_table
from dsgo.data.dataset import Dataset, load_dataset
from dsgo.data.sample import simulate
from dsgo.data.schema import CAPACITY, OPTIONAL, TARGETS, WEATHER
from dsgo.models.drift import check, findings, psi
from dsgo.models.loading import load_model
from gate_models import experiment_id, log_dataset, log_linear
from shared import SHARED_DATA

LEARNED = ["windspeed", "rad_horizontal", "rad_diffuse"]


def fit(hours):
    """A model of the capacity factors: what it says of hours, in GW."""
    models = [
        HistGradientBoostingRegressor(max_iter=50, random_state=1).fit(hours[LEARNED], hours[target] / hours[installed])
        for target, installed in zip(TARGETS, CAPACITY, strict=True)
    ]

    def predict(rows):
        shares = np.column_stack([model.predict(rows[LEARNED]) for model in models])
        return pd.DataFrame(shares * rows[CAPACITY].to_numpy(), rows.index, TARGETS)

    return predict


def drifted(learned, new):
    """The findings of a dataset against the hours that a model learned from: name -> finding."""
    last_year = learned.index[-1] - pd.Timedelta(days=365)
    predict = fit(learned[learned.index <= last_year])
    return {one.name: one for one in findings(learned, learned[learned.index > last_year], new, predict)}


def shown(found):
    return {name: one.level for name, one in found.items() if one.level != "good"}


@pytest.fixture(scope="module")
def sample():
    return simulate()


def changed(sample, change, since="2016-01-01"):
    new = sample.copy()
    change(new.loc[since:].index, new)
    return new


def test_findings__of_the_data_that_was_learned_from_none_shows(sample):
    found = drifted(sample, sample)

    assert shown(found) == {}
    assert {*WEATHER, "solar capacity factor", "wind capacity", "wind error", "solar yield"} <= found.keys()
    assert found["clock"].words == "the weather of the newest four weeks stands as it did against power"


def test_findings__a_new_year_of_the_same_world_shows_its_growth_alone(sample):
    found = drifted(sample.loc[:"2015"], sample)

    assert shown(found) == {"wind capacity": "warning"}  # 44.58 to 49.59 GW in the table of capacities
    assert found["wind capacity"].words == "49.59 GW installed, +11.2% since the model learned"


def test_findings__a_fleet_that_grew_by_a_tenth_shows_in_its_capacity(sample):
    def grow(hours, new):
        new.loc[hours, ["solar_GW", "solar_capacity_GW"]] *= 1.1

    found = drifted(sample, changed(sample, grow, "2016-10-01"))

    assert shown(found) == {"solar capacity": "warning"}
    assert found["solar capacity"].figure == pytest.approx(0.1)


def test_findings__a_fleet_that_grew_by_a_tenth_unseen_by_its_capacity_shows_in_its_yield(sample):
    def grow(hours, new):
        new.loc[hours, "wind_GW"] *= 1.1

    found = drifted(sample, changed(sample, grow))

    assert shown(found) == {"wind yield": "warning"}
    assert found["wind yield"].figure == pytest.approx(0.1)


@pytest.mark.parametrize(("hours", "says"), [(1, "by 1 h, late,"), (-2, "by 2 h, early,")])
def test_findings__a_moved_time_zone_shows_in_the_clock(sample, hours, says):
    weather = sample[WEATHER].shift(hours).bfill().ffill()

    found = drifted(sample, sample.assign(**weather))

    assert found["clock"].level == "alarm"
    assert found["clock"].figure == abs(hours)
    assert says in found["clock"].words
    assert shown(found)["solar error"] == "alarm"


def test_findings__a_dead_sensor_shows_while_it_stands_still(sample):
    def die(hours, new):
        new.loc[hours, "temperature"] = 4.2

    found = drifted(sample, changed(sample, die, "2016-12-27"))

    assert found["sensors"].level == "warning"
    assert found["sensors"].figure == pytest.approx(5 / 28)
    assert found["sensors"].words.endswith("; temperature stood still")


def test_findings__a_dead_sensor_shows_by_the_hours_that_process_data_set_aside(sample):
    found = drifted(sample, sample.drop(sample.loc["2016-12-20":"2016-12-29"].index))

    assert shown(found) == {"sensors": "alarm"}
    assert found["sensors"].words == "240 of 672 hours of the newest four weeks are missing or were set aside"


def test_findings__a_sensor_that_reads_too_much_shows_in_its_distribution(sample):
    def misread(hours, new):
        new.loc[hours, "temperature"] += 4

    found = drifted(sample, changed(sample, misread, "2016-06-01"))

    assert found["temperature"].level == "alarm"
    assert "summer" in found["temperature"].words


def test_findings__what_cannot_be_compared_has_no_row(sample):
    january, july = sample.loc["2015-01"], sample.loc["2015-07"]

    found = {one.name for one in findings(january, january.iloc[:0], july, fit(sample.iloc[:5000]))}

    assert found == {"solar capacity", "wind capacity", "sensors"}


def test_findings__a_country_without_a_kind_of_power_has_no_alarm_of_it(sample):
    dark = sample.assign(solar_GW=0.0, solar_capacity_GW=0.0)
    predict = fit(sample.iloc[:5000])

    found = {one.name: one for one in findings(dark, dark.loc["2016":], dark, predict)}

    assert not [name for name in found if name.startswith("solar")]


def test_findings__an_optional_column_counts_where_both_have_it(sample):
    both = sample.assign(**{OPTIONAL[0]: sample["windspeed"] * 1.5})

    assert OPTIONAL[0] in drifted(both, both)
    assert OPTIONAL[0] not in drifted(sample, both)


def test_psi__is_the_sum_over_the_deciles(sample):
    hours = pd.date_range("2015-01-01", periods=100, freq="h", tz="UTC")
    learned = pd.Series(np.arange(100.0), hours)

    above = psi(learned, learned + 1000)  # all in the last bin

    p, q = np.full(10, 0.5), np.full(10, 10.5)
    p[-1] += 100
    p, q = p / p.sum(), q / q.sum()
    assert above == pytest.approx(((p - q) * np.log(p / q)).sum())


@pytest.mark.realdata
def test_findings__of_the_real_2016_only_the_growth_of_wind_shows():
    real = pd.read_csv(SHARED_DATA / "germany.csv", parse_dates=["utc_timestamp"], index_col="utc_timestamp")
    real = real[~real.index.duplicated()]
    real = real.join(capacity_from_table(pd.DatetimeIndex(real.index), "DE"))

    assert shown(drifted(real.loc[:"2015"], real)) == {"wind capacity": "warning"}
    assert shown(drifted(real, real)) == {}


@pytest.fixture(scope="module")
def trained(stores, two_years):
    """A linear model's run on a dataset of process_data: (run id, dataset)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", stores.tracking_uri)
        data = log_dataset(two_years, "drift")
        yield log_linear(two_years, data, "drift"), load_dataset(data)


def test_check__compares_with_what_the_run_learned_from_and_logs_the_table(tracking, trained):
    run_id, dataset = trained
    model = load_model(f"runs:/{run_id}/model")
    grown = dataset.frame.assign(wind_capacity_GW=dataset.frame["wind_capacity_GW"] * 1.1)

    assert check(run_id, model, dataset).problem == ""
    drift = check(run_id, model, Dataset(grown, "grown.csv", None))
    with mlflow.start_run(experiment_id=experiment_id("drift")) as run:
        drift.log()

    logged = pd.DataFrame(**mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/drift.json")).set_index("what")
    assert logged.loc["wind capacity", "level"] == "warning"
    assert logged.loc["wind capacity", "limits"] == "warning above 0.05, alarm above 0.2"
    metrics = mlflow.get_run(run.info.run_id).data.metrics
    assert metrics["drift.wind_capacity"] == pytest.approx(0.1)
    assert metrics["drift.solar_error"] == pytest.approx(1, abs=0.2)


def test_check__says_why_it_cannot_compare(tracking, trained, tmp_path, two_years):
    run_id, dataset = trained
    model = load_model(f"runs:/{run_id}/model")
    with mlflow.start_run(experiment_id=experiment_id("drift")) as by_hand:
        pass
    path = tmp_path / "own.parquet"
    two_years.to_parquet(path)
    own = log_linear(two_years, None, "drift", uri=str(path))

    assert "names no data" in check(by_hand.info.run_id, model, dataset).problem
    assert check(None, model, dataset).problem
    assert check(own, model, load_dataset(str(path))).problem == ""
    two_years.to_parquet(path)
    assert f"the file {path} has changed since" in check(own, model, dataset).problem
    path.unlink()
    assert "there is no file" in check(own, model, dataset).problem


def test_check__a_model_that_fails_is_a_reason(tracking, trained):
    class Broken:
        def predict(self, rows):
            raise UserError("it is broken")

    assert check(trained[0], Broken(), trained[1]).problem.endswith("learned from: it is broken")
