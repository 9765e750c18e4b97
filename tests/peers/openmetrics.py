"""Prometheus' own parsers, from the PyPI package prometheus_client.

    openmetrics.py openmetrics|plain

Parses standard input and prints the families with their types and samples as one JSON line. What the parser refuses ends it with an error.
"""
import json
import sys

from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics

parse = openmetrics.text_string_to_metric_families if sys.argv[1] == "openmetrics" else parser.text_string_to_metric_families
families = {}
for family in parse(sys.stdin.read()):
    assert family.name not in families, family.name
    families[family.name] = {"type": family.type, "samples": [[s.name, s.labels, s.value] for s in family.samples]}
print(json.dumps(families))
