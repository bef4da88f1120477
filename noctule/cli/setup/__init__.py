"""``noctule init``, ``demo`` and ``serve``: what they show and set up."""
