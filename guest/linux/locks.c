// SPDX-License-Identifier: GPL-2.0
/*
 * Waiting for a lock: here, not at the daemon, for virtio-fs has no INTERRUPT, and a request is waited for whatever happens
 * to the process. So the daemon is asked, answers at once whether the lock can be had, and notes who waits; it tells when a
 * lock on the file may be free (coherency_channel.h), and is asked again. Where nobody tells, the lock is asked for now and
 * then: that of a program of the host, and any lock where there is no channel.
 *
 * No call is lost. Who waits is on the list, and has taken back what called him before, when he asks; the daemon has noted
 * him when it looks at the lock for the last time, and looks who is noted after it has freed one. So either he is given the
 * lock, or he is called after he has asked, and does not sleep. That the daemon tells this guest of locks is known before he
 * asks, or he asks once more when it does; and whenever it begins anew, all are called.
 *
 * Of several that wait for the same range, the one that has waited longest asks for all: what keeps him waiting keeps
 * them.
 */
#include "coherency.h"
#include "coherency_channel.h"

#include <linux/completion.h>
#include <linux/module.h>
#include <linux/sched/signal.h>

/* In milliseconds: from the first to the slowest question that nobody has called for. */
#define COHERENCY_LOCKS_POLL_MIN	10
/* Who waits behind another one asks by himself, too, but seldom; a reader behind a writer need not wait for the same. */
#define COHERENCY_LOCKS_BEHIND_READER	(1 * HZ)
#define COHERENCY_LOCKS_BEHIND		(10 * HZ)

static unsigned int poll_ms = 500;
module_param_named(locks_poll, poll_ms, uint, 0644);
MODULE_PARM_DESC(locks_poll, "how often, in milliseconds, a lock that is waited for is asked for at least, although nobody says that it may be free; 0: never");

/* On the stack of who waits. */
struct coherency_lock_wait {
	struct list_head link;			/* in the share's list, oldest first */
	struct completion called;
	u64 key;				/* of the inode */
	const void *owner;
	loff_t start, end;
	bool is_flock;
	bool is_exclusive;
	bool has_others;			/* locks on the file, for which another one may wait */
};

/* ---- who waits behind whom --------------------------------------------------------------------------------------- */

/* What keeps the older one waiting keeps this one, or has him wait for the older one. With the list locked. */
static bool waits_behind(const struct coherency_lock_wait *wait, const struct coherency_lock_wait *older)
{
	return older->key == wait->key && older->is_flock == wait->is_flock && older->owner != wait->owner &&
	       (older->is_exclusive || wait->is_exclusive) && wait->start <= older->start && older->end <= wait->end;
}

/* The one that asks for this one; or NULL. With the list locked. */
static const struct coherency_lock_wait *leader_of(const struct coherency_locks *locks,
						   const struct coherency_lock_wait *wait)
{
	const struct coherency_lock_wait *older;

	if (READ_ONCE(wait->has_others))
		return NULL;
	list_for_each_entry(older, &locks->waits, link) {
		if (older == wait)
			break;
		if (waits_behind(wait, older))
			return older;
	}
	return NULL;
}

/* A lock may be free on the inode of the key, or on any if that is 0. */
void coherency_locks_call(struct coherency_share *share, u64 key)
{
	struct coherency_locks *locks = &share->locks;
	struct coherency_lock_wait *wait;

	/* Who is not on the list yet has not asked yet: the request that has freed the lock was answered before. */
	if (!coherency_locks_are_awaited(share))
		return;
	spin_lock(&locks->lock);
	list_for_each_entry(wait, &locks->waits, link) {
		if ((!key || wait->key == key) && !leader_of(locks, wait))
			complete(&wait->called);
	}
	spin_unlock(&locks->lock);
}

static void join(struct coherency_share *share, struct coherency_lock_wait *wait)
{
	spin_lock(&share->locks.lock);
	list_add_tail(&wait->link, &share->locks.waits);
	share->locks.count++;
	spin_unlock(&share->locks.lock);
	/* Pairs with end_part of events.c: either that sees who waits, or he that nobody tells of locks. */
	smp_mb();
}

static void leave(struct coherency_share *share, struct coherency_lock_wait *wait)
{
	spin_lock(&share->locks.lock);
	list_del(&wait->link);
	share->locks.count--;
	spin_unlock(&share->locks.lock);
}

/* ---- waiting ----------------------------------------------------------------------------------------------------- */

static unsigned long slowest_poll(void)
{
	unsigned int ms = READ_ONCE(poll_ms);

	return ms ? max(msecs_to_jiffies(ms), 1UL) : MAX_SCHEDULE_TIMEOUT;
}

static unsigned long first_poll(void)
{
	return READ_ONCE(poll_ms) ? min(msecs_to_jiffies(COHERENCY_LOCKS_POLL_MIN), slowest_poll()) : MAX_SCHEDULE_TIMEOUT;
}

/* For how long he may go without asking. */
static unsigned long patience_of(struct coherency_share *share, const struct coherency_lock_wait *wait)
{
	const struct coherency_lock_wait *leader;
	unsigned long patience = 0;

	spin_lock(&share->locks.lock);
	leader = leader_of(&share->locks, wait);
	if (leader)
		patience = wait->is_exclusive ? COHERENCY_LOCKS_BEHIND : COHERENCY_LOCKS_BEHIND_READER;
	spin_unlock(&share->locks.lock);
	return patience;
}

/*
 * Sleeps until he is to ask; fails when a signal has come. The time to sleep doubles, and counts from the last question for who
 * waits behind another one, who may be the first any time.
 */
