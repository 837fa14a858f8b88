"""Whether a network fits a machine: numbers of the program, accumulators, memories."""

from golden.layer import Layer, Requantise, Threshold
from hw.config import MOST_PADDING, Config
from hw.format import Ring
from hw.plan import Stage
from hw.program import PASS_BITS, REACH, TILE_BITS
from hw.words import signed_bits


class FitError(ValueError):
    """A network that does not fit a machine; the message names the layer, and by how much."""


def check_stage(stage: Stage) -> None:
    """Refuse a layer whose numbers the program cannot hold."""
    layer, config, end = stage.layer, stage.config, stage.layer.end
    broken = []
    for what, value, greatest in (
        ("kernel along the bands", layer.kernel[0], 32),
        ("kernel along the frames", layer.kernel[1], 32),
        ("stride along the bands", layer.stride[0], 15),
        ("stride along the frames", layer.stride[1], 15),
        ("padding along the bands", layer.padding[0], 31),
        ("padding along the frames", layer.padding[1], MOST_PADDING),
        ("reads of a frame", max(p.reads for p in stage.passes), 2047),
        ("bands", stage.shape[1], 2047),
        ("frames", stage.shape[2], 32767),
        ("pixels of one group of frames", stage.group_pixels, REACH - 1),
        ("passes", len(stage.passes), (1 << PASS_BITS) - 1),
        ("tiles of output channels", stage.output.tiles, (1 << TILE_BITS) - 1),
    ):
        if value > greatest:
            broken.append(f"its {what} must be at most {greatest}, not {value}")
    if len(stage.passes) > 1 and stage.group_pixels > config.partial_sums:
        broken.append(
            f"it needs {stage.group_pixels} partial sums, {config.partial_sums} are there",
        )
    if stage.layer.pool != "none" and not config.pool_codes and not isinstance(end, Threshold):
        broken.append("it takes a maximum of codes, and the machine's pool_codes is false")
    if isinstance(end, Requantise) and config.act_bits > 1 and end.bits != config.act_bits:
        broken.append(
            f"its codes must have {config.act_bits} bits on a machine of {config.cell} cells, not"
            f" {end.bits}",
        )
    bits = accumulator_bits(layer)
    if bits > config.acc_bits:
        broken.append(f"its sums need {bits} bits, the accumulators have {config.acc_bits}")
    if broken:
        raise FitError(f"layer {layer.name} does not fit: " + "; ".join(broken))


def check_memories(
    config: Config, stages: list[Stage], rings: list[Ring],
) -> None:
    """Refuse what the memories do not hold, naming the first layer that goes over."""
    ring = rings[0]
    if ring.size > min(config.code_words, REACH - 1):
        raise FitError(
            f"layer {stages[0].layer.name} does not fit: it needs {ring.size} codes at once,"
            f" {config.code_words} are there",
        )
    for stage, output in zip(stages, rings[1:], strict=True):
        if output.end > min(config.map_words, REACH - 1):
            raise FitError(
                f"layer {stage.layer.name} does not fit: the maps need {rings[-1].end} words,"
                f" {config.map_words} are there",
            )
    rows = 0
    total = sum(stage.weight_rows for stage in stages)
    for stage in stages:
        rows += stage.weight_rows
        if rows > config.weight_rows:
            raise FitError(
                f"layer {stage.layer.name} does not fit: the weights need {total} rows,"
                f" {config.weight_rows} are there",
            )


def channel_ranges(layer: Layer) -> list[tuple[int, int]]:
    """Least and greatest sum of every output channel, derived here anew from the weights."""
    top = (1 << layer.input_bits) - 1
    ranges = []
    for kernel in layer.weights.reshape(layer.out_channels, -1).tolist():
        low = top * sum(w for w in kernel if w < 0)
        high = top * sum(w for w in kernel if w > 0)
        ranges.append((low, high))
    return ranges


def offsets(layer: Layer) -> list[int]:
    """What is added to each channel's sum: a bias, or what makes a threshold a sign.

    A threshold beyond the channel's sums is brought to their edge, where it decides the same.
    """
    if not isinstance(layer.end, Threshold):
        return [int(b) for b in layer.end.bias]
    return [
        -min(max(int(t), low - 1), high) - 1
        for t, (low, high) in zip(layer.end.threshold, channel_ranges(layer), strict=True)
    ]


def accumulator_bits(layer: Layer) -> int:
    """Bits that hold every partial sum of the layer, and every sum with its offset."""
    bits = 1
    for (low, high), offset in zip(channel_ranges(layer), offsets(layer), strict=True):
        for least, greatest in ((low, high), (low + offset, high + offset), (offset, offset)):
            bits = max(bits, signed_bits(least, greatest))
    return bits
