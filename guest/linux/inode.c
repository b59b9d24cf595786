// SPDX-License-Identifier: GPL-2.0
/*
 * Are these attributes current? And the operations that change names and attributes.
 *
 * An inode's attributes may be stamped with a sample only if no reply from before the sample can overwrite them
 * later. There are three kinds of replies:
 *
 *  - GETATTR, LOOKUP, READDIRPLUS: fuse throws them away if anything has changed the attributes since the request was
 *    sent. So none overwrites newer attributes; but a reply that has been thrown away has refreshed nothing, and
 *    there is no telling except by comparing (coherency_refresh).
 *  - SETATTR, LINK: always used, on an inode that is known before: counted in the inode's busy.
 *  - CREATE and its like: always used, on an inode that is known only after, perhaps not even a new one: counted in
 *    the share's creating.
 *
 * Who stamps samples first, then looks at the counts: a request that is counted later was sent after the sample.
 */
#include "coherency.h"

#include <linux/exportfs.h>
#include <linux/namei.h>
#include <linux/posix_acl.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/wait_bit.h>

/* A reply that other requests for the same inode keep outrunning is asked for this often, then the caller fails. */
#define COHERENCY_REFRESH_TRIES	16

#define FUSE_ROOT_NODEID	1

/* fuse's operations by kind of inode, and the copies that take their place. */
struct inode_wrapper {
	const struct inode_operations *fuse;
	struct inode_operations ours;
};

static struct inode_wrapper directories, links, others;
static DEFINE_MUTEX(wrappers_mutex);

static struct inode_wrapper *wrapper_of(const struct inode *inode)
{
	if (S_ISDIR(inode->i_mode))
		return &directories;
	return S_ISLNK(inode->i_mode) ? &links : &others;
}

static const struct inode_operations *fuse_i_op(const struct inode *inode)
{
	return wrapper_of(inode)->fuse;
}

/* ---- requests whose replies may bring new inodes --------------------------------------------------------------- */

void coherency_request_begin(struct coherency_request *request, struct coherency_share *share, bool always_used)
{
	request->share = share;
	request->always_used = always_used;
	spin_lock(&share->instantiating_lock);
	request->begun = coherency_mutations(share);
	list_add_tail(&request->link, &share->instantiating);
	request->mutations = list_first_entry(&share->instantiating, struct coherency_request, link)->begun;
	spin_unlock(&share->instantiating_lock);
	/* Fully ordered: before the request. */
	if (always_used)
		atomic_inc_return(&share->creating);
}

void coherency_request_end(struct coherency_request *request)
{
	struct coherency_share *share = request->share;

	if (request->always_used)
		atomic_dec_return(&share->creating);
	spin_lock(&share->instantiating_lock);
	list_del(&request->link);
	spin_unlock(&share->instantiating_lock);
}

/*
 * Takes an inode over that a reply has brought. If nobody else knew it, its attributes are those of this reply, or of
 * a request that was under way when this one was sent, or that was sent after it; and if nothing has moved since before
 * the oldest of them, the inode's slot as it is now is a sample from before any of them.
 */
int coherency_adopt(struct inode *inode, const struct coherency_request *request)
{
	struct coherency_inode *ci;
	coherency_stamp stamp;
	bool first;

	ci = coherency_wrap(inode, &first);
	if (!ci)
		return -EIO;
	if (!first)
		return 0;
	stamp = coherency_sample(request->share, ci->key);
	if (coherency_mutations(request->share) == request->mutations)
		WRITE_ONCE(ci->attributes, stamp);
	return 0;
}

/* ---- taking inodes over ---------------------------------------------------------------------------------------- */

static u64 key_of(struct inode *inode)
{
	struct coherency_share *share = coherency_share_of(inode->i_sb);
	u32 handle[6] = { 0 };
	int words = ARRAY_SIZE(handle);
	u64 nodeid;

	inode->i_sb->s_export_op->encode_fh(inode, handle, &words, NULL);
	nodeid = (u64)handle[0] << 32 | handle[1];
	return nodeid == FUSE_ROOT_NODEID ? share->root_key : nodeid;
}

static void fill_wrapper(struct inode_wrapper *wrapper, const struct inode_operations *fuse);

