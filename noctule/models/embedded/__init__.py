"""The embedded model: a real llama.cpp server in a child process that never outlives us.

``weights`` (which GGUF file, and is it the right one), ``templates`` (the chat template put in
place of its own), ``options`` (how it is served), ``child`` (the process that serves; it loads
this package too, so nothing is imported here), ``launch`` (what it is told), ``process`` (one run
of it), ``server`` (the handle everybody else uses), ``restarts`` (how often it may come back).
"""
