"""A notebook's parameters cell: names and types come from its annotations."""

import pytest

from intertask.parameters import check_parameters, declared

CELL = 'study: str = "demo"  # which\nconfidence: float = 0.95  # share'


def namespace(**changed) -> dict:
    """What stands in a notebook's `globals()` when the cell after the parameters cell is executed."""
    return {"study": "demo", "confidence": 0.95, "_i1": CELL, "In": ["", CELL, 'study = "demo"'], "Out": {}} | changed


def test_names_and_types_come_from_the_cell(refused):
    refused(lambda: check_parameters(namespace(confidnce=0.9)), "no parameter 'confidnce'. Did you mean 'confidence'?")
    refused(lambda: check_parameters(namespace(confidence="0.9")), "confidence: expected float, found '0.9'")
    refused(lambda: check_parameters(namespace(study=None)), "study: expected str, found None")


def test_later_the_notebook_has_variables_of_its_own():
    found = namespace()
    check_parameters(found)
    check_parameters(found | {"later": "a variable of the notebook"})


def test_of_a_cell_that_was_mended_the_last_text_counts(refused):
    mended = CELL.replace("share", "of all").replace("float", "str")
    assert declared(["", CELL, "seed: int =", "import pandas", mended]) == {"study": str, "confidence": str}
    refused(lambda: declared(["", "import pandas"]), "Expected a parameters cell")


@pytest.mark.parametrize(
    "line, kind", [("tables: list = []", list), ("metrics: dict = {}", dict), ("x: bool = 1", bool)]
)
def test_every_literal_has_its_type(line, kind):
    assert list(declared([line]).values()) == [kind]