static int wrap_inode_operations(struct inode *inode)
{
	struct inode_wrapper *wrapper = wrapper_of(inode);
	const struct inode_operations *ops = READ_ONCE(inode->i_op);

	if (ops == &wrapper->ours)
		return 0;
	if (unlikely(!smp_load_acquire(&wrapper->fuse))) {
		mutex_lock(&wrappers_mutex);
		if (!wrapper->fuse)
			fill_wrapper(wrapper, ops);
		mutex_unlock(&wrappers_mutex);
	}
	if (ops != wrapper->fuse) {
		pr_err_once("an inode has operations that are not known; it cannot be used\n");
		return -EIO;
	}
	/* They look at i_private. */
	smp_store_release(&inode->i_op, &wrapper->ours);
	return 0;
}

static struct coherency_inode *publish(struct inode *inode, bool *first)
{
	struct coherency_inode *ci = coherency_inode_of(inode);

	if (ci)
		return ci;
	if (S_ISREG(inode->i_mode) && !IS_NOCMTIME(inode))
		pr_warn_once("the daemon lets guests collect writes: sizes and times are not coherent\n");
	/* Lookups cannot be undone for want of a few bytes, and what is small is not refused. */
	ci = kzalloc(sizeof(*ci), GFP_KERNEL | __GFP_NOFAIL);
	ci->key = key_of(inode);
	if (S_ISDIR(inode->i_mode))
		init_rwsem(&ci->listing);
	else
		mutex_init(&ci->dropping);
	ci->held = COHERENCY_HELD_NOT;
	INIT_LIST_HEAD(&ci->held_link);
	/* It has no pages yet: they are read through the operations that are installed next. */
	ci->data = coherency_sample(coherency_share_of(inode->i_sb), ci->key);
	*first = !cmpxchg(&inode->i_private, NULL, ci);
	if (*first)
		return ci;
	kfree(ci);
	return coherency_inode_of(inode);
}

/*
 * Replaces the operations of an inode that fuse has made. Nothing is answered from the cache of an inode to which
 * this has not been done. Returns what the module keeps for the inode, or NULL if the inode is of a kind that is not
 * known.
 *
 * The memory is freed by eviction, under RCU as inodes are.
 */
struct coherency_inode *coherency_wrap(struct inode *inode, bool *first)
{
	struct coherency_inode *ci = coherency_wrapped_inode_of(inode);
	bool is_first = false;

	if (!ci) {
		ci = publish(inode, &is_first);
		/* Another task may have come first, but not as far as this. */
		if (wrap_inode_operations(inode) || coherency_wrap_file_operations(inode))
			return NULL;
		smp_store_release(&ci->is_wrapped, true);
	}
	if (first)
		*first = is_first;
	return ci;
}

/* ---- attributes ------------------------------------------------------------------------------------------------ */

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

/* A stamp for the reply to a request that is sent now; none if a reply from before may overwrite it. */
static coherency_stamp sample_attributes(const struct coherency_share *share, const struct coherency_inode *ci)
{
	coherency_stamp stamp = coherency_sample(share, ci->key);

	/* Pairs with the increments before the requests. */
	smp_mb();
	return atomic_read(&share->creating) || atomic_read(&ci->busy) ? COHERENCY_NO_STAMP : stamp;
}

/*
 * Asks the daemon for the attributes, and stamps them if the inode has what the daemon said. Succeeds if at least
 * what the caller needs has arrived in the inode.
 */
int coherency_refresh(struct inode *inode, struct dentry *dentry, enum coherency_need need)
{
	struct coherency_share *share = coherency_share_of(inode->i_sb);
	struct coherency_inode *ci = coherency_inode_of(inode);
	struct path path = { .dentry = dentry };
	int tries = COHERENCY_REFRESH_TRIES;
	coherency_stamp stamp;
	struct kstat stat;
	int err;

	do {
		stamp = sample_attributes(share, ci);
		coherency_count(share, refreshes);
		err = fuse_i_op(inode)->getattr(coherency_nop_idmap, &path, &stat, STATX_BASIC_STATS,
						AT_STATX_FORCE_SYNC);
		if (err)
			return err;
		if (matches(inode, &stat, COHERENCY_NEED_ALL)) {
			if (stamp)
				WRITE_ONCE(ci->attributes, stamp);
			return 0;
		}
		if (need != COHERENCY_NEED_ALL && matches(inode, &stat, need))
			return 0;
	} while (--tries && !fatal_signal_pending(current));
	return -ESTALE;
}

