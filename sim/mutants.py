"""Faults planted into generated Verilog, to show that a bench would see them.

All faults stand in one text and a plusarg chooses one at run time: `mutants` faults cost one build.
"""

import re
from dataclasses import dataclass

import numpy as np

SWAPPED = {
    "+": "-", "-": "+", "^": "&", "<": "<=", ">": "<", "<=": "<", ">=": ">", "==": "!=",
    "!=": "==", "<<": ">>", ">>": "<<",
}
"""What each operator is turned into; `>` into `<`, since of two equals a maximum may be either."""

_ASSIGN = re.compile(
    r"^  assign (\\\$\S+ ) = (\S+ ?) (\+|-|\^|<=?|>=?|==|!=|<<|>>) (\S[^;&|?]*);$", re.M,
)
_MODULE = re.compile(r"^module (\\?[^\s(]+)[^;]*;$", re.M)
_CHOICE = """
  integer bambino_fault;
  initial if (!$value$plusargs("fault=%d", bambino_fault)) bambino_fault = 0;
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One planted fault.

    Parameters
    ----------
    number
        What ``+fault=`` chooses it with; 0 chooses none.
    module
        Where it stands.
    right, wrong
        The expression and what it becomes.
    """

    number: int
    module: str
    right: str
    wrong: str

    def __str__(self) -> str:
        return f"{self.module.strip()}: {self.right} became {self.wrong}"


def plant(verilog: str, count: int, seed: int, *, within: str = "") -> tuple[str, list[Fault]]:
    """Plant `count` faults, each one operator taken for another.

    Parameters
    ----------
    verilog
        Verilog as Amaranth writes it.
    count
        How many, spread evenly over the modules.
    seed
        Which.
    within
        Regular expression that the name of a module must match to get any.

    Returns
    -------
    tuple
        The text with all faults in it, and the faults.
    """
    rng = np.random.default_rng(seed)
    modules = list(_MODULE.finditer(verilog))
    ends = [*(each.start() for each in modules[1:]), len(verilog)]
    places = []
    for each, end in zip(modules, ends, strict=True):
        if re.search(within, each[1]):
            found = [
                place for place in _ASSIGN.finditer(verilog, each.end(), end)
                if "fsm_state" not in place[2]  # nothing reads these: states are decoded anew
            ]
            rng.shuffle(found)
            places.append([(each, place) for place in found])
    chosen: list[tuple[re.Match[str], re.Match[str]]] = []
    while len(chosen) < count and any(places):
        for some in places:
            if some and len(chosen) < count:
                chosen.append(some.pop())
    chosen.sort(key=lambda pair: pair[1].start())
    faults, pieces, at, announced = [], [], 0, None
    for number, (module, place) in enumerate(chosen, 1):
        if announced is not module:
            pieces += [verilog[at : module.end()], _CHOICE]
            at, announced = module.end(), module
        target, left, operator, right = place.groups()
        good, bad = f"{left} {operator} {right}", f"{left} {SWAPPED[operator]} {right}"
        choice = f"  assign {target} = (bambino_fault == {number}) ? ({bad}) : ({good});"
        pieces += [verilog[at : place.start()], choice]
        at = place.end()
        faults.append(Fault(number=number, module=module[1], right=good, wrong=bad))
    return "".join([*pieces, verilog[at:]]), faults
