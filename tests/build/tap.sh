# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# What the scripts of this folder share: TAP output, a scratch directory, and where things are.
#
# A script is run in the build directory by `make check`, which exports srcdir and the tools of this
# build (see AM_TESTS_ENVIRONMENT). It sources this file, reports each finding with one of the calls
# below and ends with tap_done.

set -u
: "${srcdir:?run me through make check}"
tap_n=0
tmp=$(mktemp -d "${TMPDIR:-/tmp}/flux-check.XXXXXX") || exit 99
trap 'rm -rf "$tmp"' EXIT
trap 'exit 99' HUP INT TERM

# tap_ok NAME
tap_ok()
{
	tap_n=$((tap_n + 1))
	echo "ok $tap_n - $1"
}

# tap_fail NAME: the reason comes on standard input.
tap_fail()
{
	tap_n=$((tap_n + 1))
	echo "not ok $tap_n - $1"
	sed 's/^/# /'
}

# tap_skip NAME REASON
tap_skip()
{
	tap_n=$((tap_n + 1))
	echo "ok $tap_n - $1 # SKIP $2"
}

# tap_empty NAME FILE: passes if FILE, a list of complaints, is empty.
tap_empty()
{
	if [ -s "$2" ]; then
		tap_fail "$1" <"$2"
	else
		tap_ok "$1"
	fi
}

# tap_run NAME COMMAND...: passes if the command succeeds; its output is the reason if not.
tap_run()
{
	tap_name=$1
	shift
	if "$@" >"$tmp/tap_run.out" 2>&1; then
		tap_ok "$tap_name"
	else
		tap_fail "$tap_name" <"$tmp/tap_run.out"
	fi
}

# The plan comes last. The harness reads findings, so the exit status is 0 if the script got this far.
tap_done()
{
	echo "1..$tap_n"
	exit 0
}
