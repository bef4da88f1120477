import pytest

from noctule.core.errors import EmbeddedModelError
from noctule.models.embedded.templates import readable_template, template_version


def test_template_is_read_as_it_is(tmp_path):
    """Blanks and line ends belong to a template."""
    path = tmp_path / "calls.jinja"
    path.write_bytes("{{ messages }}é \n\n".encode())

    assert readable_template(path) == "{{ messages }}é \n\n"


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "No such file"), (b" \n", "is empty"), (b"\xff\xfe", "is not UTF-8 text")],
)
def test_template_that_cannot_serve_is_refused(tmp_path, content, why):
    """A file that is absent, empty or no text is named with what to do."""
    path = tmp_path / "calls.jinja"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(EmbeddedModelError, match=why) as caught:
        readable_template(path)

    assert str(path) in str(caught.value)
    assert "`chat_template`" in str(caught.value)


def test_version_changes_with_the_text(tmp_path):
    """Two templates never share a version, and one that cannot be read has none."""
    path = tmp_path / "calls.jinja"
    assert template_version(path) == ""
    path.write_text("one")
    before = template_version(path)
    path.write_text("two")

    assert before.startswith("template:")
    assert template_version(path) not in {"", before}
