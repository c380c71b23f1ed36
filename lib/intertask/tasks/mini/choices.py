"""Multiple choice: which ending, cause or answer is right."""

import numpy as np

from intertask.tasks.mini import grammar
from intertask.tasks.mini.inference import ENTAILMENT, related
from intertask.tasks.mini.meaning import relation
from intertask.tasks.mini.sampling import HOME, Rows, statement, vary


def continuations(rng: np.random.Generator) -> Rows:
    """Rows (ctx, endings, label): a statement with "so" behind it; one of four endings follows from it."""
    while True:
        right = statement(rng, HOME)
        premise = related(rng, right, HOME, {ENTAILMENT})
        if premise is None:
            continue
        endings = [grammar.sentence(rng, right)]
        while len(endings) < 4:
            wrong = vary(rng, premise, HOME)
            if relation(premise, wrong) != ENTAILMENT and (said := grammar.sentence(rng, wrong)) not in endings:
                endings.append(said)
        order = rng.permutation(4).tolist()
        yield f"{grammar.clause(rng, premise)} , so", [endings[i] for i in order], order.index(0)
