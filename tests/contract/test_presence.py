"""Who is online stands in the store, however the client or its node goes."""

import time

import pytest

from contract.ends import ENDS, lasting
from contract.store import Capability
from support.wait import wait_until
from support.wire import V5, V311

pytestmark = pytest.mark.needs(Capability.PRESENCE)


def is_online(store, client_id, online=True):
    state = store.client_state(client_id)
    return state is not None and state.online is online


@pytest.mark.parametrize("end", ENDS, ids=str)
def test_a_client_comes_and_goes(stage, unique, end):
    client_id = unique("client")
    assert stage.store.client_state(client_id) is None
    for _ in range(2):
        with end.reader(stage.port, client_id, unique("t")):
            wait_until(lambda: is_online(stage.store, client_id), "the client is online")
            state = stage.store.client_state(client_id)
            assert state.node and state.offline_at is None
            assert -2 < time.time() - state.online_at < 60
        wait_until(lambda: is_online(stage.store, client_id, False), "the client is offline")
        state = stage.store.client_state(client_id)
        assert state.node and -2 < time.time() - state.offline_at < 60


@pytest.mark.parametrize("version", [V311, V5], ids=["v311", "v5"])
def test_clients_of_a_killed_node_are_offline_when_it_starts(own_stage, unique, version):
    stage = own_stage()
    client_id = unique("client")
    client = lasting(stage.port, client_id, version).connect()
    wait_until(lambda: is_online(stage.store, client_id), "the client is online")
    stage.broker.kill()
    assert is_online(stage.store, client_id), "nobody was there to say so"
    client.close()
    stage.broker.start()
    # It accepts clients: at once, without waiting.
    assert is_online(stage.store, client_id, False)
