/*
 * The protocol of docs/version-table.md as a model that spin searches exhaustively (eng/model/check).
 *
 * What there is
 *   A directory with two names, each bound to one of two inodes: four objects, each with a slot of its own. (Objects that
 *   share a slot only make more answers unusable.)
 *   A guest that reads through its cache and makes changes, with its view; two other guests that make changes, so that
 *   changes overlap on that view; with WITH_HOST, one other guest and a program of the host beside the daemon. The others
 *   read too, but that moves nothing that anybody else sees: what holds for one reader holds for all, and so only one
 *   reads here. For the same reason it caches one object, any of them, and asks every time for the others.
 *   Each of them makes one change at most: it sets the attributes of an inode, or exchanges the two names, which touches
 *   all four objects. Reading has no bound.
 *
 * What is a step of its own, between which everybody else may act
 *   Each read and each move of a word of the view; each system call of the daemon, of which a LOOKUP makes two; a request
 *   on its way; a change that was made and is not acknowledged; an attach that waits for its answer. Memory is sequentially
 *   consistent: the daemon moves words by atomic adds, the reader reads them with acquire and in program order.
 *
 * What is promised
 *   Fresh: an answer from the cache does not predate a change that was acknowledged before the access began. A change of
 *   the host counts as acknowledged once its slots, or the epoch, have moved: nothing is promised before.
 *   Whole: an answer from the cache does not predate an exchange that the guest has seen done in an earlier answer, whether
 *   it was acknowledged or not. Exchanges that the host makes are excepted.
 *
 * What is left out
 *   The guest does one thing at a time and drops from its cache what its own change touches: that its FUSE client is
 *   coherent with itself is not the version table's concern. Words do not wrap around. The daemon does not die.
 *
 * With one of these macros a rule is broken, and spin must find an answer that is not fresh or not whole:
 *   BEGIN_AFTER_SYSCALL    slots move only after the system call, and before the acknowledgement
 *   SAMPLE_AFTER_REPLY     the reader samples when it has the answer
 *   FORGET_ONE_SLOT        an exchange does not move the slot of one of its names
 *   MUTATIONS_AT_BEGIN     mutations moves at begin alone
 *   ATTACH_WITHOUT_WAITING an attach is answered while changes are under way that do not know the view
 */

#define READER 0
#define WRITER 1
#define HOST   2

/* Objects 0 and 1 are the names, 2 and 3 the inodes. */
#define OBJECTS  4
#define is_name(object) (object < 2)
#define EXCHANGE OBJECTS

/* A slot word, with 4 bits for the writers instead of 16. */
#define BEGIN     1
#define END       15
#define BUMP      16
#define writers(word) (word & 15)
#define touches(change, object) (change == EXCHANGE || change == object)

/* The directory of the host: how often each object was changed, and what the names are bound to. */
byte version[OBJECTS];
byte bound[2];
byte exchanges;			/* made by guests */

/* The version of each object that its last acknowledged change made. */
byte acknowledged[OBJECTS];

/* The view of the guest that reads. */
byte slots[OBJECTS];
byte mutations;
byte epoch;

/* The daemon: whether that view takes part, and how many changes are under way that began before it did. */
bool joined;
byte unaware;

/* What an actor knows of the change that it makes; the inlines below work on these variables of their caller. */
#define CHANGE_UNDER_WAY \
	byte change;		/* an inode or EXCHANGE */ \
	bool told;		/* the view is told of it */ \
	byte made[OBJECTS];	/* the versions of objects that it made */ \
	byte object

/* One word of a view after the other: mutations, then the slots of the change. */
inline move(delta)
{
#ifdef MUTATIONS_AT_BEGIN
	if :: delta != END -> mutations++ :: else fi;
#else
	mutations++;
#endif
	if
	:: change == EXCHANGE ->
		slots[0] = slots[0] + delta;
#ifndef FORGET_ONE_SLOT
		slots[1] = slots[1] + delta;
#endif
		slots[2] = slots[2] + delta;
		slots[3] = slots[3] + delta
	:: else ->
		slots[change] = slots[change] + delta
	fi
}

inline move_told(delta)
{
	if :: told -> move(delta) :: else fi
}

inline choose_change()
{
	if
	:: change = 2
	:: change = 3
	:: change = EXCHANGE
	fi
}

/* One system call. */
inline system_call(actor)
{
	d_step {
		object = 0;
		do
		:: object < OBJECTS ->
			if
			:: touches(change, object) -> version[object]++; made[object] = version[object]
			:: else
			fi;
			object++
		:: else -> break
		od;
		object = 0;
		if
		:: change == EXCHANGE ->
			/* 2 becomes 3 and 3 becomes 2. */
			bound[0] = 5 - bound[0];
			bound[1] = 5 - bound[1];
			exchanges = exchanges + (actor != HOST)
		:: else
		fi
	}
}

/* Within a d_step: the actor learns that its change is made. */
inline acknowledge()
{
	object = 0;
	do
	:: object < OBJECTS ->
		if
		:: made[object] > acknowledged[object] -> acknowledged[object] = made[object]
		:: else
		fi;
		made[object] = 0;
		object++
	:: else -> break
	od;
	object = 0
}

/* A change that comes through the daemon. */
inline make_change(actor)
{
	atomic {
		choose_change();
		/* A view that takes part now is told of begin and end, one that joins later of neither. */
		told = (actor != READER && joined);
		unaware = unaware + (actor != READER && !joined)
	}
#ifndef BEGIN_AFTER_SYSCALL
	move_told(BEGIN);
	system_call(actor);
	move_told(END);
#else
	system_call(actor);
	move_told(BUMP);
#endif
	d_step {
		unaware = unaware - (actor != READER && !told);
		acknowledge();
		told = false
	}
}

