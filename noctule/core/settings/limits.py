"""``limits:`` timeouts and caps, and ``parking:`` how long a session may sleep."""

from datetime import timedelta

from pydantic import Field

from noctule.core.settings.base import PositiveDuration, Section
from noctule.core.times.durations import Duration


class LimitsSettings(Section):
    """Timeouts and caps for every role that does not set its own."""

    queue_timeout: Duration = timedelta(seconds=30)
    """How long a call waits for a free slot before the next model is asked; ``0s`` does not."""

    connect_timeout: PositiveDuration = timedelta(seconds=5)
    """How long a connection to an endpoint may take."""

    first_token_timeout: PositiveDuration = timedelta(seconds=120)
    """How long the first token may take (a local model may have to be loaded first)."""

    stall_timeout: PositiveDuration = timedelta(seconds=60)
    """How long a stream may pause between two pieces before it counts as dead."""

    call_timeout: PositiveDuration = timedelta(seconds=300)
    """How long one call may take in all."""

    second_samples: int = Field(default=2, ge=0, le=10)
    """How often a model is asked anew, within one call, when its reply cannot be used: an empty
    one, a tool call that cannot be read or stands there as text, a stream that broke off. The
    first time at once, told what was wrong; then its fallbacks are asked; what is left of this
    only when nobody else can answer. ``0`` asks the fallback at once."""

    max_steps: int = Field(default=30, ge=1)
    """The most steps (model calls and tool calls) of one chat turn."""

    max_run_steps: int = Field(default=200, ge=1)
    """The most steps of one turn of a background run."""

    max_turns: int = Field(default=64, ge=1)
    """How many turns one worker carries at once; further ones wait in the queue."""

    max_model_calls: int = Field(default=300, ge=1)
    """The most model calls of one turn."""

    compact_tokens: int = Field(default=14_000, ge=1000)
    """How long the prompt of an agent at work may grow, in tokens, before old tool output is left
    out of it and old work is summed up; at most six tenths of what its model holds."""

    max_turn_time: PositiveDuration = timedelta(hours=12)
    """The most time one turn may work, sleep not counted."""

    max_message_bytes: int = Field(default=1_000_000, ge=1)
    """The longest message taken from a person, in bytes."""

    circuit_failures: int = Field(default=3, ge=1)
    """How many failures in a row open a model's circuit."""

    circuit_open: Duration = timedelta(seconds=30)
    """How long an open circuit keeps a model from being asked; doubled each time it opens again
    without a success, up to ten minutes. ``0s`` never keeps it from being asked."""

    slow_first_token: Duration = timedelta(seconds=60)
    """A first token later than this counts as a failure against the circuit. ``0s`` means never."""


class ParkingSettings(Section):
    """How long a session may sleep, and when nobody wants to hear of it."""

    max_windows: int = Field(default=3, ge=1)
    """Behind how many windows in a row a turn asks in vain before it waits for the person. A window
    has an end that the provider told or ``window:`` configures; guesses and waits of a minute or
    less are none."""

    longest_wait: Duration = timedelta(hours=26)
    """A longer known wait makes the turn wait for the person instead of sleeping. Where nobody says
    how long, it asks again and again and waits for the person after so long in all. ``0s`` means no
    turn ever sleeps."""

    deadline: PositiveDuration | None = None
    """How long after it was said a turn may still wake; a later wake waits for the person
    instead. Unset means there is no deadline."""

    max_unfinished: int = Field(default=1000, ge=1)
    """How many turns may be queued or parked at all; a further one is refused with the reason."""

    waiting_expiry: PositiveDuration = timedelta(days=7)
    """How long a turn waits for a person before it is cancelled with a notice."""

    quiet_hours: tuple[str, str] | None = None
    """Two times of day, like ``["22:00", "07:00"]``, between which notices are silent. Unset
    means never silent."""

    wake_in_quiet_hours: bool = True
    """``false``: nothing wakes during quiet hours; it wakes when they end."""
