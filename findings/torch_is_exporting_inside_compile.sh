#!/usr/bin/env bash
# Shows: inside a function that torch.compile compiles, torch.compiler.is_exporting() is True in torch 2.11, though nothing
#   is exported; outside of it is False. Code that leaves out a custom operator "when exporting" so loses it in every
#   compiled run, without an error: the branch is folded away while tracing.
# Versions: torch 2.11.0 (in 2.14.1 it is False)
# Date: 2026-11-27
# Seen: "eager False", "compiled True", "torch.export True"
# Guess: False in torch.compile, True only in torch.export; is_compiling() is the one that is True in both
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.11.0 numpy==2.3.5
cat > "$folder/ask.py" <<'PY'
import torch


def told(x):
    return x + 1 if torch.compiler.is_exporting() else x


class Module(torch.nn.Module):
    def forward(self, x):
        return told(x)


zero = torch.zeros(1)
answers = {
    "eager": told(zero),
    "compiled": torch.compile(told, backend="eager")(zero),
    "torch.export": torch.export.export(Module(), (zero,)).module()(zero),
}
found = {name: bool(value) for name, value in answers.items()}
for name, value in found.items():
    print(name, value)
assert found == {"eager": False, "compiled": True, "torch.export": True}, found
PY
"$folder/venv/bin/python" "$folder/ask.py"
