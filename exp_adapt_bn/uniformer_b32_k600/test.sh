#!/usr/bin/env bash
# Test best.pyth of this experiment; KEY VALUE pairs override config.yaml.
exec bash "$(dirname "$0")/../../tools/launch.sh" "$(dirname "$0")" TRAIN.ENABLE False "$@"
