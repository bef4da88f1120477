"""The Telegram channel: a bot people talk to, give work to and hear from.

Says to python-telegram-bot, before it is imported, that durations are to be ``timedelta``.
"""

import os

os.environ.setdefault("PTB_TIMEDELTA", "true")
