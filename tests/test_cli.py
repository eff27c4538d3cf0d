"""Commands that start nothing: init, check, config, schema, graph, doctor, completion, and the shape of errors."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.cells import cell_len

from eda_cli.technologies import TECHNOLOGIES
from tests.eventually import eventually

ROOT = Path(__file__).parent.parent


def run(*args: str, cwd: Path, code: int = 0, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "EDA_HOME": str(cwd / "home"), "DOCKER_HOST": "unix:///nowhere/docker.sock", **environ}
    done = subprocess.run([sys.executable, "-m", "eda_cli", *args], cwd=cwd, env=env, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_init_writes_a_sketch_that_is_fine_and_overwrites_nothing(tmp_path: Path) -> None:
    run("init", cwd=tmp_path)
    assert "sketch.yaml: fine\n" in run("check", cwd=tmp_path).stderr
    told = run("init", cwd=tmp_path, code=1).stderr
    assert "--force" in told
    run("init", "--force", "--example", "shop", cwd=tmp_path)
    assert (tmp_path / "sketch.yaml").read_text() == (ROOT / "sketches" / "shop.yaml").read_text()
    assert "shop" in run("init", "--example", "nothing", cwd=tmp_path, code=2).stderr
    assert "mkdir -p a/b" in run("init", "a/b/c.yaml", cwd=tmp_path, code=1).stderr


@pytest.mark.parametrize("sketch", sorted((ROOT / "sketches").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_is_clean_and_loads_back_from_its_full_form(tmp_path: Path, sketch: Path) -> None:
    done = run("check", str(sketch), "--strict", cwd=tmp_path)
    assert "warning" not in done.stdout
    (tmp_path / "full.yaml").write_text(run("config", str(sketch), cwd=tmp_path).stdout)
    assert run("config", "full.yaml", cwd=tmp_path).stdout == (tmp_path / "full.yaml").read_text()
    assert run("graph", str(sketch), cwd=tmp_path).stdout.startswith("flowchart LR")


def test_check_tells_every_problem_and_exits_2(tmp_path: Path) -> None:
    (tmp_path / "sketch.yaml").write_text("generators: {shop: {publsh: a}}\nconsumers: {b: {subscribes: a, takes: fast}}\n")
    done = run("check", cwd=tmp_path, code=2)
    assert "sketch.yaml:1:" in done.stdout
    assert "did you mean" in done.stdout
    assert "sketch.yaml:2:" in done.stdout
    problems = [json.loads(line) for line in run("check", "--json", cwd=tmp_path, code=2).stdout.splitlines()]
    assert {problem["line"] for problem in problems} == {1, 2}
    told = run("up", cwd=tmp_path, code=2).stderr
    assert told.endswith("eda: 2 problems in sketch.yaml\n")
    assert not (tmp_path / "home").exists()


def test_the_schema_is_json(tmp_path: Path) -> None:
    assert json.loads(run("schema", cwd=tmp_path).stdout)["$schema"].endswith("2020-12/schema")


def test_doctor_tells_what_is_there(tmp_path: Path) -> None:
    rows = {row["check"]: row for row in map(json.loads, run("doctor", "--json", cwd=tmp_path).stdout.splitlines())}
    assert rows["python"]["level"] == rows["home"]["level"] == "ok"
    assert rows["engine"]["level"] == "note"
    for kind, one in TECHNOLOGIES.items():
        if one.image is not None:  # without an engine an image cannot be looked for
            row = rows.pop(kind)
            assert row["level"] == "note"
            assert (row["image_present"], row["port"]) == (None, one.port)
            assert "no engine to run it in" in row["found"]
    assert set(rows) == {"python", "home", "engine"}
    blocked = tmp_path / "file"
    blocked.write_text("")
    told = run("doctor", cwd=tmp_path, code=1, EDA_HOME=str(blocked / "home")).stdout
    assert "broken" in told
    assert "EDA_HOME" in told


def test_a_run_that_is_named_without_its_option_is_told_how(tmp_path: Path) -> None:
    for command in ("down", "ps", "env"):
        assert "(shop); a run is named by: --run NAME" in run(command, "shop", cwd=tmp_path, code=2).stderr


@pytest.mark.parametrize("kind", [kind for kind, one in TECHNOLOGIES.items() if one.library])
def test_doctor_tells_which_package_a_broker_needs(tmp_path: Path, kind: str) -> None:
    one = TECHNOLOGIES[kind]
    code = (f"import sys, importlib.util as util; find = util.find_spec; util.find_spec = lambda name: None if name == "
            f"{one.library!r} else find(name); from eda_cli.cli import main; sys.argv = ['eda', 'doctor']; main()")
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path,
                          env={**os.environ, "EDA_HOME": str(tmp_path / "home"), "DOCKER_HOST": "unix:///nowhere"}).stdout
    line = next(line for line in told.splitlines() if kind in line.split()[:2])
    assert line.startswith("note ")
    assert f"the Python package '{one.library}' is missing" in line
    assert f"pip install 'eda-cli[{one.extra}]'" in line


def test_doctor_tells_where_a_broker_will_not_get_its_usual_port(tmp_path: Path) -> None:
    """Which is another one here, as a broker that is down may be about to take its own again."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        code = (f"import sys; from dataclasses import replace; from eda_cli.technologies import TECHNOLOGIES as one;"
                f"one['kafka'] = replace(one['kafka'], port={port}); from eda_cli.cli import main;"
                f"sys.argv = ['eda', 'doctor', '--json']; main()")
        told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path,
                              env={**os.environ, "EDA_HOME": str(tmp_path / "home")}).stdout
    rows = {row["check"]: row for row in map(json.loads, told.splitlines())}
    assert rows["kafka"]["port_free"] is False
    assert f"port {port} is in use" in rows["kafka"]["found"]
    assert "another port" in rows["kafka"]["hint"]


