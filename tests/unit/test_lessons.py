from langchain_core.messages import AIMessage, ToolMessage

from graphs.loop.loop_limits import circle
from graphs.tools.tool_call import ToldResult
from graphs.tools.tool_hints import with_lesson, without_lesson
from tools.shell.command_words import is_command_line, is_python


def asked(number, where="here"):
    return {"name": "look", "args": {"where": where}, "id": f"id{number}", "type": "tool_call"}


def lap(number, text, where="here"):
    return [
        AIMessage("", tool_calls=[asked(number, where)]),
        ToolMessage(text, tool_call_id=f"id{number}"),
    ]


def test_a_call_made_before_with_the_same_result_says_so():
    """Only the same call with the same result, whatever ids stand in it, and never twice over."""
    before = lap(1, "<data-id1>\na hammer\n</data-id1>")
    same = with_lesson(ToldResult("<data-id2>\na hammer\n</data-id2>"), asked(2), before)
    assert same.text.startswith("You made this very call before, with the same result:\n<data-id2>")
    assert with_lesson(ToldResult("a saw"), asked(2), before).text == "a saw"
    assert with_lesson(ToldResult("a hammer"), asked(2, "there"), before).text == "a hammer"
    third = with_lesson(
        ToldResult("<data-id3>\na hammer\n</data-id3>"), asked(3), [*before, *lap(2, same.text)]
    )
    assert third.text.count("You made this very call") == 1
    assert without_lesson(third.text).startswith("<data-id3>")


def test_a_lesson_does_not_hide_a_circle():
    """The guard compares results without what the lesson adds to them."""
    messages = lap(1, "a hammer")
    for number in (2, 3):
        said = with_lesson(ToldResult("a hammer"), asked(number), messages)
        messages += lap(number, said.text)
    assert circle(messages) == "look"


def test_command_lines_and_programs_are_told_apart():
    """What could run as what it was meant to be is never refused."""
    lines = (
        "ls -la",
        "ls",
        "pytest -q tests",
        "cd src && make",
        "python3 -m unittest",
        "cat a.txt | grep x",
        "!ls",
        "pip install x",
        "git status",
        "echo hi > a.txt",
    )
    programs = (
        "print(1)",
        "make = 3\nprint(make)",
        "sort(x)",
        "env: int = 2",
        "find.x = 1",
        "import os\nos.system('ls')",
        "cut[0]",
        "",
        "lsx -la",
        "def f():\n    pass",
    )
    wrong = [one for one in lines if not is_command_line(one)]
    wrong += [one for one in programs if is_command_line(one)]
    assert not wrong
    assert is_python("import os\nprint(os.getcwd())")
    wrong = [one for one in (*lines, "from a", "import a.png b.png", "class") if is_python(one)]
    assert not wrong
