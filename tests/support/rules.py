"""Configurations of brokers with rules, written block by block."""

from support.modules import component

LISTENER = """\
listener "tcp" "default" {
  address = "127.0.0.1:0"
}
"""

POOL = """\
pool "sqlite" "embedded" {
  file = "hookwire.db"
}
"""


def module(name, path=None, **keys):
    """A module block; without a path the stock module of this name."""
    if path is not None:
        keys = {"path": str(path), **keys}
    return _block(f'module "{name}"', keys)


def guest(path=None, **keys):
    """The module `mine`: the one of the tests, whose actions do one thing each."""
    return module("mine", path or component("testguest"), grants=["clock", "broker.publish"], **keys)


def rule(name, hook, module, action, options=None, **keys):
    """A rule block."""
    keys = {"hook": hook, "module": module, "action": action, **keys}
    inner = _block("options", options) if options else ""
    return _block(f'rule "{name}"', keys, inner)


def storing(name="store", **keys):
    """The stock rule that stores messages, and its module."""
    return module("sqlite", deadline="1s") + rule(
        name, "message.publish", "sqlite", "on_message_publish", pool="embedded", **keys
    )


def _block(head, keys, inner=""):
    lines = [f"  {key} = {_value(value)}" for key, value in keys.items()]
    return "\n".join([head + " {", *lines, inner, "}", ""])


def _value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


# Presence and messages are stored; sessions end with the broker, and nothing waits
# for a store but publishers.
PLAIN = (
    LISTENER
    + POOL
    + storing("store-messages", topic="#")
    + rule("online", "client.connected", "sqlite", "on_client_connected", pool="embedded")
    + rule("offline", "client.disconnected", "sqlite", "on_client_disconnected", pool="embedded")
)
