"""A server that speaks S3, as a process of its own on 127.0.0.1."""

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

KEY, SECRET = "AKIAEXAMPLEKEY", "example-secret-of-a-test"
"""It accepts any."""


@contextlib.contextmanager
def s3_server(bucket: str) -> Iterator[str]:
    """Runs while the block does, with an empty bucket. Gives the address for ``AWS_ENDPOINT_URL``."""
    for package in ("moto", "flask_cors", "boto3", "s3fs"):
        pytest.importorskip(package, reason="the extras cluster and dev-cluster are not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        for line in process.stdout:
            if "Running on" in line:
                break
        else:
            raise RuntimeError("the S3 server does not start")
        url = f"http://127.0.0.1:{port}"
        _client(url).create_bucket(Bucket=bucket)
        yield url
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def keys_in(url: str, bucket: str) -> set[str]:
    """Names of all that is in the bucket."""
    return {one["Key"] for one in _client(url).list_objects_v2(Bucket=bucket).get("Contents", ())}


def _client(url: str):
    import boto3

    return boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id=KEY, aws_secret_access_key=SECRET
    )
