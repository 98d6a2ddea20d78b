# shellcheck shell=bash
# What every command in ops says and knows. Sourced, never run.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# Shown in other commands' files.
# shellcheck disable=SC2034
readonly ROOT

# A step that begins now.
say() { printf '== %s\n' "$*" >&2; }

# A detail of the present step.
note() { printf '   %s\n' "$*" >&2; }

# The end, because of something the caller must change or know.
die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# The end, because the command was called wrongly.
usage() {
  printf '%s\n' "$*" >&2
  exit 64
}
