"""The paper's network: its shapes, its size, and a start from which it can learn."""

import pytest
import torch
from torch import nn

from golden.model import Variant, paper_network, prepare
from golden.quantise import QuantConv2d, QuantReLU, Step

CODES = (12, 1, 120, 249)


def codes() -> torch.Tensor:
    """Clips that differ: each with its own level and contrast."""
    torch.manual_seed(5)
    level, contrast = torch.randint(90, 166, (12, 1, 1, 1)), torch.rand(12, 1, 1, 1)
    return (level + 40 * contrast * torch.randn(CODES)).clamp(0, 255).to(torch.uint8)


def test_it_is_the_papers() -> None:
    network = paper_network("bam8")
    shapes = {name: list(p.shape) for name, p in network.named_parameters() if "weight" in name}
    assert shapes == {
        "conv1.weight": [32, 1, 3, 3],
        "conv2.weight": [32, 32, 3, 3],
        "conv3.weight": [32, 32, 3, 3],
        "conv4.weight": [64, 32, 3, 3],
        "dense1.weight": [64, 64],
        "dense2.weight": [64, 64],
        "dense3.weight": [1, 64],
    }
    assert sum(p.numel() for p in network.parameters()) == 45_697
    assert network(torch.zeros(2, 1, 120, 249, dtype=torch.uint8)).shape == (2, 1)


def test_the_variants_share_their_names() -> None:
    names = [{name for name, _ in paper_network(v).named_parameters()} for v in ("bam8", "float")]
    assert names[0] == names[1]


def test_the_first_layer_pads_with_code_zero_in_both_variants() -> None:
    binary, floats = paper_network("bam8"), paper_network("float")
    floats.load_state_dict(binary.state_dict(), strict=False)
    outputs = []
    for network in (binary, floats):
        x = torch.full((1, 1, 120, 249), 200, dtype=torch.uint8)
        for name, layer in network.eval().named_children():
            x = layer(x)
            if name == "conv1":
                outputs.append(x.detach())
    assert outputs[0].shape == outputs[1].shape
    # Eight-bit weights against float ones, sums of nine taps of up to 4.
    assert float((outputs[0] - outputs[1]).abs().max()) < 0.1


@pytest.mark.parametrize("variant", ["bam8", "float"])
def test_a_prepared_network_predicts_the_mean(variant: Variant) -> None:
    torch.manual_seed(1)
    network, targets = paper_network(variant), torch.linspace(1, 4, 12)
    prepare(network, codes(), targets)
    with torch.no_grad():
        guess = network(codes())
    assert float(guess.mean()) == pytest.approx(2.5, abs=0.05)
    assert float(guess.std()) == pytest.approx(float(targets.std()) / 3, rel=0.4)


def test_a_prepared_network_has_nothing_stuck() -> None:
    torch.manual_seed(1)
    network = paper_network("bam8")
    prepare(network, codes(), torch.linspace(1, 4, 12))
    x = codes()
    for name, layer in network.eval().named_children():
        x = layer(x).detach()
        if isinstance(layer, Step | QuantReLU):
            on = (x > 0).float().transpose(0, 1).flatten(1).mean(1)
            assert 0 < float(on.min()) <= float(on.max()) < 1, name
        if isinstance(layer, QuantReLU):
            assert float(x.max()) < 255 * float(layer.step), name


def test_every_parameter_learns() -> None:
    torch.manual_seed(1)
    network = paper_network("bam8")
    prepare(network, codes(), torch.linspace(1, 4, 12))
    network(codes()).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().sum()) > 0, name


def test_unknown_variants_are_refused() -> None:
    with pytest.raises(ValueError, match="variant must be one of bam8, float, not 'bam4'"):
        paper_network("bam4")  # type: ignore[arg-type]  # on purpose


def test_layers_are_the_projects_own() -> None:
    network = paper_network("bam8", beta=3.0)
    assert [m.beta for m in network if isinstance(m, Step)] == [3.0] * 4
    convs = [m for m in network if isinstance(m, nn.Conv2d)]
    assert all(isinstance(m, QuantConv2d) for m in convs)
