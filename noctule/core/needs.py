"""What one call requires of a model."""

from dataclasses import dataclass

from noctule.core.routes import Complexity


@dataclass(frozen=True, slots=True)
class Need:
    """What one call requires.

    Args:
        tools: it offers tools, so that the model must be able to call them.
        vision: it sends pictures.
        json_schema: its answer must fit a schema.
        context_tokens: prompt and answer together, estimated; 0 means unknown, do not check.
        private: only local models may see it.
        complexity: ``escalate`` asks the binding's escalation model first.
    """

    tools: bool = False
    vision: bool = False
    json_schema: bool = False
    context_tokens: int = 0
    private: bool = False
    complexity: Complexity = Complexity.SIMPLE
