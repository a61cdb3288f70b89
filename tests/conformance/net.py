"""What a test holds: clients of the broker under test, and names nobody else uses."""

import itertools
import secrets

from conformance.build import V5
from conformance.client import Client, Listener

_RUN = secrets.token_hex(2)
_numbers = itertools.count(1)


def name(word):
    """A topic or client id that no other test uses.

    Of letters and digits alone and at most 23 of them, which every server has
    to take as a client id.
    """
    return f"{word[:12]}{_RUN}x{next(_numbers)}"


class Net:
    """Opens connections, and closes them when the test ends."""

    def __init__(self, broker):
        self.broker = broker
        self._open = []

    @property
    def brokers(self):
        """Whose logs belong into the report of a test that fails."""
        return self.broker.brokers

    def open(self, version=V5, limited=False):
        """A connection without a CONNECT yet."""
        address = self.broker.limited if limited else self.broker.address
        client = Client(address, version, self.broker.profile.explains)
        self._open.append(client)
        return client

    def join(self, version=V5, client_id=None, limited=False, **options):
        """A connected client, in a session that ends with it unless options say else."""
        client = self.open(version, limited)
        return client.connect(name("client") if client_id is None else client_id, **options)

    def listen(self, *filters, version=V5, qos=2, client_id=None, options=0, **connect_options):
        """A connected client with subscriptions, which can say what it heard."""
        client = Listener(self.broker.address, version, name("mark"))
        self._open.append(client)
        client.connect(name("listener") if client_id is None else client_id, **connect_options)
        client.subscribe(client.mark, qos=1)
        if filters:
            client.subscribe(*filters, qos=qos, options=options)
        return client

    def close(self):
        for client in self._open:
            client.close()
