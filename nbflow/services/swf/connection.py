"""Clients for SWF. Credentials, region and endpoint come from boto3's own chain."""

from __future__ import annotations

import ipaddress
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
from botocore import UNSIGNED
from botocore import __version__ as botocore_version
from botocore.config import Config

from nbflow.__about__ import __version__
from nbflow.core.errors import NbflowError

READ_TIMEOUT: Final = 75
"""Seconds that a client waits for an answer: the service holds a poll for 60 and advises 70."""
_REGION: Final = "us-east-1"
_POOL: Final = 50


def connect(
    *,
    region: str | None = None,
    profile: str | None = None,
    endpoint_url: str | None = None,
    retries: int = 5,
    signed: bool | None = None,
    **config: Any,
) -> Any:
    """Make a boto3 client whose time-outs suit SWF's polls.

    Credentials are found as boto3 finds them: environment, shared files, roles. An endpoint on
    loopback, an emulator's, is not sent any signature unless `signed` says so: nobody needs to
    invent credentials for it, and none leave by mistake.

    Args:
        region: By default the one of boto3's configuration; us-east-1 on loopback.
        profile: A profile of the shared configuration.
        endpoint_url: By default what ``AWS_ENDPOINT_URL`` or the configuration says.
        retries: How often an answer is tried to be had, the first time included.
        signed: Whether requests are signed; None: unless the endpoint is on loopback.
        config: Further members of `botocore.config.Config`.

    Raises:
        NbflowError: There is no region.

    Example:
        ``swf = connect(region="eu-west-1")``

    Source:
        https://docs.aws.amazon.com/amazonswf/latest/apireference/API_PollForDecisionTask.html
    """
    session = boto3.Session(profile_name=profile, region_name=region)
    settings = {
        "read_timeout": READ_TIMEOUT,
        "max_pool_connections": _POOL,
        "retries": {"total_max_attempts": retries, "mode": "standard"},
        # Else botocore puts it together twice for each request, an eighth of what one costs.
        "user_agent": f"nbflow/{__version__} Boto3/{boto3.__version__} Botocore/{botocore_version}",
        **config,
    }

    options = {"region_name": session.region_name or _REGION, "endpoint_url": endpoint_url}

    def client(**more: Any) -> Any:
        return session.client("swf", config=Config(**settings, **more), **options)

    # One that does not sign looks for no credentials, so it is a cheap way to learn the endpoint.
    plain = client(signature_version=UNSIGNED)
    local = _is_loopback(plain.meta.endpoint_url)
    if not local and session.region_name is None:
        raise NbflowError(
            "no AWS region is set: give region=, or set AWS_DEFAULT_REGION or a profile's region"
        )
    return client() if signed or (signed is None and not local) else plain


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
