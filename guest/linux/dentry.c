// SPDX-License-Identifier: GPL-2.0
/*
 * Is this name current? A dentry, positive or negative, is believed while the slot of its name has not moved since
 * the LOOKUP that it comes from was sent.
 *
 * The stamp is in d_time, which the VFS leaves to file systems. fuse uses it in some kernels between 6.12 and 7.2 for a
 * small counter of its own, and takes a dentry whose d_time is below that counter for outdated: a stamp, with bit 63
 * set, never is, and fuse's value is no stamp.
 */
#include "coherency.h"

#include <linux/hashtable.h>
#include <linux/namei.h>
#include <linux/spinlock.h>

/*
 * What d_time holds until the dentry is stamped, if READDIRPLUS made it: coherency_moves before the oldest request that
 * was under way when that one was sent.
 */
#define LISTED			BIT_ULL(62)
#define LISTED_MOVES		(LISTED - 1)

static const struct dentry_operations *fuse_d_op;
static struct dentry_operations coherency_d_op;
static DEFINE_MUTEX(install_mutex);

#ifdef COHERENCY_REVALIDATE_BY_NAME
#define fuse_revalidate(dir, name, dentry, flags) fuse_d_op->d_revalidate(dir, name, dentry, flags)
#else
#define fuse_revalidate(dir, name, dentry, flags) fuse_d_op->d_revalidate(dentry, flags)
#endif

/* ---- dentries that READDIRPLUS makes --------------------------------------------------------------------------- */

/*
 * A directory read makes dentries without asking ->lookup. They pass d_init, which knows neither the directory nor
 * the request, but the task: a task reads one directory at a time.
 */
static DEFINE_HASHTABLE(listings, 6);
static DEFINE_SPINLOCK(listings_lock);
static atomic_t listings_under_way = ATOMIC_INIT(0);

void coherency_listing_begin(struct coherency_listing *listing, struct super_block *sb, u64 moves)
{
	listing->task = current;
	listing->sb = sb;
	listing->mark = LISTED | (moves & LISTED_MOVES);
	listing->has_made = false;
	spin_lock(&listings_lock);
	hash_add(listings, &listing->node, (unsigned long)current);
	spin_unlock(&listings_lock);
	atomic_inc(&listings_under_way);
}

void coherency_listing_end(struct coherency_listing *listing)
{
	atomic_dec(&listings_under_way);
	spin_lock(&listings_lock);
	hash_del(&listing->node);
	spin_unlock(&listings_lock);
}

/* What this task is reading; it stays there for as long as the task does not end it. */
static struct coherency_listing *listing_under_way(struct super_block *sb)
{
	struct coherency_listing *listing, *found = NULL;

	if (!atomic_read(&listings_under_way))
		return NULL;
	spin_lock(&listings_lock);
	hash_for_each_possible(listings, listing, node, (unsigned long)current) {
		if (listing->task == current && listing->sb == sb)
			found = listing;
	}
	spin_unlock(&listings_lock);
	return found;
}

bool coherency_is_listing(struct super_block *sb)
{
	return listing_under_way(sb);
}

/* d_time is not initialised by the VFS, and may hold the stamp of a dentry that was here before. */
static int coherency_d_init(struct dentry *dentry)
{
	struct coherency_listing *listing = listing_under_way(dentry->d_sb);

	dentry->d_time = listing ? listing->mark : COHERENCY_NO_STAMP;
	if (listing)
		listing->has_made = true;
	return fuse_d_op->d_init ? fuse_d_op->d_init(dentry) : 0;
}

/*
 * If nothing at all has moved since before the READDIRPLUS that made the dentry, slots sampled now are as good as
 * sampled then.
 */
static bool stamp_listed_dentry(struct coherency_share *share, struct dentry *dentry, coherency_stamp bound)
{
	u64 mark = READ_ONCE(dentry->d_time);
	struct coherency_request listing = {
		.share = share,
		.moves = coherency_moves(share),
	};

	if (!bound || (mark & (COHERENCY_STAMPED | LISTED)) != LISTED ||
	    (mark ^ listing.moves) & LISTED_MOVES)
		return false;
	if (coherency_adopt(d_inode(dentry), &listing))
		return false;
	coherency_stamp_dentry(dentry, bound);
	return true;
}

/*
 * The same, right after the request. A dentry that is used only later has to be asked for if anything at all has
 * moved until then, which on a busy share it has.
 */
void coherency_stamp_listed(struct dentry *parent, const char *bytes, unsigned int length)
{
	struct coherency_share *share = coherency_share_of(parent->d_sb);
	struct qstr name = QSTR_INIT(bytes, length);
	struct dentry *dentry;

	name.hash = full_name_hash(parent, bytes, length);
	dentry = d_lookup(parent, &name);
	if (!dentry)
		return;
	if (d_really_is_positive(dentry))
		stamp_listed_dentry(share, dentry,
				    coherency_sample_name(share, coherency_inode_of(d_inode(parent)), &name));
	dput(dentry);
}

/* ---- revalidation ---------------------------------------------------------------------------------------------- */

/*
 * A name is believed only together with its inode's mode, owner and access lists. The VFS decides by those without asking
 * an operation of the inode: who may remove or rename what is in a sticky directory, follow a link or open a file there,
 * make a hard link (fs.protected_*), and what the access lists that it caches grant. Returns what d_revalidate is to.
 */
