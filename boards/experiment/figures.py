"""All figures of the page as plain data, and what they are computed from."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from boards.experiment.machines import Machine, machines, multipliers
from golden import clip, netfile
from golden.experiment import claims, memory
from golden.experiment.records import Results
from golden.experiment.summary import MEASURES, across, by_kind, missing, ones, wanted
from golden.experiment.work import LayerWork, multiplications, work
from golden.network import Network
from golden.torch_engine import TorchEngine
from hw.config import Config
from hw.presets import PRESETS

DIGITS = 6
"""Of a share, mean or factor in JSON: what lies behind them differs between processors."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Material:
    """Everything that the page is made of.

    Parameters
    ----------
    results
        Of the trainings.
    notes
        What whoever ran them noted, as Markdown; empty if nothing.
    network
        The shipped one.
    machines
        Presets that hold it.
    multiplier_machine, multipliers
        The machine whose description was searched, and products found in it.
    work
        Of every layer, on the demo clip.
    windows
        Of the demo clip.
    """

    results: Results
    notes: str
    network: Network
    machines: Sequence[Machine]
    multiplier_machine: str
    multipliers: int
    work: Sequence[LayerWork]
    windows: int

    @property
    def products(self) -> int:
        """Multiplications in the network as it is computed here."""
        pairs = zip(self.network.layers, self.network.shapes, strict=False)
        return sum(multiplications(layer, shape, planes=True) for layer, shape in pairs)

    @property
    def claims(self) -> list[claims.Claim]:
        """What is asked, and what was measured."""
        factor = memory.factor(self.network, memory.CLAIMED, "bam-w8")
        return claims.claims(
            self.results, factor=factor, products=self.products + self.multipliers,
        )


def gather(
    results: Results,
    notes: str = "",
    presets: Mapping[str, Config] = PRESETS,
    searched: str = "medium",
) -> Material:
    """Compute what needs no training: the shipped network on the demo clip and on the machines.

    Parameters
    ----------
    results
        As read from the folder.
    notes
        Markdown.
    presets
        Machines to lay the network out on.
    searched
        The one whose description is searched for multiplications.
    """
    network = netfile.load(clip.SHIPPED)
    codes = [window.codes for window in clip.windows(network)]
    engine = TorchEngine()
    return Material(
        results=results,
        notes=notes,
        network=network,
        machines=machines(network, presets),
        multiplier_machine=searched,
        multipliers=multipliers(presets[searched]),
        work=work(network, codes, [engine.predict(network, one) for one in codes]),
        windows=len(codes),
    )


def as_dict(material: Material) -> dict[str, Any]:
    """Return all figures as plain data; what nobody measured is null or not there."""
    results, network = material.results, material.network
    lacking = missing(results)
    figures = {
        "data": results.data,
        "network": network.about.get("name"),
        "claims": [asdict(claim) for claim in material.claims],
        "variants": {
            variant: _variant(results, variant)
            | {"wanted": number, "missing": lacking.get(variant, 0)}
            for variant, number in wanted(results).items()
        },
        "memory_bits": {
            model: {
                variant: {
                    "activations": activations(network, widths),
                    "weights": memory.weight_bits(network, widths),
                    "less": memory.factor(network, model, variant),
                }
                for variant, widths in memory.VARIANTS.items()
            }
            for model, activations in memory.MODELS.items()
        },
        "machines": {
            each.name: {"strip": each.strip, "taken": each.taken, "there": each.there}
            for each in material.machines
        },
        "multiplications": {
            "network": material.products,
            f"machine {material.multiplier_machine}": material.multipliers,
        },
        "work": [asdict(each) | {"spared": each.spared} for each in material.work],
    }
    rounded: dict[str, Any] = _rounded(figures)
    return rounded


def _variant(results: Results, variant: str) -> dict[str, Any]:
    runs = results.of(variant)
    whole = [run.integer for run in runs if run.integer is not None]
    return {
        "n": len(runs),
        "seeds": [run.seed for run in runs],
        "sets": _sets(results, variant, integer=False),
        "kinds_mse": {
            which: {kind: asdict(mean) for kind, mean in kinds.items()}
            for which, kinds in by_kind(results, variant).items()
        },
        "integer": _sets(results, variant, integer=True),
        "integer_mismatches": sum(each.mismatches for each in whole) if whole else None,
        "integer_elements": sum(each.elements for each in whole) if whole else None,
        "ones": {layer: asdict(share) for layer, share in ones(runs).items()},
    }


def _sets(results: Results, variant: str, *, integer: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for which in results.sets:
        for measure, read in MEASURES.items():
            value = across(results.of(variant), which, read, integer=integer)
            if value is not None:
                found.setdefault(which, {})[measure] = asdict(value)
    return found


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, Mapping):
        return {key: _rounded(each) for key, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list | tuple) else value
