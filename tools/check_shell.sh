#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_shell.sh -- the scripts, as shellcheck reads them.
set -eu
cd "$(dirname "$0")/.."
if ! command -v shellcheck >/dev/null; then
	echo "shell: no shellcheck here"
	exit 0
fi
shellcheck tools/*.sh .ci/run
echo "shell: shellcheck has nothing to say"
