"""Downloading the two public OPSD packages: resumed after a break, cached per user, checked."""

import hashlib
import time
from functools import partial
from pathlib import Path
from typing import Any

import click
import pooch
import requests
from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from dsgo.base.errors import UserError
from dsgo.data.opsd import POWER_NAME, WEATHER_NAME, RawPair
from dsgo.data.packed import unpacked

# Versions 2019-06-05 and 2019-04-09: the last that hold wind generation, wind speed and radiation of 2013 to 2016.
TIME_SERIES_URL = (
    "https://data.open-power-system-data.org/time_series/2019-06-05/time_series_60min_singleindex.csv"  # 230 MB
)
WEATHER_URL = "https://data.open-power-system-data.org/weather_data/opsd-weather_data-2019-04-09.zip"
# sha256 of the CSV files, unpacked; from a third party's copy, so a mismatch warns and does not stop.
TIME_SERIES_SHA256 = "659fe789af2672aabe989aebc8c5c21052a1a96e4da70b0fc941910a1cd4de9d"
WEATHER_SHA256 = "b06e72cb32f06f6f57da7ab891c6be70fb201777617433c12c08fbd2ac64062b"

TIMEOUT = (10, 30)  # seconds to connect, and between two pieces
PIECE = 2**16  # bytes; a break costs at most one piece
TRIES, PAUSE = 4, 1.0  # a broken transfer goes on where it broke, after that many seconds
WAIT = 3600  # seconds for another process that is downloading the same file


def fetch_opsd(time_series_url: str = TIME_SERIES_URL, weather_url: str = WEATHER_URL) -> RawPair:
    """Return the pair in the user's cache (`pooch.os_cache("dsgo")`), downloaded if it is not there.

    Raises UserError where a download fails; the part that arrived is kept, and the next call goes on from there.
    """
    power = fetch(time_series_url, TIME_SERIES_SHA256, POWER_NAME)
    return RawPair(power, fetch(weather_url, WEATHER_SHA256, WEATHER_NAME))


def fetch(url: str, sha256: str, stem: str) -> Path:
    """Return the cached file of a URL, downloaded if need be; warn if its CSV (named `stem`) is not the one known."""
    folder = pooch.os_cache("dsgo")
    path = folder / pooch.utils.unique_file_name(url)
    pooch.get_logger().setLevel("WARNING")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock", timeout=WAIT):  # two processes must not write one part
            known = path.exists()
            downloader = partial(_download, part=path.with_name(f"{path.name}.part"))
            pooch.retrieve(url, known_hash=None, fname=path.name, path=folder, downloader=downloader)
    except Timeout as error:
        raise UserError(f"another process has been downloading {url} for {WAIT / 60:.0f} minutes: end it") from error
    except OSError as error:  # a full disk, no permission
        raise UserError(f"{url} could not be stored in {folder}: {error}") from error
    if not known:
        _check(path, url, sha256, stem)
    return path


def _check(path: Path, url: str, sha256: str, stem: str) -> None:
    digest = hashlib.sha256()
    with unpacked(path, rf"{stem}\.csv") as file:
        for piece in iter(partial(file.read, 2**20), b""):
            digest.update(piece)
    if (found := digest.hexdigest()) != sha256:
        click.echo(f"Warning: {url} holds another file than the one known: sha256 {found}, known {sha256}", err=True)


def _download(url: str, output_file: str, _: Any, part: Path) -> None:
    """Be pooch's downloader: bring `part` to its whole length, going on where it ends, then move it to its place."""
    for again in reversed(range(TRIES)):
        try:
            _continue(url, part)
            break
        except requests.RequestException as error:
            answer = error.response  # the server's refusal (404, 503): asking again would not help
            if answer is None and again and not isinstance(error, ValueError):  # ValueError: no URL at all
                time.sleep(PAUSE)
                continue
            reason = f"{answer.status_code} {answer.reason}" if answer is not None else _reason(error)
            kept = (
                f"; {part.stat().st_size / 1e6:,.1f} MB are kept: run again to go on"
                if _validator(part).exists()
                else ""
            )
            raise UserError(
                f"{url} could not be downloaded: {reason}{kept} "
                "(or download the pair yourself and give its folder with -P source=DIR)"
            ) from error
    part.replace(output_file)
    _validator(part).unlink(missing_ok=True)


def _continue(url: str, part: Path) -> None:
    """Append to `part` what it lacks of the URL, or write it anew where the server cannot go on or has another file."""
    headers = {"Accept-Encoding": "identity"}  # else the length told is not the file's
    have = part.stat().st_size if part.exists() and _validator(part).exists() else 0
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": _validator(part).read_text()}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:  # part has the whole length already
            if response.headers.get("Content-Range") == f"bytes */{have}":
                return
            part.unlink()
            raise requests.ConnectionError("the file has changed on the server")
        response.raise_for_status()
        if response.status_code != requests.codes.partial_content:
            have = 0
        validator = response.headers.get("ETag") or response.headers.get("Last-Modified")
        _validator(part).write_text(validator) if validator else _validator(part).unlink(missing_ok=True)
        length = response.headers.get("Content-Length")
        with part.open("ab" if have else "wb") as file, _progress() as progress:
            task = progress.add_task(
                url.rpartition("/")[2], completed=have, total=have + int(length) if length else None
            )
            for piece in response.iter_content(PIECE):
                file.write(piece)
                progress.update(task, advance=len(piece))


def _validator(part: Path) -> Path:
    """Return the file beside a part that says of which version of the URL's content it is a part (ETag or date)."""
    return part.with_name(f"{part.name}.version")


def _progress() -> Progress:
    """Return a progress bar on a terminal; in a log it is silent."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, disable=not console.is_terminal)


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return f"no answer within {TIMEOUT[1]} seconds"
    if isinstance(error, ValueError):
        return "that is no http or https URL"
    broke_off = isinstance(error, requests.exceptions.ChunkedEncodingError)
    return "the connection broke off" if broke_off else "no connection to the server"
