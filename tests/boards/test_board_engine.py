"""A virtual board behind a port: the same bits, and one clear line for all that can go wrong."""

import json
import os
import pty
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import serial

import bambino
from boards import icebreaker, known
from boards.link import engine
from boards.link.engine import Target, connected
from boards.link.host import LinkError, Patience, pieces
from boards.link.port import patience
from boards.link.protocol import PIECE_WORDS
from boards.virtual.terminal import Terminal
from golden.clip import SHIPPED
from golden.random_networks import tiny_network
from golden.torch_engine import TorchEngine
from hw.lower import lower
from hw.packets import Command, header
from hw.presets import PRESETS
from hw.replies import ReplyError

pytestmark = pytest.mark.cosim

ROOT = Path(__file__).parents[2]
TINY = replace(
    icebreaker.BOARD, name="small-one", baud=3_000_000, config=PRESETS["tiny"],
)


@pytest.fixture(autouse=True)
def _known(monkeypatch):
    monkeypatch.setitem(known.BOARDS, TINY.name, TINY)


@pytest.fixture(scope="module")
def network():
    return tiny_network()


@pytest.fixture
def codes(network):
    rng = np.random.default_rng(8)
    shape, bits = network.shapes[0], network.layers[0].input_bits
    return [rng.integers(1 << bits, size=shape, dtype=np.uint8) for _ in range(2)]


@pytest.fixture(scope="module")
def terminal():
    with Terminal(TINY) as switched_on:
        yield switched_on


@pytest.fixture
def target(terminal):
    return Target(port=terminal.path, board=TINY)


def refused(capsys, *argv):
    """Run the command line, which must refuse; return its one line."""
    assert bambino.main([str(a) for a in argv]) == 2
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if not line.startswith(("building", "built"))]
    assert said.out == ""
    assert len(lines) == 1
    assert "Traceback" not in said.err
    return lines[0]


def test_score_is_that_of_torch(capsys):
    found = []
    for how in (["torch"], ["board", "--port", f"sim:{TINY.name}"]):
        assert bambino.main(["score", "--preset", "tiny", "--json", "--engine", *how]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0]["scores"] == found[1]["scores"]
    assert found[0]["windows"][0]["raw"] == found[1]["windows"][0]["raw"]
    assert found[1]["port"] == f"sim:{TINY.name}"


