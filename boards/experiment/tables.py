"""The experiment's figures as tables of Markdown; a figure that nobody measured is a dash."""

from collections.abc import Iterable, Sequence

from boards.experiment.machines import Machine
from golden.experiment import memory
from golden.experiment.claims import Claim
from golden.experiment.memory import MODELS
from golden.experiment.reading import SETS, TEACHER, VARIANTS
from golden.experiment.records import CODES, Results
from golden.experiment.summary import MEASURES, Spread, across, by_kind, missing, ones, wanted
from golden.experiment.work import LayerWork, multiplications, spared_about
from golden.network import Network

NAMES = {
    "float": "float ReLU baseline",
    "bam": "BAM",
    "bam-w8": "BAM + 8-bit weights",
    "a8w8": "8-bit activations and weights",
    "codes-8": "input codes of 8 bits",
    "codes-4": "input codes of 4 bits",
    "codes-3": "input codes of 3 bits",
    "dense-binary": "dense layers with binary activations",
    "maxima-codes": "8-bit codes behind the global maximum, bits before",
    "maxima-2bit": "2-bit codes behind the global maximum, bits before",
    "pow2-scales": "power-of-two weight scales",
}
SET_NAMES = {"known": "known kinds of distortion", "unseen_kinds": "kinds never trained on"}
NONE = "-"
OTHER_WIDTHS = (
    "float", "a8w8", "codes-4", "codes-3", "dense-binary", "maxima-codes", "maxima-2bit",
)
"""Variants whose layers take inputs of other widths than the shipped network's."""

Row = Sequence[str]


def name(variant: str) -> str:
    """Return what a variant is called on the page."""
    return NAMES.get(variant, variant.replace("beta-", "surrogate of beta "))


def set_name(which: str) -> str:
    """Return what a set is called on the page, with the label if that is the teacher's."""
    label = ", the teacher's MOS" if which.endswith(TEACHER) else ""
    return SET_NAMES[which.removesuffix(TEACHER)] + label


def table(columns: Row, rows: Iterable[Row], words: int = 1) -> list[str]:
    """Write a table; the first `words` columns hold words, the others figures."""
    rule = "|".join(["---"] * words + ["---:"] * (len(columns) - words))
    return [_line(columns), f"|{rule}|", *map(_line, rows)]


def claims(found: Iterable[Claim]) -> list[str]:
    """Hold what is asked against what was measured."""
    said = {True: "yes", False: "no", None: "open"}
    rows = [
        (
            each.what, each.asked, each.measured or "not measured",
            said[each.met] + ", runs are missing" * (each.met is not None and each.runs_missing),
        )
        for each in found
    ]
    return table(("what", "asked", "measured", "met"), rows, words=4)


def runs(results: Results) -> list[str]:
    """Count the runs that there are, and those that are not."""
    lacking = missing(results)
    rows = [
        (name(variant), f"`{variant}`", str(len(results.of(variant))), str(number),
         str(lacking.get(variant, 0)))
        for variant, number in wanted(results).items()
    ]
    return table(("variant", "file", "n", "asked", "missing"), rows, words=2)


def metrics(results: Results, variants: Iterable[str], which: str) -> list[str]:
    """Mean and deviation of the figures of `variants` on the set `which`, as trained."""
    rows = []
    for variant in variants:
        found = results.of(variant)
        n = sum(which in run.metrics for run in found)
        figures = (both(across(found, which, read)) for read in MEASURES.values())
        rows.append((name(variant), str(n), *figures))
    return table(("variant", "n", *MEASURES), rows)


def integers(results: Results) -> list[str]:
    """Figures of the exported integer networks, and how many outputs differ from the floats."""
    rows = []
    for variant in dict.fromkeys(run.variant for run in results.runs if run.integer is not None):
        found = [run.integer for run in results.of(variant) if run.integer is not None]
        differ, of = sum(each.mismatches for each in found), sum(each.elements for each in found)
        unlike = f"{differ:,} of {of:,}"  # of the variant, whatever the clips: stands once
        for which in results.sets:
            if n := sum(which in each.metrics for each in found):
                figures = (
                    both(across(results.of(variant), which, read, integer=True))
                    for read in MEASURES.values()
                )
                rows.append((name(variant), set_name(which), str(n), *figures, unlike))
                unlike = ""
    columns = ("variant", "clips", "n", *MEASURES, "outputs unlike the floats'")
    return table(columns, rows, words=2)


def kinds(results: Results) -> list[str]:
    """Mean squared error of every variant by kind of distortion."""
    every = {variant: by_kind(results, variant) for variant in VARIANTS}
    rows = []
    for which in SETS:
        clips = results.sets[which].kinds
        for kind in dict.fromkeys(clips):
            means = (every[variant].get(which, {}).get(kind) for variant in VARIANTS)
            rows.append((f"{kind} ({SET_NAMES[which]})", str(clips.count(kind)), *map(both, means)))
    return table(("kind", "clips", *map(name, VARIANTS)), rows)


def trainings(results: Results) -> list[str]:
    """What every training took without those it starts from; its best epoch in validation."""
    rows = []
    for run in results.runs:
        best = max(run.chosen, key=lambda line: line.valid_pcc, default=None)
        where = f"{run.device}, {run.threads} threads"
        source = NONE if run.source is None else f"`{run.source}-{run.seed}`"
        rows.append((
            f"`{run.name}`", source, where, f"{run.seconds:,.0f}", str(run.epochs),
            NONE if best is None else str(best.epoch),
            NONE if best is None else f"{best.valid_pcc:.4f}",
            NONE if best is None else f"{best.valid_mse:.4f}",
        ))
    columns = ("run", "from", "on", "seconds", "epochs", "best epoch", "its PCC", "its MSE")
    return table(columns, rows, words=3)