static int coherency_getattr(coherency_idmap *idmap, const struct path *path, struct kstat *stat, u32 request_mask,
			     unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);
	struct coherency_share *share = coherency_share_of(inode->i_sb);
	struct coherency_inode *ci = coherency_inode_of(inode);
	int err;

	/* A caller who says that any age will do gets what there is. */
	if ((flags & AT_STATX_SYNC_TYPE) == AT_STATX_DONT_SYNC || !request_mask)
		goto cached;
	if (likely(coherency_attributes_are_current(share, ci))) {
		coherency_count(share, hits);
		goto cached;
	}
	coherency_count(share, misses);
	if ((flags & AT_STATX_SYNC_TYPE) != AT_STATX_FORCE_SYNC) {
		if (sample_attributes(share, ci)) {
			err = coherency_refresh(inode, path->dentry, COHERENCY_NEED_ALL);
			if (err && err != -ESTALE)
				return err;
			if (!err && coherency_attributes_are_current(share, ci))
				goto cached;
		}
		/* What the inode has may be overwritten at any time: let the answer be the reply itself. */
		coherency_count(share, refreshes);
		flags = (flags & ~AT_STATX_SYNC_TYPE) | AT_STATX_FORCE_SYNC;
	}
cached:
	return fuse_i_op(inode)->getattr(idmap, path, stat, request_mask, flags);
}

/*
 * virtiofs decides by mode, owner and access lists. If they are known, that need not be left to fuse: some versions of
 * it ask for a directory's mode after every change of its contents, and all of them when permission is denied.
 */
static int coherency_permission(coherency_idmap *idmap, struct inode *inode, int mask)
{
	struct coherency_share *share = coherency_share_of(inode->i_sb);
	struct coherency_inode *ci = coherency_inode_of(inode);
	struct dentry *alias;
	int err;

	if (likely(coherency_attributes_are_current(share, ci))) {
		coherency_count(share, hits);
		return generic_permission(idmap, inode, mask);
	}
	if (mask & MAY_NOT_BLOCK)
		return -ECHILD;
	coherency_count(share, misses);
	/* fuse only wants to know the inode; any of its names will do. */
	alias = d_find_any_alias(inode);
	if (!alias)
		return -ESTALE;
	err = coherency_refresh(inode, alias, COHERENCY_NEED_OWNER);
	dput(alias);
	return err ? err : fuse_i_op(inode)->permission(idmap, inode, mask);
}

static void busy_begin(struct coherency_inode *ci)
{
	/* Fully ordered: before the request. */
	atomic_inc_return(&ci->busy);
}

static void busy_end(struct coherency_inode *ci)
{
	if (!atomic_dec_return(&ci->busy))
		wake_up_var(&ci->busy);
}

static int coherency_setattr(coherency_idmap *idmap, struct dentry *dentry, struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	struct coherency_share *share = coherency_share_of(inode->i_sb);
	struct coherency_inode *ci = coherency_inode_of(inode);
	int err = 0;

	/* Whether the caller may is decided by the owner. */
	if (!coherency_attributes_are_current(share, ci))
		err = coherency_refresh(inode, dentry, COHERENCY_NEED_OWNER);
	if (err)
		return err;
	/* This is open's truncation, which fuse takes for done by the OPEN; see coherency_open. */
	if (share->no_open)
		attr->ia_valid &= ~ATTR_OPEN;
	busy_begin(ci);
	err = fuse_i_op(inode)->setattr(idmap, dentry, attr);
	/* It may have been carried out all the same. */
	if (err)
		WRITE_ONCE(ci->attributes, COHERENCY_NO_STAMP);
	busy_end(ci);
	return err;
}

