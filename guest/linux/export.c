// SPDX-License-Identifier: GPL-2.0
/*
 * Inodes by handle: NFS servers, name_to_handle_at and open_by_handle_at reach them without a name, long after this
 * kernel and the daemon have forgotten them.
 *
 * fuse's own handles hold a node id, which means nothing to the daemon once it is forgotten. So a handle of this
 * module holds the host's handle too, which the daemon gives out sealed. If the inode is not known any more, the daemon
 * is shown that, takes the inode into the session for a moment and says which node id it has; with that fuse finds it.
 *
 *	words	0, 1	node id, the upper half first
 *		2...	the sealed handle
 *
 * A handle by which the parent is to be found as well is two of these, one after the other, of the same length.
 */
#include "coherency.h"

#include <linux/exportfs.h>
#include <linux/slab.h>

/* Types of handles. Not among those of enum fid_type. */
#define COHERENCY_FILEID	0xc5
#define COHERENCY_FILEID_PARENT	0xc6

/* fuse's type and words of a handle without parent. */
#define FUSE_FILEID		0x81
#define FUSE_FILEID_WORDS	3

#define NODE_ID_WORDS		2
#define HANDLE_WORDS_MAX	(COHERENCY_HANDLE_BYTES_MAX / sizeof(u32))

/* What the daemon gives: not to be looked into. */
struct coherency_handle {
	unsigned int words;
	u32 sealed[];
};

static const struct export_operations *fuse_export_op;
static struct export_operations coherency_export_op;
static DEFINE_MUTEX(install_mutex);

static const struct export_operations *fuse_operations_of(const struct super_block *sb)
{
	const struct export_operations *ops = READ_ONCE(sb->s_export_op);

	return ops == &coherency_export_op ? fuse_export_op : ops;
}

/* Only fuse's handles tell it. 0 if they are of a kind that is not known. */
u64 coherency_node_id(struct inode *inode)
{
	u32 handle[FUSE_FILEID_WORDS] = { 0 };
	int words = ARRAY_SIZE(handle);

	if (fuse_operations_of(inode->i_sb)->encode_fh(inode, handle, &words, NULL) != FUSE_FILEID ||
	    words != FUSE_FILEID_WORDS)
		return 0;
	return (u64)handle[0] << 32 | handle[1];
}

/* ---- from an inode to a handle --------------------------------------------------------------------------------- */

static struct coherency_handle *ask_for_handle(struct inode *inode)
{
	u32 sealed[HANDLE_WORDS_MAX];
	struct coherency_handle *handle;
	ssize_t length;

	length = __vfs_getxattr(NULL, inode, COHERENCY_HANDLE_XATTR, sealed, sizeof(sealed));
	if (length <= 0 || length % sizeof(u32))
		return NULL;
	handle = kmalloc(sizeof(*handle) + length, GFP_KERNEL);
	if (!handle)
		return NULL;
	handle->words = length / sizeof(u32);
	memcpy(handle->sealed, sealed, length);
	return handle;
}

/*
 * NULL if there is none. It is kept with the inode: an NFS server asks again and again, and the handle in an event of
 * fanotify must be the one that its reader knows.
 */
static const struct coherency_handle *handle_of(struct inode *inode)
{
	struct coherency_handle *handle, *first;
	struct coherency_inode *ci;

	/* That one is not an inode of the daemon's; see coherency_events_add. */
	if (!inode->i_mode)
		return NULL;
	ci = coherency_wrap(inode, NULL);
	if (!ci)
		return NULL;
	handle = smp_load_acquire(&ci->handle);
	/*
	 * Nobody finds again what is removed. It is also what fanotify tells of when memory is reclaimed, which must
	 * not wait for the daemon. The daemon gives no generations.
	 */
	if (handle || !inode->i_nlink || inode->i_generation)
		return handle;
	handle = ask_for_handle(inode);
	if (!handle)
		return NULL;
	first = cmpxchg(&ci->handle, NULL, handle);
	if (!first)
		return handle;
	kfree(handle);
	return first;
}