def test_what_can_be_pulled_is_told_by_the_registry(tmp_path: Path) -> None:
    told = run("pull", "pigeon", cwd=tmp_path, code=2).stderr
    assert all((kind in told) == (one.image is not None) for kind, one in TECHNOLOGIES.items())


def test_without_an_engine_kafka_is_exit_4_and_auto_is_embedded(tmp_path: Path) -> None:
    run("init", "--example", "shop", cwd=tmp_path)
    told = run("up", "--broker", "kafka", cwd=tmp_path, code=4).stderr
    assert "engine" in told.lower()
    assert not list((tmp_path / "home").glob("*"))
    done = run("up", "--for", "1s", cwd=tmp_path)
    assert "on embedded" in done.stderr
    assert run("pull", cwd=tmp_path, code=4).stderr


@pytest.mark.parametrize(("args", "says"), [
    (("up", "--scale", "webshop"), "PART=N"),
    (("up", "--scale", "nobody=2"), "webshop"),
    (("up", "--broker", "pigeon"), "embedded"),
    (("check", "--broker", "kafak"), "did you mean 'kafka'?"),
    (("compare", "--brokers", "embeded"), "did you mean 'embedded'?"),
    (("up", "--scale", "shiping=2"), "did you mean 'shipping'?"),
    (("pull", "rabitmq"), "did you mean 'rabbitmq'?"),
    (("init", "--example", "shp"), "did you mean 'shop'?"),
    (("up", "--name", "Not A Name"), "lower case"),
    (("up", "--for", "soon"), "10s"),
    (("up", "-d", "--watch"), "leave out -d"),
    (("up", "--wat"), "--wat"),
    (("pull", "pigeon"), "kafka"),
])
def test_wrong_usage_is_exit_2_and_starts_nothing(tmp_path: Path, args: tuple[str, ...], says: str) -> None:
    run("init", "--example", "shop", cwd=tmp_path)
    assert says in run(*args, cwd=tmp_path, code=2).stderr
    assert not (tmp_path / "home").exists()


