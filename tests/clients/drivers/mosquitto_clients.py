"""The driver of mosquitto_sub, mosquitto_pub and mosquitto_rr.

A client is the options of a program until something is done with it: subscribing runs
mosquitto_sub until the client leaves, publishing runs mosquitto_pub.
"""

import os
import re
import signal
import subprocess
import threading

from lines import DEADLINE_S, hear, serve

VERSIONS = {"3.1": "mqttv31", "3.1.1": "mqttv311", "5.0": "mqttv5"}

CONNECT = {
    "receive_maximum": "receive-maximum",
    "maximum_packet_size": "maximum-packet-size",
    "topic_alias_maximum": "topic-alias-maximum",
    "request_problem_information": "request-problem-information",
}
SUBSCRIBE = {"subscription_id": "subscription-identifier"}
PUBLISH = {
    "payload_format": "payload-format-indicator",
    "message_expiry": "message-expiry-interval",
    "content_type": "content-type",
    "response_topic": "response-topic",
    "correlation": "correlation-data",
    "topic_alias": "topic-alias",
    "will_delay": "will-delay-interval",
}

#: A line for each message, of fields that hold no bar.
FORMAT = "message|%t|%x|%q|%r|%F|%E|%C|%R|%D|%P|%S|"

ACKNOWLEDGED = re.compile(r"received (?:PUBACK|PUBCOMP) \(Mid: \d+, RC:(\d+)\)")
DISCONNECTED = re.compile(r"eceived DISCONNECT \((\d+)\)")
DUPLICATE = re.compile(r"received PUBLISH \(d([01])")
GRANTED = re.compile(r"^Subscribed \(mid: \d+\): ([\d, ]+)$")


def properties(packet, names, given):
    options = []
    for name, value in given.items():
        if name == "user_properties":
            for key, text in value:
                options += ["-D", packet, "user-property", key, text]
        else:
            if name == "correlation":
                value = bytes.fromhex(value).decode()
            options += ["-D", packet, names[name], str(value)]
    return options


def received(line, dup):
    """A message from a line of FORMAT."""
    _, topic, payload, qos, retain, *carried, _ = line.split("|")
    form, expiry, content, response, correlation, user, identifier = carried
    found = {}
    if form:
        found["payload_format"] = int(form)
    if expiry:
        found["message_expiry"] = int(expiry)
    if content:
        found["content_type"] = content
    if response:
        found["response_topic"] = response
    if correlation:
        found["correlation"] = correlation.encode().hex()
    if user:
        found["user_properties"] = [pair.split(":", 1) for pair in user.split()]
    if identifier:
        found["subscription_ids"] = [int(identifier)]
    return {
        "topic": topic,
        "payload": payload,
        "qos": int(qos),
        "retain": retain == "1",
        "dup": dup,
        "properties": found,
    }


