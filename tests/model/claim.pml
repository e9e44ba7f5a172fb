/* SPDX-License-Identifier: MIT */
/*
 * Claim and publish of several producers, src/core/ring/multi.c and barrier.c: claims by compare and
 * swap against the reader's gate, a word for each published claim, a reader that follows the words.
 * Every item arrives once, in order, whole; no slot is overwritten before it was released.
 *
 * Stores wait in buffers and are flushed in any order (weaker than x86); a release store waits for the
 * stores before it. Take one edge out and the model fails:
 *	-DNO_R3		the word's release: the word may overtake the slot
 *	-DNO_A3		the word's acquire: the slot may be loaded before the word
 *	-DNO_R2		the gate's release: the gate may overtake the reading
 *	-DNO_REFUSAL	a claim that does not ask for room
 */
#define PRODUCERS 2
#define CAPACITY  2
#define EACH      3	/* items of one producer */
#define TOTAL     (PRODUCERS * EACH)
#define NONE      255

byte claimed, gate;
byte slot[CAPACITY] = NONE;	/* who wrote: producer * EACH + number */
byte word[CAPACITY] = NONE;	/* the sequence that was published there */
/* One buffered store of each kind for each producer. */
byte slot_at[PRODUCERS] = NONE, slot_value[PRODUCERS];
byte word_at[PRODUCERS] = NONE, word_value[PRODUCERS];
byte got[PRODUCERS];

active proctype memory()
{
end:
	do
	:: d_step { slot_at[0] != NONE -> slot[slot_at[0]] = slot_value[0]; slot_at[0] = NONE }
	:: d_step { slot_at[1] != NONE -> slot[slot_at[1]] = slot_value[1]; slot_at[1] = NONE }
	:: d_step { word_at[0] != NONE -> word[word_at[0]] = word_value[0]; word_at[0] = NONE }
	:: d_step { word_at[1] != NONE -> word[word_at[1]] = word_value[1]; word_at[1] = NONE }
	od
}

active [PRODUCERS] proctype producer()
{
	byte me = _pid - 1;
	byte at, room, n;

	do
	:: n == EACH -> break
	:: else ->
		/* Claim: the gate is looked at before the swap, and may have moved since. */
		at = claimed;
#ifndef NO_REFUSAL
		do
		:: at < room -> break
		:: else ->
			atomic { gate + CAPACITY > at -> room = gate + CAPACITY }
		od;
#endif
		if
		:: atomic { claimed == at -> claimed = at + 1 }
		   /* The slot, then its word. */
		   atomic { slot_at[me] == NONE -> slot_at[me] = at % CAPACITY; slot_value[me] = me * EACH + n }
#ifndef NO_R3
		   slot_at[me] == NONE;
#endif
		   atomic { word_at[me] == NONE -> word_at[me] = at % CAPACITY; word_value[me] = at }
		   n++
		:: atomic { claimed != at -> skip }
		fi
	od
}

active proctype reader()
{
	byte next, value;

	do
	:: next == TOTAL -> break
	:: else ->
#ifdef NO_A3
		value = slot[next % CAPACITY];
#endif
		word[next % CAPACITY] == next;
#ifdef NO_R2
		gate = next + 1;
#endif
#ifndef NO_A3
		value = slot[next % CAPACITY];
#endif
		assert(value != NONE);
		/* Each producer's items in its order, each once. */
		assert(value % EACH == got[value / EACH]);
		got[value / EACH]++;
		next++;
#ifndef NO_R2
		gate = next;
#endif
	od;
	assert(got[0] == EACH && got[1] == EACH)
}
