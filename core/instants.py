"""Reckoning with instants inside SQL, the same on both databases."""

from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

DAY = 86_400


class epoch(FunctionElement[int]):
    """Whole seconds since 1970 of a UtcDateTime column; what is left of a second is cut off."""

    type = BigInteger()
    name = "epoch"
    inherit_cache = True


@compiles(epoch)
def _on_postgresql(element: epoch, compiler: Any, **options: Any) -> str:
    return f"CAST(floor(extract(epoch FROM {compiler.process(element.clauses, **options)})) AS BIGINT)"


@compiles(epoch, "sqlite")
def _on_sqlite(element: epoch, compiler: Any, **options: Any) -> str:
    return f"CAST(strftime('%s', {compiler.process(element.clauses, **options)}) AS INTEGER)"
