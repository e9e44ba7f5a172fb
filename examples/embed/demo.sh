#!/bin/bash
# SPDX-License-Identifier: MIT
# Debian's memcached, as it is, with Flux in its main loop: what is set through one is got through the
# other. Usage: demo.sh BUILD_DIR
#
# Bash, for its TCP client: nothing of ours is on that side. Exit status 0 only if every answer is right;
# 77 if memcached or the module is missing.

set -u
build=$(cd "${1:?usage: demo.sh BUILD_DIR}" && pwd) || exit 1
module=$build/examples/embed/.libs/flux_embed.so
fluxkv=$build/examples/embed/fluxkv

command -v memcached >/dev/null || { echo "demo: no memcached: apt-get install memcached" >&2; exit 77; }
[ -f "$module" ] || { echo "demo: $module is missing: it takes libevent, and shared libraries" >&2; exit 77; }

tmp=$(mktemp -d "${TMPDIR:-/tmp}/flux-embed.XXXXXX") || exit 1
server=

clean_up()
{
	[ -z "$server" ] || kill "$server" 2>/dev/null
	rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

die()
{
	echo "demo: $*" >&2
	cat "$tmp/err" >&2
	exit 1
}

# said PATTERN FILE: what follows the pattern in a file, as soon as it is there, goes to $found.
said()
{
	local tries=0
	until found=$(sed -n "s/.*$1//p" "$2" 2>/dev/null) && [ -n "$found" ]; do
		tries=$((tries + 1))
		[ $tries -lt 100 ] && kill -0 "$server" || die "no '$1' in ${2##*/}"
		sleep 0.1
	done
}

# shown WANTED HOW COMMAND...: run it and show what it says, which must be this.
shown()
{
	local wanted=$1 how=$2 said
	shift 2
	said=$("$@" 2>&1)
	printf '%-34s -> %s\n' "$how" "$said"
	[ "$said" = "$wanted" ] || die "not $wanted"
}

# tcp COMMAND LINES: a command of memcached's text protocol, and that many lines of the answer.
tcp()
{
	local answer=() line
	exec 3<>"/dev/tcp/127.0.0.1/$port" || return 1
	printf '%b\r\n' "$1" >&3
	while [ ${#answer[@]} -lt "$2" ] && read -r line <&3; do
		answer+=("${line%$'\r'}")
	done
	exec 3>&-
	echo "${answer[*]}"
}

MEMCACHED_PORT_FILENAME=$tmp/ports FLUX_EMBED=127.0.0.1:0 LD_PRELOAD=${LD_PRELOAD:+$LD_PRELOAD:}$module \
	memcached -u "$(id -un)" -l 127.0.0.1 -p -1 -A 2>"$tmp/err" &
server=$!
said "listening on " "$tmp/err"
flux=$found
said "TCP INET: " "$tmp/ports"
port=$found

echo "$(memcached -V), process $server: TCP port $port is its own, Flux is at $flux in its main loop."
echo
shown STORED "Flux: set greeting" "$fluxkv" "$flux" set greeting "Hello over UDP!"
shown "VALUE greeting 0 15 Hello over UDP! END" "TCP:  get greeting" tcp "get greeting" 3
shown STORED "TCP:  set answer" tcp "set answer 0 0 2\r\n42" 1
shown 42 "Flux: get answer" "$fluxkv" "$flux" get answer
shown DELETED "Flux: delete answer" "$fluxkv" "$flux" delete answer
shown END "TCP:  get answer" tcp "get answer" 1
shown MISS "Flux: get answer" "$fluxkv" "$flux" get answer
head -c 1000000 /dev/urandom >"$tmp/value"
shown STORED "Flux: set a million bytes" "$fluxkv" "$flux" set large <"$tmp/value"
"$fluxkv" "$flux" get large | head -c 1000000 | cmp - "$tmp/value" || die "another million bytes"
echo "Flux: get them                     -> equal"
head -c 1048576 /dev/zero >"$tmp/value"
shown "fluxkv: SERVER_ERROR object too large for cache" "Flux: set a MiB" "$fluxkv" "$flux" set large \
	<"$tmp/value"
echo
for depth in 1 64; do
	"$fluxkv" --depth $depth --seconds 1 "$flux" latency greeting || die "no latency"
done
echo
exec 3<>"/dev/tcp/127.0.0.1/$port" && printf 'shutdown\r\n' >&3
wait "$server"
status=$?
server=
[ $status -eq 0 ] || die "memcached ended with $status"
echo "memcached was told to shut down, and ended as it does."
