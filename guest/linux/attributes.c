// SPDX-License-Identifier: GPL-2.0
/*
 * Are these attributes current? And the operations that change attributes.
 *
 * An inode's attributes may be stamped with a sample only if no reply from before the sample can overwrite them
 * later. There are three kinds of replies:
 *
 *  - GETATTR, LOOKUP, READDIRPLUS: fuse throws them away if anything has changed the attributes since the request was
 *    sent. So none overwrites newer attributes; but a reply that has been thrown away has refreshed nothing, and
 *    there is no telling except by comparing (refresh_locked).
 *  - SETATTR, LINK: always used, on an inode that is known before: counted in the inode's busy.
 *  - CREATE and its like: always used, on an inode that is known only after, perhaps not even a new one: counted in
 *    the share's creating.
 *
 * Who stamps samples first, then looks at the counts: a request that is counted later was sent after the sample.
 *
 * Of its own changes that bring no attributes - names in a directory, access lists, extended attributes, space, stores to
 * mapped pages - fuse only notes that the attributes are old, and forgets that with the next reply, even one from before
 * the change. So the module counts them (struct coherency_own_changes).
 */
#include "coherency.h"

#include <linux/backing-dev.h>
#include <linux/posix_acl.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/wait_bit.h>
#include <linux/xattr.h>

/*
 * A reply that other requests for the same inode keep outrunning is asked for this often; from some time on, writers of
 * this guest have to wait for it.
 */
#define COHERENCY_REFRESH_TRIES		64
#define COHERENCY_REFRESH_PATIENCE	4
/* Longer than an answer takes. It only bounds how long a writer waits for a daemon that does not answer. */
#define COHERENCY_REFRESH_WAIT		(HZ / 2)

/* ---- what is known --------------------------------------------------------------------------------------------- */

/* What a reply to a request that is sent now will stand for. */
struct claim {
	coherency_stamp stamp;
	unsigned int owner, contents, stores;
	bool has_owner, has_contents, has_stores;
};

/* Ended first: if as many had begun afterwards, there was a moment at which none was under way. */
static bool sample_changes(const struct coherency_own_changes *changes, unsigned int *count)
{
	unsigned int ended = atomic_read(&changes->ended);

	smp_rmb();
	*count = atomic_read(&changes->begun);
	return *count == ended;
}

/* A stamp for the reply to a request that is sent now; none if a reply from before may overwrite it. */
static coherency_stamp sample_attributes(const struct coherency_share *share, const struct coherency_inode *ci)
{
	coherency_stamp stamp = coherency_sample_inode(share, ci);

	/* Pairs with the increments before the requests. */
	smp_mb();
	return atomic_read(&share->creating) || atomic_read(&ci->busy) ? COHERENCY_NO_STAMP : stamp;
}

/*
 * Own changes first, then the stores that they stand for are written, then the slot. Fails if they cannot be written.
 */
static int claim_begin(struct inode *inode, struct claim *claim)
{
	struct coherency_inode *ci = coherency_inode_of(inode);
	bool settled;
	int err;

	claim->has_owner = sample_changes(&ci->owner, &claim->owner);
	claim->has_contents = sample_changes(&ci->contents, &claim->contents);
	claim->has_stores = sample_changes(&ci->stores, &claim->stores);
	err = coherency_write_stores(inode, &settled);
	claim->has_stores &= settled;
	claim->stamp = sample_attributes(coherency_share_of(inode->i_sb), ci);
	return err;
}

/*
 * The inode has what the reply said, or what is newer. Each claim holds by itself whatever comes later, because fuse
 * drops replies that are older than one that it has used. Without a stamp there may be one under way that it uses
 * nevertheless.
 */
static void claim_end(struct coherency_inode *ci, const struct claim *claim)
{
	if (!claim->stamp)
		return;
	if (claim->has_owner)
		WRITE_ONCE(ci->owner.known, claim->owner);
	if (claim->has_contents)
		WRITE_ONCE(ci->contents.known, claim->contents);
	if (claim->has_stores)
		WRITE_ONCE(ci->stores.known, claim->stores);
	/* Releasing: whoever sees the stamp sees the fields. */
	smp_store_release(&ci->attributes, claim->stamp);
}

static bool is_known(const struct coherency_share *share, const struct coherency_inode *ci, enum coherency_need need)
{
	return coherency_attributes_are_current(share, ci) &&
	       (need == COHERENCY_NEED_OWNER || coherency_changes_are_known(&ci->contents)) &&
	       (need != COHERENCY_NEED_ALL || coherency_changes_are_known(&ci->stores));
}

/* ---- asking ---------------------------------------------------------------------------------------------------- */

