"""Any tree of files, with any names and bytes, goes up to the artifact store, lists, comes down, goes away."""

import os

import pytest
from hypothesis import given, settings

from artifact_trees import NASTY, check_round_trip, trees
from dsgo.artifacts.ftp.repository import FTPArtifactRepository
from dsgo.base.network import free_port
from ftp_server import Server

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    server = Server(free_port(), folder / "root", log=folder / "log")
    try:
        yield FTPArtifactRepository(f"ftp://guest:12345@127.0.0.1:{server.wait().port}/artifacts/1/run/artifacts")
    finally:
        server.end()


def test_ftp_artifacts__any_name_goes_there_and_back(repository, tmp_path):
    check_round_trip(repository, NASTY, tmp_path / "local")


@settings(max_examples=40, deadline=None, derandomize=True)
@given(tree=trees)
def test_ftp_artifacts__any_tree_goes_there_and_back(repository, tmp_path_factory, tree):
    check_round_trip(repository, tree, tmp_path_factory.mktemp("local"))
