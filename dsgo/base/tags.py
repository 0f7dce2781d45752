"""The tags on runs, versions and the registered model: each name once."""

STEP = "dsgo.step"  # which step a run is of; "workflow" for the one around them
ERROR = "dsgo.error"  # why a run failed, in a line
SIMULATED = "dsgo.simulated"  # True where the data is
DATA_RUN_ID = "dsgo.data_run_id"  # the process_data run that made the data; "none" for a file
DATA_URI = "dsgo.data_uri"  # what a trainer's data was read from: an artifact's URI or a file's path
CAPACITY_SOURCE = "dsgo.capacity_source"
SPLIT = "dsgo.split"  # how the hold-out of a trainer's run was chosen: chronological or random
TRAINED_UNTIL = "dsgo.trained_until"  # the last hour that the judged model of a run learned from, ISO 8601
SERVING_UNTIL = "dsgo.serving_until"  # the last hour that the serving model of a run or a version learned from
ISSUED = "dsgo.issued"  # of a forecast: the first hour that it speaks of, as 2017-01-01T00:00Z
VERSION = "dsgo.version"  # of a forecast: the version of the registered model that made it
WEATHER = "dsgo.weather"  # of a forecast: where its weather is from
COUNTRY = "dsgo.country"  # of a forecast: the two letters of its data's country; empty where it has none
LICENCES = "dsgo.licences"  # of a forecast: the lines that its sources ask to be shown
WEEK = "dsgo.week"  # the week that a report is about, as 2016-W51

KEY = "dsgo.key"  # of a step's work, see dsgo/workflow/keys.py
KEY_PARTS = "dsgo.key_parts"
HEARTBEAT = "dsgo.heartbeat"  # of the workflow's driver, seconds since 1970
RUN = "dsgo.run."  # begins a tag of the workflow's run: the run of a step

PROMOTED_VERSION = "dsgo.promoted_version"
CONCLUSION = "dsgo.conclusion"  # of a gate or a rollback, in a sentence
JUDGED = "dsgo.judged"  # of a version: the id of the model by which it was judged, which did not see the hold-out
TABLE = "dsgo.gate"  # of a version: the gate's table
PRODUCTION = "dsgo.production."  # begins a tag of the registered model: a change of Production
