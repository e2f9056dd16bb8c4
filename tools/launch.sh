#!/usr/bin/env bash
# Run an experiment: one process per GPU, one on the CPU where there is none.
set -u

usage() {
  cat <<'TEXT'
usage: launch.sh FOLDER [KEY VALUE ...] [--plugin FILE.py ...]

Run FOLDER/config.yaml (train when TRAIN.ENABLE, then test when TEST.ENABLE); KEY VALUE pairs override it;
--plugin loads own code.
The scripts run.sh and test.sh of the experiments call this.

environment:
  NPROC    processes on this machine (default: one per GPU, at most the configuration's NUM_GPUS)
  PYTHON   interpreter (default: the repository's .venv, else python3)
  NNODES NODE_RANK MASTER_ADDR MASTER_PORT   several machines, as torchrun names them

example:
  bash exp_adapt_bn/uniformer_b32_k600/run.sh SOLVER.MAX_EPOCH 1 TRAIN.BATCH_SIZE 8
TEXT
}

count_gpus() {
  local present
  present=$(nvidia-smi -L 2>/dev/null | grep -c '^GPU ')
  if [ "$present" -gt 0 ] && [ -n "${CUDA_VISIBLE_DEVICES+set}" ]; then
    present=$(tr ',' '\n' <<<"$CUDA_VISIBLE_DEVICES" | grep -cvE '^(-1)?$')
  fi
  echo "$present"
}

for word in "$@"; do
  case $word in -h | --help) usage && exit 0 ;; esac
done
if [ $# -eq 0 ]; then
  usage >&2 && exit 2
fi
root=$(cd -P "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if ! folder=$(cd -P "$1" 2>/dev/null && pwd); then
  echo "error: $1: no such experiment folder; check the path" >&2 && exit 2
fi
shift
python=${PYTHON:-$root/.venv/bin/python}
command -v "$python" >/dev/null || python=python3

processes=${NPROC:-$(count_gpus)}
if ! [[ $processes =~ ^[0-9]+$ ]]; then
  echo "error: NPROC is '$processes'; give a number of processes" >&2 && exit 2
fi
processes=$((10#$processes)) # 08 is eight, not a wrong octal number
if [ "$processes" -gt 1 ]; then # a wrong configuration is reported once, before any process starts
  resolved=$("$python" "$root/tools/show_config.py" "$folder/config.yaml" "$@") || exit
  most=${NPROC:+$processes}
  most=${most:-$(sed -n 's/^NUM_GPUS: //p' <<<"$resolved")}
  processes=$((most < processes ? most : processes))
fi
if [ "$processes" -le 1 ] && [ "${NNODES:-1}" -le 1 ]; then
  exec "$python" "$root/tools/run_net.py" --cfg "$folder/config.yaml" "$@"
fi
if [ "${NNODES:-1}" -gt 1 ]; then
  meeting=(--nnodes "$NNODES" --node-rank "${NODE_RANK:?}" --master-addr "${MASTER_ADDR:?}" --master-port "${MASTER_PORT:-29500}")
else
  meeting=(--standalone)
fi
exec "$python" "$root/tools/spawn.py" "${meeting[@]}" --nproc-per-node "$((processes > 1 ? processes : 1))" \
  "$root/tools/run_net.py" --cfg "$folder/config.yaml" "$@"
