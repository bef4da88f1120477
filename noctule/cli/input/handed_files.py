"""``--file`` and ``--image``: what a person hands over with a message."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from noctule.core.errors import UsageError
from noctule.core.tools.outside_text import as_data

if TYPE_CHECKING:
    from noctule.bootstrap import Records
    from noctule.sessions.service.service import Request

_PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"})
_MOST_BYTES = 50_000_000
_SHOWN_BYTES = 32_000

file_option: Callable[[Any], Any] = click.option(
    "--file",
    "files",
    type=click.Path(path_type=Path),
    multiple=True,
    help=(
        "Attach a file: it is copied to the workspace, and a short text is read at once. "
        "Repeatable."
    ),
)
image_option: Callable[[Any], Any] = click.option(
    "--image",
    "images",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Show a picture to a model that can see. Repeatable.",
)


async def with_files(
    records: "Records", request: "Request", files: Sequence[Path], images: Sequence[Path]
) -> "Request":
    """Return a request with files in its session's workspace, and told of in its text.

    Raises:
        UsageError: one of them cannot be taken.
        NotFoundError: there is no such session.
    """
    if not files and not images:
        return request
    from noctule.core.base.ids import new_id  # noqa: PLC0415 - only with files
    from noctule.sessions.service.incoming_files import hand_over  # noqa: PLC0415 - likewise

    for image in images:
        if image.suffix.lower() not in _PICTURES:
            known = ", ".join(sorted(_PICTURES))
            raise UsageError(f"{image} is not a picture format that models can be shown ({known}).")
    begin_as = None if request.session_id else new_id(records.clock)
    root = await _workspace(records, request, begin_as)
    handed = [path.expanduser() for path in (*files, *images)]
    names = hand_over(handed, root, most_bytes=_MOST_BYTES)
    texts = [_text_of(path, name) for path, name in zip(handed, names, strict=True)]
    return replace(
        request,
        text="\n\n".join([request.text, *texts]),
        begin_as=begin_as,
        attachments=names,
    )


async def _workspace(records: "Records", request: "Request", begin_as: str | None) -> Path:
    folder = request.workspace
    session_id = begin_as
    if request.session_id is not None:
        async with records.database.read() as work:
            session = await work.sessions.get(request.session_id)
        session_id, folder = session.id, session.workspace
    return Path(folder) if folder else records.home / "workspaces" / str(session_id)


def _text_of(path: Path, name: str) -> str:
    """Return what the message says of a file: its name, and all of it when it is a short text."""
    said = f"(The person sent the file {name}; it is in the workspace.)"
    if path.suffix.lower() in _PICTURES or path.stat().st_size > _SHOWN_BYTES:
        return said
    try:
        content = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return said
    if not content.strip() or "\0" in content:
        return said
    return as_data(content.rstrip(), f"The person sent the file {name}; this is all of it")
