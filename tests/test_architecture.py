"""The shape of the house, proven on the syntax tree: who imports whom, who writes what, what a template may say."""

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.shared import ROOT

# From left to right: a file imports only from its own room or from one to the left.
ROOMS = ("core", "auth", "content", "forum", "moderation", "wsgi")

DOOR_FILES = {"forms.py", "views.py", "api.py", "cli.py", "doors.py"}
# The doors that only one room has.
OWN_DOORS = {"auth/flows.py", "auth/mailer.py", "core/web.py", "core/serve.py", "moderation/webhooks.py"}
WEB = ("flask", "flask_", "werkzeug", "wtforms", "marshmallow", "webargs", "click")
# The glue to SQLAlchemy, and the account library's own table mixins.
WEB_ALLOWED = {"core/db.py": ("flask_sqlalchemy",), "auth/models.py": ("flask_security",)}

# Who may write the state of what is not a post.
STATE_WRITER = "forum/lifecycle.py"


# --- Reading the tree --------------------------------------------------------------------------------------------


def tracked(*patterns: str) -> list[Path]:
    """The files that belong to the project: known to git, or new and not ignored."""
    listed = subprocess.run(
        # The folder may belong to another account than the one that runs the tests.
        ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard", "-z", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in sorted(set(listed.stdout.split("\0"))) if name and (ROOT / name).is_file()]


def sources() -> dict[str, str]:
    """Every Python file of the rooms, by its path from the root."""
    found = tracked("*.py")
    names = {path.relative_to(ROOT).as_posix(): path for path in found}
    return {name: path.read_text() for name, path in names.items() if room_of(name)}


def templates() -> dict[str, str]:
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in tracked("templates/*")}


def room_of(path: str) -> str | None:
    first = path.split("/")[0].removesuffix(".py")
    return first if first in ROOMS else None


def layer_of(path: str) -> str:
    """models, rules or doors."""
    parts = path.split("/")
    is_view = "views" in parts[1:-1] or parts[-1].startswith(("views_", "api_"))
    if path == "wsgi.py" or path in OWN_DOORS or parts[-1] in DOOR_FILES or is_view:
        return "doors"
    return "models" if parts[-1] == "models.py" else "rules"


def imports(path: str, source: str) -> Iterator[tuple[int, str]]:
    """Each imported module by its full name, wherever in the file it stands; `from a import b` gives a and a.b."""
    package = path.split("/")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *(node.module.split(".") if node.module else [])])
            yield node.lineno, module
            for alias in node.names:
                yield node.lineno, f"{module}.{alias.name}"


def file_of(module: str, known: set[str]) -> str | None:
    """The file of one of our modules; None for a name inside a module or for a foreign library."""
    stem = module.replace(".", "/")
    return next((name for name in (f"{stem}.py", f"{stem}/__init__.py") if name in known), None)


# --- The rules; each gives its breaches as lines "file:line what" ------------------------------------------------

Breaches = Iterator[str]


def imports_to_the_right(files: dict[str, str]) -> Breaches:
    for path, source in files.items():
        here = ROOMS.index(str(room_of(path)))
        for line, module in imports(path, source):
            there = module.split(".")[0]
            if there == "tests" or there == "bench":
                yield f"{path}:{line} imports {module}, which is no part of the product"
            if there == "wsgi" or (there in ROOMS and ROOMS.index(there) > here):
                yield f"{path}:{line} imports {module}, a room to the right"


def imports_against_the_layers(files: dict[str, str]) -> Breaches:
    known = set(files)
    for path, source in files.items():
        if layer_of(path) == "doors":
            continue
        for line, module in imports(path, source):
            target = file_of(module, known)
            if target is None:
                continue
            if layer_of(target) == "doors":
                yield f"{path}:{line} imports the door {module}"
            elif layer_of(path) == "models" and layer_of(target) == "rules" and room_of(target) != "core":
                if not target.endswith("__init__.py"):
                    yield f"{path}:{line} is a table and imports the rule {module}"


def web_libraries_outside_doors(files: dict[str, str]) -> Breaches:
    for path, source in files.items():
        if layer_of(path) == "doors":
            continue
        for line, module in imports(path, source):
            top = module.split(".")[0]
            if any(top == name or (name.endswith("_") and top.startswith(name)) for name in WEB):
                if top not in WEB_ALLOWED.get(path, ()):
                    yield f"{path}:{line} imports {module}, which only a door may"


