"""The driver of Eclipse paho's client for Python."""

import socket
import threading

import paho.mqtt.client as mqtt
from lines import DEADLINE_S, hear, serve
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

VERSIONS = {"3.1": mqtt.MQTTv31, "3.1.1": mqtt.MQTTv311, "5.0": mqtt.MQTTv5}

NAMES = {
    "session_expiry": "SessionExpiryInterval",
    "receive_maximum": "ReceiveMaximum",
    "maximum_packet_size": "MaximumPacketSize",
    "topic_alias_maximum": "TopicAliasMaximum",
    "request_problem_information": "RequestProblemInformation",
    "user_properties": "UserProperty",
    "payload_format": "PayloadFormatIndicator",
    "message_expiry": "MessageExpiryInterval",
    "content_type": "ContentType",
    "response_topic": "ResponseTopic",
    "correlation": "CorrelationData",
    "subscription_ids": "SubscriptionIdentifier",
    "topic_alias": "TopicAlias",
    "will_delay": "WillDelayInterval",
    "assigned_client_id": "AssignedClientIdentifier",
    "server_keep_alive": "ServerKeepAlive",
    "reason_string": "ReasonString",
}


def to_paho(packet_type, given):
    properties = Properties(packet_type)
    for name, value in given.items():
        if name == "correlation":
            value = bytes.fromhex(value)
        if name == "user_properties":
            value = [tuple(pair) for pair in value]
        setattr(properties, NAMES[name], value)
    return properties


def from_paho(properties):
    found = {}
    for name, paho_name in NAMES.items():
        value = getattr(properties, paho_name, None)
        if value is not None:
            found[name] = value.hex() if isinstance(value, bytes) else value
    return found


class Client:
    """A client with a thread of its own for the network."""

    def __init__(self, command):
        self.name = command["client"]
        self.is_v5 = command["version"] == "5.0"
        self.leaving = False
        self.unacknowledged = []
        self.changed = threading.Condition()
        self.closed = False
        self.answers = {}
        self.mqtt = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=command["client_id"],
            protocol=VERSIONS[command["version"]],
            clean_session=None if self.is_v5 else command["clean"],
            manual_ack=command["manual_ack"],
            reconnect_on_failure=False,
        )
        self.mqtt.on_connect = self.on_connect
        self.mqtt.on_disconnect = self.on_disconnect
        self.mqtt.on_message = self.on_message
        self.mqtt.on_publish = lambda _c, _u, mid, reason, _p: self.answer(mid, reason)
        self.mqtt.on_subscribe = lambda _c, _u, mid, reasons, _p: self.answer(mid, reasons)
        self.mqtt.on_unsubscribe = lambda _c, _u, mid, reasons, _p: self.answer(mid, reasons)

    def answer(self, key, what):
        with self.changed:
            self.answers[key] = what
            self.changed.notify_all()

    def wait(self, key):
        with self.changed:
            self.changed.wait_for(lambda: key in self.answers or self.closed, DEADLINE_S)
            if key not in self.answers:
                raise TimeoutError(f"no answer to {key}, closed: {self.closed}")
            return self.answers.pop(key)

    def on_connect(self, _client, _userdata, flags, reason, properties):
        self.answer("connect", (flags, reason, properties))

    def on_disconnect(self, _client, _userdata, flags, reason, properties):
        if self.leaving:
            return
        with self.changed:
            self.closed = True
            self.changed.notify_all()
        said = flags.is_disconnect_packet_from_server
        hear(
            self.name,
            "closed",
            reason=reason.value if said else None,
            properties=from_paho(properties),
        )

    def on_message(self, _client, _userdata, message):
        if message.qos:
            self.unacknowledged.append((message.mid, message.qos))
        hear(
            self.name,
            "message",
            topic=message.topic,
            payload=message.payload.hex(),
            qos=message.qos,
            retain=message.retain,
            dup=message.dup,
            properties=from_paho(getattr(message, "properties", None)),
        )

    def connect(self, command):
        options = {}
        if will := command.get("will"):
            if self.is_v5:
                options["properties"] = to_paho(PacketTypes.WILLMESSAGE, will["properties"])
            self.mqtt.will_set(
                will["topic"],
                bytes.fromhex(will["payload"]),
                will["qos"],
                will["retain"],
                **options,
            )
            options = {}
        if self.is_v5:
            options["clean_start"] = command["clean"]
            options["properties"] = to_paho(PacketTypes.CONNECT, command["properties"])
        self.mqtt.connect("127.0.0.1", command["port"], command["keep_alive"], **options)
        self.mqtt.loop_start()
        flags, reason, properties = self.wait("connect")
        return {
            "reason": reason.value,
            "session_present": flags.session_present,
            "properties": from_paho(properties),
        }

    def listen(self, _command):
        pass

    def subscribe(self, command):
        if not self.is_v5:
            filters = [(one["filter"], one["qos"]) for one in command["filters"]]
            _, mid = self.mqtt.subscribe(filters)
        else:
            filters = [
                (
                    one["filter"],
                    SubscribeOptions(
                        one["qos"],
                        one["no_local"],
                        one["retain_as_published"],
                        one["retain_handling"],
                    ),
                )
                for one in command["filters"]
            ]
            given = dict(command["properties"])
            if "subscription_id" in given:
                given["subscription_ids"] = given.pop("subscription_id")
            properties = to_paho(PacketTypes.SUBSCRIBE, given)
            _, mid = self.mqtt.subscribe(filters, properties=properties)
        return {"reasons": [reason.value for reason in self.wait(mid)]}

    def unsubscribe(self, command):
        _, mid = self.mqtt.unsubscribe(command["filters"])
        return {"reasons": [reason.value for reason in self.wait(mid)]}

    def publish(self, command):
        options = {}
        if self.is_v5:
            options["properties"] = to_paho(PacketTypes.PUBLISH, command["properties"])
        mids = [
            self.mqtt.publish(
                command["topic"],
                bytes.fromhex(payload),
                command["qos"],
                command["retain"],
                **options,
            ).mid
            for payload in command["payloads"]
        ]
        return {"reasons": [self.wait(mid).value for mid in mids]}

    def acknowledge(self, command):
        for _ in range(command["count"]):
            self.mqtt.ack(*self.unacknowledged.pop(0))

    def disconnect(self, command):
        self.leaving = True
        if self.is_v5:
            properties = to_paho(PacketTypes.DISCONNECT, command["properties"])
            reason = mqtt.ReasonCodes(PacketTypes.DISCONNECT, identifier=command["reason"])
            self.mqtt.disconnect(reason, properties)
        else:
            self.mqtt.disconnect()
        self.mqtt.loop_stop()

    def kill(self, _command):
        self.leaving = True
        if connection := self.mqtt.socket():
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # The broker was faster.
        self.mqtt.loop_stop()


serve(Client)
