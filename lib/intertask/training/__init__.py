"""Batches and the training of one stage."""

from intertask.training.data import prepare
from intertask.training.train import Result, train

__all__ = ["Result", "prepare", "train"]
