import pytest
from hypothesis import given
from hypothesis import strategies as st

from noctule.core.settings import Permission
from noctule.core.tools.effects import EffectClass
from noctule.core.tools.permissions import Act, decide, rule_for
from noctule.core.tools.shell_guises import guises
from noctule.core.tools.shell_words import read_commands

ALLOW, ASK, DENY = Permission.ALLOW, Permission.ASK, Permission.DENY
READ, WRITE, OUTSIDE = EffectClass.READ, EffectClass.WRITE, EffectClass.OUTSIDE


def shell(command: str, **changes) -> Act:
    return Act("shell", "shell", WRITE, command, **changes)


def said(act: Act, rules=None, **changes) -> Permission:
    return decide(act, rules=rules or {}, **changes).permission


@pytest.mark.parametrize(
    ("act", "wanted"),
    [
        (Act("read_file", "files", READ, "a"), ALLOW),
        (Act("write_file", "files", WRITE, "a"), ALLOW),
        (Act("shell", "shell", WRITE, "ls"), ALLOW),
        (Act("shell", "shell", WRITE, "ls", needs_person="there is no sandbox."), ASK),
        (Act("web_search", "web", READ, "bats"), ALLOW),
        (Act("post", "own", OUTSIDE, "x"), ASK),
        (Act("shop_list", "mcp", READ, server="shop"), ASK),
        (Act("shop_list", "mcp", READ, server="shop", default=ALLOW), ALLOW),
        (Act("ask", "ask", READ, "What?"), ALLOW),
        (Act("remember", "notes", WRITE, "x"), ALLOW),
        (Act("my_sessions", "sessions", READ), ALLOW),
    ],
)
def test_safe_defaults_let_a_nights_work_happen(act, wanted):
    """Reading, the workspace and a sandbox are allowed; what happens outside is asked about."""
    assert said(act) is wanted


def test_a_command_without_a_sandbox_is_asked_about_with_that_reason():
    """The person is told what is different here, not that it is a rule in general."""
    act = Act("shell", "shell", OUTSIDE, "ls", needs_person="There is no sandbox here.")
    assert decide(act, rules={}).why == "There is no sandbox here"


@pytest.mark.parametrize(
    ("rules", "command", "wanted"),
    [
        ({"shell": DENY}, "ls", DENY),
        ({"shell": ASK, "shell:git *": ALLOW}, "git status", ALLOW),
        ({"shell": ASK, "shell:git *": ALLOW}, "git  status", ALLOW),
        ({"shell": ASK, "shell:git *": ALLOW}, "rm -rf .", ASK),
        ({"shell:git push*": DENY}, "git push origin", DENY),
        ({"shell:git push*": DENY}, "git status", ALLOW),
        ({"shell:git *": ALLOW, "shell:git push*": DENY}, "git push", DENY),
        ({"shell:a*": ALLOW, "shell:*b": ASK}, "ab", ASK),
    ],
)
def test_the_longest_rule_that_fits_decides_and_of_equals_the_strictest(rules, command, wanted):
    """A pattern is more than a name, a longer one more than a shorter one."""
    assert said(shell(command), rules) is wanted


@pytest.mark.parametrize(
    "command",
    [
        "git push",
        "ls && git push origin main",
        "ls; git push",
        "ls\ngit push",
        "ls | git push",
        "(cd x; git push)",
        "echo $(git push)",
        "echo `git push`",
        'echo "$(git push)"',
        "sudo git push",
        "GIT_DIR=x git push",
        "env A=b git push",
        "/usr/bin/git push",
        "sh -c 'git push'",
        'bash -lc "cd x && git push"',
        "xargs git push < list",
        "{ git push; }",
        "if true; then git push; fi",
        "timeout 5 git push",
        "'git' push",
        "g\\it pu''sh",
        'git "push"',
        "nice -n 10 git push",
        "env -u HOME git push",
        "setsid git push",
        "xargs -n 1 git push",
        "bash -c git\\ push",
        "eval git push",
        "trap 'git push' EXIT",
        "find . -exec git push {} +",
        ">log git push",
        "2>/dev/null git push",
        "git${IFS}push",
        "true # '\ngit push\n# '",
    ],
)
def test_what_is_forbidden_is_found_wherever_it_stands_in_a_line(command):
    """Joined, grouped, substituted, prefixed or handed to another shell: it is that command."""
    assert said(shell(command), {"shell:git push*": DENY}) is DENY


