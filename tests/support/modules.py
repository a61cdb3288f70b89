"""Rule modules: those that were built for the tests, and others made of them."""

import json
import os
from pathlib import Path

#: The repository.
CHECKOUT = Path(os.environ.get("HOOKWIRE_CHECKOUT") or Path(__file__).parents[2])


def component(name):
    """The component that `cargo xtask rules` made of a module."""
    folder = Path(os.environ.get("HOOKWIRE_MODULES") or CHECKOUT / "target/modules")
    path = folder / f"{name}.wasm"
    if not path.is_file():
        raise RuntimeError(f"there is no {path}: run `cargo xtask rules`")
    return path


def rebuilt(content, mark):
    """The component as if it were built again, different in nothing that matters:
    with a custom section at its end."""
    return content + _custom_section(mark, b"")


def with_fixtures(content, fixtures):
    """The component with fixtures in it, as `hookwire rule build` makes it."""
    carried = [{"name": name, "text": text} for name, text in fixtures.items()]
    return content + _custom_section("hookwire:fixtures", json.dumps(carried).encode())


def _custom_section(name, content):
    section = _length(len(name)) + name.encode() + content
    return bytes([0]) + _length(len(section)) + section


def _length(number):
    """LEB128."""
    if number < 0x80:
        return bytes([number])
    return bytes([number & 0x7F | 0x80]) + _length(number >> 7)
