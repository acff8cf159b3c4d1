"""Commands whose folders are in a store: the same bytes as on disk, and named errors."""

import json

import fsspec
import pytest

from perdure.cli.main import app
from perdure.records.place import place
from tests.cli.shell import run
from tests.stores import KEYS, serve

METHOD = ("--method", "gradient")
TRAINED = ("--train-settings", "epochs=1")
DATA = "boxes:train=60,validation=20,test=20,size=20"
RECORDS = {"run.yaml", "plan.yaml", "times.json"}
"""Records of the command and the clock, which contain the folder and the time."""


@pytest.fixture(scope="module")
def store():
    with pytest.MonkeyPatch.context() as environment, serve(environment) as url:
        yield url


def contents(folder):
    folder = place(str(folder))
    files = {str(path).removeprefix(str(folder)).strip("/"): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if name.rpartition("/")[2] not in RECORDS}


def run_all(root, trained):
    """Run every command with its folder below a root, of which the runs of `train` are read too."""
    run("train", "lstm:hidden_size=4", DATA, "--seeds", 2, *TRAINED, "--out", f"{root}/train")
    ends = [f"{root}/train/seed-{n:05}" for n in range(2)]
    run("path", *ends, DATA, "--points", 3, "--samples", 8, "--kind", "linear", *METHOD, "--out", f"{root}/path")
    ends = [f"{trained}/train/seed-{n:05}" for n in range(2)]  # whose names are in the results
    run("explain", ends[0], DATA, "--limit", 6, *METHOD, "--out", f"{root}/explain")
    run("evaluate", f"{root}/explain", "--metric", "auroc")
    run("reproduce", ends[0], DATA, "--folders", ends[1], *METHOD, "--out", f"{root}/reproduce")
    run("audit", ends[0], DATA, "--samples", 6, *METHOD, "--metric", "auroc", "--out", f"{root}/audit")
    for name in ("path", "reproduce", "audit"):
        run("report", f"{root}/{name}")
    for name in ("train", "explain", "path", "reproduce", "audit"):
        assert "nothing is left to do" in run("status", f"{root}/{name}")
        assert json.loads(run("status", f"{root}/{name}", "--json"))["left"] is None


@pytest.mark.parametrize("command", [command.name for command in app.registered_commands])
def test_every_folder_of_a_command_may_be_a_url(command):
    """The one parser of places shows FOLDER or FILE in the help, that of typer path."""
    assert "path>" not in run(command, "--help")


@pytest.mark.parametrize("command", ["report {}", "status {}", "evaluate {}", "path {} {} boxes", "train a b --out {}"])
@pytest.mark.parametrize(
    ("url", "cause"), [("s3://", "names no folder of a store"), ("gopher://a/b", "is no URL of a known store")]
)
def test_a_url_without_a_folder_or_store_is_named(command, url, cause):
    assert cause in run(*command.format(url, url).split(), code=4)


@pytest.mark.slow
def test_a_store_that_has_gone_or_takes_no_credentials_is_named(monkeypatch):
    with pytest.MonkeyPatch.context() as environment, serve(environment) as store:
        run("train", "lstm:hidden_size=4", DATA, *TRAINED, "--out", f"{store}/run")
        for name in KEYS:
            environment.delenv(name)
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        fsspec.filesystem("s3").clear_instance_cache()
        assert "NoCredentialsError" in run("status", f"{store}/run", code=4)
        for name, value in KEYS.items():
            environment.setenv(name, value)
        environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        fsspec.filesystem("s3").clear_instance_cache()
        assert "the store raises EndpointConnectionError" in run("report", f"{store}/run", code=4)
    fsspec.filesystem("s3").clear_instance_cache()


@pytest.mark.slow
def test_every_command_writes_the_same_bytes_to_a_store_as_to_disk(store, tmp_path):
    for root in (tmp_path, store):
        run_all(root, tmp_path)
    local, remote = contents(tmp_path), contents(store)
    assert sorted(remote) == sorted(local)
    assert [name for name in local if local[name] != remote[name]] == []
    few = ("--limit", 6, *METHOD)
    run("explain", f"{store}/train/seed-00000", DATA, *few, "--out", f"{store}/from-store")
    run("reproduce", f"{store}/train", DATA, *METHOD, "--out", f"{store}/both")
