/*
 * A reader's own changes (docs/version-table.md) as a model that spin searches exhaustively (eng/model/check). The daemon moves
 * nothing in the view of the guest that makes a change, so here the guest's tasks and the replies to them race.
 *
 * What there is
 *   An inode that changes, with its slot, in the view of one guest. What the guest's FUSE client keeps of it, by Linux's
 *   rules: an attribute reply is thrown away if the client has noted a newer state since the request was sent; the reply to
 *   SETATTR, LINK or CREATE is used always; of most own changes it only notes that its attributes are old, and any reply
 *   that is used takes that note away. What the reader (guest/linux) keeps beside: a stamp, and two words of its own.
 *   Own changes, one at most of each task, of four kinds: see below. Two tasks that look, without a bound: stat, or decide
 *   by mode and owner, which the client does by what it has of the inode.
 *   WITH_TWO_CHANGES  a second task that makes an own change; mode and owner are left alone, and nobody decides by them
 *   WITH_OTHERS       one task looks, and another guest changes the mode
 *   WITH_EVICTION     one task looks; two send a LOOKUP, or one of them a CREATE, whose reply may bring the inode;
 *                     that is evicted once
 *
 * What is a step of its own
 *   Each read and each move of a word; each system call of the daemon; each reply that the client uses, under its lock; the
 *   end of an eviction, until which nobody finds the inode.
 *
 * What is promised
 *   A look does not predate a change that had returned before it began, nor what an earlier look of this guest has shown.
 *
 * With one of these macros a rule is broken, and spin must find a look that is older:
 *   OWN_NOT_COUNTED        stat believes the slot alone
 *   OWN_COUNTED_AT_END     own changes are counted when they return, and not seen while they are under way
 *   MODE_NOT_COUNTED       a change of the mode that the reply does not tell takes the stamp away, and moves no word
 *   EVICTIONS_NOT_COUNTED  attributes that a reply brings are believed if no other guest has changed anything
 *   ADOPT_AS_OF_NOW        and as of the own changes that have been made by the time that they are stamped
 *   SINCE_ITS_OWN_BEGIN    and since that request began, not the oldest that was under way then
 *   DECIDE_WHILE_OVERWRITTEN  what GETATTR has brought is decided by while an older reply may still overwrite it
 */

#define BUMP 16
#ifdef OWN_COUNTED_AT_END
#define BEGIN 0
#define END   BUMP
#else
#define BEGIN 1
#define END   15
#endif
#define writers(word) (word & 15)
#define NO_STAMP 0

/* Kinds of own changes: of what they change, what the client notes, and what the reply brings. */
#define NAMES     0	/* times and link counts: noted as old (CREATE, UNLINK, RENAME, SETXATTR, FALLOCATE) */
#define ACL       1	/* the mode too: noted as old */
#define DROPPED   2	/* the mode too, by a write: noted as old and as a newer state */
#define ATTRIBUTE 3	/* the mode too: the reply brings all attributes, and is used always (SETATTR) */

/* The host: how often the inode was changed, and which change made its mode. */
byte version, mode;

/* The oldest of each that a look that begins now may show. */
byte returned, returned_mode;

/* The view. */
byte slot = BUMP;
byte mutations;

/* The client. Who sends a request is not overtaken at first. */
#define REQUESTS 4
bool exists = true, noted_old, freeing;
byte known, known_mode;
bool overtaken[REQUESTS];
byte users;			/* tasks that hold the inode */

/* The reader, of the inode. A stamp is the sum of the slot and the word of the mode's changes: both only grow. */
bool wrapped = true;
byte stamp, stamp_own;
byte own, own_mode;
byte always_used;		/* requests under way whose replies are used always */
bool locked;			/* the inode's lock in Linux, of which changes by SETATTR take hold */

/* The reader, of the share. */
byte evictions;
bool bringing[2];		/* requests under way that may bring inodes */
byte begun[2];

