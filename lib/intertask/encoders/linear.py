"""Linear layers that multiply with oneDNN on a processor.

For float32, PyTorch multiplies with MKL, which is slow on AMD's newer processors; oneDNN, which PyTorch carries too, is
not (`tests/benchmarks/bench.py real` shows what a training gains). Sums are formed in another order: results differ by
float noise.
"""

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

WIDE = 256
"""Rows and columns from which it is done: narrower layers, the mini encoders', keep the bits that they had."""


def use_onednn(module: nn.Module) -> None:
    """Makes the module's wide linear layers, GPT's too, on the CPU and in float32, multiply with oneDNN.

    In place; parameters, their names and what is saved stay as they were. Does nothing where PyTorch lacks oneDNN.
    """
    if not (torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")):
        return
    for layer in module.modules():
        faster = {nn.Linear: OneDnnLinear, Conv1D: OneDnnConv1D}.get(type(layer))
        if faster and min(layer.weight.shape) >= WIDE and layer.weight.dtype == torch.float32:
            layer.__class__ = faster


class OneDnnLinear(nn.Linear):
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return _Linear.apply(inputs, self.weight, self.bias)


class OneDnnConv1D(Conv1D):
    """The linear layer of GPT and GPT-2, whose weights are the other way round."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return _Linear.apply(inputs, self.weight.T, self.bias)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, inputs, weight, bias):
        ctx.save_for_backward(inputs, weight)
        return _multiply(inputs, weight, bias)

    @staticmethod
    def backward(ctx, gradient):
        inputs, weight = ctx.saved_tensors
        of_inputs, of_weight, of_bias = ctx.needs_input_grad
        rows, gradient = inputs.flatten(0, -2), gradient.flatten(0, -2)
        return (
            _multiply(gradient, weight.T, None).view_as(inputs) if of_inputs else None,
            _multiply(gradient.T, rows.T, None) if of_weight else None,
            gradient.sum(0) if of_bias else None,
        )


def _multiply(inputs: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """inputs @ weight.T + bias"""
    return torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")