static u32 *put_handle(u32 *to, struct inode *inode, const struct coherency_handle *handle)
{
	u64 node = coherency_node_id(inode);

	to[0] = node >> 32;
	to[1] = node;
	memcpy(to + NODE_ID_WORDS, handle->sealed, handle->words * sizeof(u32));
	return to + NODE_ID_WORDS + handle->words;
}

/*
 * A handle that does not fit, or that the daemon does not give, becomes one of fuse's own, which is good for as long as
 * the inode is known. If nothing fits, the caller is told what the one that lasts would need.
 */
static int coherency_encode_fh(struct inode *inode, u32 *to, int *words, struct inode *parent)
{
	const struct coherency_handle *handle = handle_of(inode), *above = NULL;
	int type, room = *words, needed = 0;

	if (handle && parent)
		above = handle_of(parent);
	if (handle && !parent)
		needed = NODE_ID_WORDS + handle->words;
	else if (above && above->words == handle->words)
		needed = 2 * (NODE_ID_WORDS + handle->words);
	if (needed && needed <= room) {
		to = put_handle(to, inode, handle);
		if (parent)
			put_handle(to, parent, above);
		*words = needed;
		return parent ? COHERENCY_FILEID_PARENT : COHERENCY_FILEID;
	}
	type = fuse_export_op->encode_fh(inode, to, words, parent);
	if (needed && type == FILEID_INVALID)
		*words = needed;
	return type;
}

/* ---- from a handle to an inode --------------------------------------------------------------------------------- */

static int has_node_id(struct inode *inode, void *node)
{
	return coherency_node_id(inode) == *(u64 *)node;
}

/* An inode that this kernel knows, or NULL. To be put. */
struct inode *coherency_find_inode(struct super_block *sb, u64 node)
{
	return ilookup5(sb, node, has_node_id, &node);
}

/* fuse would do the same, but then have the inode's name looked up again. */
static struct dentry *known_dentry(struct super_block *sb, u64 node)
{
	struct inode *inode = coherency_find_inode(sb, node);

	return inode ? d_obtain_alias(inode) : NULL;
}

/* Has the daemon take the inode into the session. */
static int find_by_handle(struct super_block *sb, const u32 *sealed, unsigned int words, u64 *node)
{
	char name[sizeof(COHERENCY_BY_HANDLE_XATTR) + 2 * COHERENCY_HANDLE_BYTES_MAX] = COHERENCY_BY_HANDLE_XATTR;
	__le64 found;
	ssize_t length;

	if (!words || words > HANDLE_WORDS_MAX)
		return -ESTALE;
	bin2hex(name + strlen(name), sealed, words * sizeof(u32));
	length = __vfs_getxattr(sb->s_root, d_inode(sb->s_root), name, &found, sizeof(found));
	if (length < 0)
		return length;
	if (length != sizeof(found))
		return -ESTALE;
	*node = le64_to_cpu(found);
	return 0;
}

/* Sends a LOOKUP. */
static struct dentry *look_up_node(struct super_block *sb, u64 node)
{
	u32 handle[FUSE_FILEID_WORDS] = { node >> 32, node };

	return fuse_export_op->fh_to_dentry(sb, (struct fid *)handle, ARRAY_SIZE(handle), FUSE_FILEID);
}

static struct dentry *dentry_by_handle(struct super_block *sb, const u32 *from, int words)
{
	struct dentry *dentry;
	u64 node;
	int err;

	if (words <= NODE_ID_WORDS)
		return NULL;
	node = (u64)from[0] << 32 | from[1];
	dentry = known_dentry(sb, node);
	if (dentry)
		return dentry;
	err = find_by_handle(sb, from + NODE_ID_WORDS, words - NODE_ID_WORDS, &node);
	return err ? ERR_PTR(err) : look_up_node(sb, node);
}

