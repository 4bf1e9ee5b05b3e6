"""Rewrite Jaeger's golden files: `python -m tests.golden.rewrite_jaeger`. Read the diff before you commit it."""

import json

from tests.golden.jaeger_answers import answers, golden_file

if __name__ == "__main__":
    for name, answer in answers().items():
        golden_file(name).write_text(json.dumps(answer, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
