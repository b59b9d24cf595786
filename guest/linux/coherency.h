/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The coherency module: a virtiofs mount that looks at a version table before it believes what it cached.
 *
 *	mount.c		the file system type, attaching and detaching
 *	table.c		finding the table, and whether it is to be believed
 *	dentry.c	is this name current?
 *	attributes.c	are these attributes current? Operations that change attributes
 *	inode.c		taking inodes over; operations that change names
 *	file.c		is this data current? Opening without a request
 *	mapping.c	is this mapped page current?
 *	directory.c	is this listing current?
 *	sizes.c		sizes that others change, and pages that are stored to meanwhile
 *	rules.c		what the module must know of fuse's operations to replace them; rules that a test can switch off
 *	held.c		which files are held open, for the daemon
 *	events.c	what others change, for those who watch files
 *	locks.c		waiting for locks
 *	export.c	inodes by handle, for NFS servers
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
#include <linux/xattr.h>
#include <linux/xxhash.h>

#include "coherency_table.h"
#include "compat.h"

/* rules.c */
enum coherency_rule {
	COHERENCY_RULE_NAMES,		/* a name is believed only if its slot has not moved */
	COHERENCY_RULE_ATTRIBUTES,	/* attributes likewise */
	COHERENCY_RULE_DATA,		/* pages likewise */
	COHERENCY_RULE_LISTINGS,	/* listings likewise */
	COHERENCY_RULE_OWNER,		/* a name is believed only together with its inode's owner */
	COHERENCY_RULE_TAILS,		/* the last page is written before another size is learnt */
	COHERENCY_RULE_OWN_CHANGES,	/* a reply from before an own change is not believed after it */
	COHERENCY_RULE_GOVERNED,	/* what no slot governs is not believed */
	COHERENCY_RULE_CLAMP,		/* no read goes beyond the size that the pages are known to be of */
	COHERENCY_RULE_EVICTIONS,	/* replies under way at an eviction are not believed */
	COHERENCY_RULE_LEASES,		/* leases are refused */
	COHERENCY_RULE_FAULTS,		/* a page that cannot be brought up to date is not mapped */
	COHERENCY_RULES,
};

/*
 * For tests of the tests: a build with COHERENCY_TESTING has a parameter, rules_off, with a bit for each rule that is
 * not to be followed. What is installed has neither.
 */
#ifdef COHERENCY_TESTING
extern unsigned int coherency_rules_off;
#define coherency_rule(rule)	(!(READ_ONCE(coherency_rules_off) & BIT(COHERENCY_RULE_##rule)))
#else
#define coherency_rule(rule)	true
#endif

bool coherency_covers(const char *what, const void *operations, size_t size, const u16 *known, unsigned int count);

/*
 * A stamp says as of when something cached is known to be right: version and epoch of its slot, sampled before the
 * request was sent. Bit 63 tells it from what else may be found in the same word; the version loses that bit, which
 * leaves 2^47 changes until one looks like another.
 */
typedef u64 coherency_stamp;

#define COHERENCY_NO_STAMP	0ULL
/*
 * Of the dentry of a file that was made without a name: there is nothing to look up. overlayfs keeps it after it has linked the file.
 * Neither a stamp nor a number that counts from 0, as a mark does.
 */
#define COHERENCY_NAMELESS	BIT_ULL(62)
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

/*
 * Changes of one kind that this guest makes to an inode: they move no slot of its own view, and fuse notes them in a way
 * that an older reply erases. What is cached is known to contain them if as many had begun when it was asked for as have
 * begun now, and all of those had ended.
 */
struct coherency_own_changes {
	atomic_t begun;
	atomic_t ended;
	unsigned int known;			/* begun and ended before the request whose reply is cached */
};

struct coherency_listener;

/* What others change is told to those who watch files; see events.c. */
struct coherency_events {
	struct mutex mutex;			/* held to subscribe, and to end that */
	struct work_struct work;
	struct coherency_listener *listener;	/* guarded by the mutex; or NULL */
	const void *device;			/* virtiofs's: only to be compared */