class Client:
    """Options, and the program that runs with them."""

    def __init__(self, command):
        self.name = command["client"]
        self.program = None
        self.reader = None
        self.changed = threading.Condition()
        self.granted = None
        self.said = []

    def connect(self, command):
        self.options = [
            *["-h", "127.0.0.1", "-p", str(command["port"])],
            *["-V", VERSIONS[command["version"]], "-k", str(command["keep_alive"])],
        ]
        if command["client_id"]:
            self.options += ["-i", command["client_id"]]
        given = dict(command["properties"])
        if "session_expiry" in given:
            self.options += ["-x", str(given.pop("session_expiry"))]
        if not command["clean"]:
            self.options += ["-c"]
        self.options += properties("connect", CONNECT, given)
        if will := command.get("will"):
            self.options += ["--will-topic", will["topic"]]
            self.options += ["--will-payload", bytes.fromhex(will["payload"]).decode()]
            self.options += ["--will-qos", str(will["qos"])]
            self.options += ["--will-retain"] if will["retain"] else []
            self.options += properties("will", PUBLISH, will["properties"])
        return {"reason": 0, "session_present": None, "properties": {}}

    def listen(self, command):
        self.run_sub(["-q", "0", "-t", f"listen/{command['client']}"])

    def subscribe(self, command):
        filters = command["filters"]
        if any(one["no_local"] or one["retain_handling"] for one in filters):
            raise ValueError("mosquitto_sub has no option for it")
        options = ["-q", str(filters[0]["qos"])]
        for one in filters:
            options += ["-t", one["filter"]]
        if any(one["retain_as_published"] for one in filters):
            options.append("--retain-as-published")
        self.run_sub(options + properties("subscribe", SUBSCRIBE, command["properties"]))
        return {"reasons": self.granted}

    def run_sub(self, options):
        """Runs mosquitto_sub and waits until it is subscribed."""
        self.run(["mosquitto_sub", *self.options, *options, "-d", "-F", FORMAT])
        with self.changed:
            if not self.changed.wait_for(lambda: self.granted, DEADLINE_S):
                raise TimeoutError(f"mosquitto_sub gets no SUBACK: {self.said}")

    def run(self, command):
        if self.program is not None:
            raise RuntimeError("this client runs a program already")
        # To a pipe it would write nothing before its first message.
        terminal, its_end = os.openpty()
        self.program = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=its_end, stderr=its_end
        )
        os.close(its_end)
        self.reader = threading.Thread(target=self.read, args=(terminal,), daemon=True)
        self.reader.start()

    def read(self, terminal):
        dup = False
        try:
            with os.fdopen(terminal, "rb") as lines:
                for line in lines:
                    line = line.decode(errors="replace").rstrip("\r\n")
                    if line.startswith("message|"):
                        hear(self.name, "message", **received(line, dup))
                        continue
                    if found := DUPLICATE.search(line):
                        dup = found[1] == "1"
                    with self.changed:
                        self.said.append(line)
                        if found := GRANTED.match(line):
                            self.granted = [int(reason) for reason in found[1].split(",")]
                        self.changed.notify_all()
        except OSError:
            pass  # How a terminal says that nobody is at its other end any more.

    def publish(self, command):
        payloads = [bytes.fromhex(payload) for payload in command["payloads"]]
        if len(payloads) == 1:
            typed = payloads[0]
            how = ["-s"] if typed else ["-n"]
        else:
            assert all(payload and b"\n" not in payload for payload in payloads)
            typed = b"".join(payload + b"\n" for payload in payloads)
            how = ["-l"]
        options = ["-q", str(command["qos"]), "-t", command["topic"], *how, "-d"]
        options += ["-r"] if command["retain"] else []
        options += properties("publish", PUBLISH, command["properties"])
        done = subprocess.run(
            ["mosquitto_pub", *self.options, *options],
            input=typed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=DEADLINE_S,
            check=False,
        )
        said = done.stdout.decode(errors="replace")
        if found := DISCONNECTED.search(said):
            hear(self.name, "closed", reason=int(found[1]), properties={})
        if done.returncode:
            raise RuntimeError(f"mosquitto_pub ended with {done.returncode}: {said}")
        if not command["qos"]:
            return {"reasons": [0 for _ in payloads]}
        return {"reasons": [int(reason) for reason in ACKNOWLEDGED.findall(said)]}

    def request(self, command):
        """Runs mosquitto_rr, which ends with the answer."""
        self.run(
            [
                *["mosquitto_rr", *self.options, "-q", str(command["qos"]), "-F", FORMAT],
                *["-t", command["topic"], "-m", bytes.fromhex(command["payloads"][0]).decode()],
                *["-e", command["response_topic"]],
                *properties("publish", PUBLISH, {"correlation": command["correlation"]}),
            ]
        )

    def disconnect(self, _command):
        self.end(signal.SIGTERM)

    def kill(self, _command):
        self.end(signal.SIGKILL)

    def end(self, by):
        """Ends the program; mosquitto_pub has disconnected by itself."""
        if self.program is not None:
            self.program.send_signal(by)
            self.program.wait(DEADLINE_S)
            self.reader.join(DEADLINE_S)
            self.program = None


serve(Client)