static bool matches(struct inode *inode, const struct kstat *stat, enum coherency_need need)
{
	struct timespec64 mtime = coherency_mtime(inode), ctime = coherency_ctime(inode);
	bool owner = !((inode->i_mode ^ stat->mode) & ~S_ISVTX) && uid_eq(inode->i_uid, stat->uid) &&
		     gid_eq(inode->i_gid, stat->gid);
	bool size = i_size_read(inode) == stat->size;

	switch (need) {
	case COHERENCY_NEED_OWNER:
		return owner;
	case COHERENCY_NEED_SIZE:
		return size;
	default:
		return owner && size && inode->i_nlink == stat->nlink && inode->i_blocks == stat->blocks &&
		       timespec64_equal(&mtime, &stat->mtime) && timespec64_equal(&ctime, &stat->ctime);
	}
}

static int ask(struct inode *inode, struct dentry *dentry, struct kstat *stat)
{
	struct path path = { .dentry = dentry };

	coherency_count(coherency_share_of(inode->i_sb), refreshes);
	return coherency_fuse_i_op(inode)->getattr(coherency_nop_idmap, &path, stat, STATX_BASIC_STATS,
						   AT_STATX_FORCE_SYNC);
}

/* With the inode's refreshing held. Fails with EBUSY if other requests kept outrunning the replies. */
static int refresh_locked(struct inode *inode, struct dentry *dentry, enum coherency_need need)
{
	struct coherency_inode *ci = coherency_inode_of(inode);
	struct claim claim;
	struct kstat stat;
	int tries, err;

	for (tries = 0; tries < COHERENCY_REFRESH_TRIES && !fatal_signal_pending(current); tries++) {
		if (tries == COHERENCY_REFRESH_PATIENCE)
			WRITE_ONCE(ci->refresh_until, jiffies + COHERENCY_REFRESH_WAIT);
		ci->refreshes++;
		err = claim_begin(inode, &claim);
		if (!err)
			err = ask(inode, dentry, &stat);
		if (err)
			return err;
		if (matches(inode, &stat, COHERENCY_NEED_ALL)) {
			claim_end(ci, &claim);
			ci->refreshed = ci->refreshes;
			/* Labels are kept by whoever made them, and do not know of the slot. */
			security_inode_invalidate_secctx(inode);
			return 0;
		}
		if (need != COHERENCY_NEED_ALL && matches(inode, &stat, need))
			return 0;
	}
	return fatal_signal_pending(current) ? -EINTR : -EBUSY;
}

/* Lets the writers go on that had to wait for a refresh. */
static void end_patience(struct coherency_inode *ci)
{
	if (likely(!READ_ONCE(ci->refresh_until)))
		return;
	WRITE_ONCE(ci->refresh_until, 0);
	wake_up_var(&ci->refresh_until);
}

/*
 * Every write of this guest makes fuse throw away the replies that are under way. If a refresh has been outrun for a
 * while, writers wait for it.
 */
void coherency_give_way(struct coherency_inode *ci)
{
	unsigned long until = READ_ONCE(ci->refresh_until);

	if (unlikely(until) && time_before(jiffies, until))
		wait_var_event_timeout(&ci->refresh_until, !READ_ONCE(ci->refresh_until), until - jiffies);
}

/*
 * One at a time for an inode: replies to several at once would make fuse throw one another away. Who has waited takes
 * what was asked for after it came.
 */
static int refresh_once(struct inode *inode, struct dentry *dentry, enum coherency_need need)
{
	struct coherency_share *share = coherency_share_of(inode->i_sb);
	struct coherency_inode *ci = coherency_inode_of(inode);
	unsigned int seen = READ_ONCE(ci->refreshes);
	int err;

	/* Before the mutex: a directory that is being read holds the one, and may fault on a file for the other. */
	coherency_resize_begin(share);
	err = mutex_lock_killable(&ci->refreshing);
	if (!err) {
		if (!is_known(share, ci, need) && (int)(ci->refreshed - seen) <= 0)
			err = refresh_locked(inode, dentry, need);
		end_patience(ci);
		mutex_unlock(&ci->refreshing);
	}
	coherency_resize_end(share);
	return err;
}

/*
 * Asks the daemon for the attributes, and stamps them if the inode has what the daemon said. Succeeds if at least what
 * the caller needs has arrived in the inode.
 *
 * A decision is made by the inode's fields, a moment later. The reply to a SETATTR that is under way, which fuse uses
 * however old it is, may overwrite them until then, so it is waited for.
 */
