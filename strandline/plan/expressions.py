"""The expression language as the compiler uses it; it lives in `spec.expressions`, as loading a stream checks expressions."""

from __future__ import annotations

from strandline.spec.expressions import ExpressionError, ExpressionType, TypedExpression, parse_expression

__all__ = ["ExpressionError", "ExpressionType", "TypedExpression", "parse_expression"]
