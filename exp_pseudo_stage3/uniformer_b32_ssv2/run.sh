#!/usr/bin/env bash
# Train this experiment, then test it; KEY VALUE pairs override config.yaml.
exec bash "$(dirname "$0")/../../tools/launch.sh" "$(dirname "$0")" "$@"
