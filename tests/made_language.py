"""The made-up language, each of whose tasks is made once in a session, for all processes of the tests."""

import minilanguage
from intertask.cache import remembered

generate = minilanguage.generate
minilanguage.generate = lambda name: remembered("made_language", name, lambda: generate(name))
