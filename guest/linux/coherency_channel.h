/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What the daemon says by itself, in answer to a request that it keeps waiting until there is something to say: layout and
 * constants. docs/version-table.md explains the protocol. Coherency.Core/Versioning/Abi says the same in C#;
 * Coherency.Tests/Layout compiles both against each other.
 */
#ifndef COHERENCY_CHANNEL_H
#define COHERENCY_CHANNEL_H

#include <linux/types.h>

/*
 * Asking for the size of this attribute of the mount's root answers how many bytes an answer has at most; ENODATA if the
 * daemon has no channel. Ask before setting the next: a daemon that does not know the name would keep what is set.
 */
#define COHERENCY_EVENTS_XATTR		"trusted.coherency.events"

/* Setting this to struct coherency_subscription begins or ends what is told. The answer is ENODATA. */
#define COHERENCY_SUBSCRIBE_XATTR	"trusted.coherency.subscribe"

/*
 * Reading this, followed by a number of seconds in decimal, waits that long for something to be told, and answers struct
 * coherency_block, perhaps with no message in it. ENODATA if there is no subscription.
 */
#define COHERENCY_NEXT_EVENTS_XATTR	"trusted.coherency.events."

#define COHERENCY_BLOCK_BYTES_MAX	8064
/* A shorter answer may have no room for a message. */
#define COHERENCY_BLOCK_BYTES_MIN	4096

/* How long the daemon may be asked to wait. */
#define COHERENCY_HOLD_SECONDS_MAX	86400

struct coherency_subscription {
	__u32 on;			/* 1: from the answer on, changes are told; 0: no more, and who waits is answered */
	__u32 mask;			/* which of COHERENCY_EVENT_MASK are wanted, and COHERENCY_SUBSCRIBE_LOCKS */
};

/* Wanted is a message whenever a lock may be free that the client has asked for. */
#define COHERENCY_SUBSCRIBE_LOCKS	0x80000000U

/* Messages have been lost: anything that is watched may have changed. */
#define COHERENCY_BLOCK_ALL		0x1
/* Any lock that was asked for may be free. */
#define COHERENCY_BLOCK_LOCKS		0x2

/* Messages follow, one after the other. */
struct coherency_block {
	__u32 bytes;			/* of the block, this included */
	__u32 flags;			/* COHERENCY_BLOCK_* */
};

/* Of a kind that the reader does not know, it reads nothing else. */
struct coherency_message {
	__u16 kind;			/* COHERENCY_MESSAGE_* */
	__u16 bytes;			/* of the message, this included: a multiple of 8 */
	__u32 reserved;
};

#define COHERENCY_MESSAGE_EVENT		1	/* struct coherency_event */
#define COHERENCY_MESSAGE_LOCK		2	/* struct coherency_lock_message */

/* Of inotify(7), by its numbers: MODIFY, ATTRIB, CLOSE_WRITE, MOVED_FROM, MOVED_TO, CREATE, DELETE. */
#define COHERENCY_EVENT_MASK		0x000003ceU
#define COHERENCY_EVENT_ISDIR		0x40000000U

#define COHERENCY_EVENT_NAME_MAX	255

/* The child has other names. */
#define COHERENCY_EVENT_EXISTS		0x1
/* Its last name is gone. */
#define COHERENCY_EVENT_GONE		0x2
/* Messages about the directory have been lost: anything in it may have changed. */
#define COHERENCY_EVENT_CHANGED		0x4

struct coherency_event {
	struct coherency_message message;
	__u64 directory;		/* inode key; or 0 */
	__u64 child;			/* inode key; or 0 if it is not known */
	__u32 mask;			/* of COHERENCY_EVENT_MASK, and COHERENCY_EVENT_ISDIR */
	__u32 cookie;			/* the same for all events of one rename; or 0 */
	__u16 flags;			/* COHERENCY_EVENT_* */
	__u16 name_length;
	__u32 reserved;
	/* Then the name, filled up with zeros. */
};

/* A lock on the inode may be free. */
struct coherency_lock_message {
	struct coherency_message message;
	__u64 inode;			/* its key */
};

/*
 * Reading this of the mount's root answers, in four bytes, which locks can be asked for without waiting at the daemon;
 * ENODATA if none can.
 */
#define COHERENCY_LOCKS_XATTR		"trusted.coherency.locks"
#define COHERENCY_LOCKS_RECORD		0x1
#define COHERENCY_LOCKS_FLOCK		0x2

/*
 * Beside the type of a lock that a process waits for. SETLKW with ASK, and each time after that with AGAIN, is answered at
 * once: EAGAIN or EBUSY if the lock is not to be had now. Then the client is told when it may be, until AGAIN has been
 * answered otherwise or SETLK with LEAVE has said that nobody waits any more. EBUSY: whoever wants it has other locks on the
 * file.
 */
#define COHERENCY_LOCK_ASK		0x10
#define COHERENCY_LOCK_AGAIN		0x20
#define COHERENCY_LOCK_LEAVE		0x40
/* It will belong to the open file, not to a process: nobody looks for a deadlock. */
#define COHERENCY_LOCK_OFD		0x80

#endif