/* It may change the mode, and the reply does not say. */
static int coherency_set_acl(coherency_idmap *idmap, coherency_acl_owner *owner, struct posix_acl *list, int type)
{
	struct inode *inode = coherency_acl_inode(owner);
	int err = fuse_i_op(inode)->set_acl(idmap, owner, list, type);

	WRITE_ONCE(coherency_inode_of(inode)->attributes, COHERENCY_NO_STAMP);
	return err;
}

/* ---- names ----------------------------------------------------------------------------------------------------- */

/* What is sampled before a request that makes a name. */
struct name_request {
	struct coherency_request request;
	coherency_stamp bound;
};

static coherency_stamp sample_name(struct inode *dir, const struct dentry *dentry)
{
	u64 key = coherency_name_key(coherency_inode_of(dir), &dentry->d_name);

	return coherency_bind(coherency_sample(coherency_share_of(dir->i_sb), key), key);
}

static void name_request_begin(struct name_request *name, struct inode *dir, struct dentry *dentry, bool always_used)
{
	name->bound = sample_name(dir, dentry);
	coherency_request_begin(&name->request, coherency_share_of(dir->i_sb), always_used);
}

/* dentry is NULL if the request has failed. Fails if what has come cannot be used: then no name leads to it. */
static int name_request_end(struct name_request *name, struct dentry *dentry)
{
	int err = 0;

	if (dentry && d_inode(dentry))
		err = coherency_adopt(d_inode(dentry), &name->request);
	if (err)
		d_drop(dentry);
	else if (dentry)
		coherency_stamp_dentry(dentry, name->bound);
	coherency_request_end(&name->request);
	return err;
}

static int name_request_result(struct name_request *name, struct dentry *dentry, int err)
{
	int unusable = name_request_end(name, err ? NULL : dentry);

	return err ? err : unusable;
}

/*
 * Whoever is about to make a name, and wants to fail if there is one, need not be told before: the daemon will say so.
 * Who may not make one is told the difference, as on other file systems.
 */
static bool is_about_to_be_made(struct inode *dir, unsigned int flags)
{
	return (flags & (LOOKUP_CREATE | LOOKUP_EXCL | LOOKUP_RENAME_TARGET)) == (LOOKUP_CREATE | LOOKUP_EXCL) &&
	       !inode_permission(coherency_nop_idmap, dir, MAY_WRITE | MAY_EXEC);
}

static struct dentry *coherency_lookup(struct inode *dir, struct dentry *dentry, unsigned int flags)
{
	struct name_request name;
	struct dentry *result;
	int err;

	if (is_about_to_be_made(dir, flags))
		return NULL;
	name_request_begin(&name, dir, dentry, false);
	result = directories.fuse->lookup(dir, dentry, flags);
	err = name_request_end(&name, IS_ERR(result) ? NULL : result ? result : dentry);
	if (!err)
		return result;
	dput(result);
	return ERR_PTR(err);
}

static int coherency_create(coherency_idmap *idmap, struct inode *dir, struct dentry *dentry, umode_t mode, bool excl)
{
	struct name_request name;
	int err;

	name_request_begin(&name, dir, dentry, true);
	err = directories.fuse->create(idmap, dir, dentry, mode, excl);
	return name_request_result(&name, dentry, err);
}

static int coherency_mknod(coherency_idmap *idmap, struct inode *dir, struct dentry *dentry, umode_t mode, dev_t rdev)
{
	struct name_request name;
	int err;

	name_request_begin(&name, dir, dentry, true);
	err = directories.fuse->mknod(idmap, dir, dentry, mode, rdev);
	return name_request_result(&name, dentry, err);
}

static coherency_mkdir_result coherency_mkdir(coherency_idmap *idmap, struct inode *dir, struct dentry *dentry,
					      umode_t mode)
{
	coherency_mkdir_result result;
	struct name_request name;
	int err;

	name_request_begin(&name, dir, dentry, true);
	result = directories.fuse->mkdir(idmap, dir, dentry, mode);
	err = name_request_end(&name, coherency_mkdir_failed(result) ? NULL : coherency_mkdir_dentry(result, dentry));
	return err ? coherency_mkdir_failure(result, err) : result;
}

static int coherency_symlink(coherency_idmap *idmap, struct inode *dir, struct dentry *dentry, const char *target)
{
	struct name_request name;
	int err;

	name_request_begin(&name, dir, dentry, true);
	err = directories.fuse->symlink(idmap, dir, dentry, target);
	return name_request_result(&name, dentry, err);
}

