"""Export: the same bits as the float module where it is quantised, and every refusal by name."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from golden.blocks import ExportError
from golden.export import compare_float, export
from golden.layer import Requantise, Threshold
from golden.model import paper_network, prepare
from golden.network import Network
from golden.quantise import (
    GlobalMaxPool2d,
    InputCodes,
    QuantConv2d,
    QuantLinear,
    QuantReLU,
    Step,
)
from golden.rules import NetworkError
from golden.torch_engine import TorchEngine

Codes = NDArray[np.uint8]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def draw(shape: tuple[int, ...] = (1, 8, 9), bits: int = 8, seed: int = 0) -> Codes:
    return np.random.default_rng(seed).integers(0, 2**bits, shape).astype(np.uint8)


def mismatches(module: nn.Sequential, network: Network, codes: Sequence[Codes]) -> list[int]:
    """Outputs of every layer that differ from the float module's, over all of `codes`."""
    counts = [[layer.mismatches for layer in compare_float(module, network, c)] for c in codes]
    return np.sum(counts, 0).tolist()


def balance(*parts: nn.Module) -> nn.Sequential:
    """Put the codes' zero into a module's norms, so that its bits are mixed."""
    module = nn.Sequential(*parts)
    module.train()
    with torch.no_grad():
        for _ in range(60):
            module(torch.randint(0, 256, (16, 1, 8, 9)).float())
    return module.eval()


def test_the_network_of_the_paper_gives_the_same_bits_as_its_float_form() -> None:
    module = paper_network()
    codes = torch.randint(0, 256, (2, 1, 120, 249), dtype=torch.uint8)
    prepare(module, codes, torch.tensor([1.5, 3.5]))
    network = export(module, codes.numpy(), about={"origin": "a test"})
    assert [layer.name for layer in network.layers] == [
        "conv1", "conv2", "conv3", "conv4", "dense1", "dense2", "dense3",
    ]
    assert [layer.pool for layer in network.layers[:4]] == ["max2x2"] * 3 + ["global"]
    assert mismatches(module, network, codes.numpy()) == [0] * 7
    assert network.raw.names == ("score",)
    outputs = TorchEngine().predict(network, codes[0].numpy()).outputs
    assert 0.2 < outputs["conv1"].mean() < 0.98


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_quantised_layers_of_any_bits_strides_and_padding_agree(bits: int) -> None:
    inputs = InputCodes(zero=2**bits // 2, step=2.0**-4, bits=bits)
    module = nn.Sequential(
        inputs,
        QuantConv2d(
            1, 5, (3, 1), stride=(1, 2), padding=(1, 0), scale="unit", input_step=inputs.step,
            input_zero=inputs.zero,
        ),
        QuantReLU(bits=bits, step=2.0**-3),
        QuantConv2d(5, 4, (5, 5), padding=2, input_step=2.0**-3),
        nn.MaxPool2d(2),
        Step(),
        nn.Flatten(),
        QuantLinear(4 * 4 * 2, 3),
    )
    codes = [draw(bits=bits, seed=seed) for seed in range(8)]
    network = export(module, codes[0])
    assert network.input_bits == bits
    assert network.layers[2].kernel == (4, 2)
    assert network.raw.names == ("output0", "output1", "output2")
    assert mismatches(module, network, codes) == [0, 0, 0]
    outputs = [TorchEngine().predict(network, c).outputs["conv1"] for c in codes]
    assert len(np.unique(outputs)) >= min(2**bits, 4)


def test_a_batch_norm_folds_into_thresholds_and_flips_where_gamma_is_negative() -> None:
    norm = nn.BatchNorm2d(6, eps=0)
    module = nn.Sequential(
        QuantConv2d(1, 6, 3, padding=1), norm, Step(), nn.MaxPool2d(2), nn.Flatten(),
        QuantLinear(6 * 16, 1),
    ).eval()
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1, -1, 0.5, -0.5, 0, 0]))
        norm.bias.copy_(torch.tensor([0.5, 0.5, -1, -1, 1, -1]))
        norm.running_mean.normal_(0, 50)
        norm.running_var.fill_(4.0**5)
    codes = [draw(seed=seed) for seed in range(5)]
    network = export(module, codes[0])
    end = network.layers[0].end
    assert isinstance(end, Threshold)
    assert end.flip.tolist() == [False, True, False, True, False, False]
    assert mismatches(module, network, codes) == [0, 0]
    bits = TorchEngine().predict(network, codes[0]).outputs["conv1"]
    assert bits[4].all()
    assert not bits[5].any()