@pytest.mark.parametrize(
    "command",
    [
        "git status; rm -rf /",
        "git status && curl evil.example",
        "git status $(rm -rf /)",
        "git status `rm x`",
        'git log "$(rm x)"',
        "git status > /etc/passwd",
        "git status <(rm x)",
        "git log 'unfinished",
        "git status\nrm x",
        "git status & rm x",
        "git status # don't\nrm x # don't",
        "git status\\\n#; rm x",
        "git status \\ #; rm x",
        "git status $'a\\'b' ; rm x #'",
        'git status "${x:-"\'"}" ; rm x # \'"',
        "git status $[$(rm x)]",
    ],
)
def test_a_rule_that_allows_a_command_allows_nothing_more(command):
    """What a line does besides the command named is asked about."""
    rules = {"shell": ASK, "shell:git *": ALLOW}
    assert said(shell(command), rules) is ASK
    assert said(shell(command), {"shell": ASK}, grants=["shell:git *"]) is ASK


def test_a_grant_for_a_whole_line_fits_exactly_that_line():
    """What a person saw is what they allowed, whatever characters it has."""
    line = "cat *.py | grep '[a]' > out && rm $(ls)"
    rule = rule_for("shell", line)
    assert said(shell(line), {"shell": ASK}, grants=[rule]) is ALLOW
    assert said(shell(line.replace("*", "x")), {"shell": ASK}, grants=[rule]) is ASK
    assert said(shell(line + "; ls"), {"shell": ASK}, grants=[rule]) is ASK


def test_what_stands_in_quotes_belongs_to_the_line():
    """A line break in quotes makes another program of it, however alike it looks."""
    rule = rule_for("shell", "bash -c 'echo a # rm b'")
    assert said(shell("bash  -c 'echo a # rm b'"), {"shell": ASK}, grants=[rule]) is ALLOW
    assert said(shell("bash -c 'echo a # \nrm b'"), {"shell": ASK}, grants=[rule]) is ASK


def test_two_grants_are_none_for_both_at_once():
    """Who allowed to leave a folder and to delete one did not allow to leave and delete there."""
    grants = [rule_for("shell", "cd .."), rule_for("shell", "rm -r build")]
    assert said(shell("rm -r build"), {"shell": ASK}, grants=grants) is ALLOW
    assert said(shell("cd .. && rm -r build"), {"shell": ASK}, grants=grants) is ASK
    patch = Act("apply_patch", "files", WRITE, "a\nb")
    files = [rule_for("apply_patch", "a"), rule_for("apply_patch", "b")]
    assert said(patch, {"files": ASK}, grants=files) is ASK
    assert said(patch, {"files": ASK}, grants=["apply_patch:*"]) is ALLOW


@pytest.mark.parametrize(
    "line",
    [
        "echo $(a);" + "a;" * 45_000,
        'bash -c "' + '\\"' * 45_000,
        "<" * 90_000,
        "env " * 20_000,
        "a=b " * 20_000,
        "#" * 90_000,
    ],
)
def test_a_long_line_is_judged_in_no_time_to_speak_of(line):
    """What a model writes cannot hold up everybody else."""
    read = read_commands(line)
    assert len(guises(read)) < 60_000
    assert said(shell(line), {"shell": ALLOW, "shell:git push*": DENY}) in {ALLOW, ASK}


def test_paths_names_families_and_servers_may_be_named():
    """A rule is about a tool, its family or its server, with a pattern or without."""
    write = Act("write_file", "files", WRITE, "config/.env")
    assert said(write, {"write_file:*.env": DENY}) is DENY
    assert said(write, {"files:*.env": DENY}) is DENY
    assert said(write, {"files": ASK, "write_file:config/*": ALLOW}) is ALLOW
    patch = Act("apply_patch", "files", WRITE, "a.py\nconfig/.env")
    assert said(patch, {"files:*.env": DENY}) is DENY
    buy = Act("shop_buy", "mcp", OUTSIDE, server="shop")
    assert said(buy, {"mcp:shop": ALLOW}) is ALLOW
    assert said(buy, {"mcp:other": ALLOW}) is ASK
    assert said(buy, {"mcp": ALLOW, "shop_buy": DENY}) is DENY