static int coherency_link(struct dentry *old, struct inode *dir, struct dentry *dentry)
{
	struct coherency_inode *ci = coherency_inode_of(d_inode(old));
	struct name_request name;
	int err;

	busy_begin(ci);
	name_request_begin(&name, dir, dentry, true);
	err = name_request_result(&name, dentry, directories.fuse->link(old, dir, dentry));
	busy_end(ci);
	return err;
}

/* The file is open already, with fuse's operations: its inode was new. */
static int coherency_tmpfile(coherency_idmap *idmap, struct inode *dir, struct file *file, umode_t mode)
{
	struct coherency_request request;
	int err;

	coherency_request_begin(&request, coherency_share_of(dir->i_sb), true);
	err = directories.fuse->tmpfile(idmap, dir, file, mode);
	if (!err)
		err = coherency_adopt(file_inode(file), &request);
	coherency_request_end(&request);
	if (file->f_mode & FMODE_OPENED)
		coherency_wrap_open_file(file);
	return err;
}

/*
 * Makes a file whose name is not known to exist, nor not to exist, without a LOOKUP before. MKNOD never touches what
 * exists already. The VFS opens the file after this, which costs nothing where opens are spared.
 */
static bool make_unknown_file(struct inode *dir, struct dentry *dentry, struct file *file, unsigned int flags,
			      umode_t mode, int *result)
{
	int err;

	if (!(flags & O_CREAT) || !coherency_share_of(dir->i_sb)->no_open)
		return false;
	err = coherency_mknod(coherency_file_idmap(file), dir, dentry, mode, 0);
	if (!err) {
		file->f_mode |= FMODE_CREATED;
		*result = finish_no_open(file, NULL);
		return true;
	}
	*result = err;
	return d_really_is_positive(dentry) || (err == -EEXIST && flags & O_EXCL);
}

/* fuse's atomic_open begins with a LOOKUP of its own, which would be stamped by nobody. */
static int coherency_atomic_open(struct inode *dir, struct dentry *dentry, struct file *file, unsigned int flags,
				 umode_t mode)
{
	struct name_request name;
	struct dentry *found;
	int err;

	if (d_in_lookup(dentry)) {
		if (make_unknown_file(dir, dentry, file, flags, mode, &err))
			return err;
		found = coherency_lookup(dir, dentry, 0);
		if (IS_ERR(found))
			return PTR_ERR(found);
		if (found || d_really_is_positive(dentry))
			return finish_no_open(file, found);
	}
	if (!(flags & O_CREAT))
		return finish_no_open(file, NULL);

	name_request_begin(&name, dir, dentry, true);
	err = directories.fuse->atomic_open(dir, dentry, file, flags, mode);
	err = name_request_result(&name, dentry, err);
	if (file->f_mode & FMODE_OPENED)
		coherency_wrap_open_file(file);
	return err;
}

/*
 * UNLINK, RMDIR and RENAME name what they change. If another guest gave that name to another inode after this one
 * looked it up, the request has changed an inode that this guest does not think of, and own changes do not move the
 * table. So the name is compared with what was known of it; if it has moved, everything cached is given up. Two
 * guests have to change one name at one moment for that.
 */
static void check_name(struct inode *dir, const struct dentry *dentry)
{
	coherency_stamp bound = sample_name(dir, dentry);

	if (!bound || bound != READ_ONCE(dentry->d_time))
		coherency_give_up(coherency_share_of(dir->i_sb));
}

/* Whether the request may have been carried out. */
static bool perhaps_done(int err)
{
	return !err || err == -EINTR;
}

static int coherency_unlink(struct inode *dir, struct dentry *dentry)
{
	int err = directories.fuse->unlink(dir, dentry);

	if (perhaps_done(err))
		check_name(dir, dentry);
	return err;
}

static int coherency_rmdir(struct inode *dir, struct dentry *dentry)
{
	int err = directories.fuse->rmdir(dir, dentry);

	if (perhaps_done(err))
		check_name(dir, dentry);
	return err;
}