def test_a_fault_of_our_own_is_told_without_a_traceback(tmp_path: Path) -> None:
    home = tmp_path / "home" / "broken"
    home.mkdir(parents=True)
    (home / "run.json").write_text("no json")
    told = run("ps", cwd=tmp_path, code=1).stderr
    assert "--debug" in told
    env = {**os.environ, "EDA_HOME": str(tmp_path / "home")}
    debugged = subprocess.run([sys.executable, "-m", "eda_cli", "--debug", "ps"], env=env, capture_output=True, text=True)
    assert "Traceback" in debugged.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_fault_of_the_machine_is_not_eda_s(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = run("ps", cwd=tmp_path, code=1, EDA_HOME=str(tmp_path / "file")).stderr
    assert f"{tmp_path / 'file'} cannot be used\n  Not a directory\n" in told and "EDA_HOME" in told
    (tmp_path / "sketch.yaml").write_text("generators: {shop: {publsh: a}}\n")
    for args in (("schema",), ("check", "--json"), ("check",), ("-h",)):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run([sys.executable, "-m", "eda_cli", *args], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE,
                                  text=True)
        assert done.returncode == 1
        assert done.stderr.startswith("eda: something cannot be written or read\n  No space left on device\n"), done.stderr
        assert "fault" not in done.stderr and "Exception ignored" not in done.stderr


@pytest.mark.parametrize(("words", "wanted"), [
    ("eda up --br", "--broker"), ("eda ", "publish"), ("eda init --example ", "shop"), ("eda --ver", "--version"),
    ("eda check --broker e", "embedded"), ("eda topics cr", "create"), ("eda groups r", "reset"), ("eda tail -o b", "beginning"),
    ("eda groups reset x --to e", "end"), ("eda pull r", "rabbitmq"), ("eda pull k", "kafka"),
])
def test_the_shell_completes(tmp_path: Path, words: str, wanted: str) -> None:
    done = run(cwd=tmp_path, _EDA_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(len(words.split(" ")) - 1))
    assert wanted in done.stdout.split()


def test_the_completion_of_a_shell_that_is_named(tmp_path: Path) -> None:
    assert run("--show-completion", "zsh", cwd=tmp_path).stdout.startswith("#compdef eda\n")
    assert run("--show-completion", "fish", cwd=tmp_path).stdout.startswith("complete --command eda")
    assert "bash, zsh, fish" in run("--show-completion", "dish", cwd=tmp_path, code=2).stderr
    run("--install-completion", "fish", cwd=tmp_path, HOME=str(tmp_path))
    assert list(tmp_path.glob(".config/fish/completions/eda.fish"))


def test_help_names_each_argument_once_and_tells_each_command_in_a_line(tmp_path: Path) -> None:
    assert "check [OPTIONS] [SKETCH]...\n" in run("check", "-h", cwd=tmp_path).stdout
    assert "topics [OPTIONS] [create|delete] [TOPIC]...\n" in run("topics", "-h", cwd=tmp_path).stdout
    _, _, listed = run("-h", cwd=tmp_path, COLUMNS="80").stdout.partition("Commands:\n")
    assert [line for line in listed.splitlines() if line.endswith("...")] == []


def test_check_begins_each_line_with_its_place_and_says_what_strict_does(tmp_path: Path) -> None:
    (tmp_path / "warn.yaml").write_text("consumers: {billing: {subscribes: purchases}}\n")
    fine = run("check", "warn.yaml", cwd=tmp_path)
    assert fine.stdout.startswith("warn.yaml:1:") and ": warning: " in fine.stdout
    assert fine.stderr == "warn.yaml: fine, 1 warning\n"
    assert run("check", "warn.yaml", "--strict", cwd=tmp_path, code=2).stderr == (
        "warn.yaml: 1 warning, which --strict makes errors\n")
    (tmp_path / "bad.yaml").write_text("generators: {shop: {publsh: a}}\n")
    assert all(line.startswith("bad.yaml:1:") for line in run("check", "bad.yaml", cwd=tmp_path, code=2).stdout.splitlines())
    assert "nothing was started" not in run("config", "bad.yaml", cwd=tmp_path, code=2).stderr


def test_check_tells_errors_and_warnings_together_in_the_order_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "sketch.yaml").write_text("generators:\n  shop: {publishes: orders}\n  web: {publishes: visits, rate: fast}\n"
                                          "consumers:\n  billing: {subscribes: payments}\n")
    told = run("check", cwd=tmp_path, code=2).stdout.splitlines()
    assert [line.split(": ")[:2] for line in told] == [
        ["sketch.yaml:2:21", "warning"], ["sketch.yaml:3:20", "warning"],
        ["sketch.yaml:3:34", "'rate' of generator 'web' must be a rate"], ["sketch.yaml:5:25", "warning"]]
    problems = [json.loads(line) for line in run("check", "--json", cwd=tmp_path, code=2).stdout.splitlines()]
    assert [(one["line"], one["level"]) for one in problems] == [(2, "warning"), (3, "warning"), (3, "error"), (5, "warning")]


