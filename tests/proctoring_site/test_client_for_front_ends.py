"""What front ends with a build step need of the client's module: its types, and that a server can import it.

That the types compile was tried by hand: TypeScript is large, and what rots are names.
"""

import re
import subprocess
from pathlib import Path

from django.conf import settings

from sessions_app.serializers import CommandSerializer, HeartbeatSerializer
from sessions_app.states import State
from tests.node import NODE

FOLDER = Path(settings.BASE_DIR) / "proctoring_site/static"
MODULE, TYPES = ((FOLDER / name).read_text() for name in ("proctoring-client.js", "proctoring-client.d.ts"))


def between(text: str, opening: str, closing: str) -> str:
    return text.partition(opening)[2].partition(closing)[0]


def names(pattern: str, text: str) -> set[str]:
    return set(re.findall(pattern, text, re.MULTILINE))


def words(text: str) -> set[str]:
    return names(r'"(\w+)"', text)


def test_the_client_has_the_members_that_the_module_has():
    opening = "class ProctoringClient extends EventTarget {"
    said = names(r"^  (?:static |readonly |get )*(\w+)[(<:]", between(TYPES, opening, "\n}\n"))
    there = names(r"^  (?:static |async |get )*([a-z]\w*)(?:\(.*\{$| =)", between(MODULE, opening, "\n}\n"))
    assert said - {"addEventListener", "removeEventListener"} == there


def test_options_and_events_have_the_names_that_the_module_knows():
    field = r"^  (\w+)\??:"
    assert names(field, between(TYPES, "interface ClientOptions {", "\n}\n")) == names(
        r"^  (\w+):", between(MODULE, "const DEFAULTS = {", "\n};")
    )
    assert names(field, between(TYPES, "interface ClientEvents {", "\n}\n")) == names(r'#tell\("(\w+)"', MODULE)
    taken = names(r"(\w+)(?: = \S+?)?,? ", between(MODULE, "async upload(blob, {", "} = {}"))
    assert names(field, between(TYPES, "interface UploadOptions {", "\n}\n")) == taken


def test_what_the_server_says_has_its_words():
    assert words(between(TYPES, "type State =", ";")) == set(State.values)
    said = between(between(TYPES, "interface Command {", "\n}\n"), "action:", ";")
    assert words(said) == set(CommandSerializer().fields["action"].choices)
    signals = names(r"^  (\w+)\?:", between(TYPES, "interface Signals {", "\n}\n"))
    assert signals == HeartbeatSerializer().fields.keys() - {"sent_at", "confirmed"}


def test_a_framework_that_renders_pages_on_its_server_can_import_it_there():
    making = f"new (await import('{FOLDER}/proctoring-client.js')).ProctoringClient()"
    subprocess.run([NODE, "--input-type=module", "--eval", making], check=True, timeout=30)
