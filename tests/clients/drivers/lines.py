"""What the drivers in Python share: lines of JSON in and out."""

import json
import sys
import threading

#: Seconds until a driver says that something does not happen; less than the tests wait for it.
DEADLINE_S = 20

_writing = threading.Lock()


def write(said):
    line = json.dumps(said).encode() + b"\n"
    with _writing:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()


def hear(client, event, **what):
    """Tells what a client hears."""
    write({"client": client, "event": event, **what})


def serve(make_client):
    """Does what it is told, line by line. `make_client(command)` is a client, and the
    commands are its methods."""
    clients = {}
    for line in sys.stdin.buffer:
        command = json.loads(line)
        try:
            ok = _do(clients, make_client, command)
            write({"id": command["id"], "ok": ok or {}})
        except Exception as error:  # Whatever it is, the test is to see it.
            write({"id": command["id"], "error": f"{type(error).__name__}: {error}"})
    # Whoever tells is gone: what runs for a client ends too.
    _reset(clients)


def _do(clients, make_client, command):
    if command["do"] == "reset":
        return _reset(clients)
    if command["do"] == "connect":
        clients[command["client"]] = make_client(command)
    return getattr(clients[command["client"]], command["do"])(command)


def _reset(clients):
    for client in clients.values():
        client.kill({})
    clients.clear()
    return {}
