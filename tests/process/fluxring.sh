#!/bin/sh
# SPDX-License-Identifier: MIT
# fluxring on rings that live, on what a killed process left, on damage, and on files that are no rings.

. "${srcdir:?}/tests/build/tap.sh"
. "$srcdir/tests/process/tools.sh"

fluxring=tools/fluxring
leave=tests/process/ring_leave
kinds='slots lossy sums records shared claim'
# Not every /tmp has files without a name (O_TMPFILE).
rings=$(mktemp -d /dev/shm/fluxring.XXXXXX 2>/dev/null) || rings=$tmp/rings
mkdir -p "$rings"
trap '[ -z "$started" ] || kill -9 $started 2>/dev/null; chmod 755 "$rings"; rm -rf "$tmp" "$rings"' EXIT

# ring STATUS ARGUMENTS...: run it; its output is in ring.out and ring.err.
ring()
{
	ring_wanted=$1
	shift
	start ring $fluxring "$@"
	await "$pid"
	[ "$status" -eq "$ring_wanted" ] ||
		complain "fluxring $*: $status, not $ring_wanted: $(cat "$tmp/ring.out" "$tmp/ring.err")"
}

# says WORDS: on its standard output.
says()
{
	grep -q -e "$1" "$tmp/ring.out" || complain "no '$1' in: $(cat "$tmp/ring.out" "$tmp/ring.err")"
}

# json: one object a line, if there is something to tell.
json()
{
	command -v python3 >/dev/null || return
	python3 -c 'import json, sys
for line in sys.stdin: json.loads(line)' <"$tmp/ring.out" 2>"$tmp/why" ||
		complain "no JSON: $(cat "$tmp/ring.out" "$tmp/why")"
}

# killed KIND: a process makes a ring of that kind and kills itself in the middle.
killed()
{
	start leave $leave "$rings/$1" "$1"
	await "$pid" 2>/dev/null
	[ "$status" -eq 137 ] || complain "ring_leave ended with $status: $(cat "$tmp/leave.err")"
}

# ---- What a killed process left ----

for kind in $kinds; do
	killed $kind
done
ring 0 ls "$rings"
for kind in $kinds; do
	says "^$kind .* dead"
done
ring 0 ls "$rings" --json
json
says '"path":".*/claim","kind":"slots","slot":32,"capacity":16,"used":6,"readers":1,"writers":1,"owner_alive":false'
finish "ls: the rings of a directory, and that their owners are dead"

ring 0 info "$rings/claim"
says 'owner dead'
says 'claimed 8, oldest 2, used 6, free 10'
says 'reader 0 .* dead .*eye "1".* gate 2 lag 6 (holds the writers)'
says 'writer 0 .* dead .*pen .* open claim of 3 at 5'
for kind in $kinds; do
	ring 0 info "$rings/$kind" --json
	json
	says '"state":"dead"'
done
says '"name":"eye \\"1\\"","gate":2,"lag":6,"lossy":false,"gating":true'
says '"name":"pen","claim":5,"claim_slots":3'
finish "info: who died, and where he stood"

for kind in $kinds; do
	cp "$rings/$kind" "$tmp/before"
	ring 1 check "$rings/$kind"
	says 'left .*reader 0'
	says 'left .*writer 0'
	ring 1 check "$rings/$kind" --json
	json
	says '"verdict":"left","in_use":false'
	ring 0 info "$rings/$kind"
	cmp -s "$tmp/before" "$rings/$kind" || complain "check or info changed $kind"
done
says 'open claim'
finish "check: what the dead left, and nothing is changed"

for kind in slots lossy sums; do
	ring 0 tail "$rings/$kind" -n 2
	says '^4$'
	says 'item 4\.\.'
	grep -q 'item 2' "$tmp/ring.out" && complain "-n 2 shows more than two"
	ring 0 tail "$rings/$kind" --raw
	[ "$(tr -d '\000' <"$tmp/ring.out" | grep -o 'item [0-9]' | wc -l)" -ge 3 ] || complain "--raw: not all"
done
for kind in records shared claim; do
	ring 1 tail "$rings/$kind"
	expect_words ring 'fluxring info'
done
finish "tail: the items that are kept, or why they cannot be shown"

for kind in $kinds; do
	ring 0 repair "$rings/$kind"
	says 'gave back 2 places of the dead'
	ring 0 check "$rings/$kind"
	says '^consistent$'
done
says 'consistent'
ring 0 info "$rings/claim"
says 'aborted 1, lost 0, died 2'
says 'note 1: writer died, pen, id 256, at 5, 3 slots'
finish "repair: mended, and check agrees"

