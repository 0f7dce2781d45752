"""The artifact store with the clients that others use: curl, lftp and ncftp, as Debian has them."""

import io
import os
import re
import shutil
import subprocess

import pytest

from ftp_server import SECRET, wait_until

BIG = os.urandom(300_000)


@pytest.fixture
def tree(tmp_path):
    """Files and folders whose names are hard to get through, an empty one of each among them."""
    top = tmp_path / "tree"
    for name in [
        "plain.txt",
        "with space/a b.bin",
        "\u00fcml\u00e4ut/\u6587\u4ef6.txt",
        "-dash/-n.txt",
        "deep/er/est/x",
        "empty",
    ]:
        file = top / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"" if name == "empty" else f"{name}\r\n\0".encode() * 500)
    (top / "big.bin").write_bytes(BIG)
    (top / "hollow" / "hollow too").mkdir(parents=True)
    return top


def content(folder):
    """What lies below a folder, by path: the bytes of a file, None for a folder."""
    return {str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes() for path in folder.rglob("*")}


@pytest.fixture(params=["plain", "tls"])
def store(serve, request):
    """A store that speaks TLS and nothing else, or none at all."""
    secure = request.param == "tls"
    server = serve(*(["--tls-only"] if secure else []), password=SECRET, tls=secure)
    server.secure = secure
    return server


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")


def run(*command, home, seconds=120, **named):
    """Run a program to its end, without this user's settings."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=seconds, env=environment, cwd=home, **named, check=False
    )


def start(*command, home):
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
    return subprocess.Popen(
        command, env=environment, cwd=home, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def log_in(store):
    return store.connect_securely(password=SECRET) if store.secure else store.connect(password=SECRET)


# ---- curl


def curl_command(store, *arguments, secure=None):
    secure = store.secure if secure is None else secure
    tls = ["--ssl-reqd", "--cacert", str(store.certificate)] if secure else []
    return ["curl", "-sS", "--max-time", "100", "--user", f"guest:{SECRET}", *tls, *map(str, arguments)]


@needs("curl")
def test_curl__uploads_resumes_lists_and_deletes(store, tmp_path):
    def curl(*arguments):
        result = run(*curl_command(store, *arguments), home=tmp_path)
        assert result.returncode == 0, result.stderr
        return result.stdout

    (tmp_path / "big.bin").write_bytes(BIG)
    url = f"ftp://127.0.0.1:{store.port}/"
    curl("--ftp-create-dirs", "-T", tmp_path / "big.bin", f"{url}new/folder/%C3%BC%20b.bin")
    assert store.files() == {"new/folder/\u00fc b.bin": BIG}
    (tmp_path / "part.bin").write_bytes(BIG[:100_001])
    curl("-C", "-", "-o", tmp_path / "part.bin", f"{url}new/folder/%C3%BC%20b.bin")
    assert (tmp_path / "part.bin").read_bytes() == BIG
    curl("-o", tmp_path / "whole.bin", f"{url}new/folder/%C3%BC%20b.bin")
    assert (tmp_path / "whole.bin").read_bytes() == BIG
    assert curl("--list-only", f"{url}new/folder/").splitlines() == ["\u00fc b.bin"]
    assert f"{len(BIG)}" in curl(f"{url}new/folder/")
    curl("-Q", "-DELE new/folder/\u00fc b.bin", "-Q", "-RMD new/folder", "--list-only", url)
    assert content(store.root) == {"new": None}


@needs("curl")
def test_curl__without_tls_is_refused_where_there_is_nothing_but_tls(serve, tmp_path):
    server = serve("--tls-only", password=SECRET, tls=True)
    url = f"ftp://127.0.0.1:{server.port}/"
    result = run(*curl_command(server, "-v", url, secure=False), home=tmp_path)
    assert result.returncode == 67  # login denied
    assert "550 SSL/TLS required on the control channel." in result.stderr
    result = run("curl", "-sS", "--ssl-reqd", url, home=tmp_path)
    assert result.returncode == 60  # the certificate is not trusted


@needs("curl")
def test_curl__killed_in_mid_upload_leaves_the_old_file(store, tmp_path):
    log_in(store).storbinary("STOR file", io.BytesIO(b"old"))
    client = start(*curl_command(store, "-T", "-", f"ftp://127.0.0.1:{store.port}/file"), home=tmp_path)
    killed_in_mid_upload(store, client)


def killed_in_mid_upload(store, client):
    """Feed a client's upload with a part, kill it; the old file has to be there and nothing else."""
    try:
        client.stdin.write(BIG)
        client.stdin.flush()
        wait_until(lambda: any(store.in_flight()))
    finally:
        client.kill()
        client.wait(20)
        client.stdin.close()
    wait_until(lambda: store.in_flight() == [])
    assert store.files() == {"file": b"old"}


