// SPDX-License-Identifier: GPL-2.0
/*
 * Which files are held open? Where opens are spared, the daemon does not know, and a file that a program of the host
 * removes would be gone for those who have it open. So it is told of files that stay open: not of those that are
 * closed again soon, which are most. Files stay open as long as they are mapped.
 *
 * A file is in one of the share's lists, in the order of its first open: "opened" until the daemon has been told,
 * "told" from then on; "closed" from its last close until the daemon has been told of that.
 */
#include "coherency.h"

/* A file that was open for less is not told of; the daemon is told at most this often. */
#define COHERENCY_HELD_PERIOD	(HZ / 2)
/* After a report that has failed. */
#define COHERENCY_HELD_PAUSE	(5 * HZ)

static const char *const names[] = {
	[COHERENCY_HELD_OPENED] = COHERENCY_OPENED_XATTR,
	[COHERENCY_HELD_CLOSED] = COHERENCY_CLOSED_XATTR,
};

/* With the lock held. */
static void move_to(struct coherency_share *share, struct coherency_inode *ci, enum coherency_held state)
{
	list_move_tail(&ci->held_link, &share->held[state]);
	ci->held = state;
	if (state != COHERENCY_HELD_TOLD)
		queue_delayed_work(system_long_wq, &share->held_work, COHERENCY_HELD_PERIOD);
}

static void remove_from_list(struct coherency_inode *ci)
{
	list_del_init(&ci->held_link);
	ci->held = COHERENCY_HELD_NOT;
}

void coherency_held_open(struct inode *inode)
{
	struct coherency_share *share = coherency_share_of(inode->i_sb);
	struct coherency_inode *ci = coherency_inode_of(inode);

	if (!share->no_open)
		return;
	spin_lock(&share->held_lock);
	if (!ci->openers++) {
		ci->opened_at = jiffies;
		move_to(share, ci, ci->held == COHERENCY_HELD_CLOSED ? COHERENCY_HELD_TOLD : COHERENCY_HELD_OPENED);
	}
	spin_unlock(&share->held_lock);
}

void coherency_held_close(struct inode *inode)
{
	struct coherency_share *share = coherency_share_of(inode->i_sb);
	struct coherency_inode *ci = coherency_inode_of(inode);

	if (!share->no_open)
		return;
	spin_lock(&share->held_lock);
	if (!--ci->openers) {
		if (ci->held == COHERENCY_HELD_TOLD)
			move_to(share, ci, COHERENCY_HELD_CLOSED);
		else
			remove_from_list(ci);
	}
	spin_unlock(&share->held_lock);
}

/* Nobody has it open. The FORGET that follows tells the daemon as much as a report. */
void coherency_held_evict(struct coherency_share *share, struct coherency_inode *ci)
{
	if (!share->no_open)
		return;
	spin_lock(&share->held_lock);
	remove_from_list(ci);
	spin_unlock(&share->held_lock);
}

/* The daemon was started anew and knows nothing of what the one before was told. */
void coherency_held_tell_again(struct coherency_share *share)
{
	struct coherency_inode *ci, *next;

	spin_lock(&share->held_lock);
	list_for_each_entry_safe(ci, next, &share->held[COHERENCY_HELD_CLOSED], held_link)
		remove_from_list(ci);
	list_for_each_entry(ci, &share->held[COHERENCY_HELD_TOLD], held_link)
		ci->held = COHERENCY_HELD_OPENED;
	list_splice_init(&share->held[COHERENCY_HELD_TOLD], &share->held[COHERENCY_HELD_OPENED]);
	if (!list_empty(&share->held[COHERENCY_HELD_OPENED]))
		mod_delayed_work(system_long_wq, &share->held_work, 0);
	spin_unlock(&share->held_lock);
}

/* Takes what is to be told from a list, and says whether that is anything. */
static bool collect(struct coherency_share *share, enum coherency_held state)
{
	struct coherency_inode *ci, *next;
	unsigned int count = 0;

	share->held_state = state;
	spin_lock(&share->held_lock);
	list_for_each_entry_safe(ci, next, &share->held[state], held_link) {
		if (count == COHERENCY_OPENED_MAX)
			break;
		if (state == COHERENCY_HELD_OPENED) {
			if (time_before(jiffies, ci->opened_at + COHERENCY_HELD_PERIOD))
				break;
			move_to(share, ci, COHERENCY_HELD_TOLD);
		} else {
			remove_from_list(ci);
		}
		/* The key of a file is its node id; only the root's is not. */
		share->held_ids[count++] = cpu_to_le64(ci->key);
	}
	spin_unlock(&share->held_lock);
	share->held_count = count;
	return count;
}

/*
 * What has failed is told again before anything else: the lists say that it was told, and the daemon has to hear of opening
 * and closing in their order. To hear of one twice changes nothing.
 */
static int tell_all(struct coherency_share *share)
{
	struct dentry *root = share->root_sb->s_root;
	int err;

	while (share->held_count || collect(share, COHERENCY_HELD_CLOSED) || collect(share, COHERENCY_HELD_OPENED)) {
		err = __vfs_setxattr(coherency_nop_idmap, root, d_inode(root), names[share->held_state],
				     share->held_ids, share->held_count * sizeof(*share->held_ids), 0);
		/* The daemon keeps no such attribute, and so it says. */
		if (err != -ENODATA)
			return err ? err : -EPROTO;
		share->held_count = 0;
	}
	return 0;
}

static void held_work(struct work_struct *work)
{
	struct coherency_share *share = container_of(to_delayed_work(work), struct coherency_share, held_work);
	int err = tell_all(share);

	if (err) {
		pr_warn_once("%s: the daemon could not be told which files are open (%d): until it is, they may be lost when a program of the host removes them\n",
			     share->tag, err);
		mod_delayed_work(system_long_wq, &share->held_work, COHERENCY_HELD_PAUSE);
		return;
	}
	spin_lock(&share->held_lock);
	if (!list_empty(&share->held[COHERENCY_HELD_OPENED]) || !list_empty(&share->held[COHERENCY_HELD_CLOSED]))
		queue_delayed_work(system_long_wq, &share->held_work, COHERENCY_HELD_PERIOD);
	spin_unlock(&share->held_lock);
}

void coherency_held_init(struct coherency_share *share)
{
	enum coherency_held state;

	spin_lock_init(&share->held_lock);
	for (state = 0; state < COHERENCY_HELD_LISTS; state++)
		INIT_LIST_HEAD(&share->held[state]);
	INIT_DELAYED_WORK(&share->held_work, held_work);
}

/* Nothing is open any more: the file system is being unmounted. */
void coherency_held_stop(struct coherency_share *share)
{
	cancel_delayed_work_sync(&share->held_work);
}
