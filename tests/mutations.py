"""Small changes of a method file, each of which its test should notice.

A change is one expression put in the place of another: an operand dropped, a sign or a comparison
turned, chosen exchanged with rejected, a constant or a hyperparameter doubled, a factor dropped, a
function given the negative of its argument or left out, a clamp or a detach removed. Decorators,
docstrings and annotations stay; so does what only says along which dimension something is done, and
a difference is not turned where it is squared.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

#: Functions of a tensor, by name or as its method: given -x in place of x, or left out.
OF_ONE = """
    logsigmoid softplus sigmoid relu exp log log1p expm1 tanh softmax log_softmax logsumexp
""".split()
#: Methods that are left out.
DROPPED = [*OF_ONE, *"detach clamp clamp_min clamp_max abs sqrt square sign".split()]
#: Names that change places, of attributes, methods and functions.
EXCHANGED = {
    "chosen": "rejected",
    "sum": "mean",
    "max": "min",
    "amax": "amin",
    "argmax": "argmin",
    "maximum": "minimum",
}
EXCHANGED |= {there: here for here, there in EXCHANGED.items()}
EXCHANGED |= {"logratio": "policy", "mean_policy": "policy"}
#: Calls whose integers say where, not how much.
PLACES = """
    sum mean softmax log_softmax logsumexp cumsum logcumsumexp max min amax amin argmax argmin sort
    argsort flip unsqueeze squeeze expand gather stack cat pad size triu triu_indices arange norm
    any all prod new_ones normalize flatten view reshape chunk unbind diagonal transpose diff
""".split()
COMPARED = {ast.Lt: ">=", ast.GtE: "<", ast.Gt: "<=", ast.LtE: ">", ast.Eq: "!=", ast.NotEq: "=="}


@dataclass(frozen=True)
class Mutation:
    """A file's text with one expression changed; line counts from 1."""

    line: int
    before: str
    after: str
    source: str

    def __str__(self) -> str:
        return f"{self.before} -> {self.after}"


def mutations(source: str) -> list[Mutation]:
    """Every change of a file, in the order of its lines, none twice."""
    found, seen = [], {ast.dump(ast.parse(source))}
    for node, texts in _changes(ast.parse(source)):
        for text in texts:
            changed = _replaced(source, node, text)
            if (dump := ast.dump(ast.parse(changed))) not in seen:
                seen.add(dump)
                found.append(Mutation(node.lineno, ast.unparse(node), text, changed))
    return sorted(found, key=lambda item: item.line)


def _replaced(source: str, node: ast.expr, text: str) -> str:
    """The source with `(text)` where the node stood; its offsets count bytes."""
    lines = source.encode().splitlines(keepends=True)
    start = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
    end = sum(map(len, lines[: node.end_lineno - 1])) + node.end_col_offset
    whole = source.encode()
    return (whole[:start] + f"({text})".encode() + whole[end:]).decode()


def _changes(tree: ast.Module) -> Iterator[tuple[ast.expr, list[str]]]:
    """Expressions of functions and of their defaults, with what to put in their place."""
    for function in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
        hyperparameters = {item.arg for item in function.args.kwonlyargs}
        for default in function.args.kw_defaults:
            if default is not None:
                yield default, [repr(2 * ast.literal_eval(default) or 1.0)]
        body = function.body[1:] if ast.get_docstring(function) is not None else function.body
        nodes = [node for item in body for node in _expressions(item)]
        squared = [node.left for node in nodes if _is_square(node)]
        for node in nodes:
            texts = _alternatives(node, hyperparameters)
            yield node, texts[:-1] if node in squared and _is_difference(node) else texts


def _is_square(node: ast.expr) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and _number(node.right) == 2


def _is_difference(node: ast.expr) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub)


