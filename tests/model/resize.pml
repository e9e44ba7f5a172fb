/* SPDX-License-Identifier: MIT */
/*
 * A ring moves to other slots while one reads and one joins, src/core/ring/resize.c and room.c. The writer
 * frees the old region as it would overwrite: it raises the floor to where the new one begins, and looks
 * at the gates again. Each item must be found where it was written, in a region that is not freed.
 *
 * The floor and the joiner's gate wait in buffers. Take one part out and the model fails:
 *	-DNO_FLOOR	freed when the gates are past, without raising the floor
 *	-DNO_F1		the writer's fence, between the floor and its second look at the gates
 *	-DNO_F2		the joiner's fence, between its gate and its look at the floor
 *	-DNO_SECOND	the writer's second look
 *	-DNO_BORDER	a reader goes by the region alone, not by where it begins
 */
#define TOTAL   4
#define REGIONS 3
#define OPEN    100

byte cursor, floor;
byte gates[2];		/* of the old reader, of the one that joins; OPEN: holds nobody */
byte home[TOTAL];	/* the region that an item was written to */
bool alive[REGIONS];
/* The pair, which is copied whole: where the writer writes, from which item on, and whether an old one is left. */
byte now, from;
bool old;
/* Buffers: what the owner wrote and memory does not have yet. */
byte floor_buffered, gate_buffered = OPEN;

init
{
	gates[1] = OPEN;
	alive[0] = true;
	atomic {
		run memory();
		run writer();
		run old_reader();
		run joiner()
	}
}

proctype memory()
{
end:
	do
	:: d_step { floor != floor_buffered -> floor = floor_buffered }
	:: d_step { gates[1] != gate_buffered -> gates[1] = gate_buffered }
	od
}

#define LOOK(low)                                      \
	low = gates[0];                                \
	if                                             \
	:: atomic { gates[1] < low -> low = gates[1] } \
	:: atomic { gates[1] >= low -> skip }          \
	fi

proctype writer()
{
	byte low, again;

	do
	:: cursor == TOTAL -> break
	:: cursor < TOTAL -> atomic { home[cursor] = now; cursor++ }
	:: !old && now + 1 < REGIONS -> d_step { old = true; now++; from = cursor; alive[now] = true }
	:: old ->
		LOOK(low);
		if
		:: low < from -> skip
		:: else ->
#ifndef NO_FLOOR
			if
			:: floor_buffered < from -> floor_buffered = from
			:: else -> skip
			fi;
#endif
#ifndef NO_F1
			floor == floor_buffered;
#endif
			again = OPEN;
#ifndef NO_SECOND
			LOOK(again);
#endif
			if
			:: again >= from -> atomic { old = false; alive[now - 1] = false }
			:: else -> skip
			fi
		fi
	od
}

/* Read an item: in the region that the pair names for it. */
inline read(at)
{
	d_step {
#ifdef NO_BORDER
		in = now;
#else
		in = (at < from -> now - 1 : now);
#endif
	}
	d_step { assert(in == home[at]); assert(alive[in]) }
}

/* Releases what is published, as it likes. */
proctype old_reader()
{
	byte in;

	do
	:: gates[0] == TOTAL -> break
	:: gates[0] < cursor -> read(gates[0]); gates[0]++
	od
}

proctype joiner()
{
	byte at, seen, in;

	at = floor;
	do
	:: true ->
		gate_buffered = at;
#ifndef NO_F2
		gates[1] == gate_buffered;
#endif
		seen = floor;
		if
		:: seen <= at -> break
		:: else -> at = seen
		fi
	od;
	do
	:: at == TOTAL -> break
	:: at < cursor -> read(at); at++; gate_buffered = at
	od
}
