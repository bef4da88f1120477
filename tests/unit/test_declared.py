import pytest

from noctule.models.wire.declared import (
    capabilities_of_profile,
    capabilities_of_props,
    is_llama_cpp,
)

CALLS = {"supports_tools": True, "supports_tool_calls": True}


@pytest.mark.parametrize(
    ("props", "declared"),
    [
        ({"chat_template_caps": CALLS}, {"tools"}),
        ({"chat_template_caps": {**CALLS, "supports_tool_calls": False}}, set()),
        ({"chat_template_caps": {}, "modalities": {"vision": True}}, {"vision"}),
        ({"chat_template_caps": {"supports_preserve_reasoning": True}}, {"thinking"}),
        ({"total_slots": 2}, None),
        ("not found", None),
    ],
)
def test_llama_cpp_declares_what_its_template_can_say(props, declared):
    """Tools only where calls can be written as well; an older server says nothing."""
    assert capabilities_of_props(props) == declared


def test_a_profile_declares_what_somebody_wrote_down():
    """Tools, vision, thinking; a model without a profile says nothing."""
    profile = {"tool_calling": True, "image_inputs": True, "reasoning_output": False}
    assert capabilities_of_profile(profile) == {"tools", "vision"}
    assert capabilities_of_profile({}) is None
    assert capabilities_of_profile(None) is None


def test_a_list_of_llama_cpp_is_known_by_its_owner():
    """And no other list is asked further."""
    assert is_llama_cpp({"data": [{"id": "m", "owned_by": "llamacpp"}]})
    assert not is_llama_cpp({"data": [{"id": "m", "owned_by": "openai"}, "odd"]})
    assert not is_llama_cpp([])
