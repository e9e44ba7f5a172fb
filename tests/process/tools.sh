# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# What the tests with real processes share: starting tools, finding their ports, comparing files.
#
# Sourced after tests/build/tap.sh, in the build directory. Whatever is started here is ended here,
# by its own process id; every wait has a limit, which is no assertion about speed.

fluxcat=tools/fluxcat
fluxrelay=tools/fluxrelay
throw=tests/process/throw
limit=${FLUX_TEST_LIMIT:-120}
started=
trap '[ -z "$started" ] || kill -9 $started 2>/dev/null; rm -rf "$tmp"' EXIT

# start NAME COMMAND...: in the background; its output goes to NAME.out and NAME.err, its pid to $pid.
start()
{
	start_name=$1
	shift
	: >"$tmp/$start_name.err"
	"$@" >"$tmp/$start_name.out" 2>"$tmp/$start_name.err" &
	pid=$!
	started="$started $pid"
}

# listening NAME: the address that a tool says it listens on goes to $addr.
listening()
{
	listening_tries=0
	until addr=$(sed -n 's/.*listening on //p' "$tmp/$1.err") && [ -n "$addr" ]; do
		listening_tries=$((listening_tries + 1))
		[ $listening_tries -lt $((limit * 10)) ] && kill -0 "$pid" 2>/dev/null || return 1
		sleep 0.1
	done
}

# await PID: its exit status goes to $status, 124 if it does not end (and is killed).
await()
{
	await_tries=0
	while kill -0 "$1" 2>/dev/null; do
		await_tries=$((await_tries + 1))
		if [ $await_tries -ge $((limit * 20)) ]; then
			kill -9 "$1"
			wait "$1" 2>/dev/null
			status=124
			return
		fi
		sleep 0.05
	done
	wait "$1"
	status=$?
}

# wait_until COMMAND...: until it succeeds, for a while.
wait_until()
{
	wait_tries=0
	until "$@" || [ $wait_tries -ge $((limit * 10)) ]; do
		wait_tries=$((wait_tries + 1))
		sleep 0.1
	done
}

# complain TEXT: what a check found wrong; the reason of tap_fail.
complain()
{
	echo "$*" >>"$tmp/complaints"
}

# expect_status NAME WANTED: of the last await; NAME's stderr explains a difference.
expect_status()
{
	[ "$status" -eq "$2" ] || complain "$1 ended with $status, not $2: $(tail -n 3 "$tmp/$1.err")"
}

# expect_words NAME WORDS: in its stderr.
expect_words()
{
	grep -q -- "$2" "$tmp/$1.err" ||
		complain "$1 does not say '$2' but: $(tail -n 3 "$tmp/$1.err")"
}

# finish NAME: one finding out of the complaints since the last one.
finish()
{
	tap_empty "$1" "$tmp/complaints"
	: >"$tmp/complaints"
}

# count NAME FILE: the value of a number in its last line of JSON, or 0.
count()
{
	count_value=$(tail -n 1 "$2" | sed -n "s/^{\(.*\)}$/,\1/; s/.*[,{]\"$1\":\([0-9]*\).*/\1/p")
	echo "${count_value:-0}"
}

# noise BYTES: a file's content, the same every time, that no byte pattern repeats soon.
noise()
{
	seq 1 $(($1 / 6 + 1000)) | head -c "$1"
}

: >"$tmp/complaints"
