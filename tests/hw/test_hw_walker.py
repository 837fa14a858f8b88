"""The walker and the pass fetch, on the runs of real plans."""

from dataclasses import replace

import numpy as np
import pytest

from golden.layer import Layer, Raw, Threshold
from golden.network import Network
from hw.compact_fetch import CompactFetch
from hw.config import Config
from hw.lower import lower
from hw.pass_fetch import PassFetch
from hw.program import PASS
from hw.walk_reads import READ_DELAY, entry_delay
from hw.walker import Walker

MACHINES = {
    f"{lanes}x{columns}/{groups}": Config(
        lanes=lanes, columns=columns, groups=groups, acc_bits=32, strip=strip, partial_sums=14,
    )
    for lanes, columns, groups, strip in ((4, 3, 1, 3), (6, 2, 3, 9), (16, 5, 8, 4))
}
MACHINES |= {
    f"{frames}-frames": Config(
        lanes=8, columns=3, groups=2, acc_bits=32, strip=3, partial_sums=14, code_frames=frames,
        code_words=256,
    )
    for frames in (2, 3, 4)
}
MACHINES |= {
    "compact": replace(MACHINES["6x2/3"], compact=True),
    "compact 3-frames": replace(MACHINES["3-frames"], compact=True),
}


def walk(plan, run, ready):
    """What the walker does in which cycle after `go`, from the geometry of the plan.

    Yields ``(cycle, pass number or None, read or None)``: the take of a pass, or a read with its
    address in each frame, whether it is inside, its bit-plane, its token and what ends with it.
    """
    stage, ring = plan.stages[run.stage], plan.rings[run.stage]
    codes, stride, pooled = stage.from_codes, stage.layer.stride, stage.pooled
    band_inc, every = (1, stride[0]) if codes else (stride[0], 1)
    cycle, free = 1, 0
    blocks = range(run.first, run.first + run.groups, stage.block_groups)
    for block in blocks:
        groups = range(block, min(block + stage.block_groups, run.first + run.groups))
        for tile in range(stage.output.tiles):
            for number, each in enumerate(stage.passes):
                while not ready[cycle]:
                    cycle += 1
                yield cycle, number, None
                cycle += 1
                last = number == len(stage.passes) - 1
                turns = 2 if pooled else 1
                pixels = 0
                total = len(groups) * stage.group_pixels
                for group in groups:
                    first = stage.first_frame(group)
                    for i in range(each.reads * turns):
                        read, turn = divmod(i, turns)
                        frame = first + turn * stride[1] + each.frame
                        band = each.band + read * band_inc
                        inside = [
                            0 <= frame + k < stage.shape[2] and 0 <= band < stage.shape[1]
                            for k in range(plan.config.code_frames)
                        ]
                        address = [
                            ring.at(frame + k) + each.offset
                            + (band - each.band) * stage.pixel_words
                            for k in range(plan.config.code_frames if codes else 1)
                        ]
                        if ring.spare:  # a frame runs round the ring's end
                            address = [at % ring.size for at in address]
                        valid = read >= each.warm and (read - each.warm) % every == 0
                        out_band = (read - each.warm) // every
                        of_window = out_band % 2 * 2 + turn if pooled else 0
                        begins, ends = of_window == 0, of_window == (3 if pooled else 0)
                        if stage.whole:
                            begins, ends = pixels == 0, pixels == total - 1
                        output = valid and last and ends
                        if output:
                            cycle = max(cycle, free)
                            free = cycle + stage.steps
                        token = {
                            "valid": valid,
                            "first": number == 0,
                            "last": last,
                            "shift": each.shift,
                            "pool_first": begins,
                            "addr": pixels,
                        }
                        tile_ends = output and pixels == total - 1
                        block_ends = tile_ends and tile == stage.output.tiles - 1
                        marks = {
                            "output": output,
                            "tile": tile_ends,
                            "block": block_ends,
                            "run": block_ends and block == blocks[-1],
                        }
                        yield cycle, None, (address, inside, each.plane, token, marks)
                        pixels += valid
                        cycle += 1


def runs_of(network, config, listing):
    """Every run of a network on a machine: plan, run and program fields."""
    lowered = lower(network, config)
    runs = [run for step in lowered.schedule.steps for run in step.runs]
    entries = [each for each in listing(lowered.program) if "passes" in each]
    assert len(runs) == len(entries)
    return [(lowered.schedule, run, entry) for run, entry in zip(runs, entries, strict=True)]


@pytest.fixture(params=MACHINES.values(), ids=MACHINES)
def config(request):
    return request.param


