"""Reads the embedded store from outside, while the broker writes it."""

import sqlite3
from datetime import datetime, timezone


class Store:
    """A read-only connection of its own; every query sees what is committed now."""

    def __init__(self, path):
        self.path = path
        # Several threads of a client library may ask; they never do at once.
        self._connection = sqlite3.connect(
            f"file:{path}?mode=ro",
            uri=True,
            timeout=10,
            isolation_level=None,
            check_same_thread=False,
        )
        self._connection.row_factory = sqlite3.Row

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._connection.close()

    def query(self, statement, *parameters):
        return self._connection.execute(statement, parameters).fetchall()

    def messages(self, topic):
        """Rows of mqtt_msg with this topic, in the order stored."""
        return self.query("SELECT * FROM mqtt_msg WHERE topic = ? ORDER BY id", topic)

    def payloads(self, topic):
        return [bytes(row["payload"]) for row in self.messages(topic)]

    def client(self, client_id):
        """The client's row of mqtt_client, or None."""
        rows = self.query("SELECT * FROM mqtt_client WHERE clientid = ?", client_id)
        assert len(rows) <= 1, f"{client_id} has {len(rows)} rows"
        return rows[0] if rows else None

    def is_online(self, client_id):
        row = self.client(client_id)
        return row is not None and row["state"] == "1"

    def is_offline(self, client_id):
        row = self.client(client_id)
        return row is not None and row["state"] == "0"

    def journal_mode(self):
        return self.query("PRAGMA journal_mode")[0][0]


def seconds_ago(text):
    """Age of a `YYYY-MM-DD hh:mm:ss` column (UTC), in seconds."""
    then = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
    return (datetime.now(timezone.utc) - then).total_seconds()