def test_verify_compares_every_map(tmp_path, capsys, network, codes):
    paths = []
    for number, one in enumerate(codes):
        paths.append(str(tmp_path / f"{number}.npy"))
        np.save(paths[-1], one)
    how = ["--preset", "tiny", "--engine", "board", "--port", f"sim:{TINY.name}"]
    assert bambino.main(["verify", *paths, *how, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["identical"] is True
    assert [layer["mismatches"] for layer in found["layers"]] == [0] * len(network.layers)
    assert found["layers"][0]["elements"] == 2 * np.prod(network.shapes[1])
    assert (found["dropped"], found["repeated"]) == (0, 0)
    assert bambino.main(["verify", *paths, *how]) == 0
    assert "identical: yes" in capsys.readouterr().out


def test_several_networks_and_clips_in_one_session(target, network, codes):
    with connected(target) as board:
        assert board.name == "board"
        first = board.predict(network, codes[0])
        found = board.predict_lowered(
            [(lower(network, TINY.config, maps=maps), codes) for maps in (False, True)],
        )
    for got in (first, found[0][0], found[1][0]):
        assert np.array_equal(got.raw, TorchEngine().predict(network, codes[0]).raw)
    want = TorchEngine().predict(network, codes[1])
    assert found[0][1].outputs == {}
    assert all(np.array_equal(found[1][1].outputs[n], maps) for n, maps in want.outputs.items())


def test_a_session_that_broke_off_leaves_nothing(target, network, codes):
    """Whatever the machine was doing: half a packet, a program that waits, a reply unread."""
    right = TorchEngine().predict(network, codes[0]).raw
    lowered = lower(network, TINY.config, maps=True)
    load, clip = lowered.load_packets(), lowered.clip_packets(codes[0])
    for packets, replies, half in (
        ([], 0, load[1]), ([*load, clip[0]], 0, clip[1]), ([*load, *clip], 4, load[0]),
    ):
        with connected(target) as board:
            board._host.converse(packets, replies, 1 << 20)
            for kind, payload in pieces(half)[: len(half) // PIECE_WORDS // 2]:
                board._host._exchange(kind, payload, 1)
        with connected(target) as board:
            assert np.array_equal(board.predict(network, codes[0]).raw, right)


def test_a_refusal_of_the_machine_is_told(target):
    wrong = np.array([header(Command.CODES, 1), 0], np.uint32)
    with connected(target) as board, pytest.raises(ReplyError, match="not answer IDLE"):
        board._host.converse([wrong], 1, 1 << 20)


def test_a_machine_that_is_silent_is_told(target):
    with connected(target) as board, pytest.raises(ReplyError, match="answer within 40000 cycles"):
        board._host.converse([], 1, 40_000)


def test_no_such_port(capsys):
    line = refused(capsys, "score", "--engine", "board", "--port", "/dev/none")
    assert line == "bambino score: port /dev/none must be there, not missing"


def test_a_file_is_no_port(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    line = refused(capsys, "score", "--engine", "board", "--port", tmp_path / "file")
    assert "must be there, and be a serial port" in line


def test_a_folder_is_no_port(tmp_path, capsys):
    (tmp_path / "Folder").mkdir()
    line = refused(capsys, "score", "--engine", "board", "--port", tmp_path / "Folder")
    assert line.endswith("/Folder must be there, and be a serial port, not give: is a directory")


@pytest.mark.parametrize("baud", [2**31, 10**11])
def test_a_rate_that_no_port_has(baud, terminal, capsys):
    how = ["--engine", "board", "--port", terminal.path, "--baud", baud]
    assert f"baud must be a rate that {terminal.path} has" in refused(capsys, "score", *how)


def test_a_slow_line_is_given_time_for_the_longest_frames():
    """Else the host asks again before an answer can be there, and again."""
    assert patience(1_000_000) == Patience()
    for baud in (300, 9600, 57_600):
        assert patience(baud).seconds > 2 * 10 * 256 / baud


def test_another_machine_is_told_before_a_virtual_board_is_built(monkeypatch, capsys):
    monkeypatch.setattr("boards.virtual.terminal.library", lambda *_: pytest.fail("was built"))
    how = ["--engine", "board", "--port", f"sim:{TINY.name}", "--preset", "medium"]
    assert "(32 lanes x 32 columns of gated cells), not" in refused(capsys, "score", *how)


def test_a_busy_port(terminal, capsys):
    with serial.Serial(terminal.path, exclusive=True):
        line = refused(capsys, "score", "--engine", "board", "--port", terminal.path)
    assert "not in use by another program" in line


def test_nobody_answers(capsys):
    master, slave = pty.openpty()
    line = refused(capsys, "score", "--engine", "board", "--port", os.ttyname(slave))
    where = f"{os.ttyname(slave)} at 1000000 baud"
    assert line == f"bambino score: {where}: a board must answer, not nobody"
    os.close(slave)
    os.close(master)


@pytest.mark.parametrize("baud", [9600, 115200, 1_000_000])
def test_a_wrong_baud_rate(baud, target, network, codes):
    with pytest.raises(LinkError, match="another baud rate|nobody"), connected(
        replace(target, baud=baud),
    ):
        pass
    with connected(target) as board:
        assert board.predict(network, codes[0]).raw.shape == (len(network.raw.names),)


def test_another_machine(terminal, capsys):
    line = refused(
        capsys, "score", "--engine", "board", "--port", terminal.path, "--board", "icebreaker",
        "--baud", TINY.baud,
    )
    assert "the machine must be" in line
    assert "(8 lanes x 4 columns of table4 cells), not" in line
    line = refused(
        capsys, "score", "--engine", "board", "--port", terminal.path, "--preset", "medium",
        "--baud", TINY.baud,
    )
    assert "(32 lanes x 32 columns of gated cells), not" in line


def test_another_bitstream_of_the_same_machine(target, monkeypatch):
    monkeypatch.setattr(engine, "digest", lambda board: 0x1234)
    with pytest.raises(LinkError, match="the bitstream must be this version's of board small-one"):
        with connected(target):
            pass


def test_a_network_too_large(capsys):
    line = refused(
        capsys, "score", "--engine", "board", "--port", f"sim:{TINY.name}", "--network", SHIPPED,
    )
    assert "does not fit" in line


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (["--engine", "board"], "--engine board must come with --port"),
        (["--port", "/dev/none"], "must go with --engine board"),
        (["--engine", "board", "--port", "sim:none"], "board must be one of ulx3s-85f, "),
        (["--engine", "board", "--port", "x", "--board", "none"], "board must be one of"),
        (["--engine", "board", "--port", ""], "--engine board must come with --port"),
        (["--engine", "board", "--port", "x", "--baud", "0"], "baud must be at least 1, not 0"),
        (
            ["--engine", "board", "--port", f"sim:{TINY.name}", "--board", "icebreaker"],
            "must be that of board icebreaker",
        ),
    ],
)
def test_options_that_do_not_go_together(options, rule, capsys):
    assert rule in refused(capsys, "score", *options)


def test_a_board_writes_no_waveform(tmp_path, capsys):
    line = refused(
        capsys, "verify", "--engine", "board", "--port", "x", "--waves", tmp_path / "w.vcd",
    )
    assert "--waves must go with --engine rtl" in line


def predict_for_long(target, network, codes):
    """Predict again and again."""
    with connected(target) as board:
        while True:
            board.predict(network, codes)


def test_the_cable_is_pulled_and_plugged_in_again(network, codes):
    with Terminal(TINY) as first:
        pulled = threading.Timer(3, first.close)
        pulled.start()
        with pytest.raises(LinkError, match=f"{first.path}.*must stay plugged in, not vanish"):
            predict_for_long(Target(port=first.path, board=TINY), network, codes[0])
        pulled.join()
    with Terminal(TINY) as again, connected(Target(port=again.path, board=TINY)) as board:
        board.predict(network, codes[0])


def test_board_sim_serves_any_program(network, codes):
    script = (
        "import sys, bambino; from dataclasses import replace; from boards import known;"
        " from hw.presets import PRESETS; known.BOARDS['small-one'] = replace("
        "known.BOARDS['icebreaker'], name='small-one', baud=3000000, config=PRESETS['tiny']);"
        " sys.exit(bambino.main(['board-sim', 'small-one']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    ) as served:
        assert served.stdout is not None
        path = served.stdout.readline().strip()
        with connected(Target(port=path, board=TINY)) as board:
            got = board.predict(network, codes[0])
            served.kill()
            with pytest.raises(LinkError, match="must stay plugged in"):
                board.predict(network, codes[0])
    assert np.array_equal(got.raw, TorchEngine().predict(network, codes[0]).raw)
