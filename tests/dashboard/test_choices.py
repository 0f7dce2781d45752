"""A page's state from its address: what is wrong becomes the default, and is said."""

import sys

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsgo.base.places import ROOT

sys.path.append(str(ROOT / "dashboard"))
from choices import PERIOD, Address
from series import Grid

GRID = Grid.of(pd.date_range("2015-01-01", "2016-12-31 23:00", freq="h", tz="UTC"))
DEFAULT = {"from": "2016-12-18T00:00", "to": "2017-01-01T00:00"}


def period(**query):
    address = Address({name.rstrip("_"): value for name, value in query.items()}, PERIOD)
    return address.period(GRID, days=14), address.wrong + address.changed


@pytest.mark.parametrize(
    ("first", "last", "view"),
    [
        ("2016-01-01", "2016-01-08", ("2016-01-01T00:00", "2016-01-08T00:00")),
        ("2016-01-01T00:00Z", "2016-01-08T00:00Z", ("2016-01-01T00:00", "2016-01-08T00:00")),
        ("2016-01-01T00:00+01:00", "2016-01-08T00:00 01:00", ("2015-12-31T23:00", "2016-01-07T23:00")),
        ("2016-01-01 06:00", "20160108T06", ("2016-01-01T06:00", "2016-01-08T06:00")),
    ],
)
def test_period__times_are_taken_with_a_zone_and_without(first, last, view):
    assert period(from_=first, to=last) == (dict(zip(PERIOD, view, strict=True)), [])


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"from_": "", "to": ""}, "from is empty"),
        ({"from_": "NaT"}, "from=NaT is no time"),
        ({"from_": "now", "to": "2016-05-01"}, "from=now is no time"),
        ({"from_": "2016-99-99", "to": "2016-05-01"}, "from=2016-99-99 is no time"),
        ({"from_": ["2016-01-01", "2016-02-01"], "to": "2016-05-01"}, "from stands in the address 2 times"),
        ({"from_": "2016-05-01", "to": "2016-04-01"}, "from must be before to"),
        ({"from_": "2016-05-01", "to": "2016-05-01"}, "from must be before to"),
        ({"from_": "2030-01-01"}, "from 1 Jan 2030, 00:00 is not in the data"),
        ({"from_": "2030-01-01", "to": "2031-01-01"}, "is not in the data, which goes from 1 Jan 2015, 00:00"),
        ({"to": "0001-01-01T00:00+01:00"}, "is no time"),
        ({"week": "30"}, "week means nothing here"),
    ],
)
def test_period__what_is_wrong_is_the_default_and_is_said(query, said):
    view, wrong = period(**query)

    assert view == DEFAULT
    assert any(said in text for text in wrong)


def test_period__what_lies_partly_outside_the_data_is_cut_and_said():
    view, wrong = period(from_="2016-12-01", to="2017-02-01")

    assert view == {"from": "2016-12-01T00:00", "to": "2017-01-01T00:00"}
    assert "lies partly outside the data" in wrong[0]


def test_period__half_hours_are_shown_by_the_hours_that_hold_them():
    view, wrong = period(from_="2016-05-01T00:00+05:30", to="2016-05-02T00:00+05:30")

    assert view == {"from": "2016-04-30T18:00", "to": "2016-05-01T19:00"}
    assert "no whole hours" in wrong[0]


@pytest.mark.parametrize(
    ("text", "value", "said"),
    [
        ("9", 9, []),
        ("11.7", 12, ["hour=11.7 is taken as 12, the nearest step"]),
        ("nan", 6, ["hour=nan is no number"]),
        ("inf", 6, ["hour=inf is not from 0 to 23"]),
        ("99", 6, ["hour=99 is not from 0 to 23"]),
        ("noon", 6, ["hour=noon is no number"]),
    ],
)
def test_number__is_on_a_step_within_its_limits_or_the_default(text, value, said):
    address = Address({"hour": text}, ["hour"])

    assert address.number("hour", 6, 0, 23, 1) == value
    assert address.wrong + address.changed == said


def test_several__unknown_ones_are_named_and_the_known_ones_are_kept():
    address = Address({"years": "2014,1999,2016"}, ["years"])

    assert address.several("years", ["2014", "2015", "2016"], ["2015"], 6) == ["2014", "2016"]
    assert address.wrong == ["years: there is no 1999"]


def test_day__is_a_day_of_2016():
    address = Address({"from": "2016-99-99", "to": "2015-05-01"}, PERIOD)

    assert [address.day("from", "2016-01-01"), address.day("to", "2016-12-31")] == ["2016-01-01", "2016-12-31"]
    assert len(address.wrong) == 2


words = st.sampled_from(["", "0", "-1", "nan", "inf", "1e999", "2016-99-99", "NaT", "a,b"]) | st.text(max_size=30)


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(st.dictionaries(st.sampled_from(["from", "to", "hour", "years", "x"]), words | st.lists(words)))
def test_address__of_any_text_gives_values_within_their_limits_and_says_the_rest_in_lines(query):
    address = Address(query, [*PERIOD, "hour", "years"])
    shown = address.period(GRID, 14)

    assert GRID.start <= pd.Timestamp(shown["from"], tz="UTC") < pd.Timestamp(shown["to"], tz="UTC") <= GRID.end
    assert address.number("hour", 12, 0, 23, 1) in range(24)
    assert set(address.several("years", ["2016", "2017"], ["2016"], 3)) <= {"2016", "2017"}
    assert all("\n" not in sentence for sentence in address.wrong + address.changed)
    assert "x" not in query or address.wrong
