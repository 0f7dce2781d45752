"""Names and units of the dataset: one row an hour, index `utc_timestamp`. Everything else refers to these."""

TIME = "utc_timestamp"  # UTC, unique, increasing
TARGETS = ["solar_GW", "wind_GW"]  # GW, mean over the hour
WEATHER = ["windspeed", "temperature", "rad_horizontal", "rad_diffuse"]  # m/s at 10 m, degrees C, W/m2, W/m2
CAPACITY = ["solar_capacity_GW", "wind_capacity_GW"]  # GW installed in that hour; known ahead
COLUMNS = TARGETS + WEATHER + CAPACITY
OPTIONAL = ["windspeed_100m"]  # m/s at 100 m; a dataset has it where its source does (live)

# Installed capacity of Germany at the end of each year in GW, for data without capacity columns; it grows linearly
# between two year ends. Source: BMWK, AGEE-Stat.
CAPACITY_AT_YEAR_END = {
    "DE": {
        "solar_capacity_GW": {2012: 34.08, 2013: 36.71, 2014: 37.90, 2015: 39.22, 2016: 40.68},
        "wind_capacity_GW": {2012: 30.98, 2013: 33.48, 2014: 38.61, 2015: 44.58, 2016: 49.59},
    }
}
