#!/bin/sh
# SPDX-License-Identifier: MIT
# Run one test program for the harness: "run-tap.sh PROGRAM ARGS".
#
# cmocka 1.1 writes a skipped test as "not ok N # SKIP name", which every TAP reader takes for a
# failure; TAP says "ok". $FLUX_TEST_WRAPPER goes before the program, for example valgrind -q. A test
# that hangs is ended after $FLUX_TEST_TIMEOUT seconds; no test comes near that.

exec 4>&1
status=$(
	{
		# shellcheck disable=SC2086 # the wrapper is a command with arguments
		{ timeout --foreground -k 10 "${FLUX_TEST_TIMEOUT:-900}" \
			${FLUX_TEST_WRAPPER-} "$@" 3>&- 4>&-; echo $? >&3; } |
			sed -u 's/^not ok \([0-9]* # SKIP\)/ok \1/' >&4
	} 3>&1
)
exit "$status"
