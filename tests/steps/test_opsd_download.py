import hashlib
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pooch
import pytest

import opsd_download
from dsgo.base.errors import UserError
from dsgo.base.network import free_port
from dsgo.data.opsd import POWER_NAME
from opsd_download import PIECE, fetch, fetch_opsd

CONTENT = b"utc_timestamp,x\n" + b"2014-01-01T00:00:00Z,1\n" * 200_000  # 4.6 MB
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serve `server.content`; break off after `server.breaks.pop(0)` bytes; Range only where `server.ranges`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        server.asked.append(self.headers.get("Range"))
        if server.status != 200:
            self.send_error(server.status)
            return
        start = 0
        if server.ranges and self.headers.get("Range") and self.headers.get("If-Range") == server.etag:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        if start >= len(server.content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(server.content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        self.send_header("Content-Length", str(len(server.content) - start))
        if server.ranges:
            self.send_header("ETag", server.etag)
        self.end_headers()
        end = start + server.breaks.pop(0) if server.breaks else None
        self.wfile.write(server.content[start:end])
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.content, server.etag, server.ranges, server.status = CONTENT, '"one"', True, 200
        server.breaks, server.asked = [], []
        server.url = f"http://127.0.0.1:{server.server_port}/time_series_60min_singleindex.csv"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The user's cache, for this test in a folder of its own; and no long pause between the tries."""
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    monkeypatch.setattr(opsd_download, "PAUSE", 0.01)
    return tmp_path / "cache" / "dsgo"


def fetch_it(server):
    return fetch(server.url, SHA256, POWER_NAME)


def test_fetch__downloads_once_and_says_nothing_in_a_log(server, cache, capfd):
    path = fetch_it(server)

    assert path.parent == cache
    assert path.read_bytes() == CONTENT
    assert fetch_it(server) == path
    assert server.asked == [None]
    assert capfd.readouterr() == ("", "")
    assert [left.name for left in cache.iterdir() if not left.name.endswith(".lock")] == [path.name]


def test_fetch__goes_on_where_the_transfer_broke(server):
    server.breaks = [20 * PIECE, 30 * PIECE + 1]
    assert fetch_it(server).read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={20 * PIECE}-", f"bytes={50 * PIECE}-"]


def test_fetch__goes_on_in_the_next_call(server, cache):
    server.breaks = [20 * PIECE, 0, 0, 0]
    with pytest.raises(UserError, match=r"the connection broke off; 1.3 MB are kept: run again to go on"):
        fetch_it(server)
    assert not list(cache.glob("*.csv"))  # nothing half is taken for whole

    assert fetch_it(server).read_bytes() == CONTENT
    assert server.asked[-1] == f"bytes={20 * PIECE}-"


def test_fetch__begins_anew_where_the_server_cannot_go_on(server):
    server.ranges, server.breaks = False, [1_500_000]
    assert fetch_it(server).read_bytes() == CONTENT


def test_fetch__begins_anew_where_the_file_has_changed(server):
    server.breaks = [1_500_000, 0, 0, 0]
    with pytest.raises(UserError):
        fetch_it(server)
    server.etag, server.content = '"two"', CONTENT.replace(b",1", b",2")
    assert fetch_it(server).read_bytes() == server.content


def test_fetch__part_that_was_whole_already(server, cache):
    path = fetch_it(server)
    path.rename(f"{path}.part")  # as a process leaves it that is killed before the last step
    path.with_name(f"{path.name}.part.version").write_text(server.etag)

    assert fetch_it(server).read_bytes() == CONTENT
    assert server.asked[-1] == f"bytes={len(CONTENT)}-"


def test_fetch__other_sum_warns_and_goes_on(server, capfd):
    server.content = CONTENT.replace(b",1", b",2")
    assert fetch_it(server).read_bytes() == server.content
    assert f"holds another file than the one known: sha256 {hashlib.sha256(server.content).hexdigest()}" in (
        capfd.readouterr().err
    )


def test_fetch__two_at_once_download_once(server):
    threads = [threading.Thread(target=fetch_it, args=(server,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.asked == [None]
    assert fetch_it(server).read_bytes() == CONTENT


@pytest.mark.parametrize("status", [404, 503])
def test_fetch__refusal_is_one_line(server, status):
    server.status = status
    with pytest.raises(UserError, match=rf"could not be downloaded: {status} .*give its folder with -P source=DIR"):
        fetch_it(server)
    assert len(server.asked) == 1


@contextmanager
def silent_server():
    """A server that takes connections and never answers."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/x.csv"


def test_fetch__server_that_is_down_or_silent(monkeypatch):
    with pytest.raises(UserError, match="could not be downloaded: no connection to the server"):
        fetch(f"http://127.0.0.1:{free_port()}/x.csv", SHA256, POWER_NAME)
    monkeypatch.setattr(opsd_download, "TIMEOUT", (0.2, 0.2))
    with silent_server() as url, pytest.raises(UserError, match=r"no answer within 0.2 seconds"):
        fetch(url, SHA256, POWER_NAME)


def test_fetch_opsd__url_that_is_none():
    with pytest.raises(UserError, match="that is no http or https URL"):
        fetch_opsd("time_series.csv")
