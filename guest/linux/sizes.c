// SPDX-License-Identifier: GPL-2.0
/*
 * Sizes that others change, and stores to mapped pages.
 *
 * A page that was stored to is written back up to the size that the file has by then, as far as this guest knows. The
 * last page of a file ends with zeros beyond the size; so if another client has made the file longer, and this guest
 * learns that while the page is dirty, its zeros overwrite what the other has written. Therefore the last page is never
 * dirty while a request is under way whose reply may bring another size: such requests hold the share's "resizing" for
 * reading and write last pages first; the first store to a last page takes it for writing.
 *
 * A store never waits for the lock, because requests may need what its task holds (its memory map, to copy names to it):
 * the fault is repeated. So that it is not outrun for ever, new requests then wait for a moment.
 */
#include "coherency.h"

#include <linux/backing-dev.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/pagemap.h>
#include <linux/wait_bit.h>

/* How long a store that was outrun keeps new requests waiting at most, if it does not come back. */
#define COHERENCY_STORE_WAIT	(HZ / 20)

void coherency_sizes_init(struct coherency_share *share)
{
	init_rwsem(&share->resizing);
	spin_lock_init(&share->tails_lock);
	INIT_LIST_HEAD(&share->tails);
}

/* ---- last pages that are dirty --------------------------------------------------------------------------------- */

/* Whether the file ends within the folio. */
bool coherency_is_tail(const struct inode *inode, struct folio *folio)
{
	loff_t size = i_size_read(inode);

	return size > folio_pos(folio) && size < folio_pos(folio) + (loff_t)folio_size(folio);
}

static void add_tail(struct coherency_share *share, struct inode *inode)
{
	struct coherency_inode *ci = coherency_inode_of(inode);

	spin_lock(&share->tails_lock);
	ci->tail_stores++;
	ci->tail_inode = inode;
	if (list_empty(&ci->tails_link))
		list_add_tail(&ci->tails_link, &share->tails);
	spin_unlock(&share->tails_lock);
}

void coherency_forget_tail(struct coherency_share *share, struct coherency_inode *ci)
{
	spin_lock(&share->tails_lock);
	list_del_init(&ci->tails_link);
	spin_unlock(&share->tails_lock);
}

/* Whose inode is being evicted has been written, or never will be. */
static struct inode *take_tail(struct coherency_share *share, unsigned int *stores)
{
	struct inode *inode = NULL;
	struct coherency_inode *ci;

	spin_lock(&share->tails_lock);
	while (!inode && !list_empty(&share->tails)) {
		ci = list_first_entry(&share->tails, struct coherency_inode, tails_link);
		*stores = ci->tail_stores;
		inode = igrab(ci->tail_inode);
		if (!inode)
			list_del_init(&ci->tails_link);
	}
	spin_unlock(&share->tails_lock);
	return inode;
}

/* It stays in the list until it is written: who finds the list empty need not wait for anybody. */
static void write_tails(struct coherency_share *share)
{
	struct coherency_inode *ci;
	unsigned int stores;
	struct inode *inode;

	while ((inode = take_tail(share, &stores))) {
		/* An error is the program's that stored, which msync or close tells. */
		filemap_write_and_wait(inode->i_mapping);
		ci = coherency_inode_of(inode);
		spin_lock(&share->tails_lock);
		if (ci->tail_stores == stores)
			list_del_init(&ci->tails_link);
		spin_unlock(&share->tails_lock);
		iput(inode);
	}
}

/* ---- requests that may bring another size ---------------------------------------------------------------------- */

static void let_stores_go_first(struct coherency_share *share)
{
	unsigned long until = READ_ONCE(share->stores_wanted_until);

	if (unlikely(time_before(jiffies, until)))
		wait_var_event_timeout(&share->stores_wanted_until, READ_ONCE(share->stores_wanted_until) != until,
				       COHERENCY_STORE_WAIT);
}

/* May be nested: nobody waits for the lock in order to write. */
void coherency_resize_begin(struct coherency_share *share)
{
	for (;;) {
		let_stores_go_first(share);
		down_read(&share->resizing);
		if (likely(list_empty_careful(&share->tails)) || !coherency_rule(TAILS))
			return;
		up_read(&share->resizing);
		write_tails(share);
	}
}

void coherency_resize_end(struct coherency_share *share)
{
	up_read(&share->resizing);
}

/* ---- stores ---------------------------------------------------------------------------------------------------- */

/* If it fails, the fault is to be repeated. */
bool coherency_begin_tail_store(struct coherency_share *share)
{
	if (down_write_trylock(&share->resizing))
		return true;
	WRITE_ONCE(share->stores_wanted_until, jiffies + COHERENCY_STORE_WAIT);
	usleep_range(200, 1000);
	return false;
}

void coherency_end_tail_store(struct coherency_share *share, struct inode *inode, bool is_dirty)
{
	if (is_dirty)
		add_tail(share, inode);
	up_write(&share->resizing);
	WRITE_ONCE(share->stores_wanted_until, jiffies);
	wake_up_var(&share->stores_wanted_until);
}

/*
 * Writes what was stored to mapped pages before the attributes are asked for: a store changes the time of modification
 * when it is written. Up to Linux 6.15 fuse writes copies of pages, and only its backing device tells when those have
 * arrived; while others of the mount are on their way, nobody knows.
 */
int coherency_write_stores(struct inode *inode, bool *settled)
{
	int err;

	*settled = true;
	if (!S_ISREG(inode->i_mode) || !coherency_is_stored_to(coherency_inode_of(inode)))
		return 0;
	err = filemap_write_and_wait(inode->i_mapping);
	*settled = !wb_stat_sum(&inode_to_bdi(inode)->wb, WB_WRITEBACK);
	return err;
}