@pytest.mark.parametrize("columns", [20, 40, 80, 140, None])
def test_a_problem_is_one_line_and_on_a_terminal_broken_between_words(
        capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int | None) -> None:
    from eda_cli.cli import console
    from eda_cli.errors import Problem

    problem = Problem(7, 11, "lognormal(…) has wrong arguments", "the mean of the logarithm is from -30 to 30",
                      "write lognormal(3, 0.5): 語語語 a number whose logarithm is normal, here around 20 with some far above")
    console.err.cache_clear()
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns or 80))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: columns is not None)
    console.say_problem(problem, "shop.yaml", warns=True)
    console.err.cache_clear()
    told = capsys.readouterr().err
    lines = told.splitlines()
    assert " ".join(line.strip() for line in lines) == problem.text("shop.yaml", "warning")
    assert all(cell_len(line) <= (columns or 1000) for line in lines)
    assert [line.startswith("  ") for line in lines] == [False] + [True] * (len(lines) - 1)
    assert (len(lines) == 1) == (columns is None)


def test_a_text_stands_to_the_right_of_its_head_on_a_terminal_and_is_one_line_elsewhere(
        capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from eda_cli.cli import console

    text = "apache/kafka:4.3.1 is not here yet; it is pulled at the first up"
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    for on_terminal in (False, True):
        console.out.cache_clear()
        monkeypatch.setattr(sys.stdout, "isatty", lambda on_terminal=on_terminal: on_terminal)
        console.print_under("note  kafka  ", text, "")
    console.out.cache_clear()
    whole, *lines = capsys.readouterr().out.splitlines()
    assert whole == "note  kafka  " + text
    assert len(lines) == 3 and all(cell_len(line) <= 40 for line in lines)
    assert [line[:13] for line in lines] == ["note  kafka  ", " " * 13, " " * 13]
    assert " ".join(line[13:] for line in lines) == text


def test_colour_is_for_terminals_and_those_who_ask(tmp_path: Path) -> None:
    (tmp_path / "sketch.yaml").write_text("generators: {shop: {publsh: a}}\n")
    assert "\x1b[" not in run("check", cwd=tmp_path, code=2).stdout
    assert "\x1b[" in run("check", cwd=tmp_path, code=2, FORCE_COLOR="1").stdout
    assert "\x1b[" not in run("check", cwd=tmp_path, code=2, FORCE_COLOR="1", NO_COLOR="1").stdout


@pytest.mark.parametrize("after_s", [0.04, 0.06, 0.08, 0.1, 0.12, 0.15])
def test_ctrl_c_at_any_moment_is_told_by_the_exit_code_alone(tmp_path: Path, after_s: float) -> None:
    run("init", cwd=tmp_path)
    child = subprocess.Popen([sys.executable, "-m", "eda_cli", "check", *["sketch.yaml"] * 500], cwd=tmp_path,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(after_s)  # this is what is tested, not waited for
    child.send_signal(signal.SIGINT)
    told = child.communicate(timeout=20)[1]
    if child.returncode in (1, -signal.SIGINT) and "eda_cli/cli/" not in told:  # 1: it was importing `site`
        return  # Python itself had not started: on a busy machine that takes a while, and nothing of ours runs yet
    assert "Traceback" not in told
    assert child.returncode == 130


def test_ps_cuts_no_name_and_no_number_and_says_why_below(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
                                                          ) -> None:
    from eda_cli.cli.ps import _print_run

    monkeypatch.setenv("COLUMNS", "40")
    name = "a-part-with-a-name-of-forty-characters-x.10"
    parts = [{"part": name, "state": "crashed", "pid": None, "handled": 1_234_567, "restarts": 3, "lag": None,
              "reason": "killed by SIGKILL", "touched": {}},
             {"part": "shop", "state": "running", "pid": 12345, "up_s": 59.0, "published": 7,
              "touched": {"rate": "50/s", "count": "9"}}]
    _print_run({"run": "shop", "state": "running", "broker": "embedded", "address": {"path": "/some/where/events.db"},
                "sketch": "/a/very/long/path/that/is/never/torn/in/its/middle/shop.yaml", "broker_away": None,
                "scaled_away": {"bi": {"handled": 1200, "dead_lettered": 2}}, "failure": None, "parts": parts})
    lines = capsys.readouterr().out.splitlines()
    assert "  sketch /a/very/long/path/that/is/never/torn/in/its/middle/shop.yaml" in lines
    heads, crashed, shop = lines[3:6]
    assert heads.split() == ["PART", "STATE", "PID", "UP", "PUBLISHED", "HANDLED", "RESTARTS", "LAG"]  # nothing FAILED
    assert crashed.split() == [name, "crashed", "1,234,567", "3", "?"]
    assert shop.split() == ["shop", "running", "12345", "59s", "7"]
    assert lines[6:] == [f"  {name} crashed: killed by SIGKILL",
                         "  bi: 1,200 handled, 2 dead lettered by replicas that were scaled away", "  shop: rate=50/s count=9"]


def test_runs_stand_apart(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from eda_cli.cli import ps

    monkeypatch.setattr("eda_cli.runs.folder.all_runs", lambda: ["bar", "shop"])
    monkeypatch.setattr(ps, "_run_rows", lambda run: [{
        "run": run, "state": "stopped", "broker": "embedded", "address": None, "sketch": "/x.yaml", "broker_away": None,
        "scaled_away": {}, "failure": None, "parts": [{"part": "web", "state": "stopped", "touched": {}}]}])
    ps.ps()
    lines = capsys.readouterr().out.splitlines()
    assert [index for index, line in enumerate(lines) if not line] == [lines.index("shop: stopped on embedded") - 1]


def test_a_pipe_is_told_once_of_what_several_steps_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from eda_cli.cli import console, waiting

    told: list[str] = []
    looks: list[float] = []
    monkeypatch.setattr(console, "can_spin", lambda: False)
    monkeypatch.setattr(console, "say", lambda text, style="": told.append(text))
    monkeypatch.setattr(waiting, "time", SimpleNamespace(monotonic=lambda: looks.append(0.0) or 10.0 * len(looks)))
    monkeypatch.setattr(waiting, "DETAIL_EVERY_S", 1e9)
    monkeypatch.setattr(waiting, "_said", set())
    monkeypatch.setattr(waiting, "_quiet_since", 0.0)
    for text in ("reaching it", "reaching it", "starting", "reaching it"):
        with waiting.waiting(text):
            seen = len(looks)
            eventually(lambda seen=seen: len(looks) > seen + 3, 10)
    assert told == ["reaching it …", "starting …"]


def test_on_a_terminal_a_row_of_a_table_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from eda_cli.cli import console

    rows = [("ann", "long " * 20, "語" * 30, "1,234,567"), ("bob", "", "short", "8")]
    shown = {}
    for columns in (None, 200, 60, 20):
        monkeypatch.setattr(console, "width", lambda columns=columns: columns)
        console.print_table(("KEY", "text", "signs", "N"), rows, right=("N",))
        shown[columns] = capsys.readouterr().out.splitlines()
    assert shown[200] == shown[None] and len(shown[None][1]) > 100
    assert [cell_len(line) for line in shown[60]] == [60] * 3
    assert shown[60][1].startswith("ann  long long") and shown[60][1].endswith("…  1,234,567") and shown[60][1].count("…") == 2
    assert all(cell_len(line) <= 20 for line in shown[20])


def test_windows_is_told_to_use_wsl(monkeypatch: pytest.MonkeyPatch) -> None:
    from eda_cli.cli import main

    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SystemExit, match="WSL"):
        main()


def test_a_home_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    run("init", "--example", "shop", cwd=tmp_path)
    (tmp_path / "file").write_text("")
    told = run("up", "--broker", "embedded", cwd=tmp_path, code=1, EDA_HOME=str(tmp_path / "file" / "home")).stderr
    assert "EDA_HOME" in told
    (tmp_path / "home" / "shop").mkdir(parents=True)
    (tmp_path / "home" / "shop" / "mine").write_text("precious")
    told = run("up", "--broker", "embedded", cwd=tmp_path, code=1).stderr
    assert "is in the way" in told
    assert (tmp_path / "home" / "shop" / "mine").read_text() == "precious"