def trained_ones(results: Results, network: Network) -> list[str]:
    """Share of the bits that are 1, by layer, of the trained networks that have counted it.

    The last column is `golden.experiment.work.spared_about` for variants whose layers take as many
    bits as those of `network`.
    """
    found = {run.variant: ones(results.of(run.variant)) for run in results.runs if run.ones}
    others = {layer for each in found.values() for layer in each}
    names = (CODES, *(layer.name for layer in network.layers))
    order = [layer for layer in names if layer in others]
    order += sorted(others - set(order))
    rows = []
    for variant, each in found.items():
        spared = None
        if variant not in OTHER_WIDTHS:
            spared = spared_about(network, {layer: one.mean for layer, one in each.items()})
        rows.append((
            name(variant), str(max(one.n for one in each.values())),
            *(both(each.get(layer), percent=True) for layer in order),
            NONE if spared is None else f"{spared:.1%}",
        ))
    return table(("variant", "n", *order, "spared, about"), rows)


def buffers(network: Network) -> list[str]:
    """Memory of activations and weights by buffer model and variant, kB of 1000 bytes."""
    rows = []
    for model, activations in MODELS.items():
        for variant, widths in memory.VARIANTS.items():
            maps, weights = activations(network, widths), memory.weight_bits(network, widths)
            times = memory.factor(network, model, variant)
            rows.append((
                model if variant == "float" else "", name(variant), _kilobytes(maps),
                _kilobytes(weights), _kilobytes(maps + weights), f"{times:.1f}",
            ))
    columns = ("held at once", "variant", "activations, kB", "weights, kB", "both, kB", "less")
    return table(columns, rows, words=2)


def machine_memory(network: Network, found: Sequence[Machine]) -> list[str]:
    """Memory of the generated machines, bits that the network takes and bits that are there."""
    widths = memory.VARIANTS["bam-w8"]
    weights, strips = memory.weight_bits(network, widths), memory.strips(network, widths)
    model = {"weights": weights, "codes and maps": strips}
    rows = [
        (
            kind.replace("_", " "),
            *(f"{each.taken[kind]:,} of {each.there[kind]:,}" for each in found),
        )
        for kind in (found[0].taken if found else ())
    ]
    sums = [(sum(each.taken.values()), sum(each.there.values())) for each in found]
    rows.append(("all", *(f"{taken:,} of {there:,}" for taken, there in sums)))
    rows.append(("all, kB taken", *(_kilobytes(taken) for taken, _ in sums)))
    for what in (memory.CLAIMED, "strips of one frame, 8-bit input"):
        float_bits = memory.total_bits(network, what, "float")
        rows.append((
            f"float baseline, {what}, over all taken",
            *(f"{float_bits / taken:.1f}" for taken, _ in sums),
        ))
    lines = table(("bits", *(f"`{each.name}`, strip {each.strip}" for each in found)), rows)
    said = ", ".join(f"{bits:,} {what}" for what, bits in model.items())
    return [*lines, "", f"The model \"strips of one frame\" counts {said} bits and nothing else."]


def products(network: Network) -> list[str]:
    """Products with two factors of more than one bit each, by how the network is computed."""
    pairs = list(zip(network.layers, network.shapes, strict=False))
    macs = sum(layer.accumulates(shape) // layer.input_bits for layer, shape in pairs)
    sums = sum(layer.accumulates(shape) for layer, shape in pairs)
    whole = sum(multiplications(layer, shape, planes=False) for layer, shape in pairs)
    none = sum(multiplications(layer, shape, planes=True) for layer, shape in pairs)
    rows = [
        ("every input a number (float ReLU, 8-bit activations)", f"{macs:,}", "0"),
        ("binary maps, codes as numbers", f"{whole:,}", f"{macs - whole:,}"),
        ("binary maps, codes plane by plane (here)", f"{none:,}", f"{sums:,}"),
    ]
    return table(("computed with", "multiply-accumulates", "accumulates"), rows)


def layer_work(found: Sequence[LayerWork]) -> list[str]:
    """Work of every layer, and what of it meets a 1."""
    rows = [
        (
            each.name, str(each.input_bits), f"{each.macs:,}", f"{each.accumulates:,}",
            f"{each.input_ones:.1%}", f"{each.needed:,.0f}", f"{each.spared:.1%}",
        )
        for each in found
    ]
    macs, sums = sum(each.macs for each in found), sum(each.accumulates for each in found)
    needed = sum(each.needed for each in found)
    spared = f"{1 - needed / sums:.1%}"
    rows.append(("all", "", f"{macs:,}", f"{sums:,}", "", f"{needed:,.0f}", spared))
    columns = (
        "layer", "input bits", "multiply-accumulates", "accumulates", "input bits that are 1",
        "accumulates of a 1", "spared",
    )
    return table(columns, rows)


def both(value: Spread | None, *, percent: bool = False) -> str:
    """Write a mean and, of two values or more, the deviation."""
    if value is None:
        return NONE
    write = "{:.1%}" if percent else "{:.4f}"
    text = write.format(value.mean)
    return text if value.deviation is None else f"{text} ± {write.format(value.deviation)}"


def _kilobytes(bits: int) -> str:
    return f"{bits / 8000:,.1f}"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
