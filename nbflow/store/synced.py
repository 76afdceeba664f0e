"""Tells directories that a program copies to other machines, file by file."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Final

_SERVICES: Final = {
    "dropbox": "Dropbox",
    "onedrive": "OneDrive",
    "google drive": "Google Drive",
    "googledrive": "Google Drive",
    "my drive": "Google Drive",
    "mobile documents": "iCloud Drive",
    "icloud drive": "iCloud Drive",
    "nextcloud": "Nextcloud",
    "owncloud": "ownCloud",
    "box sync": "Box",
    "syncthing": "Syncthing",
}


def service_of(directory: Path) -> str:
    """Give the service that keeps a directory in step with other machines, as far as names tell.

    Args:
        directory: An absolute path.

    Example:
        >>> service_of(Path("/home/ann/Dropbox (Work)/runs/.nbflow"))
        'Dropbox'
    """
    for part in directory.parts:
        name = part.lower()
        for begin in (name, name.partition(" - ")[0], name.partition(" (")[0]):
            if begin in _SERVICES:
                return _SERVICES[begin]
    return ""


def warn_if_synced(directory: Path) -> None:
    """Warn of a store in such a directory: its files are of use together only.

    Args:
        directory: The store's.
    """
    service = service_of(directory)
    if service:
        warnings.warn(
            f"the store {directory} seems to be in a directory that {service} copies to other "
            "machines. It copies the files of a log one by one, which can damage it there: "
            "nbflow.configure(store=...) names another directory, and %nbflow store export makes "
            "a copy that is whole",
            RuntimeWarning,
            stacklevel=6,
        )
