// SPDX-License-Identifier: GPL-2.0
/*
 * Is this listing current? fuse keeps what was listed of a directory; it is as fresh as the inode's data stamp or fresher.
 * Own changes of a directory do not move its slot, but its i_version.
 */
#include "coherency.h"

#include <linux/iversion.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

/*
 * Stands between fuse and the reader of a directory. fuse passes a name on before it makes the dentry, if it makes one, so
 * each dentry is stamped when the next name comes.
 */
struct listing_context {
	struct dir_context context;
	struct dir_context *reader;
	struct coherency_listing *under_way;
	struct dentry *directory;
	unsigned int length;
	char name[NAME_MAX];
};

static void stamp_previous(struct listing_context *listing)
{
	if (listing->length && listing->under_way->has_made)
		coherency_stamp_listed(listing->directory, listing->name, listing->length);
	listing->length = 0;
	listing->under_way->has_made = false;
}

static bool pass_name(struct dir_context *context, const char *name, int length, loff_t position, u64 ino,
		      unsigned int type)
{
	struct listing_context *listing = container_of(context, struct listing_context, context);

	stamp_previous(listing);
	if (length <= NAME_MAX) {
		memcpy(listing->name, name, length);
		listing->length = length;
	}
	listing->reader->pos = context->pos;
	return listing->reader->actor(listing->reader, name, length, position, ino, type);
}

static int read_names(struct file *file, struct dir_context *reader, struct coherency_listing *under_way)
{
	struct listing_context *listing = kmalloc(sizeof(*listing), GFP_KERNEL);
	int err;

	if (!listing)
		return -ENOMEM;
	listing->context = *reader;
	listing->context.actor = pass_name;
	listing->reader = reader;
	listing->under_way = under_way;
	listing->directory = file->f_path.dentry;
	listing->length = 0;
	err = coherency_directories.fuse->iterate_shared(file, &listing->context);
	stamp_previous(listing);
	reader->pos = listing->context.pos;
	kfree(listing);
	return err;
}

/*
 * fuse keeps the listing of a directory together with the i_version that the directory had when the listing was
 * begun, and drops it when a reader that starts at the top finds another one. For fuse the counter has no other
 * meaning.
 *
 * But many readers fill one listing, half a listing is completed as it was begun, and a reader who is not at the top
 * takes any of it. So somebody who begins, and for whom it is too old, waits until what is under way has arrived, and
 * makes the first page count as missing. All who begin later come to that page first, and fuse then begins anew; what
 * is still added to the page does not make it count again. It is locked because the kernel, when it moves a page, sets
 * the new one's state last.
 */
static void outdate_listing(struct address_space *mapping)
{
	struct folio *first = filemap_lock_folio(mapping, 0);

	if (IS_ERR_OR_NULL(first))
		return;
	folio_clear_uptodate(first);
	folio_unlock(first);
	folio_put(first);
}

/* Changes of this guest do not move the slot, but i_version. */
static bool listing_is_current(struct inode *inode, const struct coherency_inode *ci)
{
	coherency_stamp stamp = coherency_sample_inode(coherency_share_of(inode->i_sb), ci);

	return ((stamp && stamp == READ_ONCE(ci->data)) || !coherency_rule(LISTINGS)) &&
	       inode_peek_iversion(inode) == ci->listed_version;
}

/* Queried, not peeked at: own changes move the version only if somebody has queried it since it moved last. */
static void renew_listing(struct inode *inode, struct coherency_inode *ci)
{
	WRITE_ONCE(ci->data, coherency_sample_inode(coherency_share_of(inode->i_sb), ci));
	inode_inc_iversion(inode);
	ci->listed_version = inode_query_iversion(inode);
	outdate_listing(inode->i_mapping);
}

/* Takes the lock that is held while a directory is read. */
static int lock_listing(struct inode *inode, struct coherency_inode *ci, bool from_top)
{
	struct coherency_share *share = coherency_share_of(inode->i_sb);
	int err = down_read_killable(&ci->listing);

	if (err || !from_top)
		return err;
	if (likely(listing_is_current(inode, ci))) {
		coherency_count(share, hits);
		return 0;
	}
	up_read(&ci->listing);
	coherency_count(share, misses);
	err = down_write_killable(&ci->listing);
	if (err)
		return err;
	if (!listing_is_current(inode, ci))
		renew_listing(inode, ci);
	downgrade_write(&ci->listing);
	return 0;
}

static int coherency_iterate_shared(struct file *file, struct dir_context *context)
{
	struct inode *inode = file_inode(file);
	struct coherency_share *share = coherency_share_of(inode->i_sb);
	struct coherency_inode *ci = coherency_inode_of(inode);
	struct coherency_listing listing;
	struct coherency_request request;
	int err = lock_listing(inode, ci, context->pos == 0);

	if (err)
		return err;
	coherency_request_begin(&request, share, false);
	coherency_listing_begin(&listing, inode->i_sb, request.moves);
	err = read_names(file, context, &listing);
	coherency_listing_end(&listing);
	coherency_request_end(&request);
	up_read(&ci->listing);
	return err;
}

/* ---- taking directories over ----------------------------------------------------------------------------------- */

#define MEMBER(operation)	(offsetof(struct file_operations, operation) / sizeof(void *))

static const u16 known_operations[] = {
	MEMBER(owner), MEMBER(llseek), MEMBER(read), MEMBER(iterate_shared), MEMBER(unlocked_ioctl), MEMBER(compat_ioctl),
	MEMBER(open), MEMBER(release), MEMBER(fsync), MEMBER(setlease), COHERENCY_FOP_FLAGS_MEMBER
};

#undef MEMBER

static void replace_operations(struct file_operations *ours)
{
	ours->iterate_shared = coherency_iterate_shared;
	ours->setlease = coherency_setlease;
}

struct coherency_file_wrapper coherency_directories = {
	.what		= "directories",
	.known		= known_operations,
	.known_count	= ARRAY_SIZE(known_operations),
	.replace	= replace_operations,
};
