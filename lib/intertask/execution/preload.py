"""What a run imports, imported once: workers and their kernels are forked from a process that has loaded this module.

Nothing here may start a thread, touch a GPU or read data: what is forked must be a fresh start.
"""

# ruff: noqa: E402, F401
import gc
import importlib
import io
import os

from intertask.execution.kernel import QUIET

os.environ |= QUIET  # the libraries read most of it when they are imported


import ipykernel.debugger
import ipykernel.kernelapp
import ipykernel.zmqshell
import IPython.core.completerlib
import IPython.core.pylabtools
import nbformat
import pandas.core.arrays.arrow.extension_types
import pandas.core.reshape.reshape
import pandas.io.formats.csvs
import pandas.io.formats.html
import pandas.io.formats.string
import papermill
import pyarrow.pandas_compat
import pyarrow.parquet
import scipy.stats
import sklearn.metrics
from matplotlib.figure import Figure
from transformers import AutoModel, AutoTokenizer, BertModel, GPT2Model, PreTrainedTokenizerFast

import minilanguage
from intertask.execution import engine, kernel
from intertask.studies import store
from intertask.tasks.catalogue import catalogue

# studies do not know what trains and what shows it; notebooks do
for name in ("intertask.training.record", "intertask.views.run_view", "intertask.analysis.tables"):
    importlib.import_module(name)
catalogue()  # parsed once: it is the same for all
Figure().subplots().figure.savefig(io.BytesIO(), bbox_inches="tight")  # reads the fonts
nbformat.validate(nbformat.v4.new_notebook())  # compiles the schema
gc.collect()
gc.freeze()  # or the collector's marks would copy every page into every process
