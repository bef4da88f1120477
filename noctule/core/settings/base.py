"""What all settings have in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """One section of the configuration: unknown keys are refused, values do not change."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,  # an input may be a secret
    )
