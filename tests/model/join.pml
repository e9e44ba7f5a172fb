/* SPDX-License-Identifier: MIT */
/*
 * A reader joins at the oldest item kept while the writer runs, src/core/ring/room.c and reader.c. The
 * writer raises the floor and then looks at the gates again; the joiner sets its gate and then looks at
 * the floor. From the start that it settles on, nothing may be overwritten before it has read it.
 *
 * Both stores wait in buffers. Take one part out and the model fails:
 *	-DNO_F1		the writer's fence, between the floor and its second look at the gates
 *	-DNO_F2		the joiner's fence, between its gate and its look at the floor
 *	-DNO_SECOND	the writer's second look
 */
#define CAPACITY 2
#define TOTAL    5
#define OPEN     100

byte cursor, floor;
byte gates[2];		/* of the old reader, of the one that joins; OPEN: holds nobody */
byte slot[CAPACITY] = OPEN;
/* Buffers: what the owner wrote and memory does not have yet. */
byte floor_buffered, gate_buffered = OPEN;

init
{
	gates[1] = OPEN;
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

#define LOOK(low)                                    \
	low = gates[0];                              \
	if                                           \
	:: atomic { gates[1] < low -> low = gates[1] } \
	:: atomic { gates[1] >= low -> skip }        \
	fi

proctype writer()
{
	byte room = CAPACITY;
	byte low, again;

	do
	:: cursor == TOTAL -> break
	:: else ->
		do
		:: cursor < room -> break
		:: else ->
			LOOK(low);
			if
			:: low + CAPACITY <= room -> skip
			:: else ->
				if
				:: floor_buffered < low -> floor_buffered = low
				:: else -> skip
				fi;
#ifndef NO_F1
				floor == floor_buffered;
#endif
#ifndef NO_SECOND
				LOOK(again);
				if
				:: again < low -> low = again
				:: else -> skip
				fi;
#endif
				if
				:: low + CAPACITY > room -> room = low + CAPACITY
				:: else -> skip
				fi
			fi
		od;
		atomic { slot[cursor % CAPACITY] = cursor; cursor++ }
	od
}

/* Releases what is published, as it likes. */
proctype old_reader()
{
	do
	:: gates[0] == TOTAL -> break
	:: atomic { gates[0] < cursor -> gates[0]++ }
	od
}

proctype joiner()
{
	byte at, seen;

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
	/* Read on to the end: each slot must still hold what belongs there. */
	do
	:: at == TOTAL -> break
	:: at < cursor ->
		assert(slot[at % CAPACITY] == at);
		at++;
		gate_buffered = at
	od
}