def test_two_norms_and_one_without_gamma() -> None:
    module = balance(
        QuantConv2d(1, 4, 3), nn.BatchNorm2d(4, affine=False), nn.BatchNorm2d(4), Step(),
        nn.Flatten(), QuantLinear(4 * 6 * 7, 1),
    )
    codes = [draw(seed=seed) for seed in range(5)]
    network = export(module, codes[0])
    # Float batch norms are rounded, the thresholds are not: a sum at the threshold may differ.
    assert mismatches(module, network, codes)[0] <= 1
    assert 0.2 < TorchEngine().predict(network, codes[0]).outputs["conv1"].mean() < 0.8


def test_pooling_before_and_behind_the_step_is_the_same_network() -> None:
    conv, last = QuantConv2d(1, 3, 3), QuantLinear(3 * 3 * 3, 2)
    pooled = nn.Sequential(conv, nn.MaxPool2d(2), Step(), nn.Flatten(), last)
    stepped = nn.Sequential(conv, Step(), nn.MaxPool2d(2), nn.Flatten(), last)
    a, b = (TorchEngine().predict(export(m, draw()), draw()) for m in (pooled, stepped))
    assert np.array_equal(a.outputs["conv1"], b.outputs["conv1"])
    assert a.raw.tolist() == b.raw.tolist()


def test_a_shared_step_is_not_skipped_and_modes_come_back() -> None:
    step, dropout = Step(), nn.Dropout(0.5)
    module = nn.Sequential(
        QuantConv2d(1, 4, 3), step, dropout, QuantConv2d(4, 4, 3), step, nn.Identity(),
        GlobalMaxPool2d(), nn.Flatten(), QuantLinear(4, 1),
    )
    dropout.eval()
    network = export(module, draw())
    assert [layer.name for layer in network.layers] == ["conv1", "conv2", "dense1"]
    assert mismatches(module, network, [draw(seed=seed) for seed in range(4)]) == [0, 0, 0]
    assert module.training
    assert not dropout.training


def test_float_weights_are_quantised_and_stay_close() -> None:
    module = balance(
        nn.Conv2d(1, 8, 3, padding="same"), nn.BatchNorm2d(8), Step(), nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, bias=False), nn.BatchNorm2d(8), QuantReLU(6, step=2.0**-5),
        nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(8, 8), nn.BatchNorm1d(8), QuantReLU(),
        nn.Linear(8, 2),
    )
    codes = [draw(seed=seed) for seed in range(10)]
    network = export(module, codes[0], names=["a", "b"])
    assert [layer.input_bits for layer in network.layers] == [8, 1, 6, 8]
    assert isinstance(network.layers[1].end, Requantise)
    bits = 10 * 8 * 4 * 4
    assert 0 < mismatches(module, network, codes)[0] < 0.05 * bits
    with torch.inference_mode():
        wanted = module(torch.tensor(np.stack(codes)).float()).numpy()
    found = [
        list(network.scores(TorchEngine().predict(network, c).raw).values()) for c in codes
    ]
    assert np.abs(wanted - found).max() < 0.25 * wanted.std()


def test_a_linear_network_without_a_map_is_exact() -> None:
    module = nn.Sequential(nn.Flatten(), QuantLinear(6, 4), Step(), QuantLinear(4, 1))
    codes = [draw((6, 1, 1), bits=4, seed=seed) for seed in range(9)]
    network = export(module, np.stack(codes))
    assert network.input_bits == 4
    assert mismatches(module, network, codes) == [0, 0]