static int refresh_owner(struct coherency_share *share, struct dentry *dentry, unsigned int flags)
{
	struct inode *inode = d_inode_rcu(dentry);
	struct coherency_inode *ci;
	int err;

	if (!inode)
		return 1;
	ci = coherency_wrapped_inode_of(inode);
	if (likely(ci && (coherency_attributes_are_current(share, ci) || !coherency_rule(OWNER))))
		return 1;
	if (flags & LOOKUP_RCU)
		return -ECHILD;
	if (!coherency_wrap(inode, NULL))
		return -EIO;
	err = coherency_refresh(inode, dentry, COHERENCY_NEED_OWNER);
	/* The inode is gone, so the name must stand for another. */
	if (err == -ESTALE || err == -ENOENT)
		return 0;
	/* Whoever uses it asks again. */
	return err && err != -EBUSY ? err : 1;
}

static int revalidate_current(struct coherency_share *share, struct inode *dir, const struct qstr *name,
			      struct dentry *dentry, unsigned int flags)
{
	int result = refresh_owner(share, dentry, flags);

	if (result <= 0)
		return result;
	coherency_count(share, hits);
	return fuse_revalidate(dir, name, dentry, flags);
}

static int revalidate_stale(struct coherency_share *share, struct inode *dir, const struct qstr *name,
			    struct dentry *dentry, unsigned int flags, coherency_stamp bound)
{
	int result;

	coherency_count(share, misses);
	if (!d_inode(dentry))
		return 0;
	coherency_resize_begin(share);
	result = fuse_revalidate(dir, name, dentry, flags | LOOKUP_REVAL);
	coherency_resize_end(share);
	if (result <= 0)
		return result;
	/*
	 * The inode's attributes are not stamped: fuse may have thrown those of this reply away in favour of
	 * another's that was sent before the sample.
	 */
	coherency_stamp_dentry(dentry, bound);
	return refresh_owner(share, dentry, flags);
}

static int revalidate(struct inode *dir, const struct qstr *name, struct dentry *dentry, unsigned int flags)
{
	struct coherency_share *share = coherency_share_of(dir->i_sb);
	struct coherency_inode *ci = coherency_wrapped_inode_of(dir);
	coherency_stamp bound;

	if (unlikely(READ_ONCE(dentry->d_time) == COHERENCY_NAMELESS))
		return refresh_owner(share, dentry, flags);
	if (unlikely(!ci)) {
		if (flags & LOOKUP_RCU)
			return -ECHILD;
		ci = coherency_wrap(dir, NULL);
		if (!ci)
			return -EIO;
	}
	bound = coherency_sample_name(share, ci, name);
	if (likely((bound && READ_ONCE(dentry->d_time) == bound) || !coherency_rule(NAMES)))
		return revalidate_current(share, dir, name, dentry, flags);
	if (flags & LOOKUP_RCU)
		return -ECHILD;
	if (d_inode(dentry) && stamp_listed_dentry(share, dentry, bound))
		return revalidate_current(share, dir, name, dentry, flags);
	return revalidate_stale(share, dir, name, dentry, flags, bound);
}

#ifdef COHERENCY_REVALIDATE_BY_NAME

static int coherency_d_revalidate(struct inode *dir, const struct qstr *name, struct dentry *dentry,
				  unsigned int flags)
{
	return revalidate(dir, name, dentry, flags);
}

#else

/*
 * The name may change under the walk. Length and address belong together if no rename came between; the bytes that
 * they name stay readable under RCU. Should they change too, the second look at the sequence count says so.
 */
static int revalidate_rcu(struct dentry *dentry, unsigned int flags)
{
	unsigned int sequence = raw_seqcount_begin(&dentry->d_seq);
	struct inode *dir = d_inode_rcu(READ_ONCE(dentry->d_parent));
	struct qstr name = {
		.name = READ_ONCE(dentry->d_name.name),
		.len = READ_ONCE(dentry->d_name.len),
	};
	int result;

	if (!dir || read_seqcount_retry(&dentry->d_seq, sequence))
		return -ECHILD;
	result = revalidate(dir, &name, dentry, flags);
	return read_seqcount_retry(&dentry->d_seq, sequence) ? -ECHILD : result;
}

static int coherency_d_revalidate(struct dentry *dentry, unsigned int flags)
{
	struct name_snapshot snapshot;
	struct dentry *parent;
	int result;

	if (flags & LOOKUP_RCU)
		return revalidate_rcu(dentry, flags);
	parent = dget_parent(dentry);
	take_dentry_name_snapshot(&snapshot, dentry);
	result = revalidate(d_inode(parent), &snapshot.name, dentry, flags);
	release_dentry_name_snapshot(&snapshot);
	dput(parent);
	return result;
}

#endif

/*
 * For a path whose end no name leads to: /proc/PID/fd/N, "." and "..". What the VFS decides by owner and mode it decides
 * there, too.
 */
static int coherency_d_weak_revalidate(struct dentry *dentry, unsigned int flags)
{
	return refresh_owner(coherency_share_of(dentry->d_sb), dentry, flags);
}

/* For dentries that are made from now on; the root's, made before, is never revalidated. */
int coherency_install_dentry_operations(struct super_block *sb)
{
	const struct dentry_operations *ops = coherency_default_d_op(sb);
	int err = 0;

	if (ops == &coherency_d_op)
		return 0;
	mutex_lock(&install_mutex);
	if (!fuse_d_op && ops && ops->d_revalidate) {
		coherency_d_op = *ops;
		coherency_d_op.d_revalidate = coherency_d_revalidate;
		coherency_d_op.d_weak_revalidate = coherency_d_weak_revalidate;
		coherency_d_op.d_init = coherency_d_init;
		fuse_d_op = ops;
	}
	if (fuse_d_op && ops == fuse_d_op)
		coherency_set_default_d_op(sb, &coherency_d_op);
	else
		err = -EOPNOTSUPP;
	mutex_unlock(&install_mutex);
	return err;
}
