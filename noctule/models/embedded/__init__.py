"""The embedded model: a real llama.cpp server in a child process that never outlives us.

One noun per file: ``weights`` (which GGUF file, and is it the right one), ``options`` (how it
is served), ``child`` (the process that serves), ``server`` (the parent's handle on it),
``restarts`` (how often it may come back).
"""

from noctule.models.embedded.options import EmbeddedOptions
from noctule.models.embedded.server import EmbeddedServer, ServerAddress
from noctule.models.embedded.weights import packaged_weights, readable_weights

__all__ = [
    "EmbeddedOptions",
    "EmbeddedServer",
    "ServerAddress",
    "packaged_weights",
    "readable_weights",
]
