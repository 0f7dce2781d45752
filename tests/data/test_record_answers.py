"""The command that records an answer of each live service."""

import json

from click.testing import CliRunner

from dsgo.data.record_answers import main


def now_of(server):
    """Take the clock's present on the server, too."""
    from datetime import UTC, datetime

    server.now = datetime.now(UTC).isoformat()


def test_main__writes_an_answer_of_each_and_says_which_is_as_known(live_services, tmp_path):
    now_of(live_services)
    done = CliRunner().invoke(main, [str(tmp_path / "out")])

    assert done.exit_code == 0, done.output
    names = sorted(path.stem for path in (tmp_path / "out").iterdir())
    assert done.output.splitlines() == [f"{line.partition(':')[0]}: as known" for line in done.output.splitlines()]
    assert names == [
        *("forecast_v2", "installed_power", "open-meteo", "open-meteo-history", "open-meteo-previous"),
        *("public_power_v1", "public_power_v2", "smard_index", "smard_week"),
    ]
    stored = json.loads((tmp_path / "out/open-meteo.json").read_text("utf-8"))
    assert stored["params"]["wind_speed_unit"] == "ms"
    assert stored["answer"]["hourly_units"]["wind_speed_100m"] == "m/s"


def test_main__says_what_is_not_as_known_and_keeps_its_answer(live_services, tmp_path):
    now_of(live_services)
    live_services.change("installed_power", lambda answer: {"months": []})
    done = CliRunner().invoke(main, [str(tmp_path)])

    assert done.exit_code == 2
    assert "installed_power: energy-charts answers in another form than the one known: KeyError 'time'" in done.output
    assert json.loads((tmp_path / "installed_power.json").read_text())["answer"] == {"months": []}
    assert "1 answers are not as known, or did not come" in done.output
