"""Secrecy: the bot's token never reaches a log; httpx writes whole URLs at INFO."""

import logging

_NOISY = ("httpx", "httpcore", "telegram", "tornado.access")
_MASK = "<token>"


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
        if record.exc_info and record.exc_info[1] is not None:
            _mask_error(record.exc_info[1], self._token)
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


def _mask_error(error: BaseException, token: str) -> None:
    error.args = tuple(
        part.replace(token, _MASK) if isinstance(part, str) else part for part in error.args
    )
    if error.__cause__ is not None:
        _mask_error(error.__cause__, token)
