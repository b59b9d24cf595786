// SPDX-License-Identifier: GPL-2.0
/*
 * Taking inodes over that fuse has made, and the operations that change names.
 */
#include "coherency.h"

#include <linux/namei.h>
#include <linux/slab.h>

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

const struct inode_operations *coherency_fuse_i_op(const struct inode *inode)
{
	return wrapper_of(inode)->fuse;
}

/* ---- requests whose replies may bring new inodes --------------------------------------------------------------- */

void coherency_request_begin(struct coherency_request *request, struct coherency_share *share, bool always_used)
{
	request->share = share;
	request->always_used = always_used;
	coherency_resize_begin(share);
	spin_lock(&share->instantiating_lock);
	request->begun = coherency_moves(share);
	list_add_tail(&request->link, &share->instantiating);
	request->moves = list_first_entry(&share->instantiating, struct coherency_request, link)->begun;
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
	coherency_resize_end(share);
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
	stamp = coherency_sample_inode(request->share, ci);
	if (coherency_moves(request->share) == request->moves)
		smp_store_release(&ci->attributes, stamp);
	return 0;
}

/* ---- taking inodes over ---------------------------------------------------------------------------------------- */

/* Whether fuse tells its node id, as it does for an inode without its parent. */
static bool find_key(struct inode *inode, struct coherency_inode *ci)
{
	struct coherency_share *share = coherency_share_of(inode->i_sb);
	u64 nodeid = coherency_node_id(inode);

	ci->is_governed = (nodeid & COHERENCY_DISPLACED_MARK) != COHERENCY_DISPLACED_MARK;
	ci->key = nodeid == FUSE_ROOT_NODEID ? share->root_key : nodeid;
	return nodeid != 0;
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
	ci = kzalloc(sizeof(*ci), GFP_KERNEL_ACCOUNT | __GFP_NOFAIL);
	if (!find_key(inode, ci)) {
		pr_err_once("an inode has a handle that is not known; it cannot be used\n");
		kfree(ci);
		return NULL;
	}
	mutex_init(&ci->refreshing);
	if (S_ISDIR(inode->i_mode)) {
		init_rwsem(&ci->listing);
	} else {
		mutex_init(&ci->dropping);
		INIT_LIST_HEAD(&ci->tails_link);
	}
	ci->held = COHERENCY_HELD_NOT;
	INIT_LIST_HEAD(&ci->held_link);
	/* It has no pages yet: they are read through the operations that are installed next. */
	ci->data = coherency_sample_inode(coherency_share_of(inode->i_sb), ci);
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
		if (!ci || wrap_inode_operations(inode) || coherency_wrap_file_operations(inode))
			return NULL;
		smp_store_release(&ci->is_wrapped, true);
	}
	if (first)
		*first = is_first;
	return ci;
}

/* ---- names ----------------------------------------------------------------------------------------------------- */

/* What is sampled before a request that makes a name. */
struct name_request {
	struct coherency_request request;
	coherency_stamp bound;
};

static coherency_stamp sample_name(struct inode *dir, const struct dentry *dentry)
{
	return coherency_sample_name(coherency_share_of(dir->i_sb), coherency_inode_of(dir), &dentry->d_name);
}

static void name_request_begin(struct name_request *name, struct inode *dir, struct dentry *dentry, bool always_used)
{
	name->bound = sample_name(dir, dentry);
	coherency_request_begin(&name->request, coherency_share_of(dir->i_sb), always_used);
}

/* Of a directory's names, which are part of what stat(2) says of it. */
static void names_change_begin(struct inode *dir)
{
	struct coherency_inode *ci = coherency_inode_of(dir);

	coherency_change_begin(ci, &ci->contents);
}

static void names_change_end(struct inode *dir)
{
	coherency_change_end(&coherency_inode_of(dir)->contents);
}