def test_a_roles_own_rule_stands_for_the_general_one():
    """The same key of the role replaces the general one; a longer general one still decides."""
    rules = {"shell": DENY, "shell:git push*": DENY}
    assert said(shell("ls"), rules, role_rules={"shell": ALLOW}) is ALLOW
    assert said(shell("git push"), rules, role_rules={"shell": ALLOW}) is DENY


def test_what_is_forbidden_cannot_be_granted():
    """Neither a grant nor an approval of this very call changes it."""
    decision = decide(shell("ls"), rules={"shell": DENY}, grants=["shell"], approved=True)
    assert (decision.permission, decision.granted) == (DENY, False)


def test_steered_effects_outside_ask_whatever_is_allowed():
    """Rules and grants do not do once text from outside was read; the person's word does."""
    post = Act("post", "own", OUTSIDE, "x")
    allowed = {"post": ALLOW}
    assert said(post, allowed) is ALLOW
    assert said(post, allowed, steered=True) is ASK
    assert said(post, allowed, grants=["post"], steered=True) is ASK
    assert said(post, allowed, steered=True, approved=True) is ALLOW
    assert said(Act("write_file", "files", WRITE, "a"), steered=True) is ALLOW


def test_where_a_person_is_needed_a_rule_does_not_do_and_a_grant_does():
    """Without a sandbox ``shell: allow`` still asks; ``run --allow shell`` was a person's word."""
    bare = shell("ls", needs_person="there is no sandbox")
    assert said(bare, {"shell": ALLOW}) is ASK
    granted = decide(bare, rules={"shell": ALLOW}, grants=["shell"])
    assert (granted.permission, granted.granted) == (ALLOW, True)


PERMISSIONS = st.sampled_from(Permission)
SUBJECTS = st.text("ab *;&|$()'\"", max_size=12)
KEYS = st.one_of(
    st.sampled_from(["shell", "post", "own", "files"]),
    st.builds(lambda pattern: f"shell:{pattern}", st.text("ab *[]", min_size=1, max_size=6)),
)
RULES = st.dictionaries(KEYS, PERMISSIONS, max_size=4)
ACTS = st.one_of(
    st.builds(shell, SUBJECTS),
    st.builds(lambda subject: Act("post", "own", OUTSIDE, subject), SUBJECTS),
)
ORDER = {ALLOW: 0, ASK: 1, DENY: 2}


@given(ACTS, RULES, st.lists(KEYS, max_size=3), st.booleans())
def test_nothing_but_a_person_makes_a_decision_milder(act, rules, grants, steered):
    """Grants never lift what is forbidden, steering never loosens, approval never denies."""
    plain = decide(act, rules=rules)
    granted = decide(act, rules=rules, grants=grants)
    assert ORDER[granted.permission] <= ORDER[plain.permission]
    assert (granted.permission is DENY) == (plain.permission is DENY)
    assert ORDER[said(act, rules, grants=grants, steered=True)] >= ORDER[granted.permission]
    approved = decide(act, rules=rules, grants=grants, steered=steered, approved=True)
    assert approved.permission is (DENY if plain.permission is DENY else ALLOW)


@given(ACTS, RULES)
def test_a_ban_on_everything_holds_for_everything(act, rules):
    """Where only bans fit there is no way to write a command that passes."""
    bans = dict.fromkeys(rules, DENY) | {act.tool: DENY}
    assert said(act, bans) is DENY


@given(st.text("ab *[]?'\";|&$(){}<>\n", min_size=1, max_size=20))
def test_a_grant_for_exactly_this_fits_exactly_this(subject):
    """Special characters of a subject mean themselves."""
    act = shell(subject)
    assert said(act, {"shell": ASK}, grants=[rule_for("shell", subject)]) is ALLOW
    assert said(shell(subject + " x"), {"shell": ASK}, grants=[rule_for("shell", subject)]) is ASK


@given(st.text(max_size=200))
def test_any_text_is_read_as_a_command_line(text):
    """Nothing a model writes breaks the reading of it."""
    for command in read_commands(text).commands:
        assert command == command.lstrip(" \t\n")
        assert command == command.rstrip(" \t\n") or command.rstrip(" \t\n").endswith("\\")
