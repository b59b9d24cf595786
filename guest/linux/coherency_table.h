/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The version table of coherencyd as its readers see it: layout and constants. docs/version-table.md explains the
 * protocol. Coherency.Core/Versioning/Abi says the same in C#; Coherency.Tests/Layout compiles both against each other.
 */
#ifndef COHERENCY_TABLE_H
#define COHERENCY_TABLE_H

#include <linux/types.h>

/* "COHERTAB" in memory, little endian; written last, after the rest of the header. */
#define COHERENCY_TABLE_MAGIC		0x4241545245484f43ULL
#define COHERENCY_TABLE_LAYOUT		1

/* The slots follow the header. */
#define COHERENCY_TABLE_HEADER_BYTES	4096
#define COHERENCY_TABLE_SLOTS_MIN	1024
#define COHERENCY_TABLE_SLOTS_MAX	(1 << 28)
#define COHERENCY_TABLE_TAG_BYTES	36

/* Changes that programs of the host make beside the daemon move slots too, soon after. */
#define COHERENCY_TABLE_HOST_WATCHED	0x1

/* A slot word: version in the upper 48 bits, changes under way in the lower 16. */
#define COHERENCY_SLOT_WRITERS_MASK	0xffffULL
#define COHERENCY_SLOT_VERSION_SHIFT	16

/* The virtio shared memory region and the PCI device (ivshmem-plain) that can carry the table. */
#define COHERENCY_SHM_REGION_ID		1

/* Attributes whose names begin like this are messages to the daemon. */
#define COHERENCY_XATTR_PREFIX		"trusted.coherency."

/* An inode whose node id has all of these bits has no slot of its own, nor have the names in it: believe nothing. */
#define COHERENCY_DISPLACED_MARK	(0xffffULL << 42)

/*
 * Reading this extended attribute of the mount's root makes the session coherent and answers struct coherency_attach;
 * removing it ends that.
 */
#define COHERENCY_ATTACH_XATTR		"trusted.coherency.attach"

/*
 * The same for a client that can do without OPEN and OPENDIR: only then are there flags in the answer. With
 * COHERENCY_ATTACH_NO_OPEN the daemon answers both with ENOSYS from now on, until the session ends, and takes handle 0
 * for the inode of the request's node id.
 */
#define COHERENCY_ATTACH_OPENS_XATTR	"trusted.coherency.attach.opens"
#define COHERENCY_ATTACH_NO_OPEN	0x1
/* No file of the share can be written: to open one for writing is to fail with EROFS. */
#define COHERENCY_ATTACH_READ_ONLY	0x2

/*
 * Setting these to little-endian node ids, 8 bytes each, says which files a client without opens holds open for a while
 * already, and which of those it has closed. There are no such attributes: the answer is ENODATA.
 */
#define COHERENCY_OPENED_XATTR		"trusted.coherency.opened"
#define COHERENCY_CLOSED_XATTR		"trusted.coherency.closed"
#define COHERENCY_OPENED_MAX		512

/*
 * Asking for this, followed by HITS.MISSES in decimal, tells the daemon how often the guest's caches have answered since
 * it mounted, and how often not. There is no such attribute, and asking changes nothing that is cached.
 */
#define COHERENCY_REPORT_XATTR		"trusted.coherency.report."

/*
 * Reading this of any inode answers a handle, which finds the inode again when its node id has been forgotten: a multiple
 * of 4 bytes, sealed, so that only the daemon can make one. ENODATA if the inode has none.
 */
#define COHERENCY_HANDLE_XATTR		"trusted.coherency.handle"
#define COHERENCY_HANDLE_BYTES_MAX	64

/*
 * Reading this, followed by a handle in lower-case hexadecimal digits, of the root of the mount that it is of: answers the
 * inode's node id, little-endian, 8 bytes, which can be looked up (LOOKUP of ".") for a moment. ESTALE if the inode is gone.
 */
#define COHERENCY_BY_HANDLE_XATTR	"trusted.coherency.handle."

struct coherency_table_header {
	__u64 magic;
	__u32 layout;			/* COHERENCY_TABLE_LAYOUT */
	__u32 header_bytes;		/* COHERENCY_TABLE_HEADER_BYTES */
	__u64 slot_count;		/* a power of two */
	__u64 root_key;			/* inode key of the share's root, whose node id is 1 */
	__u64 instance_id;		/* another one at every start of the daemon */
	__u32 heartbeat_bound_ms;	/* a heartbeat that stands still for longer: believe nothing */
	__u32 reserved0;
	__u8  tag[COHERENCY_TABLE_TAG_BYTES];	/* of the mount, filled up with zeros */
	__u32 reserved1;
	__u8  reserved2[40];
	/* Words that change while the table is in use, each on a cache line of its own. */
	__u64 flags;			/* COHERENCY_TABLE_HOST_WATCHED */
	__u8  reserved3[56];
	__u64 epoch;			/* moved: everything cached is stale; its lower 16 bits are never all zero */
	__u8  reserved4[56];
	__u64 mutations;		/* moved before the slots at begin and at end of every change */
	__u8  reserved5[56];
	__u64 heartbeat;		/* moves while the daemon lives */
	__u8  reserved6[56];
	__u8  reserved7[COHERENCY_TABLE_HEADER_BYTES - 384];
};

/* What the attach handshake answers. */
struct coherency_attach {
	__u32 layout;
	__u32 flags;			/* COHERENCY_ATTACH_*; 0 unless asked for */
	__u64 instance_id;		/* the same as in the table, or the table is another daemon's */
	__u64 root_key;
};

#endif
