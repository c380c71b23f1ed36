"""Batches and the training of one stage."""

from intertask.training.data import prepare as prepare
from intertask.training.train import train as train