	u64 asked;				/* instance id of the daemon that was asked for a channel */
	unsigned int block_bytes;
	bool is_offered;			/* that daemon has one */
	bool is_over;				/* nothing is asked any more */
	u64 subscribed_to;			/* instance id of the daemon that tells of changes; or 0 */
	u64 locks_told_by;			/* instance id of the daemon that tells of locks; or 0 */
	unsigned long retry_at;			/* in jiffies */
	unsigned long expected_at;		/* in jiffies: when something was watched, or about to be */
	unsigned long locks_at;			/* in jiffies: when a lock was waited for */
	atomic_t has_missed;			/* watches were there before the subscription */

	struct rw_semaphore super_blocks_lock;	/* held while there are inodes of them in use */
	struct list_head super_blocks;
	/* Counted by the listener. */
	u64 received;
	u64 lost;
};

/* Who waits for a lock; see locks.c. */
struct coherency_locks {
	spinlock_t lock;
	struct list_head waits;
	unsigned int count;
	unsigned int asked;			/* COHERENCY_LOCKS_*: which can be asked for without waiting */
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
	/* Inodes evicted that this guest had changed: replies under way may be from before such a change. */
	atomic64_t evictions;
	struct coherency_counters __percpu *counters;

	/* See sizes.c. */
	struct rw_semaphore resizing;
	unsigned long stores_wanted_until;	/* in jiffies */
	spinlock_t tails_lock;
	struct list_head tails;			/* inodes whose last page is stored to */

	spinlock_t held_lock;
	struct list_head held[COHERENCY_HELD_LISTS];
	struct delayed_work held_work;
	/* The report that is being made, or that has failed and is made again. */
	__le64 held_ids[COHERENCY_OPENED_MAX];
	unsigned int held_count;
	enum coherency_held held_state;

	struct coherency_events events;
	struct coherency_locks locks;
};

/* fuse's array of handlers has three at most, and ends with NULL. */
#define COHERENCY_XATTR_HANDLERS	5

