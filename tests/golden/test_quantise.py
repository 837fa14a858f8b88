"""The layers: firing rule, surrogate, fake-quantised weights, requantised codes."""

import pytest
import torch
from torch import nn

from golden.gradients import fires
from golden.quantise import (
    GlobalMaxPool2d,
    InputCodes,
    QuantConv2d,
    QuantLinear,
    QuantReLU,
    Step,
)


def test_fires_above_zero_only() -> None:
    assert fires(torch.tensor([-1.0, -0.0, 0.0, 1e-30, 2.0])).tolist() == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("beta", [0.0, 1.0, 5.0])
def test_step_has_the_superspike_gradient(beta: float) -> None:
    u = torch.tensor([-2.0, -0.5, 0.0, 0.5, 2.0], requires_grad=True)
    bits = Step(beta)(u)
    bits.sum().backward()
    assert bits.tolist() == [0, 0, 0, 1, 1]
    assert u.grad is not None
    assert u.grad.tolist() == pytest.approx([(beta * abs(v) + 1) ** -2 for v in u.tolist()])


def test_weights_are_integers_times_one_scale_per_output() -> None:
    torch.manual_seed(1)
    layer = QuantConv2d(3, 5, 3)
    codes = layer.weight_codes().detach()
    assert torch.equal(codes, codes.round())
    assert codes.flatten(1).abs().amax(1).tolist() == [127] * 5
    back = codes * layer.scales()[:, None, None, None]
    assert bool(((back - layer.weight).abs() <= layer.scales()[:, None, None, None] * 0.501).all())


def test_unit_scale_is_the_same_for_all_rows() -> None:
    torch.manual_seed(1)
    layer = QuantLinear(9, 4, scale="unit")
    with torch.no_grad():
        layer.weight[2] *= 100
    assert layer.scales().tolist() == [2.0**-7] * 4
    assert layer.weight_codes().abs().amax(1).tolist() == [127] * 4


def test_relu_rounds_half_up_as_a_shift_does() -> None:
    relu = QuantReLU(bits=3, step=0.25)
    u = torch.tensor([-1.0, 0.124, 0.125, 0.375, 0.6, 9.0], requires_grad=True)
    codes = relu(u)
    codes.sum().backward()
    assert (codes / 0.25).tolist() == [0, 0, 1, 2, 2, 7]
    assert u.grad is not None
    assert u.grad.tolist() == [0, 1, 1, 1, 1, 0]


@pytest.mark.parametrize(("top", "step"), [(127.5, 1.0), (128.0, 2.0), (1.0, 2.0**-6)])
def test_relu_calibrates_to_hold_twice_the_batch(top: float, step: float) -> None:
    relu = QuantReLU(bits=8)
    relu.calibrate(torch.tensor([0.0, top]))
    assert float(relu.step) == step


def test_padding_is_code_zero() -> None:
    layer = QuantConv2d(1, 1, 3, padding=1, bias=False, input_step=2.0**-5, input_zero=128)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    codes = torch.full((1, 1, 3, 3), 128)
    for mode in (True, False):
        sums = layer.train(mode)(InputCodes()(codes))
        # A corner sees five padded pixels, each worth (0 - 128) / 32; the centre sees none.
        assert float(sums[0, 0, 0, 0].detach()) == pytest.approx(-20.0, abs=1e-5)
        assert float(sums[0, 0, 1, 1].detach()) == pytest.approx(0.0, abs=1e-5)


def test_training_and_evaluation_agree_away_from_ties() -> None:
    torch.manual_seed(3)
    network = nn.Sequential(
        InputCodes(bits=4, zero=8, step=0.25),
        QuantConv2d(2, 4, (3, 2), padding=(1, 0), input_step=0.25, input_zero=8),
        GlobalMaxPool2d(),
        nn.Flatten(),
        QuantLinear(4, 2),
    )
    codes = torch.randint(16, (5, 2, 6, 7))
    trained, evaluated = network.train()(codes), network.eval()(codes)
    assert torch.allclose(trained, evaluated, atol=1e-5)


def test_every_parameter_learns() -> None:
    torch.manual_seed(3)
    network = nn.Sequential(
        QuantConv2d(1, 4, 3),
        Step(),
        nn.Flatten(),
        QuantLinear(16, 8, scale="unit"),
        QuantReLU(),
        QuantLinear(8, 1, input_step=2.0**-4),
    )
    network(torch.rand(8, 1, 4, 4)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().sum()) > 0, name


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Step(-1.0), "beta must be at least 0, not -1.0"),
        (lambda: QuantReLU(bits=9), "bits must be an integer from 1 to 8, not 9"),
        (lambda: QuantReLU(step=0.3), "step must be a positive power of two, not 0.3"),
        (lambda: InputCodes(bits=0), "bits must be an integer from 1 to 8, not 0"),
        (lambda: InputCodes(zero=16, bits=4), "zero must be a code of 4 bits, not 16"),
        (lambda: QuantLinear(2, 2, input_step=3.0), "input_step must be a positive power of two"),
        (lambda: QuantConv2d(1, 1, 1, scale="big"), "scale must be one of free, unit, power, not"),
    ],
)
def test_refuses(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=message):
        make()