def packages_with_code(files: dict[str, str]) -> Breaches:
    for path, source in files.items():
        if not path.endswith("__init__.py"):
            continue
        body = ast.parse(source).body
        docstring = len(body) == 1 and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
        if not docstring or not isinstance(body[0].value.value, str):  # type: ignore[attr-defined]
            yield f"{path}:1 holds more, or less, than a docstring"


def root_call(node: ast.expr) -> ast.Call | None:
    """The first call of a chain: `update(Post)` of `update(Post).where(...).values(...)`."""
    while isinstance(node, (ast.Call, ast.Attribute)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return node
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in ("update", "insert") and isinstance(node.func.value, ast.Name):
                if node.func.value.id in ("sa", "sqlalchemy"):
                    return node
        node = node.func if isinstance(node, ast.Call) else node.value
    return None


def last_name(node: ast.expr) -> str:
    """`post` of `post`, `self.post` and `post()`."""
    if isinstance(node, ast.Call):
        return last_name(node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def writes_state(call: ast.Call) -> bool:
    """Whether `.values(...)` sets a column named state, by keyword or in a mapping."""
    if any(keyword.arg == "state" for keyword in call.keywords):
        return True
    keys = [key for arg in call.args if isinstance(arg, ast.Dict) for key in arg.keys if key is not None]
    return any(
        (isinstance(key, ast.Constant) and key.value == "state")
        or (isinstance(key, ast.Attribute) and key.attr == "state")
        for key in keys
    )


def post_states_written_elsewhere(files: dict[str, str]) -> Breaches:
    for path, source in files.items():
        if path == STATE_WRITER:
            continue
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, (ast.stmt, ast.expr)):
                continue
            targets: list[ast.expr] = []
            if isinstance(node, ast.Assign):
                targets = [
                    part
                    for target in node.targets
                    for part in (target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target])
                ]
            elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
                targets = [node.target]
            for target in targets:
                # Other rows have states too; their variables say so by their names.
                if isinstance(target, ast.Attribute) and target.attr == "state":
                    if not last_name(target.value).endswith(("case", "job", "article", "appeal")):
                        yield f"{path}:{node.lineno} assigns {ast.unparse(target)}"
            if not isinstance(node, ast.Call):
                continue
            if isinstance(node.func, ast.Name) and node.func.id == "setattr" and len(node.args) == 3:
                if isinstance(node.args[1], ast.Constant) and node.args[1].value == "state":
                    yield f"{path}:{node.lineno} sets the state by setattr"
            if isinstance(node.func, ast.Attribute) and node.func.attr == "values" and writes_state(node):
                root = root_call(node.func.value)
                written = last_name(root.args[0]) if root and root.args else ""
                if written == "Post" or not written:
                    yield f"{path}:{node.lineno} writes the state of {written or 'an unknown table'}"


def rules_that_commit(files: dict[str, str]) -> Breaches:
    for path, source in files.items():
        if layer_of(path) == "doors" or path == "core/db.py":
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                if node.func.attr in ("commit", "rollback") and last_name(node.func.value) in ("session", "db", "s"):
                    yield f"{path}:{node.lineno} calls {ast.unparse(node.func)}; only a door's unit_of_work() ends one"


COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
SAFE = re.compile(r"\|\s*safe\b")
UNESCAPED = re.compile(r"\{%-?\s*autoescape\s+false")
FORBIDDEN_MARKUP = {
    "an inline style": re.compile(r"<style\b|<[^>]*\sstyle\s*=", re.IGNORECASE),
    "an inline handler": re.compile(r"<[^>]*\son[a-z]+\s*=", re.IGNORECASE),
    "an inline script": re.compile(r"<script\b(?![^>]*\ssrc\s*=)", re.IGNORECASE),
    "a javascript: address": re.compile(r"javascript:", re.IGNORECASE),
    "something loaded from another host": re.compile(
        r"<(?:script|img|iframe|source|video|audio|embed|object|input)\b[^>]*\s(?:src|srcset|data|poster)\s*=\s*[\"']?"
        r"(?:https?:)?//|<link\b[^>]*\shref\s*=\s*[\"']?(?:https?:)?//",
        re.IGNORECASE,
    ),
}


