import numpy as np
import pandas as pd
import pytest

from dsgo.data.columns import ZONE
from dsgo.data.contract import violations
from dsgo.data.opsd import period
from dsgo.data.schema import COLUMNS, LIMITS, NOISE, OPTIONAL, TARGETS, TIME
from dsgo.models import power_model

HOURS = period("2014-06-01", "2014-06-10")


@pytest.fixture
def dataset():
    moves = np.arange(len(HOURS))[:, None] / 1e6  # a value that stands still breaks the contract
    return pd.DataFrame(np.array([5.0, 7.0, 4.0, -2.0, 100.0, 90.0, 37.0, 35.0]) + moves, HOURS, COLUMNS)


def test_violations__none_in_a_good_dataset_however_it_is_stored(dataset, tmp_path):
    dataset = dataset.drop(HOURS[7])  # an hour may be missing
    dataset.to_csv(tmp_path / "dataset.csv")

    assert violations(dataset) == []
    assert violations(dataset.reset_index()) == []
    assert violations(pd.read_csv(tmp_path / "dataset.csv")) == []


def test_violations__lists_all_with_count_value_row_and_time(dataset):
    dataset.iloc[3:5, 0] = -1.0
    dataset.iloc[6, 1] = 35.0 * 1.06
    dataset.iloc[8:11, 3] = np.nan
    dataset["windspeed"] = dataset["windspeed"].astype(object)
    dataset.iloc[9, 2] = "calm"

    assert violations(dataset.drop(columns="rad_diffuse")) == [
        "rad_diffuse: no such column",
        "windspeed: is not a number in 1 row: 'calm' in row 10 (2014-06-01T09:00:00Z)",
        "temperature: is empty in 3 rows: row 9 (2014-06-01T08:00:00Z), row 10 (2014-06-01T09:00:00Z), "
        "row 11 (2014-06-01T10:00:00Z)",
        "solar_GW: is negative in 2 rows: -1 in row 4 (2014-06-01T03:00:00Z), -1 in row 5 (2014-06-01T04:00:00Z)",
        "wind_GW: is above capacity in GW in 1 row: 37.1 in row 7 (2014-06-01T06:00:00Z)",
    ]


def test_violations__of_time(dataset):
    table = dataset.reset_index()
    table[TIME] = table[TIME].astype(str)
    table.loc[2, TIME] = "2014-06-01 02:00:00"
    table.loc[4, TIME] = "2014-06-01 04:30:00+00:00"
    table.loc[9, TIME] = table.loc[5, TIME]
    table.loc[11, TIME] = "noon"

    assert violations(table) == [
        "utc_timestamp: is no timestamp (write 2016-01-01T00:00:00Z) in 1 row: 'noon' in row 12",
        "utc_timestamp: has no time zone: add Z or an offset such as +01:00 in 1 row: '2014-06-01 02:00:00' in row 3",
        "utc_timestamp: is not on the hour in 1 row: row 5 (2014-06-01T04:30:00Z)",
        "utc_timestamp: stands there before (doubled hour) in 1 row: row 10 (2014-06-01T05:00:00Z)",
        "utc_timestamp: is earlier than the row before in 1 row: row 10 (2014-06-01T05:00:00Z)",
    ]


def test_violations__of_what_is_physically_impossible_shows_ten_rows_and_the_count(dataset):
    wrong = dataset.assign(wind_GW=dataset["wind_GW"] * 1e6, solar_capacity_GW=37e6, temperature=285.0)

    by_column = dict(line.split(": ", 1) for line in violations(wrong))

    assert by_column["wind_GW"].startswith("is above capacity in GW in 240 rows: 7e+06 in row 1 (2014-06-01T00:00:00Z)")
    assert by_column["solar_capacity_GW"].startswith("is above 1000 GW in 240 rows: 3.7e+07 in row 1 ")
    assert by_column["temperature"].startswith("is above 60 degrees C in 240 rows: 285 in row 1 ")
    assert by_column["temperature"].endswith("285 in row 10 (2014-06-01T09:00:00Z) and 230 more")
    assert len(by_column) == 3


def test_limits__are_the_same_in_schema_and_in_the_model_that_imports_nothing_of_dsgo():
    """Else a dataset that `validate` calls OK could be refused by a model."""
    assert {name: limits for name, limits in LIMITS.items() if name not in TARGETS + OPTIONAL} == power_model.LIMITS
    assert {name: noise for name, noise in NOISE.items() if name not in TARGETS} == power_model.NOISE
    assert power_model.ZONE.pattern == ZONE


def test_violations__without_time_or_rows(dataset):
    assert violations(dataset.reset_index(drop=True))[0].startswith(
        "utc_timestamp: no such column; there are solar_GW,"
    )
    assert violations(dataset.iloc[:0]) == ["utc_timestamp: no rows"]
