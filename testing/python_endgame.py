"""Evaluates conditions of the Endgame dialect with the Python implementation of EQL.

Reads one JSON object a line, {"condition": text, "event": object}; writes for each a line: true, false, null, or
"error" and why. The optimiser is left out: it takes `x == x` for true where x is absent.
"""
import json
import sys

from eql import Event
from eql.engine import PythonEngine
from eql.parser import parse_expression, skip_optimizations


def answer(case):
    with skip_optimizations:
        test = PythonEngine().convert(parse_expression(case["condition"]), scoped=True)
    value = test(Event("any", 0, case["event"]))
    return "null" if value is None else "true" if value else "false"


for line in sys.stdin:
    try:
        result = answer(json.loads(line))
    except Exception as error:  # whatever it is, it is this case's answer
        result = "error " + " ".join(f"{type(error).__name__}: {error}".split())
    print(result, flush=False)
