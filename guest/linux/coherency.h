/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The coherency module: a virtiofs mount that looks at a version table before it believes what it cached.
 *
 *	mount.c		the file system type, attaching and detaching
 *	table.c		finding the table, and whether it is to be believed
 *	dentry.c	is this name current?
 *	inode.c		are these attributes current? Operations that change names and attributes
 *	file.c		is this data current? Directory listings, mappings, opening without a request
 *	held.c		which files are held open, for the daemon
 *	sysfs.c		/sys/fs/coherency
 *
 * fuse does the work and keeps the caches; the operations of these files are copies of fuse's tables with some
 * functions replaced, which call fuse's own after they have looked at the table.
 */
#ifndef COHERENCY_H
#define COHERENCY_H

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/jiffies.h>
#include <linux/kobject.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/xxhash.h>

#include "coherency_table.h"
#include "compat.h"

/*
 * A stamp says as of when something cached is known to be right: version and epoch of its slot, sampled before the
 * request was sent. Bit 63 tells it from what else may be found in the same word; the version loses that bit, which
 * leaves 2^47 changes until one looks like another.
 */
typedef u64 coherency_stamp;

#define COHERENCY_NO_STAMP	0ULL
#define COHERENCY_STAMPED	BIT_ULL(63)
#define COHERENCY_EPOCH_MASK	0xffffULL
/* High in the version, where a slot that moves by one at a time does not get soon. */
#define COHERENCY_GIVEN_UP_ONCE	BIT_ULL(44)

struct coherency_counters {
	u64 hits;
	u64 misses;
	u64 refreshes;
	u64 dropped_pages;
};

/* The lists of a share that an open file can be in; see held.c. */
enum coherency_held {
	COHERENCY_HELD_OPENED,
	COHERENCY_HELD_TOLD,
	COHERENCY_HELD_CLOSED,
	COHERENCY_HELD_LISTS,
	COHERENCY_HELD_NOT = COHERENCY_HELD_LISTS,
};

/* A table and what belongs to it: one for a mount and all its submounts. */
struct coherency_share {
	struct kobject kobj;
	struct list_head list;
	struct super_block *root_sb;		/* lives as long as all of its submounts */

	const struct coherency_table_header *header;
	const u64 *slots;
	u64 slot_mask;
	u64 instance_id;
	u64 root_key;
	const char *transport;
	struct pci_dev *pci;			/* enabled for as long as its memory is mapped; or NULL */
	char tag[COHERENCY_TABLE_TAG_BYTES + 1];

	bool attached;
	bool no_open;				/* the daemon wants no OPEN; for good, as fuse has it */
	bool read_only;				/* nothing can be opened for writing */
	u64 refused;				/* a daemon that nothing can be done with */

	/* In jiffies. */
	unsigned long heartbeat_bound;
	unsigned long trusted_until;
	unsigned long looked_at;
	u64 heartbeat;
	struct delayed_work heartbeat_work;

	struct delayed_work report_work;
	u64 reported;				/* hits and misses together, as of the last report */

	/* Requests under way whose replies may bring inodes that nobody here has seen, in the order of their start. */
	spinlock_t instantiating_lock;
	struct list_head instantiating;
	atomic_t creating;			/* those of them whose replies are always used */
	/* How often everything cached was given up, as a summand of stamps. */
	atomic64_t given_up;
	struct coherency_counters __percpu *counters;

	spinlock_t held_lock;
	struct list_head held[COHERENCY_HELD_LISTS];
	struct delayed_work held_work;
	__le64 held_ids[COHERENCY_OPENED_MAX];	/* in a report */
};

/* What the module keeps for a super block. fuse owns s_fs_info, so it is found by s_op, which is a copy of fuse's. */
struct coherency_sb {
	struct super_operations s_op;
	const struct super_operations *fuse_s_op;
	struct coherency_share *share;
	struct rcu_head rcu;
};

/* What there is to do when a file is closed whose open was spared. */
enum coherency_close {
	COHERENCY_CLOSE_RECORD_LOCKED,
	COHERENCY_CLOSE_OFD_LOCKED,
	COHERENCY_CLOSE_FLOCKED,
	COHERENCY_CLOSE_MAPPED,
};

/*
 * What the module keeps for an inode, in i_private. It is there before the inode's operations are the module's, and for
 * as long as anybody can see the inode.
 */
struct coherency_inode {
	u64 key;
	coherency_stamp attributes;
	coherency_stamp data;			/* pages of a file, listing of a directory */
	atomic_t busy;				/* requests under way whose reply overwrites attributes */
	bool is_wrapped;			/* the inode's operations are the module's */
	union {
		/* Of a file. */
		struct {
			struct mutex dropping;	/* held while pages are dropped */
			unsigned int drops;	/* how often that was begun */
			unsigned long closing;	/* COHERENCY_CLOSE_*: bits that are never taken back */
		};
		/* Of a directory. */
		struct {
			struct rw_semaphore listing;	/* held while it is read, exclusively to renew it */
			u64 listed_version;		/* i_version when it was last renewed */
		};
	};
	/* Guarded by the share's held_lock. */
	unsigned int openers;
	enum coherency_held held;
	unsigned long opened_at;
	struct list_head held_link;
	struct rcu_head rcu;
};

/* mount.c */
void coherency_evict_inode(struct inode *inode);

static inline bool coherency_is_attached(const struct super_block *sb)
{
	return READ_ONCE(sb->s_op)->evict_inode == coherency_evict_inode;
}

static inline struct coherency_share *coherency_share_of(const struct super_block *sb)
{
	return container_of(READ_ONCE(sb->s_op), struct coherency_sb, s_op)->share;
}

