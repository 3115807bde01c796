"""Reads our docstrings as Markdown, and the help of declared options as their docstrings."""

import ast
import re
from typing import Any

import griffe

ROLE = re.compile(r":(?:class|func|meth|mod|data|attr):`~?([\w.]+)`")
TABLE_RULE = re.compile(r"=+( +=+)+")
LONGEST_VALUE = 120
"""Characters; longer values of constants are left out."""


class MarkupExtension(griffe.Extension):
    """Converts every docstring as it is collected."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Griffe calls this for each module, class, function and attribute."""
        if isinstance(obj, griffe.Attribute):
            _describe_option(obj)
            if len(str(obj.value)) > LONGEST_VALUE:
                obj.value = None
        if obj.docstring is not None:
            obj.docstring.value = to_markdown(obj.docstring.value)


def to_markdown(text: str) -> str:
    """A docstring in Markdown: roles, blocks of code after a double colon, and tables made of signs."""
    text = ROLE.sub(lambda match: f"`{match[1].rpartition('.')[2]}`", text)
    text = re.sub(r"::$", ":", text, flags=re.MULTILINE)
    # Such a table keeps its columns only in a block of code.
    paragraphs = text.split("\n\n")
    return "\n\n".join(f"```text\n{part}\n```" if TABLE_RULE.match(part) else part for part in paragraphs)


def _describe_option(attribute: griffe.Attribute) -> None:
    """``Annotated[float, option("Help.", ge=0)]`` becomes ``float`` with the help as its docstring."""
    match ast.parse(str(attribute.annotation), mode="eval").body:
        case ast.Subscript(
            value=ast.Name(id="Annotated"),
            slice=ast.Tuple(
                elts=[_, ast.Call(func=ast.Name(id="option"), args=[ast.Constant(value=str() as help), *_])]
            ),
        ):
            more = f"\n\n{attribute.docstring.value}" if attribute.docstring else ""
            attribute.docstring = griffe.Docstring(help + more, parent=attribute)
            if isinstance(attribute.annotation, griffe.ExprSubscript):
                attribute.annotation = next(iter(attribute.annotation.slice.elements))