$leave "$rings/slots" spoil
ring 2 check "$rings/slots"
says 'damaged .*floor'
ring 2 check "$rings/slots" --json
json
says '"what":"floor","severity":"damaged"'
ring 1 repair "$rings/slots"
expect_words ring 'create the ring anew'
finish "damage: check says 2, repair says that it cannot mend it"

# ---- A ring in use ----

mkfifo "$tmp/stay"
$leave "$rings/alive" claim stay <"$tmp/stay" >"$tmp/alive.out" 2>"$tmp/alive.err" &
stayer=$!
started="$started $stayer"
exec 9>"$tmp/stay"
tries=0
until grep -q ready "$tmp/alive.out" || [ $tries -gt 200 ]; do
	tries=$((tries + 1))
	sleep 0.05
done
ring 0 ls "$rings"
says '^alive .* lives'
ring 0 info "$rings/alive"
says 'owner lives'
says 'reader 0 .* in '
ring 0 check "$rings/alive"
says 'consistent (in use'
ring 0 repair "$rings/alive"
says 'gave back 0 places'
ring 0 info "$rings/alive"
says 'open claim of 3 at 5'
exec 9>&-
wait "$stayer"
ring 1 info "$rings/alive"
expect_words ring 'No such file'
finish "a ring in use: looked at, and left as it is"

# ---- What is no ring ----

echo "something else altogether" >"$rings/text"
: >"$rings/empty"
killed records
head -c 5000 "$rings/records" >"$rings/cut"
ring 1 info "$rings/nothing"
expect_words ring 'fluxring ls'
ring 1 info "$rings/text"
expect_words ring 'no region'
ring 1 info "$rings/cut"
expect_words ring 'cut: its file has 5000 bytes'
expect_words ring 'create it anew'
ring 1 info "$rings"
expect_words ring 'not a regular file'
ln -s records "$rings/link"
ring 1 info "$rings/link"
expect_words ring 'symbolic link'
ring 3 check "$rings/text"
ring 3 check "$rings/cut" --json
ring 1 repair "$rings/empty"
ring 1 tail "$rings/empty"
# The bytes of the layout, of the byte order, and of the kind's version in the header of the region.
for spoilt in 8:layout 16:'byte order' 17:words 20:kind 24:version; do
	cp "$rings/sums" "$rings/other"
	printf '\011' | dd of="$rings/other" bs=1 seek="${spoilt%%:*}" conv=notrunc 2>/dev/null
	ring 1 info "$rings/other"
	expect_words ring "${spoilt#*:}"
done
# The first byte of the ring itself.
cp "$rings/sums" "$rings/other"
printf '\011' | dd of="$rings/other" bs=1 seek=4096 conv=notrunc 2>/dev/null
ring 1 info "$rings/other"
expect_words ring 'no ring of ours'
chmod o+w "$rings/sums"
ring 1 info "$rings/sums"
expect_words ring 'writable by everybody'
chmod o-w "$rings/sums"
finish "what is no ring, or none of ours: each in its own words"

ring 0 ls "$rings"
says '^records'
grep -q -e '^text' -e '^empty' "$tmp/ring.out" && complain "ls lists what is no ring"
expect_words ring '"cut"'
ring 1 ls "$rings/records"
expect_words ring 'fluxring info'
ring 1 ls "$rings/nowhere"
expect_words ring 'No such file'
finish "ls: passes other files, names rings that cannot be read"

# ---- Rights ----

if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$tmp"
	chmod 644 "$rings/lossy"
	chmod 555 "$rings"
	as_user="setpriv --reuid 65534 --regid 65534 --clear-groups"
	if $as_user "$(pwd)/$fluxring" --version >/dev/null 2>&1; then
		start ring $as_user "$(pwd)/$fluxring" info "$rings/lossy"
		await "$pid"
		expect_status ring 0
		start ring $as_user "$(pwd)/$fluxring" info "$rings/sums"
		await "$pid"
		expect_status ring 1
		expect_words ring 'as root'
		start ring $as_user "$(pwd)/$fluxring" repair "$rings/lossy"
		await "$pid"
		expect_status ring 1
		finish "another user, a directory that may only be read"
	else
		tap_skip "another user" "nobody else may run the build"
	fi
	chmod 755 "$rings"
else
	tap_skip "another user" "needs root and setpriv"
fi

# ---- The command line ----

ring 0 --help
says 'Usage: fluxring'
ring 0 --version
ring 2
ring 2 lists
ring 2 info
ring 2 info a b
ring 2 info --raw x
ring 2 tail x --json
ring 2 ls --any-owner
ring 2 tail -n many x
ring 2 --nonsense
ring 3 check
finish "the command line"
tap_done
