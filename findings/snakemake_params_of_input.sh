#!/usr/bin/env bash
# Shows: a job whose `params` come from a function that takes `input` is never run again when the value of that function
#        changes, though "params" is one of Snakemake's default rerun triggers; the same value from a function of the
#        wildcards alone does trigger a rerun.
# Versions: snakemake 9.27.1
# Date: 2026-11-27
# Seen: after the value changed from 1 to 2 the dry run announces `by_wildcards` and leaves `by_input` out.
# Guess: both jobs are run again, as both have other params than before.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet snakemake==9.27.1
cd "$folder"
cat > Snakefile <<'RULES'
VALUE = open("value.txt").read().strip()

rule all:
    input: "a.by_wildcards", "a.by_input"

rule start:
    output: "start.txt"
    shell: "touch {output}"

rule by_wildcards:
    input: "start.txt"
    output: "{name}.by_wildcards"
    params: value=lambda wildcards: VALUE
    shell: "echo {params.value} > {output}"

rule by_input:
    input: "start.txt"
    output: "{name}.by_input"
    params: value=lambda wildcards, input: VALUE
    shell: "echo {params.value} > {output}"
RULES
echo 1 > value.txt
venv/bin/snakemake --cores 1 --quiet all > /dev/null 2>&1
echo 2 > value.txt
venv/bin/snakemake --cores 1 --dry-run > plan.txt 2>&1 || true
grep -E "^(rule |.*Params have changed|Nothing to be done)" plan.txt || true
grep -q "^rule by_wildcards:" plan.txt
! grep -q "^rule by_input:" plan.txt
