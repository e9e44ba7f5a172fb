/* SPDX-License-Identifier: MIT */
/*
 * The doorbell of src/core/ring/bell.c: several producers publish and ring, several readers mark that
 * they are about to sleep, look again, and sleep. Nobody may sleep for ever while something is unread.
 *
 * Memory is weak: a producer's store waits in a buffer until it is flushed, at any time; the reader's
 * mark is a read-modify-write that may take effect after later loads. A fence waits until what was
 * buffered has taken effect. Take one out and the model fails:
 *	-DNO_B1		the producer's fence, between its store and its look at the bell
 *	-DNO_B2		the reader's fence, between its mark and its second look
 *	-DPLAIN_MARK	a mark that is 0 or 1, instead of a word that also counts the wakings
 */
#define PRODUCERS 2
#define READERS   2
#define ITEMS     2

byte published[PRODUCERS];	/* in memory */
byte buffered[PRODUCERS];	/* as its owner sees it */
byte word;			/* the bell: odd while somebody is about to sleep, or does */
bool marking[READERS];		/* a mark that has not taken effect */
byte ticket[READERS];		/* the word at which that reader may sleep */
bool asleep[READERS];

#ifdef PLAIN_MARK
#define MARKED (word == 1)
#define MARK   word = 1
#define UNMARK word = 0
#else
#define MARKED (word % 2 == 1)
#define MARK   word = word + 1 - word % 2
#define UNMARK word = word + 1
#endif

/* What the hardware does, whenever it likes. */
active proctype memory()
{
	byte i;
end:
	do
	:: d_step {
		buffered[0] != published[0] -> published[0] = buffered[0]
	   }
	:: d_step {
		buffered[1] != published[1] -> published[1] = buffered[1]
	   }
	:: d_step {
		marking[0] -> MARK; ticket[0] = word; marking[0] = false
	   }
	:: d_step {
		marking[1] -> MARK; ticket[1] = word; marking[1] = false
	   }
	od
}

active [PRODUCERS] proctype producer()
{
	byte me = _pid - 1;
	byte seen, i, n;

	do
	:: n < ITEMS ->
		n++;
		buffered[me] = n;
#ifndef NO_B1
		buffered[me] == published[me];
#endif
		seen = word;
		do
		:: seen % 2 == 0 -> break
		:: else ->
			/* Compare and swap; the one who wins wakes everybody asleep. */
			if
			:: atomic {
				word == seen ->
				UNMARK;
				i = 0;
				do
				:: i < READERS -> asleep[i] = false; i++
				:: else -> break
				od
			   }
			   break
			:: atomic { word != seen -> seen = word }
			fi
		od
	:: else -> break
	od
}

active [READERS] proctype reader()
{
	byte me = _pid - 1 - PRODUCERS;
	byte got;

	do
	:: got == PRODUCERS * ITEMS -> break
	:: else ->
		/* The first look. */
		if
		:: atomic { published[0] + published[1] > got -> got = published[0] + published[1] }
		:: atomic {
			published[0] + published[1] == got ->
			marking[me] = true
		   }
#ifndef NO_B2
		   !marking[me];
#endif
		   /* The second look. */
		   if
		   :: atomic { published[0] + published[1] > got -> got = published[0] + published[1] }
		   :: atomic { published[0] + published[1] == got -> skip }
		      !marking[me];
		      /* The kernel compares and sleeps in one step. */
		      if
		      :: atomic { word == ticket[me] -> asleep[me] = true }
			 !asleep[me]
		      :: atomic { word != ticket[me] -> skip }
		      fi
		   fi;
		   /* A mark is awaited before the next one. */
		   !marking[me]
		fi
	od
}
