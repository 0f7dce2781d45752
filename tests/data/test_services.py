"""The polite client: what it asks again, how long it waits, what it keeps, and how an odd answer ends."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from dsgo.data import services
from dsgo.data.services import AnswerError, Service

POWER = "/public_power"
PARAMS = {"country": "de", "start": "2026-01-01T00:00Z", "end": "2026-01-01T23:59Z"}


@pytest.fixture
def slept(monkeypatch):
    """The waits, which take no time."""
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


@pytest.fixture
def service():
    return Service("energy-charts", "https://api.energy-charts.info", "DSGO_ENERGY_CHARTS_URL", 20.0)


def keys(answer):
    return sorted(answer)[:1]


@pytest.mark.parametrize(
    ("status", "headers", "body", "wait"),
    [
        (429, {"Retry_After": "7"}, "", 7),
        (429, {}, "", 2),
        (
            429,
            {},
            {"error": True, "reason": "Minutely limit exceeded. Please try again in one minute."},
            60,
        ),
        (500, {}, "", 2),
        (503, {"Retry_After": "30"}, "", 30),
        (0, {}, "", 2),  # cut off
    ],
)
def test_get__asks_again_after_the_time_that_the_service_names(
    live_services, service, slept, status, headers, body, wait
):
    live_services.fail(POWER, status, body=body, **headers)

    assert service.get(POWER, PARAMS, keys) == ["deprecated"]
    assert slept == [wait]
    assert live_services.count() == 2


def test_get__takes_a_date_as_retry_after(live_services, service, slept):
    live_services.fail(POWER, 429, Retry_After=format_datetime(datetime.now(UTC) + timedelta(seconds=50), usegmt=True))

    service.get(POWER, PARAMS, keys)

    assert 40 < slept[0] <= 50


@pytest.mark.parametrize(
    ("headers", "body", "wait"),
    [
        ({"Retry_After": "3600"}, "", "60 minutes"),
        ({}, {"error": True, "reason": "Hourly limit exceeded. Please try again in the next hour."}, "60 minutes"),
        ({}, {"error": True, "reason": "Daily limit exceeded. Please try again tomorrow."}, "1440 minutes"),
    ],
)
def test_get__ends_in_a_line_where_the_wait_is_long(live_services, service, slept, headers, body, wait):
    live_services.fail(POWER, 429, body=body, **headers)

    with pytest.raises(AnswerError, match=f"energy-charts asks to wait {wait} .*what came is kept: run again then"):
        service.get(POWER, PARAMS, keys)
    assert (slept, live_services.count()) == ([], 1)


def test_get__gives_up_after_six_times_with_the_status(live_services, service, slept):
    live_services.fail(POWER, 500, times=99, body="upstream is down")

    with pytest.raises(AnswerError, match=r"it answered 500 \(upstream is down\), 6 times") as error:
        service.get(POWER, PARAMS, keys)
    assert error.value.status == 500
    assert slept == [2, 4, 8, 16, 32]


def test_get__does_not_ask_again_what_is_refused(live_services, service, slept):
    params = PARAMS | {"end": "2029-01-01T00:00Z"}

    with pytest.raises(AnswerError, match="energy-charts refused /public_power with 422: at most one year") as error:
        service.get(POWER, params, keys)
    assert (error.value.status, live_services.count()) == (422, 1)


def test_get__says_where_nobody_answers(service, slept, monkeypatch):
    monkeypatch.setenv("DSGO_ENERGY_CHARTS_URL", "http://127.0.0.1:9")
    with pytest.raises(
        AnswerError, match=r"no connection, or it broke off, 6 times \(http://127.0.0.1:9/public_power\)"
    ):
        service.get(POWER, PARAMS, keys)

    monkeypatch.setenv("DSGO_ENERGY_CHARTS_URL", "nonsense")
    with pytest.raises(AnswerError, match="DSGO_ENERGY_CHARTS_URL=nonsense is no address that can be asked"):
        service.get(POWER, PARAMS, keys)


def test_get__shows_a_piece_of_an_answer_of_another_form(live_services, service):
    live_services.change(POWER, lambda answer: {"data": list("abc")})

    with pytest.raises(
        AnswerError,
        match=r"energy-charts answers in another form .*: KeyError 'unix_seconds': \{'data'",
    ) as error:
        service.get(POWER, PARAMS, lambda answer: answer["unix_seconds"], keep=True)
    assert "\n" not in error.value.message

    live_services.mend()  # and such an answer was not kept
    assert len(service.get(POWER, PARAMS, lambda answer: answer["unix_seconds"], keep=True)) == 96


def test_get__keeps_what_it_is_told_to_keep_and_nothing_else(live_services, service):
    for _ in range(2):
        service.get(POWER, PARAMS, keys, keep=True)
    assert live_services.count() == 1
    for _ in range(2):
        service.get(POWER, PARAMS, keys)
    assert live_services.count() == 3


def test_get__asks_again_for_a_kept_answer_that_is_spoilt(live_services, service):
    service.get(POWER, PARAMS, keys, keep=True)
    (kept,) = (services._folder() / "energy-charts").glob("*.json")
    kept.write_bytes(kept.read_bytes()[:100])

    assert service.get(POWER, PARAMS, keys, keep=True) == ["deprecated"]
    assert live_services.count() == 2


def test_get__pauses_at_the_public_address_by_weight_and_not_at_a_mirror(live_services, slept):
    mirror = live_services.environment["DSGO_ENERGY_CHARTS_URL"]
    public = Service("energy-charts", mirror, "DSGO_ENERGY_CHARTS_URL", 20.0)  # what the variable names is its address
    public.get(POWER, PARAMS, keys, weight=2.0)
    assert slept == []
    public.get(POWER, PARAMS, keys)
    public.get(POWER, PARAMS, keys)
    assert slept == [pytest.approx(40, abs=2), pytest.approx(20, abs=2)]

    for _ in range(3):
        Service("energy-charts", "https://api.energy-charts.info", "DSGO_ENERGY_CHARTS_URL", 20.0).get(
            POWER, PARAMS, keys
        )
    assert len(slept) == 2


def test_get__asks_one_call_at_a_time(live_services, service):
    live_services.latency = 0.05
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: service.get(POWER, PARAMS, keys), range(8)))

    assert (live_services.count(), live_services.most_busy) == (8, 1)
