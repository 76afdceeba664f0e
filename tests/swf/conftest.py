"""What tests of SWF begin with."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from nbflow.services.swf import connect, emulator
from tests.swf.places import Place

RETENTION = {"workflowExecutionRetentionPeriodInDays": "1"}


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Keep what is set on this machine for AWS out of the tests, but for those of the service."""
    if request.node.get_closest_marker("aws") is not None:
        return
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SWF", "AWS_PROFILE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent/config")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="module")
def shared_endpoint() -> Iterator[emulator.Endpoint]:
    with emulator.running(limits=emulator.Limits(poll=1)) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def shared_client(shared_endpoint: emulator.Endpoint) -> Any:
    return shared_endpoint.client(retries=1)


@pytest.fixture
def endpoint() -> Iterator[emulator.Endpoint]:
    """An emulator that nobody else uses."""
    with emulator.running(limits=emulator.Limits(poll=2)) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def moto_client(moto_url: str) -> Any:
    # It knows which service is meant by the signature, so there has to be one.
    keys = {"aws_access_key_id": "nobody", "aws_secret_access_key": "nothing"}
    once = Config(retries={"total_max_attempts": 1})
    options = {"region_name": "us-east-1", "endpoint_url": moto_url, "config": once}
    return boto3.client("swf", **options, **keys)


@pytest.fixture(
    params=[
        "emulator",
        pytest.param("moto", marks=pytest.mark.slow),
        pytest.param("aws", marks=(pytest.mark.aws, pytest.mark.timeout(600))),
    ],
)
def place(request: pytest.FixtureRequest) -> Place:
    """Somewhere to speak SWF to, in a domain of its own (on the real service: in one for all)."""
    kind = request.param
    lacking = getattr(request.function, "moto_lacks", None)
    if kind == "moto" and lacking:
        request.applymarker(pytest.mark.xfail(strict=True, reason=f"moto lacks {lacking}"))
    made: Place = globals()[f"_{kind}"](request)
    domain = "nbflow-conformance" if kind == "aws" else f"domain-{made.mark}"
    made.domain = domain
    there = made.client.list_domains(registrationStatus="REGISTERED")["domainInfos"]
    if domain not in {info["name"] for info in there}:
        made.client.register_domain(name=domain, **RETENTION)
    return made


@pytest.fixture
def here(shared_endpoint: emulator.Endpoint, shared_client: Any) -> Place:
    """The emulator alone, in a domain of its own."""
    made = Place("emulator", shared_client, "", shared_endpoint)
    made.domain = f"domain-{made.mark}"
    made.client.register_domain(name=made.domain, **RETENTION)
    return made


def _emulator(request: pytest.FixtureRequest) -> Place:
    endpoint = request.getfixturevalue("shared_endpoint")
    return Place("emulator", request.getfixturevalue("shared_client"), "", endpoint)


def _moto(request: pytest.FixtureRequest) -> Place:
    url = request.getfixturevalue("moto_url")
    # One run that it cannot cope with would spoil the rest.
    reset = urllib.request.Request(f"{url}/moto-api/reset", method="POST")
    urllib.request.urlopen(reset).read()
    return Place("moto", request.getfixturevalue("moto_client"), "")


def _aws(request: pytest.FixtureRequest) -> Place:
    url: Any = request.config.getoption("--endpoint")
    return Place("aws", connect(endpoint_url=url), "")