def line_of(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def unescaped_output(files: dict[str, str]) -> Breaches:
    places = []
    for path, text in files.items():
        bare = COMMENT.sub(lambda match: " " * len(match[0]), text)
        places += [f"{path}:{line_of(text, match.start())}" for match in SAFE.finditer(bare)]
        for match in UNESCAPED.finditer(bare):
            yield f"{path}:{line_of(text, match.start())} turns escaping off"
    if len(places) != 1 or "/_macros/" not in places[0]:
        yield f"`|safe` must stand once, in one macro, and stands in: {', '.join(places) or 'no file'}"


def forbidden_markup(files: dict[str, str]) -> Breaches:
    for path, text in files.items():
        # What Jinja computes may hold ">" and quotes, and is no markup of the template.
        bare = JINJA.sub(lambda match: re.sub(r"[^\n]", "x", match[0]), text)
        for what, pattern in FORBIDDEN_MARKUP.items():
            for match in pattern.finditer(bare):
                yield f"{path}:{line_of(text, match.start())} holds {what}"


# Written in two parts, so that this file does not find itself.
HOSTS = ["py" + "pi.org", "python" + "hosted.org", "npm" + "js.org", "npm" + "js.com", "deb.deb" + "ian.org"]
HOSTS += ["un" + "pkg.com", "js" + "delivr.net", "cdn" + "js.cloudflare.com"]
PACKAGE_HOST = re.compile("|".join(map(re.escape, HOSTS)), re.IGNORECASE)
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:" + "wo" + r"rk/|ro" + r"ot/|tmp/bw|home/[a-z_][\w-]*/[\w.])")


def foreign_places(files: dict[str, str]) -> Breaches:
    for path, text in files.items():
        for number, line in enumerate(text.splitlines(), start=1):
            if match := PACKAGE_HOST.search(line):
                yield f"{path}:{number} names a package host: {match[0]}"
            if match := MACHINE_PATH.search(line):
                yield f"{path}:{number} names a place on one machine: {match[0]}"


def all_text() -> dict[str, str]:
    found = {}
    for path in tracked():
        data = path.read_bytes()
        if b"\0" not in data:
            found[path.relative_to(ROOT).as_posix()] = data.decode(errors="replace")
    return found


# --- The proofs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [
        imports_to_the_right,
        imports_against_the_layers,
        web_libraries_outside_doors,
        packages_with_code,
        post_states_written_elsewhere,
        rules_that_commit,
    ],
)
def test_the_rooms_keep(rule: Callable[[dict[str, str]], Breaches]) -> None:
    assert list(rule(sources())) == []


@pytest.mark.parametrize("rule", [unescaped_output, forbidden_markup])
def test_the_templates_keep(rule: Callable[[dict[str, str]], Breaches]) -> None:
    assert list(rule(templates())) == []


def test_no_file_names_a_package_host_or_a_place_on_one_machine() -> None:
    assert list(foreign_places(all_text())) == []


def test_a_migration_knows_no_table_of_the_app() -> None:
    files = {path.relative_to(ROOT).as_posix(): path.read_text() for path in tracked("migrations/versions/*.py")}
    found = [
        f"{path}:{line} imports {module}"
        for path, source in files.items()
        for line, module in imports(path, source)
        # The column types, which are no tables, are the one thing that a migration may borrow.
        if module.split(".")[0] in ROOMS and module not in ("core", "core.db", "core.db.UtcDateTime")
    ]
    assert found == []