int coherency_refresh(struct inode *inode, struct dentry *dentry, enum coherency_need need)
{
	struct coherency_inode *ci = coherency_inode_of(inode);
	int err = refresh_once(inode, dentry, need);

	while (!err && need == COHERENCY_NEED_OWNER && atomic_read(&ci->busy)) {
		err = wait_var_event_killable(&ci->busy, !atomic_read(&ci->busy));
		if (!err)
			err = refresh_once(inode, dentry, need);
	}
	return err;
}

/* For callers without a name; fuse only wants to know the inode. */
int coherency_refresh_unnamed(struct inode *inode, enum coherency_need need)
{
	struct dentry *alias = d_find_any_alias(inode);
	int err;

	if (!alias)
		return -ESTALE;
	err = coherency_refresh(inode, alias, need);
	dput(alias);
	return err;
}

/* ---- answering ------------------------------------------------------------------------------------------------- */

static int coherency_getattr(coherency_idmap *idmap, const struct path *path, struct kstat *stat, u32 request_mask,
			     unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);
	struct coherency_share *share = coherency_share_of(inode->i_sb);
	struct coherency_inode *ci = coherency_inode_of(inode);
	bool settled, is_resizing;
	int err;

	/* A caller who says that any age will do gets what there is. */
	if ((flags & AT_STATX_SYNC_TYPE) == AT_STATX_DONT_SYNC || !request_mask)
		return coherency_fuse_i_op(inode)->getattr(idmap, path, stat, request_mask, flags);
	if (likely(is_known(share, ci, COHERENCY_NEED_ALL))) {
		coherency_count(share, hits);
		goto cached;
	}
	coherency_count(share, misses);
	if ((flags & AT_STATX_SYNC_TYPE) != AT_STATX_FORCE_SYNC) {
		if (sample_attributes(share, ci)) {
			err = coherency_refresh(inode, path->dentry, COHERENCY_NEED_ALL);
			if (err && err != -EBUSY)
				return err;
			if (!err && is_known(share, ci, COHERENCY_NEED_ALL))
				goto cached;
		}
		/* What the inode has may be overwritten at any time: let the answer be the reply itself. */
		coherency_count(share, refreshes);
		flags = (flags & ~AT_STATX_SYNC_TYPE) | AT_STATX_FORCE_SYNC;
	}
	err = coherency_write_stores(inode, &settled);
	if (err)
		return err;
	coherency_resize_begin(share);
	err = coherency_fuse_i_op(inode)->getattr(idmap, path, stat, request_mask, flags);
	coherency_resize_end(share);
	return err;
cached:
	/* fuse asks the daemon here too, after own reads and writes. */
	is_resizing = coherency_resize_begin_if_stored_to(inode);
	err = coherency_fuse_i_op(inode)->getattr(idmap, path, stat, request_mask, flags);
	coherency_resize_end_if(share, is_resizing);
	return err;
}

/*
 * virtiofs decides by mode, owner and access lists. Once they are known, that is not left to fuse: some versions of it
 * ask for a directory's mode after every change of its contents, and all of them when permission is denied.
 */
static int decide(coherency_idmap *idmap, struct inode *inode, int mask)
{
	struct coherency_share *share = coherency_share_of(inode->i_sb);
	int err;

	if (likely(coherency_attributes_are_current(share, coherency_inode_of(inode)))) {
		coherency_count(share, hits);
		return generic_permission(idmap, inode, mask);
	}
	if (mask & MAY_NOT_BLOCK)
		return -ECHILD;
	coherency_count(share, misses);
	err = coherency_refresh_unnamed(inode, COHERENCY_NEED_OWNER);
	return err ? err : generic_permission(idmap, inode, mask);
}

static int coherency_permission(coherency_idmap *idmap, struct inode *inode, int mask)
{
	int err = decide(idmap, inode, mask);

	/* So asks who is about to watch the inode; who opens it, or calls access(2), says so. */
	if (unlikely(mask == MAY_READ) && !err)
		coherency_events_expect(coherency_share_of(inode->i_sb));
	return err;
}

/* ---- changing -------------------------------------------------------------------------------------------------- */

void coherency_busy_begin(struct coherency_inode *ci)
{
	WRITE_ONCE(ci->is_changed, true);
	/* Fully ordered: before the request. */
	atomic_inc_return(&ci->busy);
}

void coherency_busy_end(struct coherency_inode *ci)
{
	if (!atomic_dec_return(&ci->busy))
		wake_up_var(&ci->busy);
}

static void change_all_begin(struct coherency_inode *ci)
{
	coherency_change_begin(ci, &ci->owner);
	coherency_change_begin(ci, &ci->contents);
}

static void change_all_end(struct coherency_inode *ci)
{
	coherency_change_end(&ci->contents);
	coherency_change_end(&ci->owner);
}

