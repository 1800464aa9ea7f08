"""What a class says of its attributes: the ``Attributes:`` section of its docstring, read for the references."""

from __future__ import annotations

import inspect
import re

_ATTRIBUTE = re.compile(r"^    (\w+): (.*)$")


def attribute_docs(described: type) -> dict[str, str]:
    """Attribute name to its description, of the class and the classes it inherits from."""
    docs: dict[str, str] = {}
    for ancestor in reversed(described.__mro__):
        docs |= _own(inspect.cleandoc(ancestor.__doc__ or ""))
    return docs


def summary(described: type) -> str:
    """The docstring without its ``Attributes:`` section, as one paragraph each."""
    text = inspect.cleandoc(described.__doc__ or "").split("\nAttributes:")[0].strip().replace("``", "`")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _own(docstring: str) -> dict[str, str]:
    _, found, section = docstring.partition("\nAttributes:\n")
    docs: dict[str, str] = {}
    name = None
    for line in section.splitlines() if found else ():
        attribute = _ATTRIBUTE.match(line)
        if attribute:
            name = attribute[1]
            docs[name] = attribute[2]
        elif name is not None and line.startswith("        "):
            docs[name] += " " + line.strip()
        elif line.strip():
            break
    return {name: text.replace("``", "`") for name, text in docs.items()}


def cell(text: str) -> str:
    """Text for a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")
