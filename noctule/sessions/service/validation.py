"""What people ask for, checked before anything is written: a text, a role, a model."""

from noctule.core.base.roles import ANSWERING
from noctule.core.errors import UsageError
from noctule.core.settings import Settings


def check_text(text: str, what: str, settings: Settings) -> None:
    """Refuse a text that is empty, broken or too long.

    Args:
        text: what was said.
        what: what it is, for the sentence: ``message``, ``answer``.
        settings: how much may be taken.

    Raises:
        UsageError: it cannot be taken.
    """
    if not text.strip():
        raise UsageError(f"The {what} is empty. Write what you want done.")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise UsageError(
            f"The {what} is not valid Unicode text (it holds broken UTF-8). Send it as UTF-8."
        ) from None
    most = settings.limits.max_message_bytes
    if size > most:
        raise UsageError(
            f"The {what} has {size:,} bytes and at most {most:,} are taken "
            "(limits.max_message_bytes). Put the text into a file and name it, or shorten it."
        )


def check_role(role: str | None) -> None:
    """Refuse a role that does not answer; None leaves it to the route.

    Raises:
        UsageError: there is no such role.
    """
    names = [role.value for role in ANSWERING]
    if role is not None and role not in names:
        raise UsageError(f"There is no role {role!r}. Use one of: {', '.join(names)}.")


def check_model(model: str | None, settings: Settings, *, private: bool) -> None:
    """Refuse a model that is not there, or not local though the turn is private.

    Args:
        model: by its configured name; None leaves it to the binding.
        settings: what there is.
        private: whether the turn is kept on local models.

    Raises:
        UsageError: it cannot be used.
    """
    if model is None:
        return
    if model not in settings.models:
        known = ", ".join(sorted(settings.models))
        raise UsageError(f"There is no model {model!r}. Use one of: {known}.")
    if private and not settings.is_local(model):
        raise UsageError(
            f"{model} is not local and the turn is private. Choose a local model, "
            "or leave --private out."
        )