/*
 * Whether the caller may is decided by the owner: by fuse after this; but who may set the times to now has been decided
 * before.
 */
static int refresh_for_change(coherency_idmap *idmap, struct dentry *dentry, const struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	int err;

	if (likely(coherency_attributes_are_current(coherency_share_of(inode->i_sb), coherency_inode_of(inode))))
		return 0;
	err = coherency_refresh(inode, dentry, COHERENCY_NEED_OWNER);
	if (!err && attr->ia_valid & ATTR_TOUCH && !inode_owner_or_capable(idmap, inode))
		err = inode_permission(idmap, inode, MAY_WRITE);
	return err;
}

static int coherency_setattr(coherency_idmap *idmap, struct dentry *dentry, struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	struct coherency_share *share = coherency_share_of(inode->i_sb);
	struct coherency_inode *ci = coherency_inode_of(inode);
	int err = refresh_for_change(idmap, dentry, attr);

	if (err)
		return err;
	/* This is open's truncation, which fuse takes for done by the OPEN; see coherency_open. */
	if (share->no_open)
		attr->ia_valid &= ~ATTR_OPEN;
	coherency_resize_begin(share);
	coherency_busy_begin(ci);
	err = coherency_fuse_i_op(inode)->setattr(idmap, dentry, attr);
	/* It may have been carried out all the same, and fuse does not know. */
	if (err) {
		change_all_begin(ci);
		change_all_end(ci);
	}
	coherency_busy_end(ci);
	coherency_resize_end(share);
	return err;
}

/* It may change the mode, and the reply does not say. */
static int coherency_set_acl(coherency_idmap *idmap, coherency_acl_owner *owner, struct posix_acl *list, int type)
{
	struct inode *inode = coherency_acl_inode(owner);
	struct coherency_inode *ci = coherency_inode_of(inode);
	int err;

	change_all_begin(ci);
	err = coherency_fuse_i_op(inode)->set_acl(idmap, owner, list, type);
	change_all_end(ci);
	return err;
}

void coherency_fill_attribute_operations(struct inode_operations *ours, const struct inode_operations *fuse)
{
#define REPLACE(operation) do { if (fuse->operation) ours->operation = coherency_##operation; } while (0)
	REPLACE(getattr);
	REPLACE(setattr);
	REPLACE(set_acl);
	REPLACE(permission);
#undef REPLACE
}

/* ---- extended attributes --------------------------------------------------------------------------------------- */

/* Setting one changes the time of change, and as an access list the mode. */
static int coherency_xattr_set(const struct xattr_handler *handler, coherency_idmap *idmap, struct dentry *dentry,
			       struct inode *inode, const char *name, const void *value, size_t size, int flags)
{
	const struct xattr_handler *fuse = container_of(handler, struct coherency_sb, xattr)->fuse_xattr;
	struct coherency_inode *ci = coherency_inode_of(inode);
	bool sets_mode = !strcmp(name, XATTR_NAME_POSIX_ACL_ACCESS);
	int err;

	/* These are messages to the daemon, and stored nowhere. */
	if (!strncmp(name, COHERENCY_XATTR_PREFIX, strlen(COHERENCY_XATTR_PREFIX)))
		return fuse->set(fuse, idmap, dentry, inode, name, value, size, flags);
	if (sets_mode)
		coherency_change_begin(ci, &ci->owner);
	coherency_change_begin(ci, &ci->contents);
	err = fuse->set(fuse, idmap, dentry, inode, name, value, size, flags);
	coherency_change_end(&ci->contents);
	if (sets_mode)
		coherency_change_end(&ci->owner);
	return err;
}

/* fuse has one handler for all names; beside it there may be those of access lists, which come to set_acl. */
int coherency_install_xattr_handlers(struct super_block *sb, struct coherency_sb *csb)
{
	unsigned int i;

	for (i = 0; i < COHERENCY_XATTR_HANDLERS && sb->s_xattr[i]; i++) {
		csb->xattrs[i] = sb->s_xattr[i];
		if (sb->s_xattr[i]->prefix && !*sb->s_xattr[i]->prefix) {
			csb->fuse_xattr = sb->s_xattr[i];
			csb->xattr = *csb->fuse_xattr;
			csb->xattr.set = coherency_xattr_set;
			csb->xattrs[i] = &csb->xattr;
		}
	}
	if (i == COHERENCY_XATTR_HANDLERS || !csb->fuse_xattr || !csb->fuse_xattr->set)
		return -EOPNOTSUPP;
	csb->fuse_s_xattr = sb->s_xattr;
	sb->s_xattr = csb->xattrs;
	return 0;
}