@pytest.fixture
def runs(small_networks, config, listing):
    """A mixed bag of runs that are quickly played, from code memory and map memory."""
    found = []
    for network in small_networks:
        found += runs_of(network, config, listing)
    short = [each for each in found if sum(1 for _ in walk(*each[:2], [1] * 99999)) < 300]
    codes = [each for each in short if each[2]["fields"]["codes"]]
    maps = [each for each in short if not each[2]["fields"]["codes"]]
    return codes[:4] + maps[:: max(1, len(maps) // 6)]


def run_fields(entry):
    names = ("start", "frame", "blocks", "last_groups", "out_start", "frame_words")
    return {name: entry[name] for name in names}


def test_the_runs_are_of_every_kind(small_networks, listing):
    kinds = set()
    for config in MACHINES.values():
        for network in small_networks:
            for _, _, entry in runs_of(network, config, listing):
                fields = entry["fields"]
                kinds |= {name for name in ("codes", "pooled", "whole", "bits", "raw", "skip")
                          if fields[name]}
                kinds |= {"tiles"} if fields["tiles"] > 1 else set()
                kinds |= {"planes"} if fields["plane_passes"] < fields["passes"] else set()
                kinds |= {"blocks"} if entry["blocks"] > 1 else set()
                kinds |= {"warm"} if any(each["warm"] for each in entry["passes"]) else set()
    assert kinds >= {
        "codes", "pooled", "whole", "bits", "raw", "skip", "tiles", "planes", "blocks", "warm",
    }


@pytest.mark.parametrize("readiness", [1.0, 0.4])
def test_reads_tokens_and_ends_come_when_and_where_they_should(play, runs, config, readiness):
    rng = np.random.default_rng(7)
    for plan, run, entry in runs:
        codes = entry["fields"]["codes"]
        ready = (rng.random(99999) < readiness).astype(int)
        events = list(walk(plan, run, ready))
        compact = config.compact
        to_memory, to_array = (0, 0) if compact else (READ_DELAY, entry_delay(config))
        span = events[-1][0] + to_array + 2
        rows = [
            {
                "layer": entry["fields"],
                "run": run_fields(entry),
                "entry_valid": int(ready[t] or t % 2),  # both must be there
                "tile_ready": int(ready[t] or not t % 2),
            }
            for t in range(span)
        ]
        rows[0]["go"] = 1
        begun, takes, reads = 0, set(), {}
        for cycle, number, read in events:
            if number is None:
                reads[cycle] = read
                if not compact:
                    continue  # else the entry stays as long as the pass
            else:
                taken = number
                takes.add(cycle)
            for row in rows[begun : cycle + 1]:
                row["entry"] = entry["passes"][taken]
            begun = cycle + 1
        seen = play(
            Walker(config),
            rows,
            ["take", "done", "r_en", "r_addr", "w_read", "w_inside", "w_plane", "w_bank", "token",
             "ends", *(f"r_codes.{k}" for k in range(config.code_frames))],
        )
        whole = config.code_words if plan.rings[run.stage].spare else 1 << 16
        following = [*events[1:], (0, 0, None)]
        done = {
            cycle for (cycle, number, _), (_, then, _) in zip(events, following, strict=True)
            if number is None and then is not None
        }
        assert len(done) == len(takes)
        for t in range(span):
            assert seen[t]["take"] == (t in takes), t
            assert seen[t]["done"] == (t in done), t
            if t >= to_memory:
                read = reads.get(t - to_memory)
                assert seen[t]["r_en"] == (read is not None), t
                for k, at in enumerate(read[0] if read is not None else ()):
                    if read[1][k]:
                        assert seen[t][f"r_codes.{k}"] % whole == at, t
                        assert k > 0 or seen[t]["r_addr"] % whole == at, t
            if t > to_memory:
                read = reads.get(t - to_memory - 1)
                assert seen[t]["w_read"] == (read is not None)
                if read is not None:
                    inside = sum(each << k for k, each in enumerate(read[1]))
                    assert (seen[t]["w_inside"], seen[t]["w_plane"]) == (inside, read[2])
                    if codes and read[1][0]:
                        assert seen[t]["w_bank"] == read[0][0] % config.code_banks
            if t >= to_array:
                at = t - to_array
                read = reads.get(at)
                assert seen[t]["token"]["valid"] == (read is not None and read[3]["valid"])
                if read is not None and read[3]["valid"]:
                    assert seen[t]["token"] == read[3]
                output = read is not None and read[4]["output"]
                assert seen[t]["ends"]["output"] == output
                if output:
                    assert seen[t]["ends"] == read[4]


def test_a_maximum_of_one_pass_may_have_more_pixels_than_there_are_partial_sums(play, listing):
    """None of them is stored, so that a block is as long as the run; it begins once."""
    config = MACHINES["4x3/1"]
    ends = Threshold(threshold=np.zeros(3, np.int32), flip=np.zeros(3, np.bool_))
    raw = Raw(bias=np.zeros(1, np.int32), scale=np.ones(1), offset=np.zeros(1), names=("y",))
    layers = [
        Layer(name=name, weights=np.ones((out, inputs, 1, 1), np.int8), input_bits=1, end=end,
              pool=pool)
        for name, inputs, out, end, pool in (
            ("first", 1, 3, ends, "none"), ("all", 3, 3, ends, "global"), ("out", 3, 1, raw, "none")
        )
    ]
    network = Network(input_shape=(1, 6, 7), layers=tuple(layers))
    config = replace(config, partial_sums=4, strip=7)
    plan, run, entry = next(
        each for each in runs_of(network, config, listing) if each[2]["fields"]["whole"]
    )
    events = list(walk(plan, run, [1] * 999))
    tokens = [read[3] for _, _, read in events if read is not None]
    assert len(tokens) > 4 * config.partial_sums
    row = {"layer": entry["fields"], "run": run_fields(entry), "entry_valid": 1, "tile_ready": 1,
           "entry": entry["passes"][0]}
    rows = [{**row, "go": t == 0} for t in range(events[-1][0] + entry_delay(config) + 2)]
    seen = [now["token"] for now in play(Walker(config), rows, ["token"]) if now["token"]["valid"]]
    assert [now["pool_first"] for now in seen] == [now["pool_first"] for now in tokens]


@pytest.mark.parametrize("passes", [1, 2, 5])
def test_passes_are_fetched_in_a_circle(play, passes):
    rng = np.random.default_rng(passes)
    base = 40
    program = rng.integers(0, 2**32, base + 2 * passes)
    rows, due, valid = [], {}, set()
    for number in range(3 * passes + 1):
        rows.append({"go": 1} if number == 0 else {"take": 1})
        at = base + number % passes * 2
        due |= {len(rows): at, len(rows) + 1: at + 1}
        rows += [{}] * (PassFetch.latency - 1)
        fetched = sum(int(program[at + i]) << 32 * i for i in (0, 1))
        wait = int(rng.choice([0, 1, 4]))
        valid |= {(len(rows) + i, fetched) for i in range(wait + 1)}
        rows += [{}] * wait
    rows.append({})
    for t, at in due.items():  # the memory answers a cycle later and then holds its word
        for row in range(t + 1, len(rows)):
            rows[row] = {**rows[row], "r_data": int(program[at])}
    layer = {"passes": passes, "passes_at": base}
    rows = [{**row, "layer": layer} for row in rows]
    fetch = PassFetch()
    seen = play(fetch, rows, ["valid", "r_en", "r_addr", "entry"])
    for t in range(1, len(rows)):  # before the first run nobody looks
        now = seen[t]
        assert now["r_en"] == (t in due), t
        if t in due:
            assert now["r_addr"] == due[t]
        assert now["valid"] == (t in {at for at, _ in valid}), t
    for t, whole in valid:
        for name in PASS.members:
            ones = (1 << PASS[name].width) - 1
            assert seen[t]["entry"][name] & ones == whole >> PASS[name].offset & ones


@pytest.mark.parametrize("passes", [1, 2, 5])
def test_a_compact_machine_fetches_a_pass_as_the_one_before_ends(play, passes):
    rng = np.random.default_rng(passes)
    base = 40
    program = rng.integers(0, 2**32, base + 2 * passes)
    rows, reads, valid = [{"go": 1}], {}, {0: None}
    for number in range(3 * passes + 1):
        first = 1 if number == 0 else 0  # a read comes with `done`, or a cycle after `go`
        at = base + number % passes * 2
        reads |= {len(rows) - 1 + first + i: at + i for i in (0, 1)}
        rows += [{}] * (first + 1)
        whole = sum(int(program[at + i]) << 32 * i for i in (0, 1))
        wait = int(rng.choice([1, 2, 5]))
        valid |= {len(rows) + i: whole for i in range(wait)}
        rows += [{}] * (wait - 1) + [{"done": 1}]
    rows.append({})
    word = 0
    for t, row in enumerate(rows):
        rows[t] = {**row, "r_data": word, "layer": {"passes": passes, "passes_at": base}}
        word = int(program[reads[t]]) if t in reads else word
    fetch = CompactFetch(program_words=64, pass_bits=5)
    seen = play(fetch, rows[:-1], ["valid", "r_en", "r_addr", "entry"])
    for t, now in enumerate(seen[:-1]):
        assert now["valid"] == (t in valid), t
        assert now["r_en"] == (t in reads), t
        if t in reads:
            assert now["r_addr"] == reads[t]
        if valid.get(t) is not None:
            for name in PASS.members:
                ones = (1 << PASS[name].width) - 1
                assert now["entry"][name] & ones == valid[t] >> PASS[name].offset & ones
