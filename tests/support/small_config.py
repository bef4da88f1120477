"""A configuration for tests of commands: a local and a paid endpoint, two models."""

CONFIG = """\
timezone: Europe/Berlin
endpoints:
  near: {kind: scripted, monthly_usd: 6}
  far: {kind: scripted, local: false}
models:
  small: {endpoint: near, name: small-1, tools: false, memory_gb: 1.5}
  large:
    endpoint: far
    name: large-1
    tier: frontier
    price: {input: 3, output: 15}
roles:
  chat: {primary: small, fallback: large}
  orchestrator: {primary: small}
  engineer: {primary: large, fallback: small}
  research: {primary: large}
  writer: {primary: large}
  utility: {primary: small}
"""


def served_at(url: str, **role: str) -> str:
    """Return a configuration whose only model is served at a loopback address."""
    binding = "{primary: only" + "".join(f", {key}: {value}" for key, value in role.items()) + "}"
    roles = ("chat", "orchestrator", "engineer", "research", "writer", "utility")
    lines = [
        "timezone: Europe/Berlin",
        f'endpoints: {{cloud: {{kind: openai, url: "{url}"}}}}',
        "models: {only: {endpoint: cloud, name: model, price: {input: 1, output: 2}}}",
        "roles:",
        *(f"  {name}: {binding}" for name in roles),
    ]
    return "\n".join(lines) + "\n"