#define held (exists && wrapped && !freeing)
#define sum (slot + (own_mode & 240))
#ifdef EVICTIONS_NOT_COUNTED
#define moved mutations
#else
#define moved (mutations + evictions)
#endif

/* Within a d_step: the client has noted a newer state. */
inline overtake()
{
	overtaken[0] = true; overtaken[1] = true; overtaken[2] = true; overtaken[3] = true
}

inline use_reply(new, new_mode)
{
	known = new;
	known_mode = new_mode;
	noted_old = false;
	overtake()
}

/* Within a d_step. */
inline reveal(shown, shown_mode)
{
	if :: shown > returned -> returned = shown :: else fi;
	if :: shown_mode > returned_mode -> returned_mode = shown_mode :: else fi
}

inline choose_kind()
{
	if
	:: kind = NAMES
#ifndef WITH_TWO_CHANGES
	:: kind = ACL
	:: kind = DROPPED
	:: !locked -> kind = ATTRIBUTE; locked = true
#endif
	fi
}

inline move_own(delta)
{
#ifndef OWN_NOT_COUNTED
	own = own + delta;
#endif
#ifndef MODE_NOT_COUNTED
	if :: kind != NAMES -> own_mode = own_mode + delta :: else fi
#endif
}

proctype Changer()
{
	byte kind, made, made_mode;

end_waiting:
	atomic { held -> users++; choose_kind() }
	if :: kind == ATTRIBUTE -> always_used++ :: else fi;
	move_own(BEGIN);
	d_step {
		version++;
		if :: kind != NAMES -> mode = version :: else fi;
		made = version;
		made_mode = mode
	}
	d_step {
		if
		:: kind == ATTRIBUTE -> use_reply(made, made_mode)
		:: kind == DROPPED -> noted_old = true; overtake()
		:: else -> noted_old = true
		fi
	}
#ifdef MODE_NOT_COUNTED
	if :: kind == ACL || kind == DROPPED -> stamp = NO_STAMP :: else fi;
#endif
	move_own(END);
	d_step {
		if :: kind == ATTRIBUTE -> always_used--; locked = false :: else fi;
		if :: kind == NAMES -> reveal(made, 0) :: else -> reveal(made, made_mode) fi;
		users--;
		kind = 0; made = 0; made_mode = 0
	}
}

/* What a task knows of its look. */
#define LOOK_UNDER_WAY \
	bool decides;		/* by the mode, or else it is a stat */ \
	bool current;		/* what the client has */ \
	byte needed, needed_mode; \
	byte sampled, sampled_own; \
	byte reply, reply_mode

inline is_current()
{
	d_step { current = (!writers(slot) && !writers(own_mode) && stamp == sum) };
#ifndef OWN_NOT_COUNTED
	if :: current && !decides -> current = (!writers(own) && stamp_own == own) :: else fi
#endif
}

inline sample()
{
	d_step { sampled = (writers(slot) || writers(own_mode) -> NO_STAMP : sum) };
#ifndef OWN_NOT_COUNTED
	d_step { sampled_own = own; if :: writers(own) -> sampled = NO_STAMP :: else fi };
#endif
	/* A reply that is used always and belongs to a request from before: what is asked for now may be overwritten. */
	if
#ifndef DECIDE_WHILE_OVERWRITTEN
	:: decides -> always_used == 0
#endif
	:: else -> if :: always_used > 0 -> sampled = NO_STAMP :: else fi
	fi
}

inline ask(task)
{
	d_step { reply = version; reply_mode = mode; overtaken[task] = false };
	d_step { if :: !overtaken[task] -> use_reply(reply, reply_mode) :: else fi }
}

inline answer(shown, shown_mode)
{
	d_step {
		assert(decides || shown >= needed);
		assert(shown_mode >= needed_mode);
		if :: decides -> reveal(0, shown_mode) :: else -> reveal(shown, shown_mode) fi
	}
}

