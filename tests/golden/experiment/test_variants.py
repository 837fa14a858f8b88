"""Variants: exports equal their floats, and a warm start keeps what the float network knows."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from golden.binarise import middle
from golden.experiment.ones import ones
from golden.experiment.predictions import predict
from golden.experiment.start import start
from golden.experiment.variants import (
    ABLATIONS,
    VARIANTS,
    build,
    folded,
    sharpen,
    tame,
    variant,
)
from golden.export import compare_float, export
from golden.gradients import fires
from golden.quantise import QuantConv2d, QuantLinear

INTEGER = [name for name, one in (VARIANTS | ABLATIONS).items() if one.integer]


def clips(count: int, bits: int = 8, seed: int = 0) -> Tensor:
    """Codes whose mean and spread vary from clip to clip."""
    rng = np.random.default_rng(seed)
    level = rng.uniform(-1.5, 1.5, (count, 1, 1, 1))
    values = level + rng.standard_normal((count, 1, 24, 40)) * rng.uniform(0.3, 1.5, level.shape)
    codes = (np.rint(values * 2 ** (bits - 3)) + 2 ** (bits - 1)).clip(0, 2**bits - 1)
    return torch.from_numpy(codes.astype(np.uint8))


def targets(codes: Tensor) -> Tensor:
    return codes.float().mean(dim=(1, 2, 3))[:, None] / 64


def floats() -> nn.Sequential:
    torch.manual_seed(3)
    network = build(variant("float"))
    start(network, clips(32), targets(clips(32)))
    return network


@pytest.mark.parametrize("name", INTEGER)
def test_integers_equal_the_floats_they_come_from(name: str) -> None:
    one = variant(name)
    torch.manual_seed(1)
    network = build(one, dropout=0.3)
    codes = clips(32, one.input_bits)
    start(network, codes, targets(codes))
    exported = export(network.eval(), codes[:1].numpy(), names=["pesq"])
    assert exported.input_bits == one.input_bits
    for code in clips(3, one.input_bits, seed=5):
        agreed = compare_float(network, exported, code.numpy())
        assert len(agreed) == 7
        assert sum(layer.mismatches for layer in agreed) == 0
    if name == "pow2-scales":
        for layer in ("conv1", "conv2", "dense3"):
            part = network.get_submodule(layer)
            assert isinstance(part, QuantConv2d | QuantLinear)
            scales = part.scales()
            assert torch.equal(scales.log2(), scales.log2().round())


@pytest.mark.parametrize("name", [*VARIANTS, "dense-binary", "maxima-codes"])
@pytest.mark.parametrize("firing", [0.3, 0.5])
def test_a_fresh_start_is_undecided(name: str, firing: float) -> None:
    network = build(variant(name))
    codes = clips(48)
    start(network, codes, targets(codes), firing=firing)
    shares = ones(network, variant(name), codes)
    assert set(shares) == {"codes", "conv1", "conv2", "conv3", "conv4", "dense1", "dense2"}
    for layer, share in shares.items():
        if layer.startswith("conv") and variant(name).behind(int(layer[4:]) - 1) == "bits":
            assert share == pytest.approx(firing, abs=0.06)
        assert 0.02 < share < 0.98
    guess = predict(network, codes)[:, 0]
    assert guess.mean() == pytest.approx(float(targets(codes).mean()), abs=0.3)
    assert guess.std() > 0


def test_eight_bit_activations_keep_the_float_networks_function() -> None:
    source, codes = floats(), clips(32)
    network = build(variant("a8w8"))
    start(network, codes, targets(codes), source=source)
    for one in (codes, clips(32, seed=9)):
        wanted, got = predict(source, one)[:, 0], predict(network, one)[:, 0]
        assert np.corrcoef(wanted, got)[0, 1] > 0.98
        assert np.abs(wanted - got).mean() < 0.3 * wanted.std()


def test_a_float_network_starts_as_its_source() -> None:
    source, codes = floats(), clips(8)
    network = build(variant("float"))
    start(network, codes, targets(codes), source=source)
    np.testing.assert_allclose(predict(network, codes), predict(source, codes), atol=1e-5)


@pytest.mark.parametrize("name", ["bam", "bam-w8"])
def test_bits_start_with_the_float_networks_features(name: str) -> None:
    source, codes = floats(), clips(32)
    network = build(variant(name))
    start(network, codes, targets(codes), source=source)
    old, new = (net.get_submodule("conv1").weight.flatten(1) for net in (source, network))
    ratio = new / old
    assert torch.allclose(ratio, ratio[:, :1].expand_as(ratio), rtol=1e-3)
    wanted, got = predict(source, codes)[:, 0], predict(network, codes)[:, 0]
    assert wanted.mean() == pytest.approx(got.mean(), abs=0.1)


@torch.no_grad()
@pytest.mark.parametrize("name", ["bam-w8", "dense-binary"])
def test_bits_fire_as_often_as_the_source_is_in_its_upper_group(name: str) -> None:
    source, codes = floats(), clips(24)
    network = build(variant(name))
    start(network, codes, targets(codes), source=source)
    layers = ["fire1", "fire2", "fire3", "fire4"] + ["relu1"] * (name == "dense-binary")
    x, y = codes, codes
    felt, bits = {}, {}
    for part, layer in source.named_children():
        x = felt[part] = layer(x)
    for part, layer in network.train().named_children():
        y = bits[part] = layer(y)
    seen = []
    for part in layers:
        values, ones_of = (each[part].transpose(0, 1).flatten(1) for each in (felt, bits))
        wanted = (values > middle(values)[:, None]).float().mean(dim=1)
        some = (wanted > 0.05) & (wanted < 0.95)
        few = 3 / values.shape[1]  # clips that rounded weights before it may move
        assert torch.allclose(ones_of.mean(dim=1)[some], wanted[some], atol=max(0.03, few))
        seen += wanted.tolist()
    assert max(seen) - min(seen) > 0.2


@torch.no_grad()
@pytest.mark.parametrize("name", ["bam", "bam-w8", "dense-binary"])
def test_norms_leave_a_start_as_it_is(name: str) -> None:
    source, codes = floats(), clips(16)
    maps = {}
    for norm in (False, True):
        network = build(variant(name), norm=norm)
        start(network, codes, targets(codes), source=source)
        x = codes
        for part, layer in network.train().named_children():
            x = layer(x)
            if part.startswith("fire"):
                maps[part, norm] = x
    for i in range(1, 5):
        differing = (maps[f"fire{i}", False] != maps[f"fire{i}", True]).float().mean()
        # Sums at the threshold, by roundings; behind the first layer they add up.
        assert differing < (0.01 if i == 1 else 0.1)


def bits() -> nn.Sequential:
    network = build(variant("bam"), outputs=1)
    start(network, clips(32), targets(clips(32)), source=floats())
    with torch.no_grad():
        for i, conv in enumerate(("conv1", "conv2", "conv3", "conv4")):  # where no start puts them
            bias = network.get_submodule(conv).bias
            bias.add_(torch.linspace(-0.6, 0.6, len(bias)).roll(i))
    return network


@torch.no_grad()
@pytest.mark.parametrize(
    "name", ["bam-w8", "pow2-scales", "dense-binary", "maxima-codes", "maxima-2bit"],
)
def test_bits_that_are_there_stay(name: str) -> None:
    source, codes = bits(), clips(32)
    network = build(variant(name), norm=True, normed=3)
    assert [n for n, _ in network.named_children() if n.startswith("norm")] == (
        [] if name.startswith("maxima") else ["norm4"]
    )
    start(network, codes, targets(codes), source=source, firing=0.9)
    network.eval()
    parts = dict(network.named_children())
    x = codes
    for i in range(1, 5):  # each layer on the bits that the source gives it
        given = source.get_submodule("codes")(x) if i == 1 else x
        x = source.get_submodule("pad1")(given) if i == 1 else given
        for part in (f"conv{i}", f"pool{i}", f"fire{i}"):
            x = source.get_submodule(part)(x)
        y = given
        normed = [each for each in (f"norm{i}",) if each in parts]
        for part in (f"conv{i}", *normed, f"pool{i}", f"fire{i}"):
            y = parts[part](y)
        middle_code = 1.5 * float(parts["fire4"].step) if name == "maxima-2bit" and i == 4 else 0
        agree = ((y > middle_code) == (x > 0)).float().mean()
        assert agree > (0.7 if middle_code else 0.97 if i == 4 else 0.99)  # but for rounding
        assert 0.05 < x.mean() < 0.95
    y, wanted = y.flatten(1), x.flatten(1)
    for part in ("dense1", "relu1", "dense2", "relu2", "dense3"):
        wanted, y = source.get_submodule(part)(wanted), parts[part](y)
    alike = np.corrcoef(wanted[:, 0].numpy(), y[:, 0].numpy())[0, 1]
    least = {"bam-w8": 0.95, "pow2-scales": 0.9, "dense-binary": 0.3}  # others: of new activations
    assert alike > least.get(name, 0.5)


@torch.no_grad()
def test_folded_norms_change_nothing() -> None:
    codes = clips(6)
    for name in ("float", "bam"):
        network = build(variant(name), norm=True)
        start(network, codes, targets(codes))
        for part in network.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean.uniform_(-0.5, 0.5)
                part.running_var.uniform_(0.5, 2.0)
                part.weight.uniform_(-0.1, 2.0)
                part.bias.uniform_(-0.5, 0.5)
        tame(network)
        plain = folded(network)
        assert not any(isinstance(part, nn.BatchNorm2d) for part in plain.modules())
        assert any(isinstance(part, nn.BatchNorm2d) for part in network.modules())
        np.testing.assert_allclose(
            predict(network, codes), predict(plain, codes), atol=1e-4,
        )


@pytest.mark.parametrize("name", ["bam-w8", "pow2-scales", "dense-binary"])
def test_trained_norms_become_thresholds(name: str) -> None:
    codes = clips(12)
    network = build(variant(name), norm=True)
    start(network, codes, targets(codes))
    network.train()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(6):
        optimiser.zero_grad()
        (network(codes) - targets(codes)).square().mean().backward()
        optimiser.step()
        tame(network)
    best = folded(network)
    integers = export(best, codes[:1].numpy())
    for one in codes[:3]:
        for layer in compare_float(best, integers, one.numpy()):
            assert layer.mismatches == 0


def test_codes_of_fewer_bits_start_from_the_sources_own_codes() -> None:
    source, codes = floats(), clips(32)
    few = clips(32, bits=4)
    network = build(variant("codes-4"))
    start(network, few, targets(codes), source=source, source_codes=codes, groups=False)
    shares = ones(network, variant("codes-4"), few)
    assert all(shares[f"conv{i}"] == pytest.approx(0.5, abs=0.06) for i in range(1, 5))


def test_sharpening_ends_at_the_step() -> None:
    network = build(variant("bam"))
    step = network.get_submodule("fire1")
    u = torch.linspace(-2, 2, 41)
    step.train()
    sharpen(network, 1.0)
    soft = step(u)
    assert torch.allclose(soft, 0.5 + 0.5 * u / (1 + u.abs()))
    sharpen(network, 1e6)
    assert torch.allclose(step(u)[u.abs() > 0.01], fires(u)[u.abs() > 0.01], atol=1e-3)
    sharpen(network, 1.0)
    assert torch.equal(step.eval()(u), fires(u))
    sharpen(network, None)
    assert torch.equal(step.train()(u), fires(u))


def test_names() -> None:
    assert list(VARIANTS) == ["float", "bam", "bam-w8", "a8w8"]
    assert variant("beta-7.5").beta == 7.5
    for name in ("bam9", "beta-", "beta-x"):
        with pytest.raises(ValueError, match="variant must be one of float, bam"):
            variant(name)


def test_two_outputs() -> None:
    network = build(variant("bam-w8"), outputs=2)
    codes = clips(16)
    both = torch.cat([targets(codes), 5 - targets(codes)], dim=1)
    start(network, codes, both)
    guess = predict(network, codes)
    assert guess.shape == (16, 2)
    np.testing.assert_allclose(guess.mean(axis=0), both.mean(dim=0), atol=0.3)
