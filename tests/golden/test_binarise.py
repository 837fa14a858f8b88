"""Bits and 8-bit weights from a float network: what they keep, and what is refused."""

import pytest
import torch
from torch import nn

from golden.binarise import binarise
from golden.blocks import ExportError
from golden.export import compare_float, export
from golden.figures import correlation
from golden.quantise import GlobalMaxPool2d, InputCodes, Step


def floats(*, norm: bool = False) -> nn.Sequential:
    """A network that has learnt, for a second, how loud and how rough `codes` are."""
    torch.manual_seed(4)
    layers = [nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)]
    module = nn.Sequential(
        *(part for part in layers if norm or not isinstance(part, nn.BatchNorm2d)),
        nn.Conv2d(16, 32, (3, 1), stride=(1, 2)), nn.ReLU(), GlobalMaxPool2d(), nn.Flatten(),
        nn.Linear(32, 12), nn.ReLU(), nn.Dropout(0.0), nn.Linear(12, 2),
    )
    optimiser, maps = torch.optim.Adam(module.parameters(), 1e-2), inputs()(codes())
    wanted = torch.stack([maps.mean((1, 2, 3)), maps.std((1, 2, 3))], 1)
    for _ in range(40):
        loss = (module(maps) - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return module.eval()


def inputs() -> InputCodes:
    return InputCodes(zero=8, step=1 / 8, bits=4)


def codes(count: int = 64) -> torch.Tensor:
    """Maps that differ in level and in how rough they are."""
    torch.manual_seed(9)
    level, rough = torch.rand(count, 1, 1, 1) * 8 + 4, torch.rand(count, 1, 1, 1) * 4
    maps = level + rough * torch.randn(count, 1, 14, 18)
    return maps.round().clamp(0, 15).to(torch.uint8)


@pytest.mark.parametrize("norm", [False, True])
def test_it_says_much_of_what_the_floats_say(norm: bool) -> None:
    module = floats(norm=norm)
    found = binarise(module, inputs(), codes()).eval()
    with torch.no_grad():
        expected = module(inputs()(codes())).double().numpy()
        got = found(codes()).double().numpy()
    for output in range(2):
        assert correlation(got[:, output], expected[:, output]) > 0.7
        assert abs(got.mean(0) - expected.mean(0))[output] < expected[:, output].std()


def test_dense_layers_lose_eight_bits_rounding_only() -> None:
    torch.manual_seed(2)
    module = nn.Sequential(
        nn.Flatten(), nn.Linear(14 * 18, 24), nn.ReLU(), nn.Linear(24, 16), nn.ReLU(),
        nn.Linear(16, 1),
    ).eval()
    found = binarise(module, inputs(), codes()).eval()
    with torch.no_grad():
        expected, got = module(inputs()(codes())), found(codes())
    assert float((got - expected).abs().max()) < 0.1 * float(expected.std())


def test_bits_change() -> None:
    x, changing = codes(), []
    for part in binarise(floats(), inputs(), x).eval():
        x = part(x).detach()
        if isinstance(part, Step):
            ones = x.transpose(0, 1).flatten(1).mean(1)
            changing += ((0 < ones) & (ones < 1)).tolist()
    assert len(changing) == 48
    assert sum(changing) >= 40  # a float channel that is always 0 has no two groups


def test_it_trains_and_goes_to_integers_bit_for_bit() -> None:
    module = binarise(floats(), inputs(), codes()).train()
    module(codes()).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())
    network = export(module.eval(), codes(1), names=["one", "two"])
    assert [layer.pool for layer in network.layers] == ["max2x2", "global", "none", "none"]
    for one in codes(3).numpy():
        assert [layer.mismatches for layer in compare_float(module, network, one)] == [0] * 4


@pytest.mark.parametrize(
    ("parts", "rule"),
    [
        ([nn.Sigmoid()], r"module 2 \(Sigmoid\) must be a module that can be binarised"),
        ([nn.Conv2d(4, 2, 3)], r"module 2 \(Conv2d\) must not follow 1 without a ReLU"),
        ([nn.ReLU(), nn.BatchNorm2d(4)], r"module 3 \(BatchNorm2d\) must stand right behind 1"),
        ([nn.ReLU(), nn.ReLU()], r"module 3 \(ReLU\) must be a module that can be binarised"),
    ],
)
def test_what_has_no_counterpart_is_refused(parts: list[nn.Module], rule: str) -> None:
    module = nn.Sequential(nn.Identity(), nn.Conv2d(1, 4, 3), *parts)
    with pytest.raises(ExportError, match=rule):
        binarise(module, inputs(), codes(2))


def test_a_network_without_an_end_is_refused() -> None:
    with pytest.raises(ValueError, match="module must end in a linear layer"):
        binarise(nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU()), inputs(), codes(2))
    with pytest.raises(ExportError, match="module 0 .* must follow a convolution"):
        binarise(nn.Sequential(nn.ReLU()), inputs(), codes(2))
