"""Linear layers through oneDNN: the same numbers, the same parameters, and only where they are wide."""

import copy

import pytest
import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from intertask.encoders.linear import WIDE, OneDnnConv1D, OneDnnLinear, use_onednn


def outputs_and_gradients(layer: nn.Module, inputs: torch.Tensor) -> list[torch.Tensor]:
    inputs = inputs.clone().requires_grad_()
    outputs = layer(inputs)
    (outputs * torch.arange(outputs.numel()).reshape(outputs.shape).cos()).sum().backward()
    return [outputs.detach(), inputs.grad, *(p.grad for p in layer.parameters())]


@pytest.mark.parametrize("shape", [(3, 5), (7,)])
@pytest.mark.parametrize(
    "make, kind",
    [
        (lambda: nn.Linear(WIDE, WIDE + 1), OneDnnLinear),
        (lambda: nn.Linear(WIDE, WIDE + 1, bias=False), OneDnnLinear),
        (lambda: Conv1D(WIDE + 1, WIDE), OneDnnConv1D),  # of GPT: its weights lie the other way round
    ],
)
def test_outputs_and_gradients_are_those_of_torch(make, kind, shape):
    torch.manual_seed(0)
    layer = make()
    fast = copy.deepcopy(layer)
    use_onednn(fast)
    assert type(fast) is kind
    inputs = torch.randn(*shape, WIDE)
    for found, expected in zip(outputs_and_gradients(fast, inputs), outputs_and_gradients(layer, inputs), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_a_transposed_input_and_a_frozen_weight_are_multiplied_too():
    layer = nn.Linear(WIDE, WIDE).requires_grad_(False)
    inputs = torch.randn(WIDE, 4, requires_grad=True)
    expected = torch.autograd.grad(layer(inputs.T).sum(), inputs)[0]
    use_onednn(layer)
    torch.testing.assert_close(torch.autograd.grad(layer(inputs.T).sum(), inputs)[0], expected)
    assert layer.weight.grad is None


def test_parameters_keep_their_names_and_narrow_layers_their_class():
    module = nn.Sequential(nn.Linear(WIDE, WIDE), nn.Linear(WIDE, 2), nn.Linear(WIDE, WIDE).double())
    before = list(module.state_dict())
    use_onednn(module)
    assert [type(layer) for layer in module] == [OneDnnLinear, nn.Linear, nn.Linear]
    assert list(module.state_dict()) == before


def test_the_same_product_twice_has_the_same_bits():
    torch.manual_seed(0)
    layer = nn.Linear(WIDE, WIDE)
    use_onednn(layer)
    inputs = torch.randn(31, WIDE)
    first, second = outputs_and_gradients(layer, inputs), outputs_and_gradients(copy.deepcopy(layer), inputs)
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])