static int sleep(struct coherency_share *share, struct coherency_lock_wait *wait, unsigned long *time)
{
	unsigned long asked_at = jiffies;
	long left;

	for (;;) {
		left = wait_for_completion_interruptible_timeout(&wait->called, *time);
		/* Twice the longest there is would be less than nothing. */
		*time = *time < slowest_poll() / 2 ? 2 * *time : slowest_poll();
		if (left)
			return left < 0 ? left : 0;
		if (time_after_eq(jiffies, asked_at + patience_of(share, wait)))
			return 0;
	}
}

static int ask(struct file *file, int command, struct file_lock *lock, coherency_lock_operation *operation,
	       unsigned int flags)
{
	unsigned char type = coherency_lock_field(lock, type);
	unsigned int kind = coherency_lock_field(lock, flags);
	int err;

	if (kind & FL_OFDLCK)
		flags |= COHERENCY_LOCK_OFD;
	coherency_lock_field(lock, type) = type | flags;
	if (flags & COHERENCY_LOCK_LEAVE)
		coherency_lock_field(lock, flags) = kind & ~FL_SLEEP;
	err = operation(file, command, lock);
	coherency_lock_field(lock, type) = type;
	coherency_lock_field(lock, flags) = kind;
	return err;
}

/*
 * The daemon gives up what waits when its queue stops, and one that cannot be asked gives up each wait after a while. A process that has
 * got a signal need not go on with it.
 */
static bool goes_on_waiting(int err)
{
	return err == -ERESTARTSYS && !signal_pending(current);
}

static bool is_kept_waiting(int err)
{
	return err == -EAGAIN || err == -EBUSY;
}

static int wait_for_lock(struct file *file, int command, struct file_lock *lock, coherency_lock_operation *operation,
			 struct coherency_share *share)
{
	unsigned long time = first_poll();
	unsigned int flags = COHERENCY_LOCK_ASK;
	struct coherency_lock_wait wait = {
		.key		= coherency_inode_of(file_inode(file))->key,
		.owner		= coherency_lock_field(lock, owner),
		.start		= lock->fl_start,
		.end		= lock->fl_end,
		.is_flock	= coherency_lock_field(lock, flags) & FL_FLOCK,
		.is_exclusive	= coherency_lock_field(lock, type) == F_WRLCK,
	};
	bool is_told;
	int err;

	init_completion(&wait.called);
	join(share, &wait);
	for (;;) {
		is_told = coherency_events_tell_of_locks(share);
		/* Under the lock that he is called with: what has called him by now is seen by what is asked now. */
		spin_lock(&share->locks.lock);
		reinit_completion(&wait.called);
		spin_unlock(&share->locks.lock);
		err = ask(file, command, lock, operation, flags);
		if (goes_on_waiting(err))
			continue;
		if (!is_kept_waiting(err))
			break;
		flags = COHERENCY_LOCK_AGAIN;
		WRITE_ONCE(wait.has_others, err == -EBUSY);
		err = is_told ? 0 : coherency_events_expect_locks(share);
		if (err > 0)
			continue;
		if (!err)
			err = sleep(share, &wait, &time);
		if (err) {
			/* Answered whatever happens to the process. */
			ask(file, command, lock, operation, COHERENCY_LOCK_LEAVE);
			break;
		}
	}
	leave(share, &wait);
	/* Others have waited for this one to ask; and they have not been called if it has given up. */
	if (err)
		coherency_locks_call(share, wait.key);
	return err;
}

/* Takes a lock, or drops it. */
int coherency_locks_set(struct file *file, int command, struct file_lock *lock, coherency_lock_operation *operation)
{
	struct coherency_share *share = coherency_share_of(file_inode(file)->i_sb);
	unsigned int kind = coherency_lock_field(lock, flags);
	int err;

	if (kind & FL_SLEEP && coherency_lock_field(lock, type) != F_UNLCK &&
	    READ_ONCE(share->locks.asked) & (kind & FL_FLOCK ? COHERENCY_LOCKS_FLOCK : COHERENCY_LOCKS_RECORD)) {
		err = wait_for_lock(file, command, lock, operation, share);
		/* Another daemon has taken the place of one that could be asked, and cannot. */
		if (err != -EINVAL)
			return err;
	}
	do
		err = operation(file, command, lock);
	while (goes_on_waiting(err));
	if (!err && coherency_lock_field(lock, type) == F_UNLCK)
		coherency_locks_call(share, coherency_inode_of(file_inode(file))->key);
	return err;
}

/* ---- the daemon -------------------------------------------------------------------------------------------------- */

/* What fuse keeps to itself, because the first daemon did not want locks, no later daemon is asked for. */
void coherency_locks_attach(struct coherency_share *share, struct dentry *root, bool is_first)
{
	__le32 kinds = 0;
	unsigned int asked = 0;

	if (__vfs_getxattr(root, d_inode(root), COHERENCY_LOCKS_XATTR, &kinds, sizeof(kinds)) == sizeof(kinds))
		asked = le32_to_cpu(kinds);
	WRITE_ONCE(share->locks.asked, is_first ? asked : asked & share->locks.asked);
	if (is_first && !asked)
		pr_info("%s: the daemon cannot be asked for locks without waiting: who waits for one is interrupted a second or two late\n",
			share->tag);
}

void coherency_locks_init(struct coherency_share *share)
{
	spin_lock_init(&share->locks.lock);
	INIT_LIST_HEAD(&share->locks.waits);
}
