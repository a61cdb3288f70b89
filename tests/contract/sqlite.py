"""The embedded store: a SQLite file."""

import contextlib
import datetime
import sqlite3

from contract.store import HOOK_PARAMETERS, Capability, ClientState, Function, Message, Store
from support.rules import module

#: Rows that a slow store joins with each other for each message: some tens of milliseconds.
_MANY = 700
_SESSION_ENDS = ("session.terminated", "session.discarded")


class SqliteStore(Store):
    """A file; the business server is another process's connection to it."""

    name = "sqlite"
    pool = "contract"
    module = "sqlite"
    functions = {
        Capability.PRESENCE: (
            Function("client.connected", "on_client_connected"),
            Function("client.disconnected", "on_client_disconnected"),
            Function("node.started", "on_node_started"),
        ),
        Capability.SESSIONS: (
            Function("session.created", "on_session_restore"),
            *(
                Function(hook, "on_session_store")
                for hook in (
                    "session.resumed", "client.disconnected", "node.started", *_SESSION_ENDS,
                )
            ),
        ),
        Capability.EXCHANGES: (Function("session.exchange", "on_session_exchange"),),
        Capability.PROXY_SUBSCRIPTIONS: (Function("session.created", "on_subscribe_lookup"),),
        Capability.SUBSCRIPTIONS: (
            Function("session.subscribed", "on_subscription_store"),
            Function("session.unsubscribed", "on_subscription_delete"),
            *(Function(hook, "on_subscription_delete") for hook in _SESSION_ENDS),
        ),
        Capability.MESSAGES: (Function("message.publish", "on_message_publish"),),
        Capability.ANY_QOS: (Function("message.publish", "on_message_store", "any/#"),),
        Capability.RETAINED: (
            Function("message.publish", "on_message_retain"),
            Function("message.publish", "on_retain_delete"),
        ),
        Capability.RETAINED_LOOKUP: (Function("session.subscribed", "on_retain_lookup"),),
        Capability.FETCH: (Function("session.subscribed", "on_message_fetch"),),
        Capability.WILDCARD_FETCH: (),
        Capability.REACH: (),
        Capability.POSITIONS: (Function("message.acked", "on_message_acked"),),
        Capability.POSITION_DELETION: (Function("session.unsubscribed", "on_acked_delete"),),
        Capability.PLACES: (),
        Capability.PROPERTIES: (),
        Capability.TEMPLATES: tuple(Function(hook, "sql") for hook in HOOK_PARAMETERS),
    }  # fmt: skip

    def __init__(self, folder):
        self._file = folder / "contract.db"
        self._opened = None

    def blocks(self):
        pool = f'pool "sqlite" "{self.pool}" {{\n  file = "{self._file}"\n}}\n'
        return pool + module(self.module, deadline="1s")

    def close(self):
        if self._opened:
            self._opened.close()
            self._opened = None

    @property
    def _server(self):
        if self._opened is None:
            self._opened = self._connect()
        return self._opened

    def _connect(self):
        # Each statement sees what is committed, and commits what it writes.
        connection = sqlite3.connect(
            f"file:{self._file}?mode=rw",
            uri=True,
            timeout=10,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.row_factory = sqlite3.Row
        return connection

    def _rows(self, statement, *parameters):
        return self._server.execute(statement, parameters).fetchall()

    def _row(self, statement, *parameters):
        rows = self._rows(statement, *parameters)
        assert len(rows) <= 1, f"{len(rows)} rows of {parameters}"
        return rows[0] if rows else None

    def client_state(self, client_id):
        row = self._row("SELECT * FROM mqtt_client WHERE clientid = ?", client_id)
        if row is None:
            return None
        online_at, offline_at = (_seconds(row[name]) for name in ("online_at", "offline_at"))
        return ClientState(row["state"] == "1", row["node"], online_at, offline_at)

    def subscriptions(self, client_id):
        return dict(self._rows("SELECT topic, qos FROM mqtt_sub WHERE clientid = ?", client_id))

    def messages(self, topic):
        return [
            _message(row, bool(row["retain"]))
            for row in self._rows("SELECT * FROM mqtt_msg WHERE topic = ? ORDER BY id", topic)
        ]

    def retained(self, topic):
        row = self._row("SELECT * FROM mqtt_retain WHERE topic = ?", topic)
        return _message(row, True) if row else None

    def position(self, client_id, topic):
        row = self._row(
            "SELECT m.* FROM mqtt_acked AS a JOIN mqtt_msg AS m ON m.id = a.mid"
            " WHERE a.clientid = ? AND a.topic = ?",
            client_id,
            topic,
        )
        return _message(row, bool(row["retain"])) if row else None

    def subscribe_by_proxy(self, client_id, topic, qos):
        values = (client_id, topic, qos)
        self._rows("INSERT INTO mqtt_sub (clientid, topic, qos) VALUES (?, ?, ?)", *values)

    def insert_message(self, topic, payload, sender, msgid):
        self._rows(
            "INSERT INTO mqtt_msg (msgid, topic, sender, node, qos, retain, payload, arrived)"
            " VALUES (?, ?, ?, 'business', 1, 0, ?, datetime())",
            *(msgid, topic, sender, payload),
        )

    def insert_retained(self, topic, payload, msgid):
        self._rows(
            "INSERT INTO mqtt_retain (topic, msgid, sender, node, qos, payload, arrived)"
            " VALUES (?, ?, 'business', 'business', 1, ?, datetime())",
            *(topic, msgid, payload),
        )

    def noting(self, hook):
        names = HOOK_PARAMETERS[hook]
        columns = ", ".join(("hook", *names))
        values = ", ".join((f"'{hook}'", *(f"${{{name}}}" for name in names)))
        return {
            "sql": [
                "create table if not exists note(hook, msgid, topic, payload, qos, clientid)",
                f"insert into note({columns}) values({values})",
            ]
        }

    def notes(self):
        if not self._has_table("note"):
            return []
        return [
            {"hook": row["hook"], **{name: row[name] for name in HOOK_PARAMETERS[row["hook"]]}}
            for row in self._rows("SELECT * FROM note ORDER BY rowid")
        ]

    def keeping_last(self):
        return {
            "sql": [
                "create table if not exists last(topic, payload)",
                "delete from last where topic = ${topic}",
                "insert into last(topic, payload) values(${topic}, ${payload})",
            ]
        }

    def last(self):
        if not self._has_table("last"):
            return {}
        rows = self._rows("SELECT topic, payload FROM last")
        assert len({row["topic"] for row in rows}) == len(rows), "one row of each topic"
        return dict(rows)

    def _has_table(self, name):
        return bool(self._rows("SELECT 1 FROM sqlite_schema WHERE name = ?", name))

    @contextlib.contextmanager
    def unavailable(self):
        with contextlib.closing(self._connect()) as other:
            other.execute("BEGIN EXCLUSIVE")
            yield
            other.execute("ROLLBACK")

    @contextlib.contextmanager
    def unreadable(self):
        self._rows("ALTER TABLE mqtt_msg RENAME TO mqtt_msg_elsewhere")
        try:
            yield
        finally:
            self._rows("ALTER TABLE mqtt_msg_elsewhere RENAME TO mqtt_msg")

    @contextlib.contextmanager
    def refusing(self, topic):
        assert "'" not in topic
        with self._trigger(f"WHEN new.topic = '{topic}' BEGIN SELECT RAISE(ABORT, 'not this'); END"):
            yield

    @contextlib.contextmanager
    def slow(self):
        self._rows("CREATE TABLE contract_many (number)")
        numbers = ((number,) for number in range(_MANY))
        self._server.executemany("INSERT INTO contract_many VALUES (?)", numbers)
        pairs = "SELECT count(*) FROM contract_many AS a, contract_many AS b WHERE a.number < b.number"
        with self._trigger(f"BEGIN {pairs}; END"):
            yield
        self._rows("DROP TABLE contract_many")

    @contextlib.contextmanager
    def _trigger(self, rest):
        self._rows(f"CREATE TRIGGER contract_fault BEFORE INSERT ON mqtt_msg {rest}")
        try:
            yield
        finally:
            self._rows("DROP TRIGGER contract_fault")


def _seconds(text):
    """Of `2016-11-15 09:40:40` in UTC, or None."""
    if text is None:
        return None
    then = datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S")
    return then.replace(tzinfo=datetime.timezone.utc).timestamp()


def _message(row, retain):
    payload = bytes(row["payload"])
    return Message(row["msgid"], row["topic"], row["sender"], row["qos"], retain, payload)
