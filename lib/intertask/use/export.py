"""A finished run as a folder that plain transformers loads: the encoder with its head, the tokenizer, a model card."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import transformers

from intertask.encoders.pretrained import save_encoder
from intertask.errors import refusal
from intertask.files import new_folder
from intertask.tasks.schema import TaskEntry
from intertask.training import prepare
from intertask.training.model import stored_model
from intertask.use.adapter import loaded_adapter, refuse_no_adapter, write_adapter
from intertask.use.agreement import AT_ONCE, Check, held_against, match_in_words
from intertask.use.card import card_of
from intertask.use.choice import Chosen, choose
from intertask.use.plain import class_name, head_modules, plain_model

MOST_PREDICTED = 256
"""Dev examples that are predicted anew from what was written."""


def export_run(
    what: str, to: Path, task: str = "", rule: str = "best", adapter: bool = False, say: Callable[[str], None] = print
) -> Path:
    """Writes a run, or the one of a study that the rule chooses, into a new or empty folder; whole or not at all.

    what: a run's id or its beginning, a folder of a run, or a study's name. task: which, of several. adapter: of a run
    with LoRA the adapter alone, for peft. What was written is loaded anew and predicts dev examples; raises
    IntertaskError where that does not give the run's own logits, and where transformers has no such head.
    """
    with new_folder(to) as folder:
        chosen = choose(what, task, rule)
        say(f"{chosen.record['id']}, {chosen.task}")
        check, entry = write_model(chosen, folder, adapter)
        say(match_in_words(chosen, check))
        (folder / "README.md").write_text(card_of(chosen, check, entry, adapter), encoding="utf-8")
    return to


def push(folder: Path, repo: str) -> str:
    """Uploads a folder to the Hub, into a new private repository or one that is there; returns its address."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, HTTPError, OfflineModeIsEnabled

    remedy = f"The folder is whole. Log in with `hf auth login`, be online, and repeat: hf upload {repo} {folder}"
    try:
        api = HfApi()
        url = api.create_repo(repo, private=True, exist_ok=True)
        api.upload_folder(repo_id=url.repo_id, folder_path=folder)
        return str(url)
    except (HfHubHTTPError, HTTPError, HFValidationError, OfflineModeIsEnabled, OSError) as error:
        found = " ".join(str(error).split()[:30]) or type(error).__name__
        raise refusal(f"--push {repo}", "the Hub, and leave to write there", found, remedy) from None


def write_model(chosen: Chosen, folder: Path, adapter: bool = False) -> tuple[Check, TaskEntry]:
    """Writes weights, configuration and tokenizer, and holds what plain transformers makes of them against the run.

    Returns how it agrees, and the task's entry with its labels' names.
    """
    run, task = chosen.run, chosen.task
    if adapter:
        refuse_no_adapter(chosen)
    torch.set_num_threads(run.threads)  # as it predicted
    model = stored_model(run, chosen.encoder)
    part = next(part for part in model.parts if part.name == task)
    class_name(run, part.task.entry)  # refused before the data is read
    rows = prepare(run)[task].splits[chosen.outcome["reported"]].head(MOST_PREDICTED)
    encoded = part.format.encode(rows, model.tokenizer, run.max_length)
    probe = model.batch(part, encoded, np.arange(min(AT_ONCE, len(rows))), np.random.default_rng(0))
    plain = plain_model(model, part, run, probe)
    model.tokenizer.model_max_length = run.max_length
    model.tokenizer.padding_side = "right"  # as the run padded: on the left a class may read another token
    if adapter:
        write_adapter(chosen, plain, model, folder)
    else:
        save_encoder(plain, model.tokenizer, folder)
    kind = getattr(transformers, class_name(run, part.task.entry))
    again = loaded_adapter(kind, chosen, folder) if adapter else kind.from_pretrained(folder)
    check = held_against(chosen, model, part, rows, again.eval(), folder)
    check.carried = len(head_modules(plain, model.encoder.state_dict())) == 2 and run.pooling != "pooler"
    return check, part.task.entry
