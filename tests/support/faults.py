"""Stores that cannot be written for a while. Usable as context managers."""

import sqlite3


class Locked:
    """Somebody else holds the store's only write lock."""

    def __init__(self, broker):
        self._connection = sqlite3.connect(
            broker.data / "hookwire.db", timeout=30, isolation_level=None
        )

    def __enter__(self):
        self._connection.execute("BEGIN EXCLUSIVE")

    def __exit__(self, *_):
        self._connection.execute("ROLLBACK")
        self._connection.close()


class TableGone:
    """Somebody renamed the table of messages."""

    def __init__(self, broker):
        self._connection = sqlite3.connect(
            broker.data / "hookwire.db", timeout=30, isolation_level=None
        )

    def __enter__(self):
        self._connection.execute("ALTER TABLE mqtt_msg RENAME TO mqtt_msg_elsewhere")

    def __exit__(self, *_):
        self._connection.execute("ALTER TABLE mqtt_msg_elsewhere RENAME TO mqtt_msg")
        self._connection.close()
