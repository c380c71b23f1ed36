"""The bar of a training that somebody watches."""

import os
from functools import partial

from tqdm.auto import tqdm

bar = partial(tqdm, leave=False, mininterval=1, disable=bool(os.environ.get("TQDM_DISABLE")))
"""tqdm's, of a notebook or a terminal; in notebooks it does not heed TQDM_DISABLE by itself."""
