# shellcheck shell=sh disable=SC2154 # what the script sets
# SPDX-License-Identifier: MIT
# For the scripts here: rounds in which contenders take turns, and what is kept of them.
#
# CPUs of a virtual machine move, and other people use them: the time a cache line takes between the
# two is taken before and after each round. A round waits (not for ever) for a moment in which nobody
# else runs, and one in which the probe changed is dropped.
#
# The script sets: bench, the folder of the programs; json, "yes" to print what each of them says and
# nothing else; patience, the seconds that all rounds together wait for a quiet moment.

tmp=$(mktemp -d "${TMPDIR:-/tmp}/flux-bench.XXXXXX") || exit 1
pids=

# shellcheck disable=SC2086 # a list of process ids
clean_up()
{
	[ -z "$pids" ] || kill $pids 2>/dev/null
	rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

# number NAME: of the JSON line on standard input.
number()
{
	sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p"
}

# await FILE: until a line is in it.
await()
{
	tries=0
	until [ -s "$1" ]; do
		tries=$((tries + 1))
		[ $tries -lt 100 ] || exit 1
		sleep 0.1
	done
}

# calc EXPRESSION [DECIMALS]
calc()
{
	awk "BEGIN { printf \"%.${2:-2}f\", $1 }"
}

# is CONDITION: of numbers.
is()
{
	awk "BEGIN { exit !($1) }"
}

# keep NAME EXPRESSION: a round's figure.
keep()
{
	calc "$2" 3 >>"$tmp/$1"
	echo >>"$tmp/$1"
}

# median NAME: of the figures kept under that name.
median()
{
	sort -n "$tmp/$1" 2>/dev/null | awk '{ v[NR] = $1 } END { print NR ? v[int((NR + 1) / 2)] : "none" }'
}

say()
{
	[ "$json" = yes ] || printf '%-18s%s\n' "$1" "$2"
}

# probe: the time of a cache line, once it is that of two CPUs that nobody else uses, or patience ends.
probe()
{
	line=$("$bench/pingpong")
	while is "$line > 1500" && [ "$patience" -gt 0 ]; do
		patience=$((patience - 1))
		sleep 1
		line=$("$bench/pingpong")
	done
	echo "$line" >>"$tmp/probes"
}

# steady: whether a cache line takes as long as at the last probe.
steady()
{
	before=$line
	line=$("$bench/pingpong")
	is "$before < 2 * $line && $line < 2 * $before"
}

# run NAME PROGRAM [OPTIONS]: its line goes to NAME.now.
run()
{
	name=$1
	program=$2
	shift 2
	"$bench/$program" "$@" >"$tmp/$name.now" || exit 1
	[ "$json" = no ] || cat "$tmp/$name.now"
}

# of NAME FIELD: in the line of its last run.
of()
{
	number "$2" <"$tmp/$1.now"
}

say_machine()
{
	say machine "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) CPUs, $(uname -s -r), $(${CC:-cc} --version 2>/dev/null | head -n 1)"
}

say_probes()
{
	say "cache line" "$(sort -n "$tmp/probes" | head -n 1) to $(sort -n "$tmp/probes" | tail -n 1) ns forth and back, median $(median probes); above 1500 somebody else had a CPU"
}
