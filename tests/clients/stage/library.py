"""A client library at one version of MQTT: what a scenario is given."""

import itertools

from clients.stage.client import SESSION_EXPIRY_S, Client
from clients.stage.roster import V5

_numbers = itertools.count(1)


class Library:
    """Makes clients and topics; `library` in each scenario."""

    def __init__(self, case, driver, port):
        self.version = case.version
        self.case = case
        self.driver = driver
        self._port = port

    def can(self, ability):
        return self.case.can(ability)

    def topic(self, word="topic"):
        """A topic of no other test."""
        return f"clients/{next(_numbers)}/{word}"

    def connect(self, client_id=None, clean=True, persistent=False, keep_alive=60, will=None,
                manual_ack=False, **properties):  # fmt: skip
        """Connects a client. `persistent` takes up the session of that client id,
        or begins one, and leaves it behind."""
        number = next(_numbers)
        if client_id is None:
            # At most 23 characters: MQTT 3.1 has no longer ones.
            client_id = f"client-{number}"
        if persistent:
            clean = False
            if self.version == V5:
                properties.setdefault("session_expiry", SESSION_EXPIRY_S)
        options = {}
        if will is not None:
            options["will"] = {**will.__dict__, "payload": will.payload.hex()}
        return Client(self, f"{number}", client_id).open(
            port=self._port,
            version=self.version,
            clean=clean,
            keep_alive=keep_alive,
            manual_ack=manual_ack,
            properties=properties,
            **options,
        )

    def __str__(self):
        return str(self.case)
