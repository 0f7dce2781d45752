"""Requests that another web page makes a browser send to the tracking server of `dsgo up`: they reach nothing."""

import mlflow
import pytest
import requests

API = "/api/2.0/mlflow"
FOREIGN = ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "192.168.1.1:5000", "localhost.evil.example:5000"]


def ask(stores, path, method="GET", body=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.request(method, f"{stores.tracking_uri}{path}", data=body, headers=headers, timeout=60)


@pytest.mark.parametrize("host", FOREIGN)
@pytest.mark.parametrize("path", ["/", f"{API}/experiments/search?max_results=1", "/graphql", "/get-artifact?path=a"])
def test_host__that_is_foreign_is_refused(stores, path, host):
    answer = ask(stores, path, Host=host)
    assert (answer.status_code, answer.text[:19]) == (403, "Invalid Host header")


@pytest.mark.parametrize("host", ["localhost:5000", "127.0.0.1:1", "[::1]:5000", "127.0.0.1"])
def test_host__of_loopback_is_answered_on_any_port(stores, host):
    assert ask(stores, f"{API}/experiments/search?max_results=1", Host=host).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "https://127.0.0.1.evil.example", "null"])
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/json"])
@pytest.mark.parametrize("prefix", ["/api", "/ajax-api"])
def test_cross_site__form_or_fetch_makes_nothing(stores, prefix, kind, origin):
    path, body = f"{prefix}/2.0/mlflow/experiments/create", '{"name": "of-a-stranger"}'
    answer = ask(stores, path, "POST", body, Origin=origin, Content_Type=kind)
    assert (answer.status_code, answer.text) == (403, "Cross-origin request blocked")
    assert mlflow.MlflowClient(stores.tracking_uri).get_experiment_by_name("of-a-stranger") is None


@pytest.mark.parametrize(
    "path", [f"{API}/experiments/search?max_results=1", "/graphql", "/get-artifact?path=a&run_uuid=b"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_cross_site__page_is_given_nothing_to_read(stores, path, method):
    answer = ask(stores, path, method, Origin="http://evil.example", Access_Control_Request_Method="POST")
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_headers__keep_other_pages_from_framing_and_guessing(stores):
    headers = ask(stores, "/").headers
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
    assert headers["X-Content-Type-Options"] == "nosniff"