BAD_SAMPLES: list[tuple[Callable[[dict[str, str]], Breaches], str, str]] = [
    (imports_to_the_right, "core/sample.py", "import auth.models"),
    (imports_to_the_right, "content/sample.py", "def f():\n    from forum.models import Post"),
    (imports_to_the_right, "forum/views/sample.py", "from moderation import cases"),
    (imports_to_the_right, "moderation/sample.py", "import wsgi"),
    (imports_to_the_right, "forum/sample.py", "from tests.support import cast"),
    (imports_against_the_layers, "forum/posting.py", "from forum.forms import AskForm"),
    (imports_against_the_layers, "forum/posting.py", "from .views import threads"),
    (imports_against_the_layers, "forum/posting.py", "from auth import flows"),
    (imports_against_the_layers, "forum/models.py", "from forum import boards"),
    (imports_against_the_layers, "forum/models.py", "from auth.policy import require"),
    (web_libraries_outside_doors, "forum/boards.py", "from flask import current_app"),
    (web_libraries_outside_doors, "forum/boards.py", "import flask_babel"),
    (web_libraries_outside_doors, "forum/models.py", "from werkzeug.exceptions import NotFound"),
    (web_libraries_outside_doors, "core/db.py", "from flask import g"),
    (packages_with_code, "forum/__init__.py", '"""Boards."""\nfrom forum import boards'),
    (packages_with_code, "forum/__init__.py", ""),
    (post_states_written_elsewhere, "forum/posting.py", "post.state = PostState.HELD"),
    (post_states_written_elsewhere, "moderation/decisions.py", "thread.opening.state, x = y, 1"),
    (post_states_written_elsewhere, "forum/posting.py", "setattr(post, 'state', 'held')"),
    (post_states_written_elsewhere, "forum/posting.py", "update(Post).where(Post.id == 1).values(state='held')"),
    (post_states_written_elsewhere, "forum/posting.py", "sa.update(models.Post).values({'state': 'held'})"),
    (post_states_written_elsewhere, "forum/posting.py", "statement.values({Post.state: 'held'})"),
    (rules_that_commit, "forum/boards.py", "def open(session):\n    session.commit()"),
    (rules_that_commit, "forum/boards.py", "db.session.rollback()"),
    (unescaped_output, "templates/_macros/x.html", "{{ a|safe }} {{ b | safe }}"),
    (unescaped_output, "templates/page.html", "{{ a|safe }}"),
    (unescaped_output, "templates/page.html", "{% autoescape false %}"),
    (forbidden_markup, "templates/page.html", '<p class="{{ a }}" style="color:red">'),
    (forbidden_markup, "templates/page.html", "<STYLE>p {}</STYLE>"),
    (forbidden_markup, "templates/page.html", "<a href='#' onclick='go()'>"),
    (forbidden_markup, "templates/page.html", "<script>go()</script>"),
    (forbidden_markup, "templates/page.html", "<script defer src='https://example.org/a.js'></script>"),
    (forbidden_markup, "templates/page.html", "<link rel='stylesheet' href='//example.org/a.css'>"),
    (forbidden_markup, "templates/page.html", "<img alt='' src=http://example.org/a.png>"),
    (forbidden_markup, "templates/page.html", "<a href='javascript:go()'>"),
    (foreign_places, "docs/sample.md", "See " + HOSTS[0] + "/project"),
    (foreign_places, "docs/sample.md", "cd /" + "work/main"),
    (foreign_places, "docs/sample.md", "in /" + "home/ann/src"),
]

GOOD_SAMPLES: list[tuple[Callable[[dict[str, str]], Breaches], str, str]] = [
    (imports_to_the_right, "moderation/sample.py", "from forum import models\nimport core.db, flask"),
    (imports_against_the_layers, "forum/views/threads.py", "from forum import posting, forms\nfrom auth import flows"),
    (imports_against_the_layers, "forum/models.py", "from core.db import Base\nfrom auth.models import User"),
    (web_libraries_outside_doors, "forum/api.py", "import flask, flask_smorest, marshmallow"),
    (web_libraries_outside_doors, "core/db.py", "from flask_sqlalchemy import SQLAlchemy"),
    (packages_with_code, "forum/__init__.py", '"""Boards."""\n'),
    (post_states_written_elsewhere, "moderation/cases.py", "update(Case).values(state='open')\ncase.state = 'open'"),
    (post_states_written_elsewhere, "forum/lifecycle.py", "update(Post).values(state='held')"),
    (post_states_written_elsewhere, "forum/x.py", "update(Post).where(Post.state == 1).values(position=2)"),
    (rules_that_commit, "forum/cli.py", "session.commit()"),
    (unescaped_output, "templates/_macros/x.html", "{# |safe #}{{ a|safe }}"),
    (forbidden_markup, "templates/page.html", "<script src='{{ a > 1 }}'></script><p data-on='x'>One = 1</p>"),
    (forbidden_markup, "templates/page.html", "<a href='https://example.org'>out</a>"),
    (foreign_places, "docs/sample.md", "https://example.org/work/1 and /boards/ and /home/"),
]

# A sample is judged among these neighbours, so that its imports lead somewhere.
NEIGHBOURS = {
    "auth/flows.py": "",
    "auth/models.py": "",
    "auth/policy.py": "",
    "core/db.py": "",
    "forum/boards.py": "",
    "forum/forms.py": "",
    "forum/posting.py": "",
    "forum/views/threads.py": "",
    "forum/views/__init__.py": '""',
}


def breaches(rule: Callable[[dict[str, str]], Breaches], path: str, text: str) -> list[str]:
    neighbours = NEIGHBOURS if path.endswith(".py") else {}
    return [line for line in rule({**neighbours, path: text}) if line.startswith(path) or rule is unescaped_output]


@pytest.mark.parametrize("rule, path, text", BAD_SAMPLES)
def test_a_guard_bites(rule: Callable[[dict[str, str]], Breaches], path: str, text: str) -> None:
    assert breaches(rule, path, text)


@pytest.mark.parametrize("rule, path, text", GOOD_SAMPLES)
def test_a_guard_lets_good_work_pass(rule: Callable[[dict[str, str]], Breaches], path: str, text: str) -> None:
    assert breaches(rule, path, text) == []