def test_names_of_nested_modules_are_their_paths() -> None:
    module = nn.Sequential()
    module.add_module("ear", nn.Sequential())
    module.ear.add_module("first", QuantConv2d(1, 2, 3))
    module.ear.add_module("fire", Step())
    module.add_module("pool", GlobalMaxPool2d())
    module.add_module("flat", nn.Flatten())
    module.add_module("out", QuantLinear(2, 1))
    assert [layer.name for layer in export(module, draw()).layers] == ["ear.first", "out"]


class Doubled(nn.Conv2d):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(x)


class Skipping(nn.Sequential):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + super().forward(x)


def end(*parts: nn.Module) -> nn.Sequential:
    return nn.Sequential(*parts, GlobalMaxPool2d(), nn.Flatten(), nn.Linear(4, 1))


def norm(gamma: float) -> nn.BatchNorm2d:
    found = nn.BatchNorm2d(4)
    nn.init.constant_(found.weight, gamma)
    return found


def conv(**options: Any) -> nn.Conv2d:
    return nn.Conv2d(1, 4, 3, **options)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (
            end(conv(), nn.MaxPool2d(2), norm(-1), Step()),
            "module 2 (BatchNorm2d) must have no negative gamma behind a pooling",
        ),
        (end(conv(), nn.ReLU()), "module 1 (ReLU) must be a module that the export knows: golden."),
        (end(conv(), nn.Sigmoid()), "module 1 (Sigmoid) must be a module that the export knows"),
        (end(Doubled(1, 4, 3), Step()), "module 0 (Doubled) must be a module that the export know"),
        (end(conv(dilation=2), Step()), "module 0 (Conv2d) must have dilation (1, 1), not (2, 2)"),
        (
            end(conv(), Step(), nn.Conv2d(4, 4, 3, groups=2), Step()),
            "module 2 (Conv2d) must have groups 1, not 2",
        ),
        (
            end(conv(padding=1, padding_mode="reflect"), Step()),
            "module 0 (Conv2d) must have padding_mode zeros, not reflect",
        ),
        (
            end(nn.Conv2d(1, 4, 2, padding="same"), Step()),
            "module 0 (Conv2d) must pad both sides alike, not a kernel of (2, 2)",
        ),
        (
            end(InputCodes(), conv(padding=1), Step()),
            "module 1 (Conv2d) must pad with -4.0, what code 0 stands for, not 0.0",
        ),
        (
            end(InputCodes(), QuantConv2d(1, 4, 3, padding=1, input_zero=128), Step()),
            "module 1 (QuantConv2d) must pad with -4.0, what code 0 stands for, not -128.0",
        ),
        (end(conv(), Step(), InputCodes()), "module 2 (InputCodes) must come first"),
        (end(conv(), conv()), "module 1 (Conv2d) must not follow 0 without an activation"),
        (end(Step(), conv()), "module 0 (Step) must follow a convolution or linear layer"),
        (end(nn.MaxPool2d(2), conv()), "module 0 (MaxPool2d) must follow a convolution or linear"),
        (end(conv(), Step(), QuantReLU()), "module 2 (QuantReLU) must not follow 1"),
        (end(conv(), Step(), norm(1)), "module 2 (BatchNorm2d) must stand before 1, not behind it"),
        (
            end(conv(), nn.BatchNorm2d(4, track_running_stats=False), Step()),
            "module 1 (BatchNorm2d) must track running statistics",
        ),
        (end(conv(), nn.MaxPool2d(3), Step()), "module 1 (MaxPool2d) must pool 2x2 with stride 2"),
        (end(conv(), nn.MaxPool2d(2, 1), Step()), "module 1 (MaxPool2d) must pool 2x2"),
        (end(conv(), nn.MaxPool2d((2, 1)), Step()), "module 1 (MaxPool2d) must pool 2x2"),
        (end(conv(), nn.MaxPool2d(2, ceil_mode=True), Step()), "(MaxPool2d) must pool 2x2 with"),
        (end(conv(), Step(), nn.AdaptiveMaxPool2d(2)), "(AdaptiveMaxPool2d) must pool to 1x1"),
        (end(conv(), Step(), nn.AvgPool2d(2)), "module 2 (AvgPool2d) must be a module that the ex"),
        (end(conv(), nn.MaxPool2d(2), Step()), "module 3 (GlobalMaxPool2d) must not pool a second"),
        (
            nn.Sequential(conv(), Step(), nn.Flatten(), nn.MaxPool2d(2)),
            "module 3 (MaxPool2d) must come before Flatten",
        ),
        (
            nn.Sequential(conv(), Step(), nn.Linear(7, 1)),
            "module 2 (Linear) must follow a Flatten or Linear",
        ),
        (
            nn.Sequential(nn.Flatten(), nn.Linear(72, 4), Step(), conv()),
            "module 3 (Conv2d) must not follow a Flatten or Linear",
        ),
        (
            nn.Sequential(conv(), Step(), nn.Flatten(2), nn.Linear(42, 1)),
            "module 2 (Flatten) must flatten all but the batch",
        ),
        (
            nn.Sequential(conv(), Step(), nn.Flatten(), nn.Linear(7, 1)),
            "module 3 (Linear) must take 168 features, not 7",
        ),
        (nn.Sequential(Skipping(conv())), "module 0 (Skipping) must be a module that the export"),
        (
            end(QuantConv2d(1, 4, 3), QuantReLU()),
            "module 1 (QuantReLU) step must be the same power of two",
        ),
        (
            end(conv(), QuantReLU(step=2.0**-12)),
            "module 1 (QuantReLU) step must be at least",
        ),
    ],
)
def test_what_has_no_place_is_refused_by_name(module: nn.Sequential, message: str) -> None:
    with pytest.raises(ExportError, match=re.escape(message)) as caught:
        export(module, draw())
    assert "\n" not in str(caught.value)