# ---- lftp


def lftp_command(store, script):
    tls = f"set ssl:ca-file {store.certificate}; set ftp:ssl-force true; set ftp:ssl-protect-data true;"
    settings = f"set cmd:fail-exit true; set net:max-retries 1; {tls if store.secure else 'set ftp:ssl-allow false;'}"
    return ["lftp", "-c", f"{settings} open -u guest,{SECRET} ftp://127.0.0.1:{store.port}; {script}"]


@needs("lftp")
def test_lftp__mirrors_a_tree_up_and_down_and_does_not_send_it_twice(store, tree, tmp_path):
    def lftp(script):
        result = run(*lftp_command(store, script), home=tmp_path)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def transferred(command):
        return sorted(re.findall(rf"{command} '/there/(.*)' done", store.log.read_text()))

    lftp(f"mirror -R --parallel=4 {tree} there")
    assert content(store.root / "there") == content(tree)
    files = sorted(name for name, value in content(tree).items() if value is not None)
    wait_until(lambda: transferred("STOR") == files)
    # A store takes no times from clients (MFMT), so that a file is younger there: lftp is to look at sizes alone.
    lftp(f"mirror -R --ignore-time {tree} there")
    lftp(f"mirror there {tmp_path / 'back'}")
    assert content(tmp_path / "back") == content(tree)
    filled = [name for name in files if name != "empty"]
    wait_until(lambda: set(filled) <= set(transferred("RETR")))
    down = transferred("RETR")
    lftp(f"mirror there {tmp_path / 'back'}")  # what came down has the times of the store
    lftp("rm -r there")
    assert content(store.root) == {}
    assert (transferred("STOR"), transferred("RETR")) == (files, down)


@needs("lftp")
def test_lftp__killed_in_mid_upload_leaves_the_old_file(store, tmp_path):
    log_in(store).storbinary("STOR file", io.BytesIO(b"old"))
    client = start(*lftp_command(store, "set xfer:clobber true; put /dev/stdin -o file"), home=tmp_path)
    killed_in_mid_upload(store, client)


@needs("lftp")
def test_lftp__interrupted_in_mid_upload_leaves_the_old_file(store, tmp_path):
    log_in(store).storbinary("STOR file", io.BytesIO(b"old"))
    (tmp_path / "big.bin").write_bytes(BIG)
    script = "set net:limit-rate 0:50000; set net:limit-max 50000; put big.bin -o file"
    client = start(*lftp_command(store, script), home=tmp_path)
    try:
        wait_until(lambda: any(store.in_flight()))
        client.terminate()
        client.wait(20)
    finally:
        client.kill()
        client.stdin.close()
    wait_until(lambda: store.in_flight() == [])
    assert store.files() == {"file": b"old"}


# ---- ncftp, which has no TLS


@pytest.mark.parametrize("store", ["plain"], indirect=True)
@needs("ncftpput")
def test_ncftp__puts_lists_and_gets_a_tree(store, tree, tmp_path):
    def ncftp(program, *arguments):
        login = ["-u", "guest", "-p", SECRET, "-P", str(store.port)]
        result = run(program, *login, *arguments, home=tmp_path)
        assert result.returncode == 0, (result.stdout, result.stderr)
        return result.stdout

    ncftp("ncftpput", "-R", "-V", "127.0.0.1", "/", str(tree))
    assert content(store.root / "tree") == content(tree)
    (tmp_path / "back").mkdir()
    ncftp("ncftpget", "-R", "-V", "127.0.0.1", str(tmp_path / "back"), "/tree")
    assert content(tmp_path / "back" / "tree") == content(tree)
    listed = ncftp("ncftpls", "-l", "ftp://127.0.0.1/tree/").splitlines()
    assert sorted(line.split(maxsplit=8)[8] for line in listed) == sorted(path.name for path in tree.iterdir())
