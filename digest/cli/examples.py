"""Examples at the foot of a command's help."""

from __future__ import annotations


def example(*lines: str) -> str:
    r"""The lines under their head, each as it stands; \b keeps typer from filling the lines."""
    head = "Example:" if len(lines) == 1 else "Examples:"
    return "\b\n" + "\n".join([head, *(f"  {line}" for line in lines)])