proctype Looker(byte task)
{
	LOOK_UNDER_WAY;

end_looking:
	do
	:: atomic {
		held -> users++;
		needed = returned;
		needed_mode = returned_mode;
		if
		:: decides = false
#ifndef WITH_TWO_CHANGES
		:: decides = true
#endif
		fi
	   }
	   is_current();
	   do
	   :: current -> break
	   :: else ->
		sample();
		/* Without a sample, a stat shows the reply itself: what the client has may change at any time. */
		if :: sampled == NO_STAMP && !decides -> break :: else fi;
		ask(task);
		if
		:: known == reply && known_mode == reply_mode ->
			if
			:: sampled != NO_STAMP -> stamp_own = sampled_own; stamp = sampled
			:: else
			fi;
			if :: decides -> break :: else -> is_current() fi
		:: else -> if :: decides && known_mode == reply_mode -> break :: else fi
		fi
	   :: !decides -> break	/* tried often enough */
	   od;
	   if
	   :: atomic { decides -> answer(0, known_mode) }
	   :: atomic { !decides && current && !noted_old -> answer(known, known_mode) }
	   :: atomic { !decides && !(current && !noted_old) } -> ask(task); answer(reply, reply_mode)
	   fi;
	   d_step {
		users--;
		decides = false; current = false; needed = 0; needed_mode = 0;
		sampled = 0; sampled_own = 0; reply = 0; reply_mode = 0
	   }
	od
}

/* A LOOKUP or CREATE whose reply is of the inode, which may be new to the client by then. */
proctype Bringer(byte number)
{
	bool is_create, first;
	byte moved_before, sampled, reply, reply_mode;

	atomic {
		if :: is_create = false :: number == 0 -> is_create = true fi;
		begun[number] = moved;
		bringing[number] = true;
#ifdef SINCE_ITS_OWN_BEGIN
		moved_before = begun[number]
#else
		moved_before = (bringing[1 - number] -> begun[1 - number] : begun[number])
#endif
	}
	if :: is_create -> always_used++ :: else fi;
	d_step { reply = version; reply_mode = mode; overtaken[2 + number] = false };
	atomic {
		!freeing -> users++;
		if
		:: !exists || is_create || !overtaken[2 + number] -> exists = true; use_reply(reply, reply_mode)
		:: else
		fi
	}
	d_step { first = !wrapped; wrapped = true };
	if
	:: first ->
#ifdef ADOPT_AS_OF_NOW
		d_step { sampled = (writers(slot) || writers(own_mode) -> NO_STAMP : sum) };
#else
		sampled = (writers(slot) -> NO_STAMP : slot);
#endif
		if :: moved == moved_before -> stamp = sampled :: else fi
	:: else
	fi;
	d_step {
		if :: is_create -> always_used-- :: else fi;
		bringing[number] = false; begun[number] = 0; users--;
		is_create = false; first = false; moved_before = 0; sampled = 0; reply = 0; reply_mode = 0
	}
}

/* With the inode goes what the client and the reader keep of it, and of which replies are overtaken. */
proctype Evictor()
{
end_waiting:
	atomic { exists && users == 0 -> freeing = true };
	evictions++;
	d_step {
		freeing = false; exists = false; noted_old = false; known = 0; known_mode = 0;
		overtaken[0] = false; overtaken[1] = false; overtaken[2] = false; overtaken[3] = false;
		wrapped = false; stamp = NO_STAMP; stamp_own = 0; own = 0; own_mode = 0
	}
}

/* Another guest. */
proctype Writer()
{
	byte made;

	mutations++;
	slot = slot + 1;
	d_step { version++; mode = version; made = version };
	mutations++;
	slot = slot + 15;
	d_step { reveal(made, made); made = 0 }
}

init
{
	atomic {
		run Changer();
		run Looker(0);
#ifdef WITH_EVICTION
		run Bringer(0);
		run Bringer(1);
		run Evictor()
#else
#ifdef WITH_OTHERS
		run Writer()
#else
		run Looker(1);
#ifdef WITH_TWO_CHANGES
		run Changer()
#endif
#endif
#endif
	}
}
