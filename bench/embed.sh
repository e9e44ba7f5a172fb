#!/bin/sh
# SPDX-License-Identifier: MIT
# How long a get by TCP takes a memcached, and one by a new connection, which the main thread accepts: as it
# is, with examples/embed in it, beside one who gets over Flux, a flood of gets over Flux, and one over TCP.
# In turns (A B C D E A B C D E ...) in one run; medians.
# Usage: embed.sh [--rounds N] [--seconds S] [--json] BUILD_DIR
#
# The flood's client, which belongs on another host, runs at a lower priority than all else; what it makes
# memcached's threads do does not.

set -u
rounds=9
seconds=1
depth=64 # requests of a flood that are on their way
# shellcheck disable=SC2034 # for lib/rounds.sh
patience=60
json=no
while [ $# -gt 1 ]; do
	case $1 in
	--rounds) rounds=$2 && shift ;;
	--seconds) seconds=$2 && shift ;;
	--json) json=yes ;;
	*) break ;;
	esac
	shift
done
[ $# -eq 1 ] || {
	echo "usage: embed.sh [--rounds N] [--seconds S] [--json] BUILD_DIR" >&2
	exit 2
}
build=$(cd "$1" && pwd) || exit 1
bench=$build/bench
fluxkv=$build/examples/embed/fluxkv
module=$build/examples/embed/.libs/flux_embed.so

# shellcheck source=bench/lib/rounds.sh
. "$(dirname "$0")/lib/rounds.sh"

for need in memcached "$module" "$fluxkv" "$bench/kv_tcp"; do
	command -v "$need" >/dev/null || [ -f "$need" ] || {
		echo "embed.sh: $need is missing" >&2
		exit 77
	}
done

# serve NAME PRELOAD: a memcached; its TCP port goes to $port.
serve()
{
	LD_PRELOAD=$2 FLUX_EMBED=127.0.0.1:0 MEMCACHED_PORT_FILENAME=$tmp/$1.port \
		memcached -u "$(id -un)" -l 127.0.0.1 -p -1 2>"$tmp/$1.err" &
	pids="$pids $!"
	await "$tmp/$1.port"
	port=$(sed -n 's/^TCP INET: //p' "$tmp/$1.port")
}

# get NAME PORT: how long it takes, into NAME.get.now, and NAME.new.now with a new connection each.
get()
{
	run "$1.get" kv_tcp 127.0.0.1 "$2" key "$seconds" 1
	run "$1.new" kv_tcp 127.0.0.1 "$2" key "$seconds" 0
}

# flood NAME COMMAND...: beside a get of the server with the module; it ends after that.
flood()
{
	flooded=$1
	shift
	nice -n 10 "$@" >"$tmp/$flooded.flood" &
	flooder=$!
	sleep 0.3
	get "$flooded" "$embedded"
	wait $flooder || exit 1
	[ "$json" = no ] || cat "$tmp/$flooded.flood"
	keep $flooded.rate "$(number per_second <"$tmp/$flooded.flood")"
}

round()
{
	span=$(calc "2 * $seconds + 0.6")
	get plain "$plain"
	get idle "$embedded"
	flood one "$fluxkv" --json --depth 1 --seconds "$span" "$flux" latency key
	flood flux "$fluxkv" --json --depth $depth --seconds "$span" "$flux" latency key
	flood tcp "$bench/kv_tcp" 127.0.0.1 "$embedded" key "$span" $depth
	for what in plain idle one flux tcp; do
		for how in get.p50 get.p99 new.p50 new.p99; do
			keep $what.$how "$(of $what.${how%.*} ${how#*.}_us)"
			keep $what.$how.ratio "$(of $what.${how%.*} ${how#*.}_us) / $(of plain.${how%.*} ${how#*.}_us)"
		done
	done
}

# took NAME: p50 and p99, and in brackets what they are of those of the plain one.
took()
{
	echo "p50 $(calc "$(median "$1.p50")" 1) us ($(calc "$(median "$1.p50.ratio")")), p99 $(calc "$(median "$1.p99")" 1) us ($(calc "$(median "$1.p99.ratio")"))"
}

# row WHAT NAME
row()
{
	say "$1" "get $(took "$2.get"); connect and get $(took "$2.new")"
}

serve plain ""
plain=$port
serve embedded "$module"
embedded=$port
flux=$(sed -n 's/.*listening on //p' "$tmp/embedded.err")
"$fluxkv" "$flux" set key "$(printf '%064d' 0)" >/dev/null || exit 1
# shellcheck disable=SC2016 # for bash
bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" && printf "set key 0 0 64\r\n%064d\r\n" 0 >&3 && read -r _ <&3' \
	set "$plain" || exit 1

say_machine
for _ in $(seq "$rounds"); do
	probe
	round
done
say_probes
row "memcached" plain
row "Flux in it, idle" idle
row "one by Flux" one
row "a flood by Flux" flux
row "a flood by TCP" tcp
say "of which" "$(calc "$(median one.rate)" 0) gets/s by the one, $(calc "$(median flux.rate)" 0) and $(calc "$(median tcp.rate)" 0) by the floods, $depth at a time"
