from intertask.errors import IntertaskError, did_you_mean, number_of, refusal


def test_close_name_is_suggested_whatever_its_case():
    assert did_you_mean("mini/rt", ["mini/rte", "cola"]) == " Did you mean 'mini/rte'?"
    assert did_you_mean("RTE", ["rte", "cola"]) == " Did you mean 'rte'?"
    assert did_you_mean("cola", ["CoLA"]) == " Did you mean 'CoLA'?"


def test_choices_are_listed_where_nothing_is_close():
    assert did_you_mean("xyz", ["rte", "cola"]) == " Choices: rte, cola."
    assert did_you_mean("xyz", []) == ""


def test_refusal_has_its_three_parts():
    error = refusal("a.csv, row 3", "an id", "'x'", " Mend it.")
    assert isinstance(error, IntertaskError)
    assert str(error) == "a.csv, row 3: expected an id, found 'x'. Mend it."


def test_a_notebook_shows_the_message_and_no_traceback():
    assert IntertaskError("Expected a study, found none.")._render_traceback_() == ["Expected a study, found none."]


def test_one_thing_is_counted_in_the_singular():
    assert [number_of(n, "run", "left") for n in (0, 1, 2)] == ["0 runs left", "1 run left", "2 runs left"]
    assert [number_of(n, "study") for n in (1, 3)] == ["1 study", "3 studies"]
    assert number_of(2, "key") == "2 keys"
