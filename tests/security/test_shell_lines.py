"""What rules for commands allow and forbid, held against a shell that runs the lines."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from random import Random

import pytest

from noctule.core.settings import Permission
from noctule.core.tools.effects import EffectClass
from noctule.core.tools.permissions import Act, decide, rule_for
from tests.support.fuzzing import examples, factor
from tests.support.shell_lines import Done, missing, random_line, run_lines

ALLOW, ASK, DENY = Permission.ALLOW, Permission.ASK, Permission.DENY
PATTERNS = (
    "git status*", "git log*", "git diff*", "pytest*", "ls*", "echo *", "make", "test *",
    "python -m pytest*", "printf *", "true",
)  # fmt: skip
BANNED = ("git push*", "rm*", "curl*", "evil*")
ALLOWED = {"shell": ASK, **{f"shell:{pattern}": ALLOW for pattern in PATTERNS}}


def judged(line: str, rules: dict[str, Permission]) -> Permission:
    return decide(Act("shell", "shell", EffectClass.WRITE, line), rules=rules).permission


def beyond(done: Done) -> Sequence[object]:
    """Return what a line did that no pattern is about."""
    calls = [
        call
        for call in done.calls
        if not any(fnmatchcase(" ".join(call), pattern) for pattern in PATTERNS)
    ]
    return [*calls, *done.files]


def random_lines(count: int) -> list[str]:
    chance = Random(23 if factor() == 1 else None)
    return [random_line(chance) for _ in range(count)]


@pytest.mark.fuzz
@pytest.mark.process
def test_no_line_that_is_allowed_runs_anything_else_and_no_ban_is_walked_round(tmp_path: Path):
    """One bash runs them all where every program writes down how it was called."""
    if reason := missing():
        pytest.skip(reason)
    lines = random_lines(examples(500))
    done = run_lines(lines, tmp_path)
    allowed = [at for at, line in enumerate(lines) if judged(line, ALLOWED) is ALLOW]
    wrong = {lines[at]: beyond(done[at]) for at in allowed if beyond(done[at])}
    assert wrong == {}
    bans = {f"shell:{pattern}": DENY for pattern in BANNED}
    walked_round = [
        (line, call)
        for line, one in zip(lines, done, strict=True)
        for call in one.calls
        if any(fnmatchcase(" ".join(call), pattern) for pattern in BANNED)
        and judged(line, bans) is ALLOW
    ]
    assert walked_round == []
    assert len(allowed) > len(lines) / 5  # and what is harmless is not asked about
    assert sum(1 for one in done if beyond(one)) > len(lines) / 8


@pytest.mark.process
def test_the_shell_that_runs_them_tells_what_they_did(tmp_path: Path):
    """Behind a substitution, in the background, by another name, into a file."""
    if reason := missing():
        pytest.skip(reason)
    lines = ["git status $(rm x)", "x=push; git $x &", "echo a >b", "true", "./evil 'a b' c\nd"]
    done = run_lines(lines, tmp_path)
    assert done[0].calls == (("rm", "x"), ("git", "status"))
    assert done[1].calls == (("git", "push"),)
    assert done[2].files == ("b",)
    assert done[3] == Done((), ())
    assert done[4].calls == (("evil", "a b", "c"),)


@pytest.mark.parametrize(
    "line",
    [
        "git 2>&1 push", "git >x push", "git>x push", "git 2> x -C . push", "git <<<x push",
        "2>&1 git push", ">|log git push", "1>&2 git -C . push", "ls 2>&1; 2>&1 git push",
        "git -C . push", "git -C '/a b' push", "git -c user.name=x push", "git --git-dir=x push",
        "git --git-dir x --work-tree=y push", "git --no-pager -C . -p push", "env -C x git push",
        "timeout -k 5 9 git -C . push", "sudo -u me -E git -C . push", "nice -n 3 git -C . push",
        "xargs -I{} git -C {} push", "find . -execdir git -C x push ;", "env -S 'git push'",
        "bash -c 'git -C . push'", "eval git -C . push", "cd x && git -C .. push", "git -C $d push",
        "command git -C . push", "/usr/bin/git -C . push", "ls | xargs git push", "git -P push",
        "if git -C . push; then ls; fi", "(git -C . push)", "echo $(git -C . push)",
        "setsid -f git --namespace x push", "nohup git -C . push &", "watch 'git -C . push'",
        "ssh host 'git -C . push'", "su me -c 'git -C . push'", "git --attr-source=x push",
        "trap 'git -C . push' EXIT", "flock x git -C . push", "stdbuf -oL git -C . push",
    ],
)  # fmt: skip
def test_a_deny_rule_is_held_against_what_is_run_with_options(line: str):
    """Options of git and of what runs it stand between the words of the rule."""
    assert judged(line, {"shell:git push*": DENY}) is DENY


@pytest.mark.parametrize(
    "line",
    [
        "declare 'a[$(git push)]=1'", "read 'a[`git push`]'", "mapfile -C 'git push' -c 1 a",
        "PS4='$(git push)'; set -x; ls", "cat <<E\n'$(git push)'\nE", 'echo "`ls\ngit push`"',
        "function f { git push; }; f", "eval 'true \"$(git push)\"'", "trap 'git push' DEBUG; ls",
        'echo "$(ls\ngit push)"', 'x="$(cd a; git push)"', "complete -C 'git push' ls",
        "eval echo a$'\\n'git push", 'bash -c "ls $x"',
    ],
)  # fmt: skip
def test_what_random_lines_found_does_not_pass(line: str):
    """Each ran although a rule forbids it: bash reads some texts once more."""
    assert judged(line, {"shell:git push*": DENY}) is not ALLOW


@pytest.mark.parametrize(
    "line",
    [
        "$x push", "${x} push", '"$x" push', "$(echo git) push", "`echo git` push", "g$y push",
        "g${y}t push", "git $x", "git pu$x", 'git "$@"', "git ${x:-push}", "env $x", "sudo $x push",
        "nice -n 5 $x push", "timeout 5 $x", "xargs -n1 $x", "echo push | xargs git", "eval $x",
        'eval "$x"', 'bash -c "$x"', "echo 'git push' | sh", "bash -s < list", 'sh <<< "$x"',
        "/usr/bin/g?t push", "[g]it push", "{git,} push", "g{i,i}t push", "$'\\x67it' push",
        "git -c alias.p=push p", "git -c alias.p='!x push' p", "git --config-env=alias.p=X p",
        "find . -exec $x {} +", "x=git; $x push", "if $x push; then ls; fi", "! $x push",
        "FOO=$BAR $x push", "\\$x $(echo y)$x; $x push", "g$(echo i)t push", "cd a && $x push",
        "ls | while read l; do $l; done", 'f() { "$@"; }; f git push', "find . -exec {} push ;",
    ],
)  # fmt: skip
def test_where_only_a_shell_can_tell_the_command_a_person_is_asked(line: str):
    """If a rule that forbids or asks may be about it; and nothing of that lifts a ban."""
    assert judged(line, {"shell:git push*": DENY}) is ASK
    assert judged(line, {"shell": ALLOW, "shell:git push*": ASK}) is ASK
    assert judged(line, {"shell:git push*": DENY, rule_for("shell", line): DENY}) is DENY
    assert judged(line, {}) is ALLOW


@pytest.mark.parametrize(
    "line",
    [
        "echo $HOME", "ls *.py", "find . -name '*.py'", "find . -name *.py -print", "cd $d && make",
        "for f in *.py; do echo $f; done", "python -m pytest $ARGS -k 'a or b'", "x=$(git status)",
        "echo $(git log)", "git status", "git -C . status", "git -C push status", "grep push $f",
        'git commit -m "$(date)"', "git log $x", "sort a | uniq -c | head -$n", "cat a | grep -v b",
        "test -n \"$x\" && echo '$x'", "awk '{print $1}' a", "git -c color.ui=never log",
        "timeout 60 pytest -q", "env A=b pytest $x", "nice make -C $d", "echo 'git push'",
        "git diff {a,b}", "echo `date`", "xargs -n1 echo", "sed -i s/a/$b/ c", "export A=$b; make",
    ],
)  # fmt: skip
def test_what_is_no_other_command_is_not_asked_about(line: str):
    """Variables and patterns in arguments are everywhere; nobody is asked about those."""
    assert judged(line, {"shell:git push*": DENY, "shell:npm publish*": ASK}) is ALLOW


@pytest.mark.parametrize(
    "line",
    [
        "test -v 'a[$(rm x)]'", "printf -v 'a[`rm x`]' y", "find . -exec rm {} +", "find . -delete",
        "find . -ok rm {} ;", "find . -fprint x", "git -c alias.x='!rm y' x",
        "git -c core.pager='rm x' log", "git -ccore.fsmonitor=x status", "git --exec-path=. log",
        "git -C . -c core.sshCommand=x fetch",
    ],
)  # fmt: skip
def test_a_wildcard_allows_no_command_that_runs_others_by_its_arguments(line: str):
    """The exact line can be allowed; what begins alike was not meant."""
    rules = {"shell": ASK, "shell:test *": ALLOW, "shell:printf *": ALLOW, "shell:find *": ALLOW,
             "shell:git *": ALLOW}  # fmt: skip
    assert judged(line, rules) is ASK
    assert judged("git -c color.ui=never -C . log", rules) is ALLOW
    assert judged("find . -name x -print", rules) is ALLOW


@pytest.mark.parametrize("line", ["pytest=1 rm x", "pytest=exec bash -c 'rm x'", "pytest+=1 rm x",
                                  "pytest[0]=1 rm x", "pytest[a]+=1 rm x"])  # fmt: skip
def test_an_assignment_is_not_the_command_it_begins_like(line: str):
    """A pattern for a program allows no variable of that name, and then another program."""
    assert judged(line, {"shell": ASK, "shell:pytest*": ALLOW}) is ASK
    assert judged("CI=1 pytest -q", {"shell": ASK, "shell:CI=1 pytest*": ALLOW}) is ALLOW
    assert judged("CI=1 pytest -q", {"shell": ASK, "shell:*pytest*": ALLOW}) is ALLOW
