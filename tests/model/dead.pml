/* SPDX-License-Identifier: MIT */
/*
 * The claims of dead producers, src/core/ring/claims.c: two producers that may die before any of their
 * stores, one that lives, and a reader who cleans up. A claim becomes a skip of exactly its length, and
 * only if its producer is dead; the living one's items all arrive.
 *
 * Take one part out and the model fails:
 *	-DNO_LIVING	a note of the living does not make one wait
 *	-DNO_BOUNDARY	of two notes of the same place the first is believed
 *	-DWORD_FIRST	the word is looked at before the notes, neither behind them nor at the store
 */
#define PRODUCERS 3	/* the last one lives */
#define LIVING    2
#define SLOTS     8
#define SKIP      16

byte claimed;
byte gate[PRODUCERS], count[PRODUCERS];
bool dead[PRODUCERS];
byte word[SLOTS];	/* length of the claim that is told here, with SKIP; 0: none */
byte length[SLOTS], owner[SLOTS];	/* what is true, for the assertions */

#define MAY_DIE if :: skip :: me != LIVING -> goto died fi

proctype producer(byte me)
{
	byte at, n, left = 1;

	do
	:: left == 0 -> break
	:: else ->
		atomic {
			if
			:: n = 1
			:: me != LIVING -> n = 2
			fi;
			at = claimed
		}
again:
		MAY_DIE;
		gate[me] = at;
		MAY_DIE;
		count[me] = n;
		MAY_DIE;
		if
		:: atomic { claimed == at -> claimed = at + n; length[at] = n; owner[at] = me }
		:: atomic { claimed != at -> at = claimed }
		   MAY_DIE;
		   count[me] = 0;
		   goto again
		fi;
		MAY_DIE;
		/* The slots are written here; then the word. */
		word[at] = n;
		MAY_DIE;
		count[me] = 0;
		left--
	od;
	goto done;
died:
	dead[me] = true;
done:
	skip
}

inline is_boundary(seq, yes)
{
	yes = (claimed == seq);
	j = 0;
	do
	:: j == PRODUCERS || yes -> break
	:: else ->
		if
		:: count[j] != 0 && gate[j] == seq -> yes = true
		:: else -> skip
		fi;
		j++
	od;
	yes = (yes || word[seq] != 0)
}

/* What flux_ring_settle() does about the place `p`, by the notes of all. */
inline settle(p)
{
	best = SLOTS; alone = 0; candidates = 0; wait = false; i = 0;
#ifdef WORD_FIRST
	told = word[p] != 0;
#endif
	do
	:: i == PRODUCERS || wait -> break
	:: else ->
		n = count[i];
		if
		:: n != 0 && gate[i] == p ->
			if
#ifndef NO_LIVING
			:: !dead[i] -> wait = true
			:: else ->
#else
			:: true ->
#endif
				if
				:: n == alone || p + n > claimed -> skip
				:: else ->
					candidates++;
					alone = n;
#ifdef NO_BOUNDARY
					yes = (best == SLOTS);
#else
					is_boundary(p + n, yes);
#endif
					if
					:: yes && n < best -> best = n
					:: else -> skip
					fi
				fi
			fi
		:: else -> skip
		fi;
		i++
	od;
	n = (candidates == 1 -> alone : best);
#ifndef WORD_FIRST
	told = word[p] != 0;
#endif
	if
	:: !wait && !told && candidates != 0 ->
		assert(n != SLOTS);
		atomic {
			if
#ifdef WORD_FIRST
			:: true ->
#else
			:: word[p] == 0 ->
#endif
				assert(dead[owner[p]] && n == length[p]);
				word[p] = n + SKIP
			:: else -> skip
			fi
		}
	:: else -> skip
	fi;
	i = 0; j = 0; n = 0; best = 0; alone = 0; candidates = 0; wait = false; told = false; yes = false
}

#define PLACES byte i, j, n, best, alone, candidates; bool wait, told, yes

/* Reads in order and cleans up where nothing is told. */
proctype reader()
{
	byte next, got;
	PLACES;

	do
	:: got == 1 -> break
	:: word[next] != 0 ->
		atomic {
			n = word[next];
			if
			:: n < SKIP ->
				assert(n == length[next]);
				if
				:: owner[next] == LIVING -> got++
				:: else -> skip
				fi
			:: else -> n = n - SKIP
			fi;
			next = next + n;
			n = 0
		}
	:: word[next] == 0 && claimed > next ->
		settle(next)
	od
}

init {
	atomic {
		run producer(0);
		run producer(1);
		run producer(LIVING);
		run reader()
	}
}
