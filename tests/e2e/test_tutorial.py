"""The tutorial at the top of guest-sdk/README.md: its commands, as they stand."""

import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from support.broker import binary, require_mosquitto

README = Path(__file__).parents[2] / "guest-sdk" / "README.md"
SECTION = "## Five minutes, from nothing to a live reload"
DEADLINE_S = 900


def commands():
    """The shell blocks of the tutorial, in order."""
    section = README.read_text().split(SECTION, 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    assert len(blocks) >= 6, "the tutorial has its commands"
    return blocks


def require_default_port():
    """The tutorial's broker listens where MQTT does."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 1883))


def test_the_commands_of_the_tutorial(tmp_path):
    require_mosquitto()
    require_default_port()
    tools = tmp_path / "bin"
    tools.mkdir()
    # Wherever the binary was installed: a copy, away from the checkout.
    shutil.copy(binary(), tools / "hookwire")
    process = subprocess.Popen(
        ["bash", "-c", "set -eu\n" + "\n".join(commands())],
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{tools}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=DEADLINE_S)
    finally:
        # With the broker that the tutorial started in the background.
        os.killpg(process.pid, signal.SIGKILL)
    log = (tmp_path / "demo" / "broker.log").read_text()
    told = f"{output}\n{log}"
    assert process.returncode == 0, told
    assert "1 passed, 0 failed" in output, told
    codes = re.findall(r"received PUBACK \(Mid: 1, RC:(\d+)\)", output)
    assert codes == ["131", "0", "131"], told
    assert "rule plausible has changed" in output, told
    assert re.search(r"^demo +loaded +\d", output, re.MULTILINE), told
    went = re.findall(r"module demo goes from (\w+) to (\w+)", log)
    assert len(went) == 2, told
    assert went[0] == went[1][::-1], f"the second goes back: {told}"