/* The VFS moves the dentries after this; stamps are for the names that they will have. */
static int coherency_rename(coherency_idmap *idmap, struct inode *old_dir, struct dentry *old, struct inode *new_dir,
			    struct dentry *new, unsigned int flags)
{
	coherency_stamp old_name = sample_name(old_dir, old);
	coherency_stamp new_name = sample_name(new_dir, new);
	int err;

	err = directories.fuse->rename(idmap, old_dir, old, new_dir, new, flags);
	if (perhaps_done(err)) {
		check_name(old_dir, old);
		check_name(new_dir, new);
	}
	if (err)
		return err;
	coherency_stamp_dentry(old, new_name);
	if (flags & RENAME_EXCHANGE)
		coherency_stamp_dentry(new, old_name);
	return 0;
}

static void fill_wrapper(struct inode_wrapper *wrapper, const struct inode_operations *fuse)
{
	struct inode_operations *ours = &wrapper->ours;

	*ours = *fuse;
#define REPLACE(operation) do { if (fuse->operation) ours->operation = coherency_##operation; } while (0)
	REPLACE(lookup);
	REPLACE(create);
	REPLACE(mknod);
	REPLACE(mkdir);
	REPLACE(symlink);
	REPLACE(link);
	REPLACE(tmpfile);
	REPLACE(atomic_open);
	REPLACE(unlink);
	REPLACE(rmdir);
	REPLACE(rename);
	REPLACE(getattr);
	REPLACE(setattr);
	REPLACE(set_acl);
	REPLACE(permission);
#undef REPLACE
	smp_store_release(&wrapper->fuse, fuse);
}

/* ---- inodes by handle ------------------------------------------------------------------------------------------ */

/* NFS and open_by_handle_at reach inodes without a name. */
static const struct export_operations *fuse_export_op;
static struct export_operations coherency_export_op;

/* These send a LOOKUP if fuse does not know the inode any more. */
static struct dentry *exported(struct dentry *dentry, struct coherency_request *request)
{
	if (!IS_ERR_OR_NULL(dentry) && d_inode(dentry) && !coherency_wrap(d_inode(dentry), NULL)) {
		dput(dentry);
		dentry = ERR_PTR(-ESTALE);
	}
	coherency_request_end(request);
	return dentry;
}

static struct dentry *coherency_fh_to_dentry(struct super_block *sb, struct fid *fid, int length, int type)
{
	struct coherency_request request;

	coherency_request_begin(&request, coherency_share_of(sb), false);
	return exported(fuse_export_op->fh_to_dentry(sb, fid, length, type), &request);
}

static struct dentry *coherency_fh_to_parent(struct super_block *sb, struct fid *fid, int length, int type)
{
	struct coherency_request request;

	coherency_request_begin(&request, coherency_share_of(sb), false);
	return exported(fuse_export_op->fh_to_parent(sb, fid, length, type), &request);
}

static struct dentry *coherency_get_parent(struct dentry *child)
{
	struct coherency_request request;

	coherency_request_begin(&request, coherency_share_of(child->d_sb), false);
	return exported(fuse_export_op->get_parent(child), &request);
}

/* Node ids are told by encode_fh, so without it there are no keys. */
int coherency_install_export_operations(struct super_block *sb)
{
	const struct export_operations *ops = sb->s_export_op;
	int err = 0;

	if (!ops || !ops->encode_fh)
		return -EOPNOTSUPP;
	/* A daemon that does not export leaves nothing but encode_fh; a submount inherits what its parent has. */
	if (ops == &coherency_export_op || !ops->fh_to_dentry)
		return 0;
	mutex_lock(&wrappers_mutex);
	if (!fuse_export_op) {
		coherency_export_op = *ops;
		coherency_export_op.fh_to_dentry = coherency_fh_to_dentry;
		if (ops->fh_to_parent)
			coherency_export_op.fh_to_parent = coherency_fh_to_parent;
		if (ops->get_parent)
			coherency_export_op.get_parent = coherency_get_parent;
		fuse_export_op = ops;
	}
	if (ops == fuse_export_op)
		sb->s_export_op = &coherency_export_op;
	else
		err = -EOPNOTSUPP;
	mutex_unlock(&wrappers_mutex);
	return err;
}
