"""What Jinja2 makes of an expression, and what that runs in. Knows no bounds, only where they are asked for."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.nodes import EvalContext
from jinja2.runtime import Context as JinjaContext


class Scene(JinjaContext):
    """The names that one evaluation sees. Jinja2's own is made for blocks, imports and escaping, which there are
    not, and making it costs more than evaluating a small expression.
    """

    def __init__(self, environment: Environment, escaping: EvalContext, names: dict[str, Any]) -> None:
        self.environment = environment
        self.eval_ctx = escaping
        self.parent = names
        self.vars = {}
        self.exported_vars = set()
        self.name = None


class BoundedCode(CodeGenerator):
    """Sends through the sandbox what Jinja2 leaves to Python: `~`, comparisons and slices."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        self._call("joined", "(", frame, *node.nodes)
        self.write("))")

    def visit_Compare(self, node: nodes.Compare, frame: Frame) -> None:
        self._call("compared", "", frame, node.expr)
        for other in node.ops:
            self.write(f"({other.op!r}, ")
            self.visit(other.expr, frame)
            self.write("), ")
        self.write(")")

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:
        if not isinstance(node.arg, nodes.Slice):
            super().visit_Getitem(node, frame)
            return
        bounds = (node.arg.start, node.arg.stop, node.arg.step)
        self._call("sliced", "", frame, node.node, *(bound or nodes.Const(None) for bound in bounds))
        self.write(")")

    def _call(self, method: str, opening: str, frame: Frame, *arguments: nodes.Expr) -> None:
        """The beginning of a call of one of the sandbox's methods."""
        self.write(f"environment.{method}(context, {opening}")
        for argument in arguments:
            self.visit(argument, frame)
            self.write(", ")
