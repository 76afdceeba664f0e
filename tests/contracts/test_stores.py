"""Both stores keep the contract of `nbflow.testing`; what only a file can do is tested here."""

from __future__ import annotations

import tempfile

from nbflow.store.base import Store
from nbflow.store.memory import MemoryStore
from nbflow.store.sqlite import SqliteStore
from nbflow.testing import StoreContract


class TestMemoryStore(StoreContract):
    def make(self) -> Store:
        return MemoryStore()


class TestSqliteStore(StoreContract):
    def make(self) -> Store:
        self.directory = tempfile.TemporaryDirectory()
        return SqliteStore(self.directory.name)

    def reopen(self, store: Store) -> Store:
        store.close()
        return SqliteStore(self.directory.name)

    def teardown_method(self) -> None:
        super().teardown_method()
        self.directory.cleanup()
