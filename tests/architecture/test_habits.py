import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = ROOT / ".github/workflows"
USES = re.compile(r"uses: *(\S+)")
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


def workflow(name):
    """Read a workflow; YAML 1.1 takes its key `on` for true."""
    return yaml.safe_load((WORKFLOWS / name).read_text(encoding="utf-8"))


def test_workflows_take_two_actions_by_their_full_version():
    """No action but checkout and setup-python, none by a tag that moves, and no secret at all."""
    for path in WORKFLOWS.glob("*.yml"):
        text = path.read_text(encoding="utf-8")
        for used in USES.findall(text):
            assert re.fullmatch(r"actions/(checkout|setup-python)@v\d+\.\d+\.\d+", used), path
        assert "secrets." not in text, path
        assert yaml.safe_load(text)["permissions"] == {"contents": "read"}, path


def test_ci_runs_what_a_person_runs_on_every_python():
    """The matrix has Linux and macOS and every Python that the package names, and the next one."""
    job = workflow("ci.yml")["jobs"]["run"]
    assert ".ci/run" in [step.get("run") for step in job["steps"]]
    systems, pythons = (job["strategy"]["matrix"][key] for key in ("os", "python"))
    assert {name.partition("-")[0] for name in systems} == {"ubuntu", "macos"}
    named = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(named) < set(pythons)
    assert pythons == ["3.11", "3.12", "3.13", "3.14"]


def test_a_release_publishes_the_very_wheel_that_was_tried():
    """Publishing needs the tests, alone may prove who it is, and takes what `.ci/wheel` built."""
    jobs = workflow("release.yml")["jobs"]
    publish = jobs["publish"]
    assert publish["needs"] == "test"
    assert publish["permissions"] == {"contents": "read", "id-token": "write"}
    assert "permissions" not in jobs["test"]
    runs = [step["run"] for step in publish["steps"] if "run" in step]
    assert runs[-2:] == [
        ".ci/wheel dist",
        ".venv/bin/uv publish --trusted-publishing always dist/noctule-*.whl",
    ]


def test_hooks_download_nothing():
    """Every pre-commit hook is local and calls a tool of the project's own environment."""
    for repo in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]:
        assert repo["repo"] == "local"
        for hook in repo["hooks"]:
            assert hook["language"] == "system"
            assert ".venv/bin/" in hook["entry"]


@pytest.mark.parametrize("name", ["bug.yml", "refusal.yml", "idea.yml"])
def test_forms_are_forms(name):
    """An issue form has a name, and each field an id of its own and a label."""
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE" / name).read_text(encoding="utf-8"))
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert form["name"]
    assert form["description"]
    assert len({field["id"] for field in fields}) == len(fields) > 0
    assert all(field["attributes"]["label"] for field in fields)


def test_pages_for_contributors_lead_somewhere():
    """Links of the pages at the root and of docs lead to files; AGENTS.md is one page."""
    lost = [
        f"{page.name}: {target}"
        for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"))
        for target in LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert lost == []
    assert len((ROOT / "AGENTS.md").read_text(encoding="utf-8").splitlines()) <= 70