/* Nobody has it open, as far as is known. */
static bool is_closed(const struct coherency_share *share, const struct coherency_inode *ci)
{
	return share->no_open && !READ_ONCE(ci->openers);
}

/*
 * What was found without a name may be known from long ago. If it has been removed since, it is found only while
 * somebody has it open.
 */
static int check_found(struct dentry *dentry)
{
	struct inode *inode = d_inode(dentry);
	struct coherency_share *share = coherency_share_of(inode->i_sb);
	struct coherency_inode *ci = coherency_wrap(inode, NULL);
	int err = 0;

	if (!ci)
		return -EIO;
	if (!coherency_attributes_are_current(share, ci))
		err = coherency_refresh(inode, dentry, COHERENCY_NEED_OWNER);
	if (!err && !inode->i_nlink && is_closed(share, ci))
		err = -ESTALE;
	return err;
}

static struct dentry *found(struct dentry *dentry, struct coherency_request *request)
{
	int err;

	if (!IS_ERR_OR_NULL(dentry)) {
		err = check_found(dentry);
		if (err) {
			dput(dentry);
			dentry = ERR_PTR(err);
		}
	}
	coherency_request_end(request);
	return dentry;
}

static struct dentry *coherency_fh_to_dentry(struct super_block *sb, struct fid *fid, int words, int type)
{
	struct coherency_request request;
	struct dentry *dentry;

	coherency_request_begin(&request, coherency_share_of(sb), false);
	if (type == COHERENCY_FILEID)
		dentry = dentry_by_handle(sb, fid->raw, words);
	else if (type == COHERENCY_FILEID_PARENT)
		dentry = dentry_by_handle(sb, fid->raw, words / 2);
	else
		dentry = fuse_export_op->fh_to_dentry(sb, fid, words, type);
	return found(dentry, &request);
}

static struct dentry *coherency_fh_to_parent(struct super_block *sb, struct fid *fid, int words, int type)
{
	struct coherency_request request;
	struct dentry *dentry;

	coherency_request_begin(&request, coherency_share_of(sb), false);
	if (type == COHERENCY_FILEID_PARENT)
		dentry = dentry_by_handle(sb, fid->raw + words / 2, words / 2);
	else
		dentry = fuse_export_op->fh_to_parent(sb, fid, words, type);
	return found(dentry, &request);
}

static struct dentry *coherency_get_parent(struct dentry *child)
{
	struct coherency_request request;

	coherency_request_begin(&request, coherency_share_of(child->d_sb), false);
	return found(fuse_export_op->get_parent(child), &request);
}

/* ---- installing ------------------------------------------------------------------------------------------------ */

/* Node ids are told by encode_fh, so without it there are no keys. */
int coherency_install_export_operations(struct super_block *sb)
{
	const struct export_operations *ops = sb->s_export_op;
	int err = 0;

	if (!ops || !ops->encode_fh)
		return -EOPNOTSUPP;
	/* A daemon that does not export may leave nothing but encode_fh; a submount inherits what its parent has. */
	if (ops == &coherency_export_op || !ops->fh_to_dentry)
		return 0;
	if (!ops->fh_to_parent || !ops->get_parent)
		return -EOPNOTSUPP;
	mutex_lock(&install_mutex);
	if (!fuse_export_op) {
		coherency_export_op = *ops;
		coherency_export_op.encode_fh = coherency_encode_fh;
		coherency_export_op.fh_to_dentry = coherency_fh_to_dentry;
		coherency_export_op.fh_to_parent = coherency_fh_to_parent;
		coherency_export_op.get_parent = coherency_get_parent;
		fuse_export_op = ops;
	}
	if (ops == fuse_export_op)
		WRITE_ONCE(sb->s_export_op, &coherency_export_op);
	else
		err = -EOPNOTSUPP;
	mutex_unlock(&install_mutex);
	return err;
}
