"""One output or two: labels that weigh alike, missing ones, names, and the integers' scores."""

import numpy as np
import pytest
import torch

from golden import heads, netfile
from golden.checkpoint import load_best, predict, save_best
from golden.export import compare_float, export
from golden.front_end import standardised
from golden.model import Variant, paper_network, prepare
from golden.network import Network
from golden.torch_engine import TorchEngine

FRONT_END = standardised(np.zeros(120, np.float32), np.ones(120, np.float32))
TARGETS = torch.stack([torch.linspace(1, 4, 12), torch.linspace(40, 10, 12)], 1)
NAMES = ("pesq", "dnsmos")


@pytest.fixture(scope="module")
def codes() -> torch.Tensor:
    torch.manual_seed(5)
    level, contrast = torch.randint(90, 166, (12, 1, 1, 1)), torch.rand(12, 1, 1, 1)
    maps = level + 40 * contrast * torch.randn((12, 1, 120, 249))
    return maps.clamp(0, 255).to(torch.uint8)


@pytest.fixture(scope="module")
def module(codes: torch.Tensor) -> torch.nn.Sequential:
    torch.manual_seed(1)
    network = paper_network("bam8", outputs=2)
    prepare(network, codes, TARGETS)
    return network.eval()


@pytest.fixture(scope="module")
def network(module: torch.nn.Sequential, codes: torch.Tensor) -> Network:
    return export(module, codes[:1], names=NAMES, front_end=FRONT_END)


@pytest.mark.parametrize("variant", ["bam8", "float"])
def test_every_output_starts_at_its_labels_mean(variant: Variant, codes: torch.Tensor) -> None:
    torch.manual_seed(1)
    fresh = paper_network(variant, outputs=2)
    missing = TARGETS.clone()
    missing[3, 0] = missing[5, 1] = float("nan")
    prepare(fresh, codes, missing)
    with torch.no_grad():
        guess = fresh(codes)
    assert guess.shape == (12, 2)
    assert guess.mean(0).tolist() == pytest.approx(missing.nanmean(0).tolist(), rel=0.03)
    assert guess.std(0).tolist() == pytest.approx((TARGETS.std(0) / 3).tolist(), rel=0.4)


def test_targets_for_another_number_of_outputs_are_refused(codes: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="targets must have 1 columns with two labels or more"):
        prepare(paper_network("bam8"), codes, TARGETS)
    with pytest.raises(ValueError, match="outputs must be at least 1, not 0"):
        paper_network("bam8", outputs=0)


def test_the_integers_give_both_scores(
    network: Network, module: torch.nn.Sequential, codes: torch.Tensor,
) -> None:
    assert network.raw.names == NAMES
    assert len(set(network.raw.scale.tolist())) == 2
    raw = TorchEngine().predict(network, codes[0].numpy()).raw
    expected = predict(module, codes[:1])[0]
    assert list(network.scores(raw).values()) == pytest.approx(expected.tolist(), rel=1e-5)
    agreement = compare_float(module, network, codes[0].numpy())
    assert [layer.mismatches for layer in agreement] == [0] * 7


def test_the_file_keeps_names_scales_and_offsets(network: Network, tmp_path) -> None:
    netfile.save(network, tmp_path / "two.npz")
    again = netfile.load(tmp_path / "two.npz").raw
    assert again.names == NAMES
    np.testing.assert_array_equal(again.scale, network.raw.scale)
    np.testing.assert_array_equal(again.offset, network.raw.offset)


def test_a_checkpoint_keeps_both_outputs(
    module: torch.nn.Sequential, codes: torch.Tensor, tmp_path,
) -> None:
    save_best(tmp_path / "best.pt", module, FRONT_END, variant="bam8", beta=1.0)
    again, _ = load_best(tmp_path / "best.pt")
    np.testing.assert_array_equal(predict(again, codes[:2]), predict(module, codes[:2]))
    assert predict(again, codes[:2]).shape == (2, 2)


def test_labels_weigh_alike_whatever_their_unit() -> None:
    deviation = heads.spread(TARGETS)
    np.testing.assert_allclose(deviation, TARGETS.numpy().std(0), rtol=1e-6)
    of_each = []
    for output in range(2):
        guess = TARGETS.clone()
        guess[:, output] += deviation[output]
        of_each.append(float(heads.loss(guess, TARGETS, deviation)))
    assert of_each == pytest.approx([0.5, 0.5])


def test_a_missing_label_teaches_nothing() -> None:
    guess = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    targets = torch.tensor([[2.0, float("nan")], [3.0, 6.0]])
    found = heads.loss(guess, targets, torch.tensor([1.0, 2.0]))
    found.backward()
    assert float(found.detach()) == pytest.approx((1 + 0 + 1) / 3)
    assert guess.grad is not None
    assert guess.grad[0, 1] == 0
    assert torch.isfinite(guess.grad).all()


def test_a_label_that_never_changes_has_a_spread_of_one() -> None:
    assert heads.spread(torch.full((4, 1), 3.0)).tolist() == [1.0]


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match=r"both be \[clip, output\], not \[2\] and \[2\]"):
        heads.loss(torch.zeros(2), torch.zeros(2), torch.ones(1))


@pytest.mark.parametrize("names", [[], ["mos"], ["pesq", "pesq"]])
def test_names_that_are_no_labels_are_refused(names: list[str]) -> None:
    with pytest.raises(ValueError, match="outputs must be some of pesq, dnsmos, each once, not"):
        heads.check(names)


def test_names_of_labels_are_taken_in_any_order() -> None:
    assert heads.check(["dnsmos", "pesq"]) == ("dnsmos", "pesq")
