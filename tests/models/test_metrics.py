import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from dsgo.models.metrics import baseline, scores


def test_baseline__is_the_training_mean_of_that_month_and_hour():
    hours = pd.to_datetime(["2015-01-01 05:00", "2015-01-02 05:00", "2015-01-01 06:00", "2015-02-01 05:00"], utc=True)
    train = pd.DataFrame({"solar_GW": [1.0, 3.0, 10.0, 50.0], "wind_GW": [2.0, 2.0, 5.0, 8.0]}, hours)
    wanted = pd.to_datetime(["2016-01-31 05:00", "2016-02-03 05:00"], utc=True)

    naive = baseline(train, wanted)

    assert naive["solar_GW"].tolist() == [2.0, 50.0]
    assert naive["wind_GW"].tolist() == [2.0, 8.0]
    assert naive.index.equals(wanted)


def test_baseline__gives_a_month_it_never_saw_the_mean_of_that_hour():
    hours = pd.to_datetime(["2015-01-01 05:00", "2015-02-02 05:00", "2015-01-01 06:00"], utc=True)
    train = pd.DataFrame({"solar_GW": [1.0, 3.0, 9.0], "wind_GW": [1.0, 2.0, 3.0]}, hours)

    assert baseline(train, pd.to_datetime(["2016-07-01 05:00"], utc=True)).iloc[0].tolist() == [2.0, 1.5]


def test_scores__are_scikit_learns_averaged_over_both_targets(small_dataset):
    predicted = small_dataset[["solar_GW", "wind_GW"]] * 0.9 + 0.3
    actual = small_dataset[["solar_GW", "wind_GW"]]

    found = scores(actual, predicted, baseline(small_dataset, small_dataset.index))

    assert found["rmse"] == pytest.approx(np.sqrt(mean_squared_error(actual, predicted)))
    assert found["mae"] == pytest.approx(mean_absolute_error(actual, predicted))
    assert found["r2"] == pytest.approx(r2_score(actual, predicted))
    assert found["r2_wind"] == pytest.approx(r2_score(actual["wind_GW"], predicted["wind_GW"]))
    assert found["rmse_solar"] == pytest.approx(np.sqrt(mean_squared_error(actual["solar_GW"], predicted["solar_GW"])))


def test_scores__skill_is_zero_for_the_baseline_itself(small_dataset):
    naive = baseline(small_dataset, small_dataset.index)

    assert scores(small_dataset, naive, naive)["mae_skill"] == 0
