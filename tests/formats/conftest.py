import pytest

from intertask.encoders.pretrained import load_encoder


@pytest.fixture(scope="session")
def encoder():
    """mini/bert with random weights, in evaluation mode, and its tokenizer: words it does not know become letters."""
    model, tokenizer = load_encoder("mini/bert")
    return model.eval(), tokenizer