/* table.c */
struct coherency_share *coherency_find_table(const char *tag);
void coherency_unmap_table(struct coherency_share *share);
int coherency_handshake(struct coherency_share *share, struct dentry *root);
void coherency_start_heartbeat(struct coherency_share *share);
void coherency_stop_heartbeat(struct coherency_share *share);
int coherency_table_init(void);
void coherency_table_exit(void);

static inline bool coherency_is_trusted(const struct coherency_share *share)
{
	return time_before(jiffies, READ_ONCE(share->trusted_until));
}

/*
 * A stamp for what hashes to key, as of now; none if a change is under way or the table is not to be believed.
 * Acquiring, because what is cached must be read after, and requests must be sent after.
 */
static inline coherency_stamp coherency_sample(const struct coherency_share *share, u64 key)
{
	u64 epoch, slot;

	if (unlikely(!coherency_is_trusted(share)))
		return COHERENCY_NO_STAMP;
	epoch = smp_load_acquire(&share->header->epoch);
	slot = smp_load_acquire(&share->slots[key & share->slot_mask]);
	if (unlikely(slot & COHERENCY_SLOT_WRITERS_MASK))
		return COHERENCY_NO_STAMP;
	return COHERENCY_STAMPED | (slot + atomic64_read(&share->given_up)) | (epoch & COHERENCY_EPOCH_MASK);
}

/* Makes all stamps outdated, as if the epoch had moved. */
static inline void coherency_give_up(struct coherency_share *share)
{
	atomic64_add(COHERENCY_GIVEN_UP_ONCE, &share->given_up);
}

static inline u64 coherency_mutations(const struct coherency_share *share)
{
	return smp_load_acquire(&share->header->mutations);
}

/* Adds a counter up over all processors. */
u64 coherency_sum(const struct coherency_share *share, const u64 __percpu *counter);

#define coherency_count(share, counter)		this_cpu_inc((share)->counters->counter)
#define coherency_count_add(share, counter, n)	this_cpu_add((share)->counters->counter, n)

/* dentry.c */
struct coherency_listing {
	struct hlist_node node;
	struct task_struct *task;
	struct super_block *sb;
	u64 mark;
};

int coherency_install_dentry_operations(struct super_block *sb);
void coherency_listing_begin(struct coherency_listing *listing, struct super_block *sb, u64 mutations);
void coherency_listing_end(struct coherency_listing *listing);
void coherency_stamp_listed(struct dentry *parent, const char *name, unsigned int length);

static inline u64 coherency_name_key(const struct coherency_inode *dir, const struct qstr *name)
{
	return xxh64(name->name, name->len, dir->key);
}

/*
 * A dentry's stamp also depends on the dentry's name. A stamp that races with a rename, or that is found in recycled
 * memory, is one for another name and therefore none: slots of two names often hold the same version, names never
 * hash alike.
 */
static inline coherency_stamp coherency_bind(coherency_stamp stamp, u64 name_key)
{
	return stamp ? stamp ^ (name_key >> 1) : COHERENCY_NO_STAMP;
}

static inline void coherency_stamp_dentry(struct dentry *dentry, coherency_stamp bound)
{
	if (bound)
		WRITE_ONCE(dentry->d_time, bound);
}

/* inode.c */
struct coherency_request {
	struct coherency_share *share;
	struct list_head link;			/* in the share's instantiating */
	u64 begun;				/* mutations before this request */
	u64 mutations;				/* and before the oldest that was under way then */
	bool always_used;			/* its reply, even if attributes have changed since it was sent */
};

/* What a caller is about to use of an inode's attributes. */
enum coherency_need {
	COHERENCY_NEED_OWNER,		/* mode, owner, group */
	COHERENCY_NEED_SIZE,
	COHERENCY_NEED_ALL,
};

void coherency_request_begin(struct coherency_request *request, struct coherency_share *share, bool always_used);
void coherency_request_end(struct coherency_request *request);
struct coherency_inode *coherency_wrap(struct inode *inode, bool *first);
int coherency_adopt(struct inode *inode, const struct coherency_request *request);
int coherency_refresh(struct inode *inode, struct dentry *dentry, enum coherency_need need);
int coherency_install_export_operations(struct super_block *sb);

/* For an inode whose operations are known to be the module's. */
static inline struct coherency_inode *coherency_inode_of(const struct inode *inode)
{
	return smp_load_acquire(&inode->i_private);
}

/* NULL if the inode's operations may still be fuse's. */
static inline struct coherency_inode *coherency_wrapped_inode_of(const struct inode *inode)
{
	struct coherency_inode *ci = coherency_inode_of(inode);

	return ci && smp_load_acquire(&ci->is_wrapped) ? ci : NULL;
}

static inline bool coherency_attributes_are_current(const struct coherency_share *share,
						    const struct coherency_inode *ci)
{
	coherency_stamp stamp = coherency_sample(share, ci->key);

	return stamp && stamp == READ_ONCE(ci->attributes);
}

/* file.c */
int coherency_wrap_file_operations(struct inode *inode);
void coherency_wrap_open_file(struct file *file);

/* held.c */
void coherency_held_init(struct coherency_share *share);
void coherency_held_stop(struct coherency_share *share);
void coherency_held_open(struct inode *inode);
void coherency_held_close(struct inode *inode);
void coherency_held_evict(struct coherency_share *share, struct coherency_inode *ci);
void coherency_held_tell_again(struct coherency_share *share);

/* sysfs.c */
int coherency_sysfs_init(void);
void coherency_sysfs_exit(void);
int coherency_sysfs_add(struct coherency_share *share);
void coherency_share_init(struct coherency_share *share);

#endif
