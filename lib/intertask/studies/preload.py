"""What a run imports, imported once: workers and their kernels are forked from a process that has loaded this module.

Nothing here may start a thread, touch a GPU or read data: what is forked must be a fresh start.
"""

# ruff: noqa: E402, F401
import gc
import os

from intertask.studies.worker import QUIET

os.environ |= QUIET  # the libraries read most of it when they are imported

import sqlite3

import IPython.core.completerlib
import IPython.core.debugger
import IPython.core.oinspect
import IPython.core.pylabtools
import IPython.extensions.storemagic
import ipykernel.debugger
import ipykernel.kernelapp
import matplotlib.backends.backend_agg
import pandas.io.formats.csvs
import pandas.io.formats.html
import pandas.io.formats.string
import papermill
import PIL.BmpImagePlugin
import PIL.GifImagePlugin
import PIL.JpegImagePlugin
import PIL.PpmImagePlugin
import pyarrow.pandas_compat
import pyarrow.parquet
import scipy.stats
import sklearn.metrics
from transformers import AutoModel, AutoTokenizer, BertModel, PreTrainedTokenizerFast

from intertask.studies import kernel, store
from intertask.tasks import mini
from intertask.training import view

gc.collect()
gc.freeze()  # or the collector's marks would copy every page into every process
