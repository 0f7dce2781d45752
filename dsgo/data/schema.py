"""Names and units of the dataset: one row an hour, index `utc_timestamp`. Everything else refers to these."""

import math

TIME = "utc_timestamp"  # UTC, unique, increasing
TARGETS = ["solar_GW", "wind_GW"]  # GW, mean over the hour
WEATHER = ["windspeed", "temperature", "rad_horizontal", "rad_diffuse"]  # m/s at 10 m, degrees C, W/m2, W/m2
CAPACITY = ["solar_capacity_GW", "wind_capacity_GW"]  # GW installed in that hour; known ahead
COLUMNS = TARGETS + WEATHER + CAPACITY
OPTIONAL = ["windspeed_100m"]  # m/s at 100 m; a dataset has it where its source does (live)
UNITS = dict(zip(COLUMNS + OPTIONAL, ["GW", "GW", "m/s", "degrees C", "W/m2", "W/m2", "GW", "GW", "m/s"], strict=True))

# What is physically possible as an hour's mean, in the units above. The contract refuses the rest; so does the model.
MOST_GW = 1000.0  # more than any country has of a kind; beyond it the unit is wrong
LIMITS = {
    "solar_GW": (0.0, math.inf),
    "wind_GW": (0.0, math.inf),
    "windspeed": (0.0, 100.0),
    "windspeed_100m": (0.0, 100.0),
    "temperature": (-90.0, 60.0),
    "rad_horizontal": (0.0, 1500.0),
    "rad_diffuse": (0.0, 1500.0),
    "solar_capacity_GW": (0.0, MOST_GW),
    "wind_capacity_GW": (0.0, MOST_GW),
}
# Below zero by no more than this counts as 0: it rounds to 0 in the precision that the quantity is measured in.
NOISE = {"solar_GW": 0.0005, "wind_GW": 0.0005, "windspeed": 0.05, "rad_horizontal": 0.5, "rad_diffuse": 0.5}

# Installed capacity of Germany at the end of each year in GW, for data without capacity columns; it grows linearly
# between two year ends. Source: BMWK, AGEE-Stat.
CAPACITY_AT_YEAR_END = {
    "DE": {
        "solar_capacity_GW": {2012: 34.08, 2013: 36.71, 2014: 37.90, 2015: 39.22, 2016: 40.68},
        "wind_capacity_GW": {2012: 30.98, 2013: 33.48, 2014: 38.61, 2015: 44.58, 2016: 49.59},
    }
}
