"""Values that are well-formed and wrong: standing still, in another unit; capacity that jumps.

Pure functions on design.md's table (index utc_timestamp; a column may be missing, an empty value is NaN). What they
find is set aside or refused by `dsgo.data.quality` and named by `dsgo.data.contract`.
"""

import numpy as np
import pandas as pd

from dsgo.data.schema import CAPACITY, OPTIONAL, TARGETS, WEATHER

NEWEST = pd.Timedelta(days=28)  # the newest four weeks are judged on their own, too
HOUR = pd.Timedelta(hours=1)
STAMP = "%Y-%m-%dT%H:%M:%SZ"

# Standing still. Six equal hours are OpenSTEF's limit for measured power (flatliner_threshold_minutes=360) and six
# values pvanalytics' (gaps.stale_values_diff). In the real data and in the sample no value stands for more than two
# hours. Coarse values repeat by nature, so the limit grows with the share of values that repeat, as in HadISD (Dunn
# 2019, limits from each station's own streaks). Fitted on both, rounded to steps of up to 1 degree C, 1 m/s, 10 W/m2
# and, for fleets down to 20 MW, 1 MW: the longest streak found there is 73 hours, always below the limit.
FEWEST_HOURS, HOURS_BY_REPEATS, MOST_HOURS = 6, 200, 96
# At rest (solar power and radiation by night, wind power in a calm) a value stands still by nature; what speaks
# against it is given by `_against_rest`.
REST = 0.002  # of the column's 99th percentile; below it the value is at rest
RESTS = ["solar_GW", "wind_GW", "rad_horizontal", "rad_diffuse"]
MOST_HOURS_AT_REST = {
    "rad_diffuse": 48,  # no country lies beyond the polar circles as a whole, so no night is longer than 24 hours
    "rad_horizontal": 14 * 24,  # two weeks without any direct sun
}
RESOLVED_GW = 0.01  # of a smaller fleet the raw data, in whole MW, may show nothing

# Units
HOTTEST = 57.0  # degrees C; the record is 56.7, Death Valley 1913 (WMO's archive of extremes)
SUN_GIVES = 1412.0  # W/m2; the solar constant, 1361, where the Earth is nearest to the Sun
WINDIEST = 12.0  # m/s; no country's median at 10 m is higher: Germany 3.7, its stormiest four weeks 6.4
FRESH_WIND, LEAST_YIELD = (9.0, 12.0), 0.4  # m/s at 10 m; a fleet then yields 67% (real data), in knots it seems 26%
BRIGHTEST_DIFFUSE = 700.0  # W/m2, 99th percentile; Germany 340. A clear sky sends less, so that beyond it lies a unit
DIMMEST = 5.0  # W/m2, 99th percentile; a fleet that yields more than 5% needs more
LEAST_OF_CAPACITY = 0.005  # 99th percentile of power by capacity; Germany 0.57 (solar), 0.68 (wind)
FEWEST_TO_COMPARE = 24  # hours

# Capacity. Large plants are built in parts: no fleet changes by a fifth in an hour.
JUMP, JUMP_GW = 0.20, 0.25
GAP = pd.Timedelta(days=7)  # across a longer gap a fleet may have grown


