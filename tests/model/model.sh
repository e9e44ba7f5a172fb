#!/bin/sh
# SPDX-License-Identifier: MIT
# R14, R15: ask spin whether the protocols hold, and whether each model fails without the part that it is about.

. "${srcdir:?}/tests/build/tap.sh"

models='doorbell:NO_B1,NO_B2,PLAIN_MARK claim:NO_R3,NO_A3,NO_R2,NO_REFUSAL join:NO_F1,NO_F2,NO_SECOND'
models="$models dead:NO_LIVING,NO_BOUNDARY,WORD_FIRST resize:NO_FLOOR,NO_F1,NO_F2,NO_SECOND,NO_BORDER"

# errors MODEL DEFINE: how many errors spin finds, or why it could not look.
errors()
{
	rm -rf "$tmp/pan" && mkdir "$tmp/pan" && cd "$tmp/pan" || exit 99
	spin -a ${2:+"-D$2"} "$model_dir/$1.pml" >spin.out 2>&1 || { echo "spin: $(cat spin.out)"; return; }
	${CC:-cc} -O1 -w -DSAFETY -DMEMLIM=1024 -o pan pan.c >cc.out 2>&1 || { echo "cc: $(tail -n 1 cc.out)"; return; }
	./pan -m200000 >pan.out 2>&1
	if grep -q 'max search depth too small\|out of memory' pan.out; then
		echo "search was cut"
		return
	fi
	sed -n 's/.*errors: \([0-9]*\).*/\1/p' pan.out
}

model_dir=$(cd "$srcdir/tests/model" && pwd)
for entry in $models; do
	model=${entry%%:*}
	if ! command -v spin >/dev/null; then
		tap_skip "$model" "spin is not installed (on Debian: apt-get install spin)"
		continue
	fi
	found=$(errors "$model" "")
	tap_run "$model holds: errors '$found'" test "$found" = 0
	for part in $(echo "${entry#*:}" | tr , ' '); do
		found=$(errors "$model" "$part")
		tap_run "$model fails with $part: errors '$found'" test "${found:-0}" -gt 0
	done
done
tap_done
