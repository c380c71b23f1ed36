"""What the tests of figures share."""

import matplotlib.pyplot as plt
import pytest


@pytest.fixture
def ax():
    fig, ax = plt.subplots()
    yield ax
    fig.canvas.draw()  # warnings of the drawing itself are errors too
    plt.close(fig)
