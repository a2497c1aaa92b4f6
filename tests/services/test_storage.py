"""Files in a local folder and in a bucket: the same calls, the same behaviour."""

import stat
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import pytest

import config
from config import SettingError, Settings
from services import storage

KEY_OF_NOTHING = "logos/" + "0" * 32


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """An address of a bucket on a real S3 server."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        client.create_bucket(Bucket="portico-files")
    yield (
        f"s3://portico-files/tenant?endpoint_url={endpoint}&region=us-east-1"
        "&access_key_id=test&secret_access_key=test"
    )
    server.stop()


@pytest.fixture(params=["folder", "bucket"])
def kind(request, tmp_path, monkeypatch) -> str:
    url = f"file:{tmp_path / 'files'}" if request.param == "folder" else request.getfixturevalue("bucket")
    use(monkeypatch, url, tmp_path)
    return request.param


def use(monkeypatch, url: str, folder: Path) -> None:
    settings = Settings(data_dir=folder, database_url="sqlite://", secret_key="x" * 32, storage_url=url)
    monkeypatch.setattr(config, "_current", replace(settings))


def test_what_was_put_comes_back(kind):
    key = storage.put("logos", b"\x00\xff" * 1000)

    assert storage.get(key) == b"\x00\xff" * 1000
    assert storage.is_reachable()


def test_a_large_file_comes_in_pieces(kind):
    content = bytes(range(256)) * 4096  # 1 MiB
    pieces = list(storage.stream(storage.put("documents", content)) or ())

    assert len(pieces) > 1
    assert b"".join(pieces) == content


def test_an_empty_file_is_a_file(kind):
    assert storage.get(storage.put("logos", b"")) == b""


def test_nothing_lies_under_a_key_that_nobody_gave(kind):
    assert storage.get(KEY_OF_NOTHING) is None
    assert storage.stream(KEY_OF_NOTHING) is None


def test_what_was_deleted_is_gone_and_deleting_again_is_no_error(kind):
    key = storage.put("logos", b"x")
    storage.delete(key)
    storage.delete(key)

    assert storage.get(key) is None


def test_a_key_is_the_room_and_128_random_bits(kind):
    keys = {storage.put("logos", b"same") for _ in range(20)}

    assert len(keys) == 20
    assert all(key.startswith("logos/") and len(key) == len("logos/") + 32 for key in keys)


@pytest.mark.parametrize(
    "key", ["../secret_key", "logos/../x", "logos/abc", "/etc/passwd", "logos/" + "g" * 32, ""]
)
def test_what_is_no_key_reaches_no_file(kind, key):
    for ask in (storage.get, storage.stream, storage.delete):
        with pytest.raises(ValueError, match="storage key"):
            ask(key)
    with pytest.raises(ValueError, match="no room"):
        storage.put("../x", b"")


def test_only_the_owner_reads_the_folder(tmp_path, monkeypatch):
    use(monkeypatch, f"file:{tmp_path / 'files'}", tmp_path)
    key = storage.put("logos", b"x")

    assert stat.S_IMODE((tmp_path / "files").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "files" / "logos").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "files" / key).stat().st_mode) == 0o600


@pytest.mark.parametrize("url", ["ftp://host/x", "s3://", "s3://bucket?password=x", "files"])
def test_an_address_that_is_none_is_told(tmp_path, monkeypatch, url):
    use(monkeypatch, url, tmp_path)
    with pytest.raises(SettingError, match="STORAGE_URL"):
        storage.put("logos", b"")


def test_a_bucket_that_does_not_answer_is_not_reachable(tmp_path, monkeypatch):
    use(
        monkeypatch,
        "s3://nothing?endpoint_url=http://127.0.0.1:9&region=us-east-1&access_key_id=a&secret_access_key=b",
        tmp_path,
    )
    assert not storage.is_reachable()
