"""The classifiers of Wang et al. 2019 on the words of one text or two, against the same written out."""

import pytest
import torch

from intertask.formats.heads import SIZES, CrossAttention, SentenceHead, Size


def batch(*lengths: int) -> dict[str, torch.Tensor]:
    longest = max(lengths)
    return {"attention_mask": torch.tensor([[1] * length + [0] * (longest - length) for length in lengths])}


@pytest.fixture
def states():
    torch.manual_seed(0)
    return torch.randn(4, 3, 6)


def test_of_one_text_the_largest_of_each_projection_counts(states):
    head = SentenceHead(6, 2, Size(5, 0.0), pair=False)
    found = head(states, batch(3, 1, 2, 3))
    second = head.projection(states[1, 0])  # of the first word alone
    third = torch.maximum(*head.projection(states[2, :2]))
    expected = head.linear(head.hidden(torch.stack([second, third])).tanh())
    torch.testing.assert_close(found[1:3], expected)


def test_of_a_pair_both_their_product_and_their_difference_are_read(states):
    """Sequences 0 and 1 are an example, 2 and 3 the next."""
    head = SentenceHead(6, 2, Size(5, 0.0), pair=True)
    found = head(states, batch(3, 1, 2, 3))
    words = head.projection(states)
    u, v = words[0].amax(0), words[1, 0]
    expected = head.linear(head.hidden(torch.cat([u, v, u * v, u - v])).tanh())
    assert found.shape == (2, 2)
    torch.testing.assert_close(found[0], expected)


def test_a_regression_reads_the_size_of_the_difference(states):
    head = SentenceHead(6, 2, Size(5, 0.0, hidden=False), pair=True)
    words = head.projection(states)
    u, v = words[0].amax(0), words[1, 0]
    expected = head.linear(torch.cat([u, v, u * v, (u - v).abs()]))
    torch.testing.assert_close(head(states, batch(3, 1, 2, 3))[0], expected)


def test_a_word_attends_to_the_words_of_the_other_text_alone(states):
    attention, mask = CrossAttention(6), batch(3, 1, 2, 3)["attention_mask"].bool()
    found = attention(states, mask)
    changed = states.clone()
    changed[1, 1:] = 9  # padding of the other text
    changed[2:] = 9  # another pair
    torch.testing.assert_close(attention(changed, mask)[0], found[0])
    changed[1, 0] += 1
    assert not torch.allclose(attention(changed, mask)[0], found[0])
    # of one word there is one thing to attend to
    beside = states[1, 0].expand(3, 6)
    read = torch.cat([states[0], beside, states[0] * beside], dim=-1)
    torch.testing.assert_close(attention.lstm(read)[0], found[0])


def test_the_sizes_are_those_of_table_5_and_a_regression():
    assert {name: tuple(size) for name, size in SIZES.items()} == {
        "small": (128, 0.4, False, True),
        "medium": (256, 0.2, False, True),
        "large": (512, 0.2, True, True),
        "logistic": (512, 0.2, False, False),
    }