/* What the module keeps for a super block. fuse owns s_fs_info, so it is found by s_op, which is a copy of fuse's. */
struct coherency_sb {
	struct super_operations s_op;
	const struct super_operations *fuse_s_op;
	struct xattr_handler xattr;
	const struct xattr_handler *fuse_xattr;
	const struct xattr_handler *xattrs[COHERENCY_XATTR_HANDLERS];
	coherency_xattr_list *fuse_s_xattr;
	struct coherency_share *share;
	struct super_block *sb;
	struct inode *nobody;			/* see coherency_events_add */
	struct list_head events_link;
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
	struct coherency_own_changes owner;	/* of mode, owner and group, otherwise than by SETATTR */
	struct coherency_own_changes contents;	/* of the rest of what stat(2) says */
	struct coherency_own_changes stores;	/* to mapped pages, which change the times */
	atomic_t busy;				/* requests under way whose reply overwrites attributes */
	bool is_governed;			/* a slot tells of changes; see COHERENCY_DISPLACED_MARK */
	bool is_wrapped;			/* the inode's operations are the module's */
	bool is_changed;			/* this guest has ever changed it */
	struct mutex refreshing;		/* held while attributes are asked for */
	unsigned int refreshes;			/* how often that was begun */
	unsigned int refreshed;			/* the last of these that has brought everything */
	unsigned long refresh_until;		/* in jiffies: writers wait for one that was outrun; or 0 */
	union {
		/* Of a file. */
		struct {
			struct mutex dropping;	/* held while pages are dropped */
			unsigned int drops;	/* how often that was begun */
			unsigned long closing;	/* COHERENCY_CLOSE_*: bits that are never taken back */
			unsigned int tail_stores;	/* how often the last page became dirty */
			struct list_head tails_link;	/* guarded by the share's tails_lock */
			struct inode *tail_inode;
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
	/* One after the other: who asks for the handle has the inode. */
	union {
		struct coherency_handle *handle;	/* once it was asked for; see export.c */
		struct rcu_head rcu;
	};
};

/* mount.c */
void coherency_evict_inode(struct inode *inode);
void coherency_device_leaves(const void *device);

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
const void *coherency_find_device(const char *tag);
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
 *
 * A daemon that takes the place of another writes its instance id before it moves the epoch, and moves no slots for this
 * guest until the guest has attached: who sees the new epoch sees that it has not.
 */
static inline coherency_stamp coherency_sample(const struct coherency_share *share, u64 key)
{
	u64 epoch, slot;

	if (unlikely(!coherency_is_trusted(share)))
		return COHERENCY_NO_STAMP;
	epoch = smp_load_acquire(&share->header->epoch);
	if (unlikely(READ_ONCE(share->header->instance_id) != READ_ONCE(share->instance_id)))
		return COHERENCY_NO_STAMP;
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

/* For what hashes to the inode's own key. */
static inline coherency_stamp coherency_sample_inode(const struct coherency_share *share,
						     const struct coherency_inode *ci)
{
	return unlikely(!ci->is_governed && coherency_rule(GOVERNED)) ? COHERENCY_NO_STAMP :
									coherency_sample(share, ci->key);
}

/*
 * Moves whenever a reply that is under way may have become too old for an inode that it brings: when anything at all
 * has changed elsewhere, or an inode that was changed here has been evicted. Both only grow, so their sum stays the same
 * only if both do.
 */
static inline u64 coherency_moves(const struct coherency_share *share)
{
	u64 evictions = coherency_rule(EVICTIONS) ? atomic64_read(&share->evictions) : 0;

	return smp_load_acquire(&share->header->mutations) + evictions;
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
	bool has_made;				/* a dentry, since the last name was passed on */
};

int coherency_install_dentry_operations(struct super_block *sb);
void coherency_listing_begin(struct coherency_listing *listing, struct super_block *sb, u64 moves);
void coherency_listing_end(struct coherency_listing *listing);
bool coherency_is_listing(struct super_block *sb);
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

/* A bound stamp for a name in a directory, as of now. */
static inline coherency_stamp coherency_sample_name(const struct coherency_share *share,
						    const struct coherency_inode *dir, const struct qstr *name)
{
	u64 key = coherency_name_key(dir, name);

	if (unlikely(!dir->is_governed && coherency_rule(GOVERNED)))
		return COHERENCY_NO_STAMP;
	return coherency_bind(coherency_sample(share, key), key);
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
	u64 begun;				/* coherency_moves before this request */
	u64 moves;				/* and before the oldest that was under way then */
	bool always_used;			/* its reply, even if attributes have changed since it was sent */
};

void coherency_request_begin(struct coherency_request *request, struct coherency_share *share, bool always_used);
void coherency_request_end(struct coherency_request *request);
struct coherency_inode *coherency_wrap(struct inode *inode, bool *first);
int coherency_adopt(struct inode *inode, const struct coherency_request *request);
const struct inode_operations *coherency_fuse_i_op(const struct inode *inode);

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

/* attributes.c */

/* What a caller is about to use of an inode's attributes. */
enum coherency_need {
	COHERENCY_NEED_OWNER,		/* mode, owner, group */
	COHERENCY_NEED_SIZE,
	COHERENCY_NEED_ALL,
};

int coherency_refresh(struct inode *inode, struct dentry *dentry, enum coherency_need need);
int coherency_refresh_unnamed(struct inode *inode, enum coherency_need need);
void coherency_give_way(struct coherency_inode *ci);
void coherency_busy_begin(struct coherency_inode *ci);
void coherency_busy_end(struct coherency_inode *ci);
void coherency_fill_attribute_operations(struct inode_operations *ours, const struct inode_operations *fuse);
int coherency_install_xattr_handlers(struct super_block *sb, struct coherency_sb *csb);

/* Fully ordered: before the request. */
static inline void coherency_change_begin(struct coherency_inode *ci, struct coherency_own_changes *changes)
{
	WRITE_ONCE(ci->is_changed, true);
	atomic_inc_return(&changes->begun);
}

/* Fully ordered: after the reply has been applied, and before the caller is told. */
static inline void coherency_change_end(struct coherency_own_changes *changes)
{
	atomic_inc_return(&changes->ended);
}

static inline bool coherency_changes_are_known(const struct coherency_own_changes *changes)
{
	return READ_ONCE(changes->known) == (unsigned int)atomic_read(&changes->begun) ||
	       !coherency_rule(OWN_CHANGES);
}

/* Mode, owner, group and size are the daemon's, or newer. */
static inline bool coherency_attributes_are_current(const struct coherency_share *share,
						    const struct coherency_inode *ci)
{
	coherency_stamp stamp = coherency_sample_inode(share, ci);

	/* Acquiring: the fields are read after, and were written before it was stamped. */
	return ((stamp && stamp == smp_load_acquire(&ci->attributes)) || !coherency_rule(ATTRIBUTES)) &&
	       coherency_changes_are_known(&ci->owner) && !atomic_read(&ci->busy);
}

/* sizes.c */
void coherency_sizes_init(struct coherency_share *share);
void coherency_resize_begin(struct coherency_share *share);
void coherency_resize_end(struct coherency_share *share);
int coherency_write_stores(struct inode *inode, bool *settled);
bool coherency_is_tail(const struct inode *inode, struct folio *folio);
bool coherency_begin_tail_store(struct coherency_share *share);
void coherency_end_tail_store(struct coherency_share *share, struct inode *inode, bool is_dirty);
void coherency_forget_tail(struct coherency_share *share, struct coherency_inode *ci);

/* Whether a shared mapping of the file has ever been made that could be stored to. */
static inline bool coherency_is_stored_to(const struct coherency_inode *ci)
{
	return test_bit(COHERENCY_CLOSE_MAPPED, &ci->closing);
}

/* Around what only sometimes sends a request that may bring another size. */
static inline bool coherency_resize_begin_if_stored_to(struct inode *inode)
{
	if (likely(!S_ISREG(inode->i_mode) || !coherency_is_stored_to(coherency_inode_of(inode))))
		return false;
	coherency_resize_begin(coherency_share_of(inode->i_sb));
	return true;
}

static inline void coherency_resize_end_if(struct coherency_share *share, bool is_resizing)
{
	if (is_resizing)
		coherency_resize_end(share);
}

/* file.c */

/* fuse's operations on open files of one kind, and the copy that takes their place. */
struct coherency_file_wrapper {
	const struct file_operations *fuse;
	struct file_operations ours;
	const char *what;			/* for the log */
	const u16 *known;			/* see coherency_covers */
	unsigned int known_count;
	void (*replace)(struct file_operations *ours);
};

int coherency_wrap_file_operations(struct inode *inode);
void coherency_wrap_open_file(struct file *file);
bool coherency_file_is_current(struct file *file);
int coherency_refresh_file(struct file *file);
int coherency_setlease(struct file *file, coherency_lease_kind kind, coherency_lease **lease, void **private);

/* mapping.c */
int coherency_wrap_mapping(struct vm_area_struct *vma);

/* directory.c */
extern struct coherency_file_wrapper coherency_directories;

/* held.c */
void coherency_held_init(struct coherency_share *share);
void coherency_held_stop(struct coherency_share *share);
void coherency_held_open(struct inode *inode);
void coherency_held_close(struct inode *inode);
void coherency_held_evict(struct coherency_share *share, struct coherency_inode *ci);
void coherency_held_tell_again(struct coherency_share *share);

/* events.c */
void coherency_events_init(struct coherency_share *share);
void coherency_events_attach(struct coherency_share *share, struct dentry *root);
int coherency_events_add(struct coherency_sb *csb);
void coherency_events_remove(struct coherency_sb *csb);
void coherency_events_expect(struct coherency_share *share);
int coherency_events_expect_locks(struct coherency_share *share);
void coherency_events_look(struct coherency_share *share);
int coherency_events_hush(struct coherency_share *share);
void coherency_events_stop(struct coherency_share *share);
void coherency_events_unplug(struct coherency_share *share);

/* Whether the daemon tells of every lock that is freed from now on and was asked for. */
static inline bool coherency_events_tell_of_locks(const struct coherency_share *share)
{
	return smp_load_acquire(&share->events.locks_told_by);
}

/* locks.c */
typedef int coherency_lock_operation(struct file *file, int command, struct file_lock *lock);

void coherency_locks_init(struct coherency_share *share);
void coherency_locks_attach(struct coherency_share *share, struct dentry *root, bool is_first);
int coherency_locks_set(struct file *file, int command, struct file_lock *lock, coherency_lock_operation *operation);
void coherency_locks_call(struct coherency_share *share, u64 key);

static inline bool coherency_locks_are_awaited(const struct coherency_share *share)
{
	return !list_empty_careful(&share->locks.waits);
}

/* export.c */
int coherency_install_export_operations(struct super_block *sb);
u64 coherency_node_id(struct inode *inode);
struct inode *coherency_find_inode(struct super_block *sb, u64 node);

/* sysfs.c */
int coherency_sysfs_init(void);
void coherency_sysfs_exit(void);
int coherency_sysfs_add(struct coherency_share *share);
void coherency_share_init(struct coherency_share *share);

#endif
