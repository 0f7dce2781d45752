"""A workflow on a Dask cluster over TLS: scheduler and worker as processes, certificates made here."""

import contextlib
import datetime
import os
import subprocess
import sys

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from dsgo.base.network import free_port
from dsgo.base.places import ROOT
from fake_project import write_fake_project
from ftp_server import wait_until

TLS = "DASK_DISTRIBUTED__COMM__TLS__"
ROLES = ["CLIENT", "SCHEDULER", "WORKER"]


def pem(key):
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def make_certificates(folder):
    """Write ca.pem, cert.pem and key.pem: an authority and a certificate of its making."""
    folder.mkdir()
    now = datetime.datetime.now(datetime.UTC)
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("ca", "cert")}
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"authority {folder.name}")])
    subjects = {"ca": issuer, "cert": x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "dask")])}
    for name, subject in subjects.items():
        made = (
            x509.CertificateBuilder(issuer, subject, keys[name].public_key(), x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=name == "ca", path_length=None), critical=True)
            .sign(keys["ca"], hashes.SHA256())
        )
        (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(pem(keys["cert"]))
    return folder


def configured(folder):
    """The environment with Dask's own variables for the certificates in `folder`."""
    files = {f"{TLS}CA_FILE": "ca.pem"}
    for role in ROLES:
        files |= {f"{TLS}{role}__CERT": "cert.pem", f"{TLS}{role}__KEY": "key.pem"}
    return os.environ | {name: str(folder / file) for name, file in files.items()}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("tls") / "right")


@pytest.fixture(scope="module")
def scheduler(certificates, tmp_path_factory):
    """The address of a scheduler with one worker, both speaking TLS alone."""
    folder, address = tmp_path_factory.mktemp("cluster"), f"tls://127.0.0.1:{free_port()}"
    environment = configured(certificates) | {"DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true"}
    commands = {
        "scheduler": ["--host", address, "--dashboard-address", "127.0.0.1:0"],
        "worker": [*(address, "--nthreads", "1", "--no-dashboard", "--no-nanny", "--host", "tls://127.0.0.1")],
    }
    with contextlib.ExitStack() as stack:
        for name, options in commands.items():
            log = stack.enter_context((folder / f"{name}.txt").open("w"))
            command = [sys.executable, "-m", f"distributed.cli.dask_{name}", *options]
            process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
            stack.callback(process.wait, 10)
            stack.callback(process.kill)
        wait_until(lambda: "Registered to" in (folder / "worker.txt").read_text(), 60)
        yield address


def run(environment, stores, project, scheduler):
    """Run the workflow of a project; return exit code, output and errors."""
    command = [sys.executable, "-m", "dsgo.pipeline", "--models", "lr", "--project", str(project)]
    environment = environment | {"MLFLOW_TRACKING_URI": stores.tracking_uri, "MLFLOW_EXPERIMENT_NAME": "tls"}
    done = subprocess.run(
        [*command, "--to", "none", "--scheduler", scheduler],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_tls__workflow_runs_on_a_cluster_with_certificates(scheduler, certificates, stores, tmp_path):
    code, out, err = run(configured(certificates), stores, write_fake_project(tmp_path / "project"), scheduler)

    assert code == 0, err
    assert [line.split()[:2] for line in out.splitlines() if line.startswith("lr ")][-1] == ["lr", "done"]


@pytest.fixture
def wrong(certificates, tmp_path):
    """The environment with what is wrong, by its name."""
    right = configured(certificates)
    other = configured(make_certificates(tmp_path / "other"))
    (tmp_path / "empty.pem").touch()
    return {
        "nothing": dict(os.environ),
        "no authority": {name: value for name, value in right.items() if name != f"{TLS}CA_FILE"},
        "no certificate": {name: value for name, value in right.items() if name != f"{TLS}CLIENT__CERT"},
        "missing file": right | {f"{TLS}CLIENT__CERT": str(tmp_path / "nothing.pem")},
        "empty file": right | {f"{TLS}CA_FILE": str(tmp_path / "empty.pem")},
        "another key": right | {f"{TLS}CLIENT__KEY": other[f"{TLS}CLIENT__KEY"]},
        "another authority": other,
    }


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("nothing", f"Dask has no certificate here: set {TLS}CA_FILE to a PEM file"),
        ("no authority", f"Dask has no certificate here: set {TLS}CA_FILE to a PEM file"),
        ("no certificate", f"Dask has no certificate here: set {TLS}CLIENT__CERT to a PEM file"),
        ("missing file", "there is no file "),
        ("empty file", "Dask's certificate, key or authority cannot be used here ("),
        ("another key", "Dask's certificate, key or authority cannot be used here ("),
        ("another authority", "its certificate and ours do not fit ("),
    ],
)
def test_tls__what_is_wrong_with_the_certificates_is_one_line(scheduler, wrong, stores, tmp_path, what, line):
    code, _, err = run(wrong[what], stores, write_fake_project(tmp_path / "project"), scheduler)

    assert code == 2
    assert err.startswith(f"Error: scheduler={scheduler}: {line}")
    assert "Traceback" not in err
    assert len([each for each in err.splitlines() if "View" not in each and " at: " not in each]) == 1


def test_tls__plain_address_of_a_scheduler_with_tls_is_one_line(scheduler, certificates, stores, tmp_path):
    plain = scheduler.replace("tls:", "tcp:")
    code, _, err = run(configured(certificates), stores, write_fake_project(tmp_path / "project"), plain)

    assert code == 2
    assert err.startswith(f"Error: scheduler={plain}: no Dask scheduler answers there")
    assert "Traceback" not in err
