"""Row filters: a small, safe part of Python's expressions, turned into Arrow compute expressions.

    label == 'spam' and len(text) > 20        score >= 0.5 or score is None
    label in ['a', 'b']                       not text.contains('http')
    city.startswith('S')                      column('strange name') != 3
    taken < '2024-05-01'                      0 < score <= 1

A comparison with a missing value is neither true nor false, so such a row is not selected.
"""

from __future__ import annotations

import ast
import difflib
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dlsys_server.core.errors import InvalidInput

MAX_LENGTH = 4000
COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
MATCH: dict[str, Callable[..., Any]] = {
    "contains": lambda col, text: pc.match_substring(col, pattern=text),
    "startswith": lambda col, text: pc.starts_with(col, pattern=text),
    "endswith": lambda col, text: pc.ends_with(col, pattern=text),
}
HINT = (
    "Write conditions such as label == 'spam', len(text) > 20, score is None, "
    "city in ['Bonn', 'Köln'], text.contains('http'), joined with and, or, not."
)


@dataclass(frozen=True)
class _Operand:
    """A column, its length, or a constant."""

    expression: pc.Expression | None
    type: pa.DataType | None
    value: Any = None
    name: str = ""


class Filter:
    """A row filter for data of one schema. `columns` are those that it looks at.

    Args:
        text: the condition.
        schema: of the data.
        masked: columns whose values the caller does not see.

    Raises:
        InvalidInput: the text is not understood, or names a column that is masked or not there.
    """

    def __init__(self, text: str, schema: pa.Schema, masked: frozenset[str] = frozenset()) -> None:
        self.text = text
        parser = _Parser(schema, masked)
        self.expression = parser.parse(text)
        self.columns = frozenset(parser.columns)
        try:
            pa.table(schema.empty_table()).filter(self.expression)
        except (pa.ArrowException, TypeError) as error:
            raise _wrong(f"'{text}' cannot be computed: {error}") from error

    def matching(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows that are selected."""
        return self.take(batch, self.expression)

    def without(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows that are not selected, those with a missing value among them."""
        selected = pc.coalesce(self.expression, pc.scalar(False))
        return self.take(batch, ~selected)

    @staticmethod
    def take(batch: pa.RecordBatch, expression: pc.Expression) -> pa.RecordBatch:
        """The rows for which an expression holds."""
        table = pa.Table.from_batches([batch]).filter(expression)
        found = table.combine_chunks().to_batches()
        return found[0] if found else batch.slice(0, 0)


class _Parser:
    def __init__(self, schema: pa.Schema, masked: frozenset[str]) -> None:
        self._schema, self._masked = schema, masked
        self.columns: set[str] = set()

    def parse(self, text: str) -> pc.Expression:
        if not text.strip():
            raise _wrong("The filter is empty.")
        if len(text) > MAX_LENGTH:
            raise _wrong(f"The filter is longer than {MAX_LENGTH} characters.")
        try:
            tree = ast.parse(text.strip(), mode="eval")
            return self._condition(tree.body)
        except SyntaxError as error:
            at = f" at character {error.offset}" if error.offset else ""
            raise _wrong(f"'{text}' is not a condition: {error.msg}{at}.") from error
        except (RecursionError, MemoryError, ValueError) as error:
            raise _wrong("The filter is too deeply nested or holds a NUL.") from error

    def _condition(self, node: ast.expr) -> pc.Expression:
        if isinstance(node, ast.BoolOp):
            parts = [self._condition(value) for value in node.values]
            join = operator.and_ if isinstance(node.op, ast.And) else operator.or_
            result = parts[0]
            for part in parts[1:]:
                result = join(result, part)
            return result
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return ~self._condition(node.operand)
        if isinstance(node, ast.Compare):
            return self._comparison(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            return self._match(node, node.func)
        if isinstance(node, ast.Name | ast.Call):
            operand = self._operand(node)
            if operand.type is not None and pa.types.is_boolean(operand.type):
                return operand.expression
        raise _wrong(f"'{ast.unparse(node)}' is not a condition.")

    def _comparison(self, node: ast.Compare) -> pc.Expression:
        left, result = node.left, None
        for op, right in zip(node.ops, node.comparators, strict=True):
            part = self._compare(left, op, right)
            result = part if result is None else result & part
            left = right
        return result

    def _compare(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> pc.Expression:
        if isinstance(op, ast.In | ast.NotIn):
            found = self._is_in(left, right)
            return ~found if isinstance(op, ast.NotIn) else found
        first, second = self._operand(left), self._operand(right)
        if isinstance(op, ast.Is | ast.IsNot):
            return self._is_none(first, second, isinstance(op, ast.IsNot))
        if first.expression is None and second.expression is None:
            raise _wrong(f"'{ast.unparse(left)} … {ast.unparse(right)}' compares no column.")
        if None in (first.type, second.type):
            raise _wrong("A comparison with None is never true.", "Write: name is None")
        compare = COMPARE[type(op)]
        return compare(self._scalar(first, second), self._scalar(second, first))

    def _is_none(self, first: _Operand, second: _Operand, negated: bool) -> pc.Expression:
        if first.expression is None or second.type is not None:
            raise _wrong("'is' works with None only.", "Write: name is None, or name == value")
        missing = first.expression.is_null(nan_is_null=True)
        return ~missing if negated else missing

    def _is_in(self, left: ast.expr, right: ast.expr) -> pc.Expression:
        column = self._operand(left)
        if column.expression is None or not isinstance(right, ast.List | ast.Tuple | ast.Set):
            raise _wrong("'in' needs a column before it and a list behind it.")
        values = [self._cast(self._constant(v), column).as_py() for v in right.elts]
        try:
            return column.expression.isin(pa.array(values, column.type))
        except (pa.ArrowException, OverflowError) as error:
            raise _wrong(f"The list does not fit '{column.name}', {column.type}.") from error

    def _match(self, node: ast.Call, method: ast.Attribute) -> pc.Expression:
        if method.attr not in MATCH:
            raise _wrong(f"There is no .{method.attr}().", f"There are: {', '.join(MATCH)}.")
        column = self._operand(method.value)
        text = node.args[0] if len(node.args) == 1 and not node.keywords else None
        if not isinstance(text, ast.Constant) or not isinstance(text.value, str):
            raise _wrong(f".{method.attr}() needs one text.")
        if column.type is None or not pa.types.is_string(column.type):
            raise _wrong(f"'{column.name}' is {column.type}; .{method.attr}() needs text.")
        return MATCH[method.attr](column.expression, text.value)

    def _operand(self, node: ast.expr) -> _Operand:
        if isinstance(node, ast.Name):
            return self._column(node.id)
        if isinstance(node, ast.Call):
            return self._function(node)
        value = self._constant(node)
        try:
            return _Operand(None, None if value is None else pa.scalar(value).type, value)
        except (pa.ArrowException, OverflowError) as error:
            raise _wrong(f"The number {ast.unparse(node)[:40]} is too large.") from error

    def _function(self, node: ast.Call) -> _Operand:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        argument = node.args[0] if len(node.args) == 1 and not node.keywords else None
        if name == "column" and isinstance(argument, ast.Constant):
            return self._column(str(argument.value))
        if name != "len" or argument is None:
            raise _wrong(f"'{ast.unparse(node)}' is not known here.")
        column = self._operand(argument)
        length = _length(column)
        if length is None:
            raise _wrong(f"'{column.name}' is {column.type}; len() needs text, bytes or a list.")
        return _Operand(length, pa.int32(), name=f"len({column.name})")

    def _column(self, name: str) -> _Operand:
        if name not in self._schema.names:
            near = difflib.get_close_matches(name, self._schema.names, 3, 0.4)
            there = f"Did you mean {' or '.join(near)}?" if near else ""
            names = ", ".join(self._schema.names[:20]) or "none"
            raise _wrong(f"There is no column '{name}'.", there or f"There are: {names}.")
        if name in self._masked:
            raise InvalidInput(
                f"Column '{name}' is masked: you neither see its values nor select by them.",
                code="column-masked",
                hint="Leave it out; `dlsys datasets policy` shows who sees it.",
            )
        self.columns.add(name)
        return _Operand(pc.field(name), self._schema.field(name).type, name=name)

    def _constant(self, node: ast.expr) -> Any:
        negative = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
        inner = node.operand if isinstance(node, ast.UnaryOp) and negative else node
        if not isinstance(inner, ast.Constant) or isinstance(inner.value, complex | type(...)):
            raise _wrong(f"'{ast.unparse(node)}' is not a column and not a plain value.")
        if negative:
            if isinstance(inner.value, bool) or not isinstance(inner.value, int | float):
                raise _wrong(f"'{ast.unparse(node)}' is not a number.")
            return -inner.value
        return inner.value

    def _scalar(self, operand: _Operand, other: _Operand) -> pc.Expression:
        if operand.expression is not None:
            return operand.expression
        return pc.scalar(self._cast(operand.value, other))

    def _cast(self, value: Any, column: _Operand) -> pa.Scalar:
        kind = column.type
        numbers = isinstance(value, int | float) and not isinstance(value, bool)
        is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
        if numbers and (is_number or pa.types.is_decimal(kind)):
            return pa.scalar(value)
        try:
            found = pa.scalar(value)
            same = found.type == kind or (isinstance(value, str) and pa.types.is_temporal(kind))
            if same:
                return found.cast(kind)
        except (pa.ArrowException, OverflowError):
            pass
        raise _wrong(f"'{column.name}' is {kind}; {value!r} cannot be compared with it.")


def _length(column: _Operand) -> pc.Expression | None:
    kind = column.type
    if kind is None or column.expression is None:
        return None
    if pa.types.is_string(kind):
        return pc.utf8_length(column.expression)
    if pa.types.is_binary(kind):
        return pc.binary_length(column.expression)
    return pc.list_value_length(column.expression) if hasattr(kind, "value_type") else None


def _wrong(detail: str, hint: str = HINT) -> InvalidInput:
    return InvalidInput(detail, code="bad-filter", hint=hint)
