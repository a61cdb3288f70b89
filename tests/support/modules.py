"""Rule modules: those that were built for the tests, and others made of them."""

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
    section = bytes([len(mark)]) + mark.encode()
    return content + bytes([0, len(section)]) + section
