"""Own code: told in words, looked for without being run, and what is not there is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from eda_cli.errors import SketchError
from eda_cli.sketch.load import load
from eda_cli.sketch.own_code import own_code
from tests.sketch.reading import loaded

MODULE = """\
    raise SystemExit("nobody runs this")
    from json import loads as parsed
    handle = print
    one, two = print, print
    typed: object = print
    class Called: ...
    try:
        def tried(event): ...
    except ImportError:
        def otherwise(event): ...
    if True:
        async def inside(event): ...
    def outer():
        def inner(event): ...
    escape = "\\d"
    """


def write(folder: Path, handler: str, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".py").write_text(dedent(text))
    sketch = folder / "sketch.yaml"
    sketch.write_text(f"generators: {{shop: {{publishes: a}}}}\nconsumers: {{c: {{subscribes: a, handler: '{handler}'}}}}\n")
    return sketch


def refusals(sketch: Path) -> list[str]:
    try:
        load(sketch)
    except SketchError as wrong:
        return [problem.text("sketch.yaml") for problem in wrong.problems]
    return []


@pytest.mark.parametrize("function", [
    "parsed", "handle", "one", "two", "typed", "Called", "tried", "otherwise", "inside", "outer"])
def test_whatever_a_module_defines_at_its_top_is_there(tmp_path: Path, function: str) -> None:
    assert refusals(write(tmp_path, f"my_shop.code:{function}", my_shop__code=MODULE)) == []


def test_what_it_does_not_define_is_told(tmp_path: Path) -> None:
    assert refusals(write(tmp_path, "my_shop.code:handel", my_shop__code=MODULE)) == [
        "sketch.yaml:2:41: handler 'my_shop.code:handel' is not there: my_shop/code.py has no 'handel'; "
        "did you mean 'handle'?"]
    assert refusals(write(tmp_path, "my_shop.code:inner")) == [
        "sketch.yaml:2:41: handler 'my_shop.code:inner' is not there: my_shop/code.py has no 'inner'; "
        "write def inner(event): there"]


@pytest.mark.parametrize("text", ["from json import *", "def __getattr__(name): ..."])
def test_a_module_that_may_have_any_name_is_trusted(tmp_path: Path, text: str) -> None:
    assert refusals(write(tmp_path, "code:handle", code=text)) == []


def test_a_package_is_a_module(tmp_path: Path) -> None:
    (tmp_path / "my_shop").mkdir()
    (tmp_path / "my_shop" / "__init__.py").write_text("def handle(event): ...")
    assert refusals(write(tmp_path, "my_shop:handle")) == []


@pytest.mark.parametrize(("text", "told"), [
    ("x = 1\ndef handle(:\n", "code.py:2: invalid syntax"), ("x = '\0'", "code.py")])
def test_a_module_that_cannot_be_read_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    problem, = refusals(write(tmp_path, "code:handle", code=text))
    assert problem.startswith(f"sketch.yaml:2:41: handler 'code:handle' cannot be read: {told}")


def test_a_module_that_is_installed_is_trusted_and_any_other_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusals(write(tmp_path, "json.decoder:anything")) == []
    monkeypatch.syspath_prepend(tmp_path)  # as under `python -m`
    for module, file in (("my_shop.mails", "my_shop/mails.py"), ("mails", "mails.py")):
        assert refusals(write(tmp_path, f"{module}:handle", my_shop__code=MODULE)) == [
            f"sketch.yaml:2:41: handler '{module}:handle' is not there: there is no {file} in the sketch's folder, "
            f"and no package '{module.partition('.')[0]}' is installed; write that file, or name a module that is there"]


def test_a_handler_that_the_environment_names_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(SketchError) as raised:
        load(write(tmp_path, "${CODE}"), {"CODE": "hidden_shop.code:handle"})
    assert str(raised.value).endswith(
        "sketch.yaml:2:41: handler '${CODE}' is not there: the environment gives it; see what it holds")


def test_what_somebody_else_runs_need_not_be_there(tmp_path: Path) -> None:
    sketch = write(tmp_path, "nowhere:handle")
    sketch.write_text(sketch.read_text().replace("subscribes", "external: true, subscribes"))
    assert refusals(sketch) == []
    assert own_code(load(sketch).resolved) == []


def test_a_program_that_could_not_be_started(tmp_path: Path) -> None:
    (tmp_path / "mailer.sh").touch(0o755)
    (tmp_path / "plain.sh").touch(0o644)
    sketch = tmp_path / "sketch.yaml"
    sketch.write_text(dedent("""\
        generators: {shop: {publishes: a}}
        consumers:
          a: {subscribes: a, run: sh mailer.sh}
          b: {subscribes: a, run: ./mailer.sh}
          c: {subscribes: a, run: surely-nobody-has-this --verbose}
          d: {subscribes: a, run: mailer.sh}
          e: {subscribes: a, run: ./plain.sh}
          f: {subscribes: a, run: bin/mailer}
        """))
    assert [problem.text("sketch.yaml") for problem in load(sketch).warnings] == [
        "sketch.yaml:5:27: there is no program 'surely-nobody-has-this': it is neither on the PATH nor in the sketch's "
        "folder; install it, or name its file",
        "sketch.yaml:6:27: there is no program 'mailer.sh': it is not on the PATH, where a name alone is looked for; "
        "the file beside the sketch is ./mailer.sh",
        "sketch.yaml:7:27: the program './plain.sh' cannot be started: its file is not executable; "
        "say what runs it (run: sh ./plain.sh)",
        "sketch.yaml:8:27: there is no program 'bin/mailer': there is no such file in the sketch's folder; "
        "install it, or name its file"]


def test_a_file_that_a_known_program_is_to_run(tmp_path: Path) -> None:
    (tmp_path / "there.sh").touch()
    sketch = tmp_path / "sketch.yaml"
    sketch.write_text(dedent("""\
        generators: {shop: {publishes: a}}
        consumers:
          a: {subscribes: a, run: sh nofile.sh --fast}
          b: {subscribes: a, run: [sh, bin/mailer]}
          c: {subscribes: a, run: sh there.sh}
          d: {subscribes: a, run: "sh -c 'cat nofile.sh'"}
          e: {subscribes: a, run: sh mailer}
          f: {subscribes: a, run: cat nofile.sh}
          g: {subscribes: a, run: sh nofile.sh, external: true}
        """))
    assert [problem.text("sketch.yaml") for problem in load(sketch).warnings] == [
        f"sketch.yaml:{place}: there is no file '{file}' in the sketch's folder: sh is to run it; "
        "write that file, or name one that is there" for place, file in (("3:27", "nofile.sh"), ("4:32", "bin/mailer"))]


def test_a_sketch_says_which_code_of_its_own_it_runs() -> None:
    assert own_code(loaded("""
        generators: {shop: {publishes: a}}
        consumers:
          invoicing: {subscribes: a, handler: "my_shop.invoicing:handle"}
          plain: {subscribes: a}
          mailer: {subscribes: a, run: [node, "a mailer.js"]}
        """).resolved) == ["invoicing (handler my_shop.invoicing:handle)", "mailer (run node 'a mailer.js')"]


def test_check_says_so_where_it_says_that_all_is_fine(tmp_path: Path) -> None:
    write(tmp_path, "code:handle", code="def handle(event): ...")
    told = subprocess.run([sys.executable, "-m", "eda_cli", "check"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert told.stderr == "sketch.yaml: fine\nruns own code: c (handler code:handle)\n"


@pytest.mark.parametrize("run", ['run: [sh, mailer.sh, "--token=${TOKEN}", "${TOKEN}"]', 'run: "sh mailer.sh --token=${TOKEN}"'])
@pytest.mark.parametrize("secret", ["s3cr3t", "it's s3cr3t"])
def test_secrets_of_a_command_are_not_told(run: str, secret: str) -> None:
    secret = secret.replace("'", "") if "run: [" not in run else secret  # a shell would not split it either
    one = loaded(f"""
        generators: {{shop: {{publishes: a}}}}
        consumers: {{mailer: {{subscribes: a, {run}}}}}
        """, TOKEN=secret)
    (told,) = own_code(one.resolved, one.places)
    assert "s3cr3t" not in told and "${TOKEN}" in told
