"""What a store is said to offer, to its users and here, is the same."""

import re

from contract.store import HOOK_PARAMETERS, Capability, Function
from support.modules import CHECKOUT


def offered(module):
    """Functions in the first table of the module's README."""
    text = (CHECKOUT / "rules" / module / "README.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (`.+?) \|", text, re.M)
    return {
        Function(hook, action) for action, hooks in rows for hook in re.findall(r"`([\w.]+)`", hooks)
    }


def test_every_function_of_the_module_is_under_test(store_class):
    functions = [f for group in store_class.functions.values() for f in group]
    tested = {Function(f.hook, f.action) for f in functions}
    assert tested == offered(store_class.module)


def test_templates_run_on_every_hook_that_has_parameters(store_class):
    hooks = {f.hook for f in store_class.functions.get(Capability.TEMPLATES, ())}
    assert hooks in (set(), set(HOOK_PARAMETERS))