def newest(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the newest four weeks."""
    return table[table.index > table.index.max() - NEWEST]


def stuck(table: pd.DataFrame) -> pd.DataFrame:
    """Return True for each value (targets and weather) that is part of a streak longer than nature makes one.

    A streak is one value in hours that follow each other. It is stuck from 6 hours on, later where values are coarse
    (see above); a value at rest is stuck where another column speaks against it for long enough.
    """
    values = table[[name for name in TARGETS + WEATHER + OPTIONAL if name in table]].replace([np.inf, -np.inf], np.nan)
    streaks = {name: _streaks(values[name]) for name in values}
    resting = {name: _rests(values[name]) if name in RESTS else np.zeros(len(table), bool) for name in values}
    found = {name: _too_long(values[name], streaks[name], resting[name]) for name in values}
    moving = table.assign(**{name: values[name].mask(found[name]) for name in values})  # these alone are evidence
    for name in [name for name in RESTS if name in values]:
        against = np.bincount(streaks[name], _against_rest(moving, name))
        enough = (against >= 1) | (np.bincount(streaks[name]) > MOST_HOURS_AT_REST.get(name, np.inf))
        found[name] |= enough[streaks[name]] & resting[name]
    return pd.DataFrame(found, table.index)


def units(table: pd.DataFrame) -> dict[str, str]:
    """Return for each column that seems to be in another unit what it looks like, and why."""
    table = table.replace([np.inf, -np.inf], np.nan)
    return _power_units(table) or (_temperature_unit(table) | _wind_unit(table) | _radiation_units(table))


def jumps(table: pd.DataFrame) -> pd.DataFrame:
    """Return (column, utc_timestamp, before, after) of each change of a capacity that no fleet makes within an hour.

    That is by more than 20% and 0.25 GW, up or down, between two rows that are at most a week apart.
    """
    found = []
    for name in [name for name in CAPACITY if name in table]:
        after = table[name].dropna()
        before = after.shift()
        change = (after - before).abs()
        near = after.index.to_series().diff() <= GAP
        at = near & (change > JUMP_GW) & (change > JUMP * np.maximum(before, after))
        found.append(pd.DataFrame({"column": name, "before": before[at], "after": after[at]}))
    return pd.concat(found) if found else pd.DataFrame(columns=["column", "before", "after"])


def suspicions(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return (column, what is suspicious) for the contract: units, in the newest four weeks too, streaks, jumps."""
    table = table[table.index.notna()]
    if table.empty:
        return []
    strange = units(table)
    found = list(strange.items())
    new = {name: why for name, why in units(newest(table)).items() if name not in strange}
    found += [(name, f"{why}, in the newest four weeks") for name, why in new.items()]
    sound = table.drop(columns=[*strange, *new])
    still = stuck(sound)
    for name in still.columns[still.any()]:
        at = still.index[still[name]]
        found.append((name, f"stands still in {len(at):,} rows, first at {at[0]:{STAMP}}, last at {at[-1]:{STAMP}}"))
    for name, part in jumps(sound).groupby("column", sort=False):
        time, _, before, after = next(part.itertuples())
        change = f"jumps from {before:,.2f} to {after:,.2f} GW within an hour, which no fleet does"
        found.append((str(name), f"{change}, in {len(part):,} row{'s' * (len(part) > 1)}, first at {time:{STAMP}}"))
    return found


def _streaks(values: pd.Series) -> np.ndarray:
    """Return for each hour the number of its streak, from 0."""
    follows = (values == values.shift()) & (values.index.to_series().diff() == HOUR)
    return (~follows).cumsum().to_numpy() - 1


def _rests(values: pd.Series) -> np.ndarray:
    return (values <= REST * values.quantile(0.99)).to_numpy()


def _too_long(values: pd.Series, streak: np.ndarray, resting: np.ndarray) -> np.ndarray:
    hours = np.bincount(streak)
    counted = np.sort(hours[np.bincount(streak, values.notna() & ~resting) > 0])[:-1]  # all but the longest
    repeats = (counted > 1).mean() if len(counted) else 0.0
    return (hours >= min(FEWEST_HOURS + HOURS_BY_REPEATS * repeats, MOST_HOURS))[streak] & ~resting


def _against_rest(table: pd.DataFrame, name: str) -> np.ndarray:
    """Return for each hour how much speaks against a value at rest; a sum of 1 over a streak is enough."""

    def column(other: str) -> pd.Series:
        return table[other].fillna(0) if other in table else pd.Series(0.0, table.index)

    def share(target: str) -> pd.Series:
        installed = column(CAPACITY[TARGETS.index(target)])
        return (column(target) / installed.where(installed > 0)).fillna(0).clip(0, 1)

    if name == "solar_GW":  # one kWh/m2 of sun fell, and not a kWh came of it: a night an hour or two late stays below
        fleet = column("solar_capacity_GW") >= RESOLVED_GW
        evidence = (column("rad_horizontal") + column("rad_diffuse")).clip(0, SUN_GIVES) / 1000 * fleet
    elif name == "wind_GW":  # six hours of a wind that turns every mill (they begin at 3 m/s at the hub)
        evidence = (column("windspeed") > 6) * (column("wind_capacity_GW") >= RESOLVED_GW) / FEWEST_HOURS
    elif name == "rad_diffuse":  # an hour's full power, or 1 kWh/m2 of direct sun
        evidence = share("solar_GW") + column("rad_horizontal").clip(0, SUN_GIVES) / 1000
    else:  # rad_horizontal: two hours' full power in hours that need direct sun; an overcast day has none
        evidence = share("solar_GW").where(share("solar_GW") > LEAST_YIELD, 0) / 2
    return evidence.to_numpy(float)


def _power_units(table: pd.DataFrame) -> dict[str, str]:
    found = {}
    for target, installed in zip(TARGETS, CAPACITY, strict=True):
        if not {target, installed} <= set(table):
            continue
        running = table.loc[(table[target] > 0) & (table[installed] > 0), [target, installed]]
        if running.empty:
            continue
        share = (running[target] / running[installed]).quantile(0.99)
        if running[target].median() > 10 * running[installed].median():
            found[target] = f"looks like MW or kW (typically {running[target].median():,.0f})"
        elif len(running) >= FEWEST_TO_COMPARE and share < LEAST_OF_CAPACITY and running[installed].median() > 0.25:
            found[installed] = f"looks like MW or kW (power is never above {max(share, 0.0001):.2%} of it)"
    return found


def _temperature_unit(table: pd.DataFrame) -> dict[str, str]:
    if "temperature" not in table:
        return {}
    typical, warmest = table["temperature"].quantile([0.5, 0.99])
    if 150 < typical < 350:
        return {"temperature": f"looks like kelvin (typically {typical:,.0f})"}
    if HOTTEST < warmest < HOTTEST * 1.8 + 32:
        return {"temperature": f"looks like degrees Fahrenheit (up to {warmest:,.0f})"}
    return {}


def _wind_unit(table: pd.DataFrame) -> dict[str, str]:
    if "windspeed" not in table:
        return {}
    typical = table["windspeed"].median()
    if typical > WINDIEST:
        return {"windspeed": f"looks like km/h (typically {typical:,.1f})"}
    if not {"wind_GW", "wind_capacity_GW"} <= set(table):
        return {}
    fresh = table[table["windspeed"].between(*FRESH_WIND) & (table["wind_GW"] > 0) & (table["wind_capacity_GW"] > 0)]
    if len(fresh) < FEWEST_TO_COMPARE:
        return {}
    share = (fresh["wind_GW"] / fresh["wind_capacity_GW"]).median()
    if share > LEAST_YIELD:
        return {}
    unit = "km/h" if share < LEAST_YIELD / 3 else "knots or miles per hour"
    return {"windspeed": f"looks like {unit} (at 9 to 12 the wind fleet yields {share:.0%}, at 9 to 12 m/s about 70%)"}


def _radiation_units(table: pd.DataFrame) -> dict[str, str]:
    found = {}
    sunny = False
    if {"solar_GW", "solar_capacity_GW"} <= set(table):
        share = table["solar_GW"] / table["solar_capacity_GW"].where(table["solar_capacity_GW"] > 0)
        sunny = share.quantile(0.99) > 0.05 and share.count() >= FEWEST_TO_COMPARE
    for name, brightest in (("rad_horizontal", SUN_GIVES), ("rad_diffuse", BRIGHTEST_DIFFUSE)):
        most = table[name].quantile(0.99) if name in table else np.nan
        if most > brightest:
            unit = "J/m2" if most > 20_000 else "kJ/m2"
            found[name] = f"looks like {unit} (up to {most:,.0f})"
        elif sunny and 0 < most < DIMMEST:
            found[name] = f"looks like MJ/m2 or kW/m2 (never above {most:,.1f})"
    return found