def test_weights_that_are_not_finite_are_refused() -> None:
    module = end(conv(), Step())
    nn.init.constant_(module[0].bias, float("nan"))
    with pytest.raises(ExportError, match=r"module 0 \(Conv2d\) must have finite weights"):
        export(module, draw())


def test_a_module_without_outputs_or_that_is_no_sequential_is_refused() -> None:
    with pytest.raises(ValueError, match="module must end in a convolution or linear layer"):
        export(nn.Sequential(conv(), Step()), draw())
    with pytest.raises(ValueError, match="module must end in a convolution or linear layer"):
        export(nn.Sequential(), draw())
    for module in (conv(), Skipping(conv())):
        with pytest.raises(TypeError, match=r"module must be a torch\.nn\.Sequential, not"):
            export(module, draw())  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (np.zeros((8, 9), np.uint8), r"must be \[channel, band, frame\] or a batch of such, not"),
        (np.zeros((1, 0, 9), np.uint8), r"must be \[channel, band, frame\] or a batch of such"),
        (np.full((1, 8, 9), 0.5), "must be integers from 0 to 15"),
        (np.full((1, 8, 9), -1), "must be integers from 0 to 15"),
        (np.full((1, 8, 9), 16), "must be integers from 0 to 15"),
    ],
)
def test_example_codes_are_checked(codes: NDArray[Any], message: str) -> None:
    module = end(InputCodes(zero=0, bits=4), conv(), Step())
    with pytest.raises(ValueError, match=f"example_codes {message}"):
        export(module, codes)


def test_the_contract_still_holds() -> None:
    with pytest.raises(NetworkError, match="layer conv1 must leave a map"):
        export(end(conv(), Step()), draw((1, 2, 9)))
    with pytest.raises(NetworkError, match="names must be 1 different non-empty names"):
        export(end(conv(), Step()), draw(), names=["a", "b"])
