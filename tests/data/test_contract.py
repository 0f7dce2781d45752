import numpy as np
import pandas as pd
import pytest

from dsgo.data.contract import violations
from dsgo.data.opsd import period
from dsgo.data.schema import COLUMNS, TIME

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


def test_violations__lists_all_with_count_and_first_timestamp(dataset):
    dataset.iloc[3:5, 0] = -1.0
    dataset.iloc[6, 1] = 35.0 * 1.06
    dataset.iloc[8:11, 3] = np.nan
    dataset["windspeed"] = dataset["windspeed"].astype(object)
    dataset.iloc[9, 2] = "calm"

    assert violations(dataset.drop(columns="rad_diffuse")) == [
        "rad_diffuse: no such column",
        "solar_GW: is negative in 2 rows, first at 2014-06-01T03:00:00Z",
        "wind_GW: is above capacity in GW in 1 row, first at 2014-06-01T06:00:00Z",
        "windspeed: is not a number in 1 row, first at 2014-06-01T09:00:00Z",
        "temperature: is empty in 3 rows, first at 2014-06-01T08:00:00Z",
    ]


def test_violations__of_time(dataset):
    table = dataset.reset_index()
    table[TIME] = table[TIME].astype(str)
    table.loc[2, TIME] = "2014-06-01 02:00:00"
    table.loc[4, TIME] = "2014-06-01 04:30:00+00:00"
    table.loc[9, TIME] = table.loc[5, TIME]
    table.loc[11, TIME] = "noon"

    assert violations(table) == [
        "utc_timestamp: is no timestamp in 1 row, first at row 12",
        "utc_timestamp: has no time zone (ISO 8601 with Z or +00:00) in 1 row, first at 2014-06-01T02:00:00Z",
        "utc_timestamp: is not on the hour in 1 row, first at 2014-06-01T04:30:00Z",
        "utc_timestamp: stands there before (doubled hour) in 1 row, first at 2014-06-01T05:00:00Z",
        "utc_timestamp: is earlier than the row before in 1 row, first at 2014-06-01T05:00:00Z",
    ]


def test_violations__of_units(dataset):
    in_kw = dataset.assign(wind_GW=dataset["wind_GW"] * 1e6, solar_capacity_GW=37e6)
    assert violations(in_kw) == [
        "wind_GW: is above capacity in GW in 240 rows, first at 2014-06-01T00:00:00Z",
        "solar_capacity_GW: is above 1000 GW in 240 rows, first at 2014-06-01T00:00:00Z",
        "solar_capacity_GW: looks like MW or kW (power is never above 0.01% of it)",
        "wind_GW: looks like MW or kW (typically 7,000,120)",
    ]


def test_violations__without_time_or_rows(dataset):
    assert violations(dataset.reset_index(drop=True))[0].startswith(
        "utc_timestamp: no such column; there are solar_GW,"
    )
    assert violations(dataset.iloc[:0]) == ["utc_timestamp: no rows"]