def _expressions(node: ast.AST) -> Iterator[ast.expr]:
    """Expressions below a node; not annotations, and not integers that say where."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "slice"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or _says_where(node, child):
                continue
            if isinstance(child, ast.expr):
                yield child
            yield from _expressions(child)


def _says_where(parent: ast.AST, child: ast.AST) -> bool:
    """Whether a child is the dimension, the shape or the like of a call."""
    if isinstance(child, ast.keyword):
        return child.arg in ("dim", "keepdim", "dtype", "device", "offset", "stable")
    is_integer = isinstance(child, ast.expr) and isinstance(_number(child), int)
    return isinstance(parent, ast.Call) and is_integer and _name(parent) in PLACES


def _alternatives(node: ast.expr, hyperparameters: set[str]) -> list[str]:
    """What may stand in the place of an expression."""
    if isinstance(node, ast.BinOp):
        return _of_operation(node)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Invert, ast.Not)):
        return [ast.unparse(node.operand)]
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        left, right = ast.unparse(node.left), ast.unparse(node.comparators[0])
        return [f"{left} {COMPARED[type(node.ops[0])]} {right}"]
    if isinstance(node, ast.IfExp):
        return [ast.unparse(node.body), ast.unparse(node.orelse)]
    if isinstance(node, ast.Constant):
        return _of_constant(node.value)
    if isinstance(node, ast.Name):
        return [f"2 * {node.id}"] if node.id in hyperparameters else []
    if isinstance(node, ast.Attribute):
        return _of_attribute(node)
    return _of_call(node) if isinstance(node, ast.Call) else []


def _of_operation(node: ast.BinOp) -> list[str]:
    left, right = f"({ast.unparse(node.left)})", f"({ast.unparse(node.right)})"
    table = {
        ast.Add: [left, right, f"{left} - {right}"],
        ast.Sub: [left, f"-{right}", f"{left} + {right}", f"{right} - {left}"],
        ast.Mult: [left, right],
        ast.Div: [left, f"{left} * {right}"],
        ast.Pow: [left],
        ast.MatMult: [left, right],
        ast.BitAnd: [left, right],
        ast.BitOr: [left, right],
    }
    return table.get(type(node.op), [])


def _of_constant(value: object) -> list[str]:
    if isinstance(value, bool):
        return [str(not value)]
    if not isinstance(value, (int, float)):
        return []
    return [f"2 * {value!r}" if value else "1"]


def _of_attribute(node: ast.Attribute) -> list[str]:
    if node.attr == "desirable":
        return [f"~{ast.unparse(node)}"]
    if node.attr not in EXCHANGED:
        return []
    return [ast.unparse(ast.Attribute(node.value, EXCHANGED[node.attr]))]


def _of_call(node: ast.Call) -> list[str]:
    name, method = _name(node), isinstance(node.func, ast.Attribute)
    arguments = [*map(ast.unparse, node.args), *(ast.unparse(item) for item in node.keywords)]
    if name == "where" and not method and len(node.args) == 3:
        test, first, second = arguments
        return [first, second, f"where({test}, {second}, {first})"]
    found = _without_keywords(node) if name == "clamp" else []
    if method:
        holder = f"({ast.unparse(node.func.value)})"
        turned = f"(-{holder}).{name}({', '.join(arguments)})"
    elif node.args:
        holder = f"({arguments[0]})"
        turned = f"{name}(-{holder}{''.join(f', {item}' for item in arguments[1:])})"
    else:
        return found
    found += [turned] if name in OF_ONE else []
    found += [holder] if name in DROPPED else []
    if not method and name in EXCHANGED:
        found += [f"{EXCHANGED[name]}({', '.join(arguments)})"]
    return found


def _without_keywords(node: ast.Call) -> list[str]:
    """A clamp at one end in place of both."""
    if len(node.keywords) < 2:
        return []
    return [f"{ast.unparse(node.func)}({ast.unparse(kept)})" for kept in node.keywords]


def _name(call: ast.Call) -> str:
    return getattr(call.func, "attr", "") or getattr(call.func, "id", "")


def _number(node: ast.expr) -> float | None:
    """The number that an expression is, with or without a sign."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    value = getattr(node, "value", None) if isinstance(node, ast.Constant) else None
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if is_number and value else None