/* What the guest keeps of one object, chosen once: of the others every access asks. */
#define CACHE \
	byte cached;		/* the object */ \
	bool present; \
	byte cached_version; \
	byte cached_exchanges;	/* those made when it was read */ \
	byte cached_epoch, cached_slot	/* the sample */

/* Nothing is kept that may not be used: a sample with writers never becomes usable. */
inline keep(version_read, exchanges_then)
{
	if
	:: writers(sampled_slot) == 0 ->
		present = true;
		cached_version = version_read;
		cached_exchanges = exchanges_then;
		cached_epoch = sampled_epoch;
		cached_slot = sampled_slot
	:: else
	fi
}

inline drop()
{
	present = false;
	cached_version = 0;
	cached_exchanges = 0;
	cached_epoch = 0;
	cached_slot = 0
}

inline saw(exchanges_then)
{
	if
	:: exchanges_then > exchanges_seen -> exchanges_seen = exchanges_then
	:: else
	fi
}

/* What a guest knows of the access that it makes. */
#define ACCESS_UNDER_WAY \
	byte wanted;		/* an object */ \
	byte needed;		/* the oldest version of it that may be answered */ \
	bool usable;		/* what the cache has of it */ \
	byte sampled_epoch, sampled_slot, sampled_mutations; \
	byte answer, answer_exchanges; \
	byte inode, inode_answer, inode_exchanges	/* a LOOKUP's second answer */

inline choose(variable)
{
	if
	:: variable = 0
	:: variable = 1
	:: variable = 2
	:: variable = 3
	fi
}

inline try_cache()
{
	usable = wanted == cached && present && cached_epoch == epoch;
	if
	:: usable ->
		d_step {
			usable = (cached_slot == slots[cached]);
			assert(!usable || cached_version >= needed);		/* fresh */
			assert(!usable || cached_exchanges >= exchanges_seen)	/* whole */
		}
	:: else
	fi
}

inline sample()
{
	if :: wanted == cached || is_name(wanted) -> sampled_epoch = epoch :: else fi;
	if :: wanted == cached -> sampled_slot = slots[wanted] :: else fi
}

/* GETATTR of an inode, or LOOKUP of a name: which inode it is bound to, then that inode's attributes. */
inline ask_daemon()
{
	d_step { if :: wanted == cached -> drop() :: else fi }
#ifndef SAMPLE_AFTER_REPLY
	sample();
#endif
	if :: is_name(wanted) -> sampled_mutations = mutations :: else fi;
	d_step {
		answer = version[wanted];
		answer_exchanges = exchanges;
		inode = (is_name(wanted) -> bound[wanted] : 0)
	}
	if
	:: is_name(wanted) -> d_step { inode_answer = version[inode]; inode_exchanges = exchanges }
	:: else
	fi;
#ifdef SAMPLE_AFTER_REPLY
	sample();
#endif
	d_step {
		if :: wanted == cached -> keep(answer, answer_exchanges) :: else fi;
		saw(answer_exchanges);
		saw(inode_exchanges);
		answer = 0;
		answer_exchanges = 0;
		sampled_slot = 0
	}
	if :: is_name(wanted) && inode == cached -> believe_inode() :: else fi
}

/* The inode that a LOOKUP answered with: its slot could not be sampled before. */
inline believe_inode()
{
	sampled_slot = slots[inode];
	d_step {
		if
		:: sampled_mutations == mutations ->
			keep(inode_answer, inode_exchanges)
		:: else
		fi
	}
}

inline forget_access()
{
	d_step {
		wanted = 0; needed = 0; usable = false;
		sampled_epoch = 0; sampled_slot = 0; sampled_mutations = 0;
		answer = 0; answer_exchanges = 0;
		inode = 0; inode_answer = 0; inode_exchanges = 0
	}
}

proctype Reader()
{
	CACHE;
	byte exchanges_seen;
	bool has_changed;
	CHANGE_UNDER_WAY;
	ACCESS_UNDER_WAY;

	choose(cached);

	/* Before the attach is answered nothing is cached, so there is nothing to read wrongly. */
	joined = true;
#ifndef ATTACH_WITHOUT_WAITING
end_attaching:
	unaware == 0;
#endif

end_attached:
	do
	:: !has_changed ->
	   has_changed = true;
	   make_change(READER);
	   d_step { if :: touches(change, cached) -> drop() :: else fi; change = 0 }
	:: atomic { choose(wanted); needed = (wanted == cached -> acknowledged[wanted] : 0) }
	   try_cache();
	   if :: !usable -> ask_daemon() :: else fi;
	   forget_access()
	od
}

/* Another guest, of whose view nobody here is concerned. */
proctype Writer()
{
	CHANGE_UNDER_WAY;

	make_change(WRITER);
	change = 0
}

/* A program of the host, and the watcher that notices later: by its slots, or that events were lost. */
proctype Host()
{
	CHANGE_UNDER_WAY;

	choose_change();
	system_call(HOST);
	told = joined;
	if
	:: true -> move_told(BUMP)
	:: true -> if :: told -> epoch++ :: else fi
	fi;
	d_step { acknowledge(); told = false; change = 0 }
}

init
{
	atomic {
		bound[0] = 2;
		bound[1] = 3;
		run Reader();
		run Writer();
#ifdef WITH_HOST
		run Host()
#else
		run Writer()
#endif
	}
}