/* For requests that make a name. */
static void new_name_begin(struct name_request *name, struct inode *dir, struct dentry *dentry)
{
	names_change_begin(dir);
	name_request_begin(name, dir, dentry, true);
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

static int new_name_end(struct name_request *name, struct inode *dir, struct dentry *dentry, int err)
{
	int unusable = name_request_end(name, err ? NULL : dentry);

	names_change_end(dir);
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

static int coherency_create(coherency_idmap *idmap, struct inode *dir, struct dentry *dentry,
			    umode_t mode COHERENCY_EXCL_PARAMETER)
{
	struct name_request name;
	int err;

	new_name_begin(&name, dir, dentry);
	err = directories.fuse->create(idmap, dir, dentry, mode COHERENCY_EXCL_ARGUMENT);
	return new_name_end(&name, dir, dentry, err);
}

static int coherency_mknod(coherency_idmap *idmap, struct inode *dir, struct dentry *dentry, umode_t mode, dev_t rdev)
{
	struct name_request name;
	int err;

	new_name_begin(&name, dir, dentry);
	err = directories.fuse->mknod(idmap, dir, dentry, mode, rdev);
	return new_name_end(&name, dir, dentry, err);
}

static coherency_mkdir_result coherency_mkdir(coherency_idmap *idmap, struct inode *dir, struct dentry *dentry,
					      umode_t mode)
{
	coherency_mkdir_result result;
	struct name_request name;
	int err;

	new_name_begin(&name, dir, dentry);
	result = directories.fuse->mkdir(idmap, dir, dentry, mode);
	err = name_request_end(&name, coherency_mkdir_failed(result) ? NULL : coherency_mkdir_dentry(result, dentry));
	names_change_end(dir);
	return err ? coherency_mkdir_failure(result, err) : result;
}

static int coherency_symlink(coherency_idmap *idmap, struct inode *dir, struct dentry *dentry, const char *target)
{
	struct name_request name;
	int err;

	new_name_begin(&name, dir, dentry);
	err = directories.fuse->symlink(idmap, dir, dentry, target);
	return new_name_end(&name, dir, dentry, err);
}

static int coherency_link(struct dentry *old, struct inode *dir, struct dentry *dentry)
{
	struct coherency_inode *ci = coherency_inode_of(d_inode(old));
	struct name_request name;
	int err;

	coherency_busy_begin(ci);
	new_name_begin(&name, dir, dentry);
	err = new_name_end(&name, dir, dentry, directories.fuse->link(old, dir, dentry));
	coherency_busy_end(ci);
	return err;
}

/* The file is open already, with fuse's operations: its inode was new. */
static int coherency_tmpfile(coherency_idmap *idmap, struct inode *dir, struct file *file, umode_t mode)
{
	struct coherency_request request;
	int err;

	coherency_request_begin(&request, coherency_share_of(dir->i_sb), true);
	err = directories.fuse->tmpfile(idmap, dir, file, mode);
	if (!err) {
		file->f_path.dentry->d_time = COHERENCY_NAMELESS;
		err = coherency_adopt(file_inode(file), &request);
	}
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

	new_name_begin(&name, dir, dentry);
	err = directories.fuse->atomic_open(dir, dentry, file, flags, mode);
	err = new_name_end(&name, dir, dentry, err);
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

/* How many inodes a RENAME may change. */
#define COHERENCY_RENAMED	4

/* Whether the request may have been carried out. */
static bool perhaps_done(int err)
{
	return !err || err == -EINTR;
}

typedef int remove_operation(struct inode *dir, struct dentry *dentry);

/* What is left of the inode, if it has other names, has changed as well. */
static int remove_name(struct inode *dir, struct dentry *dentry, remove_operation *fuse)
{
	struct coherency_inode *ci = coherency_inode_of(d_inode(dentry));
	int err;

	names_change_begin(dir);
	coherency_change_begin(ci, &ci->contents);
	err = fuse(dir, dentry);
	if (perhaps_done(err))
		check_name(dir, dentry);
	coherency_change_end(&ci->contents);
	names_change_end(dir);
	return err;
}

static int coherency_unlink(struct inode *dir, struct dentry *dentry)
{
	return remove_name(dir, dentry, directories.fuse->unlink);
}

static int coherency_rmdir(struct inode *dir, struct dentry *dentry)
{
	return remove_name(dir, dentry, directories.fuse->rmdir);
}

/* Both directories, what is moved, and what is replaced or exchanged. */
static void rename_begin(struct inode **changed)
{
	unsigned int i;

	for (i = 0; i < COHERENCY_RENAMED; i++) {
		if (changed[i])
			names_change_begin(changed[i]);
	}
}

static void rename_end(struct inode **changed)
{
	unsigned int i;

	for (i = 0; i < COHERENCY_RENAMED; i++) {
		if (changed[i])
			names_change_end(changed[i]);
	}
}

/* The VFS moves the dentries after this; stamps are for the names that they will have. */
static int coherency_rename(coherency_idmap *idmap, struct inode *old_dir, struct dentry *old, struct inode *new_dir,
			    struct dentry *new, unsigned int flags)
{
	struct inode *changed[COHERENCY_RENAMED] = { old_dir, new_dir, d_inode(old), d_inode(new) };
	coherency_stamp old_name = sample_name(old_dir, old);
	coherency_stamp new_name = sample_name(new_dir, new);
	int err;

	rename_begin(changed);
	err = directories.fuse->rename(idmap, old_dir, old, new_dir, new, flags);
	if (perhaps_done(err)) {
		check_name(old_dir, old);
		check_name(new_dir, new);
	}
	rename_end(changed);
	if (err)
		return err;
	coherency_stamp_dentry(old, new_name);
	if (flags & RENAME_EXCHANGE)
		coherency_stamp_dentry(new, old_name);
	return 0;
}

#define MEMBER(operation)	(offsetof(struct inode_operations, operation) / sizeof(void *))

/* Replaced, or known to believe nothing that is cached but what never changes. */
static const u16 known_operations[] = {
	MEMBER(lookup), MEMBER(get_link), MEMBER(permission), COHERENCY_ACL_MEMBERS MEMBER(readlink), MEMBER(create),
	MEMBER(link), MEMBER(unlink), MEMBER(symlink), MEMBER(mkdir), MEMBER(rmdir), MEMBER(mknod), MEMBER(rename),
	MEMBER(setattr), MEMBER(getattr), MEMBER(listxattr), MEMBER(atomic_open), MEMBER(tmpfile), MEMBER(set_acl),
	MEMBER(fileattr_set), MEMBER(fileattr_get),
};

#undef MEMBER

static void fill_wrapper(struct inode_wrapper *wrapper, const struct inode_operations *fuse)
{
	struct inode_operations *ours = &wrapper->ours;

	if (!coherency_covers("inodes", fuse, sizeof(*fuse), known_operations, ARRAY_SIZE(known_operations)))
		return;
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
#undef REPLACE
	coherency_fill_attribute_operations(ours, fuse);
	smp_store_release(&wrapper->fuse, fuse);
}
