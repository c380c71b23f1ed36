"""The mini encoders that read words, and the one that stands on another."""

import pytest
import torch

from intertask.encoders.mini import BILSTMS, ON_ELMO
from intertask.encoders.pretrained import load_encoder, mixed_layers, save_encoder
from intertask.run import Run
from intertask.studies.graph import expand
from intertask.studies.ready import prepared_encoder
from intertask.studies.study import Study
from intertask.training import prepare, train
from made_words import padded


def same(one, other) -> bool:
    return all(torch.equal(weights, other.state_dict()[name]) for name, weights in one.state_dict().items())


@pytest.mark.parametrize("name", ["mini/elmo", *BILSTMS])
def test_those_that_read_words_are_random_by_seed(name):
    (one, _), (again, _), (other, _) = (load_encoder(name, seed=seed) for seed in (1, 1, 2))
    assert same(one, again) and not same(one, other)
    states = one(*padded([["the", "plum"]]), output_hidden_states=True)
    assert states.last_hidden_state.shape == (1, 2, one.config.hidden_size)
    assert len(states.hidden_states) == mixed_layers(one.config)


def test_a_bilstm_stands_on_the_elmo_that_a_run_pretrained_and_comes_back_whole(tmp_path):
    elmo, tokenizer = load_encoder("mini/elmo", seed=3)
    save_encoder(elmo, tokenizer, tmp_path / "elmo")
    run = Run(task="mini/cola", encoder=ON_ELMO, seed=1)
    first, again, other = (
        prepared_encoder(one, tmp_path / "elmo")[0] for one in (run, run, Run(**vars(run) | {"seed": 2}))
    )
    assert same(elmo, first.words) and same(first, again) and same(elmo, other.words)
    assert not same(first.lstm, other.lstm)
    save_encoder(first, tokenizer, tmp_path / "both")
    assert same(first, prepared_encoder(run, tmp_path / "both")[0])


def test_what_stands_on_a_run_is_another_encoder_than_what_the_run_left():
    elmo, both = (Run(task="mini/cola", encoder=name, parent="x").identity() for name in ("mini/elmo", ON_ELMO))
    assert elmo != both and both["encoder"] == ON_ELMO and "encoder" not in elmo


def test_of_both_encoders_one_run_pretrains_the_elmo():
    study = Study(title="t", regimes=["single"], encoders=["mini/elmo", ON_ELMO], targets=["mini/cola"], seeds=1)
    found = expand("g", study)
    (pretraining,) = [run for run in found.runs.values() if run.parent is None]
    assert (pretraining.task, pretraining.encoder, pretraining.keep_encoder) == ("mini/text_words", "mini/elmo", True)
    assert sorted(run.encoder for run in found.runs.values() if run.parent) == ["mini/elmo", ON_ELMO]


def test_a_target_model_mixes_the_layers_of_elmo_below_a_frozen_bilstm():
    settings = {"tuning": "frozen", "scalar_mix": True, "classifier": "small", "learning_rate": 1e-2}
    run = Run(task="mini/cola", encoder=ON_ELMO, limit=64, num_train_epochs=2, **settings)
    model = train(run, prepare(run), run.encoder).model
    assert same(model.encoder, load_encoder(ON_ELMO)[0])
    head = model.head(model.parts[0])
    assert len(head.weights) == 3 and head.weights.abs().max() > 0
    assert head.weights.softmax(0).sum().item() == pytest.approx(1)
