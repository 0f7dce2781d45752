"""The hold-out: the hours of a dataset that no model may learn from, so that all are judged on the same ones."""

import pandas as pd
from sklearn.model_selection import train_test_split

from dsgo.base.errors import UserError

DAYS = 365  # of the hold-out; one more where they hold a 29 February
LEAST = 30 * 24  # hours that a training part must have


def split_dataset(frame: pd.DataFrame, how: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (train, hold-out) of a dataset, both with its attrs.

    Raises UserError where the training part has fewer than LEAST hours.

    "chronological": the hold-out is the last year (see `first_hour`), so nothing of the future is learned from.
    "random": the notebooks' 20% of the hours; it flatters every model, for the hours beside a held-out one are in the
    training set.
    """
    if how == "random":
        if 0.8 * len(frame) < LEAST:
            raise UserError(f"the data has only {len(frame):,} hours: a random split needs {LEAST / 0.8:,.0f} or more")
        train, test = (part.sort_index() for part in train_test_split(frame, test_size=0.2, random_state=42))
        train.attrs = test.attrs = frame.attrs
        return train, test
    held_out = frame.index >= first_hour(frame.index)
    if (~held_out).sum() < LEAST:
        raise UserError(
            f"the data goes from {frame.index[0]:%Y-%m-%d} to {frame.index[-1]:%Y-%m-%d}: a chronological split holds "
            f"out the last {DAYS} days and needs {LEAST // 24} days or more before them to learn from "
            "(give longer data, or -P split=random)"
        )
    train, test = frame[~held_out], frame[held_out]
    train.attrs = test.attrs = frame.attrs
    return train, test


def first_hour(hours: pd.DatetimeIndex) -> pd.Timestamp:
    """Return the hour at which the hold-out of a dataset's hours begins: whole days (UTC), the last one counted in.

    >>> first_hour(pd.DatetimeIndex(["2016-12-31 23:00"], tz="UTC"))
    Timestamp('2016-01-01 00:00:00+0000', tz='UTC')
    >>> first_hour(pd.DatetimeIndex(["2015-12-31 11:00"], tz="UTC"))
    Timestamp('2015-01-01 00:00:00+0000', tz='UTC')
    """
    end = hours[-1].normalize() + pd.Timedelta(days=1)
    days = pd.date_range(end - pd.Timedelta(days=DAYS), end, freq="D", inclusive="left")
    leap = ((days.month == 2) & (days.day == 29)).any()
    return days[0] - pd.Timedelta(days=int(leap))


def period(hours: pd.DatetimeIndex) -> str:
    """Return a hold-out's time in words: the year where it is one, else its first and last day.

    >>> period(pd.date_range("2016-01-01", "2016-12-31 23:00", freq="h", tz="UTC"))
    '2016'
    >>> period(pd.date_range("2015-07-01", "2016-06-30 23:00", freq="h", tz="UTC"))
    '2015-07-01 to 2016-06-30'
    """
    first, last = first_hour(hours), hours[-1]
    if (first.month, first.day, last.month, last.day) == (1, 1, 12, 31):
        return f"{last.year}"
    return f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
