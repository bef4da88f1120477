"""Secrecy: neither the bot's token nor what people write reaches a log.

httpx writes whole URLs at INFO, python-telegram-bot whole messages at DEBUG.
"""

import logging
import traceback

_NOISY = ("httpx", "httpcore", "telegram", "tornado.access")
_MASK = "<token>"
_FRAMES = 4


class MaskToken(logging.Filter):
    """Takes a token out of log records, arguments and tracebacks' messages included.

    Args:
        token: what is taken out.
    """

    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record in place; every record passes."""
        message = record.getMessage()
        if self._token in message:
            record.msg, record.args = message.replace(self._token, _MASK), ()
        if record.exc_info:
            told = record.exc_text or logging.Formatter().formatException(record.exc_info)
            if self._token in told:
                # Formatters write the text when there is one; the error itself has the token.
                record.exc_text, record.exc_info = told.replace(self._token, _MASK), None
        return True


def keep_quiet(token: str) -> MaskToken:
    """Raise the level of libraries that log URLs or message contents, and mask the token anyway.

    Returns:
        The filter, put on every handler there is; ``speak_again`` takes it off.
    """
    mask = MaskToken(token)
    for name in _NOISY:
        logger = logging.getLogger(name)
        logger.setLevel(max(logging.WARNING, logger.level))
        logger.addFilter(mask)
    for handler in logging.getLogger().handlers:
        handler.addFilter(mask)
    return mask


def speak_again(mask: MaskToken) -> None:
    """Take the filter off."""
    for name in _NOISY:
        logging.getLogger(name).removeFilter(mask)
    for handler in logging.getLogger().handlers:
        handler.removeFilter(mask)


def trail(error: BaseException) -> str:
    """Return what broke and where, without what the error says: that may be somebody's message."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    where = " < ".join(
        f"{f.name} ({f.filename.rpartition('/')[2]}:{f.lineno})" for f in frames[::-1]
    )
    return f"{type(error).__name__} in {where or 'nowhere'}"
