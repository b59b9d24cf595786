// SPDX-License-Identifier: GPL-2.0
/*
 * The file system type "coherency": virtiofs, attached to a version table. virtiofs makes the super block and kills
 * it; this adds the handshake after the one and the detaching before the other, so that a super block of this type is
 * attached for exactly as long as it lives, and the module cannot go meanwhile.
 *
 * virtiofs finds the super block that a device has already among those of its type, and does not notice if there is
 * one of another type: it would start a second session on the same queues, and the first would no longer be coherent
 * without knowing. So the super block is made as one of virtiofs's, stays in virtiofs's list, and only then becomes
 * one of this module's. "mount -t virtiofs" of a tag that is mounted as coherency finds that one.
 */
#include "coherency.h"

#include <linux/backing-dev.h>
#include <linux/exportfs.h>
#include <linux/fs_context.h>
#include <linux/module.h>
#include <linux/slab.h>

static struct file_system_type *virtiofs;

static int coherency_init_fs_context(struct fs_context *fc);
static void coherency_kill_sb(struct super_block *sb);

/*
 * What super blocks are of. Security policies, units and tools go by the name of this type, and know virtiofs: SELinux for
 * one would label nothing of a type that no policy names. It is never registered.
 */
static struct file_system_type mounted_type = {
	.owner			= THIS_MODULE,
	.name			= "virtiofs",
	.init_fs_context	= coherency_init_fs_context,
	.kill_sb		= coherency_kill_sb,
};

/* What is asked for by mount(8). */
static struct file_system_type coherency_type = {
	.owner			= THIS_MODULE,
	.name			= KBUILD_MODNAME,
	.init_fs_context	= coherency_init_fs_context,
	.kill_sb		= coherency_kill_sb,
};
MODULE_ALIAS_FS(KBUILD_MODNAME);

static DEFINE_MUTEX(shares_mutex);
static LIST_HEAD(shares);

/* What is kept for a mount that is being made: found by fc->ops, because virtiofs owns the other pointers. */
struct coherency_fs_context {
	struct fs_context_operations ops;
	const struct fs_context_operations *virtiofs_ops;
	bool fallback;
};

static struct coherency_fs_context *context_of(struct fs_context *fc)
{
	return container_of(fc->ops, struct coherency_fs_context, ops);
}

/* ---- attaching ------------------------------------------------------------------------------------------------- */

void coherency_evict_inode(struct inode *inode)
{
	struct coherency_sb *csb = container_of(inode->i_sb->s_op, struct coherency_sb, s_op);
	struct coherency_inode *ci = inode->i_private;

	if (ci) {
		coherency_held_evict(csb->share, ci);
		if (!S_ISDIR(inode->i_mode))
			coherency_forget_tail(csb->share, ci);
		/* Before fuse forgets that it has newer attributes than those of replies that are under way. */
		if (READ_ONCE(ci->is_changed))
			atomic64_inc_return(&csb->share->evictions);
	}
	csb->fuse_s_op->evict_inode(inode);
	/* A walk under RCU may still look at it through the inode. */
	if (ci) {
		kfree(ci->handle);
		kfree_rcu(ci, rcu);
	}
}

/* The super block is not born yet: nobody but the caller reaches it. */
static int interpose(struct super_block *sb, struct coherency_share *share)
{
	struct coherency_sb *csb;
	int err;

	if (!sb->s_op->evict_inode)
		return -EOPNOTSUPP;
	err = coherency_install_export_operations(sb);
	if (!err)
		err = coherency_install_dentry_operations(sb);
	if (err)
		return err;

	csb = kzalloc(sizeof(*csb), GFP_KERNEL);
	if (!csb)
		return -ENOMEM;
	csb->fuse_s_op = sb->s_op;
	csb->s_op = *sb->s_op;
	csb->s_op.evict_inode = coherency_evict_inode;
	csb->share = share;
	csb->sb = sb;
	err = coherency_events_add(csb);
	if (err)
		goto free;
	err = coherency_install_xattr_handlers(sb, csb);
	if (err)
		goto remove;
	WRITE_ONCE(sb->s_op, &csb->s_op);
	if (READ_ONCE(share->read_only))
		sb->s_flags |= SB_RDONLY;
	return coherency_wrap(d_inode(sb->s_root), NULL) ? 0 : -EIO;
remove:
	coherency_events_remove(csb);
free:
	kfree(csb);
	return err;
}

/* Removing the attribute ends the coherent session; if it fails, DESTROY, which follows, does the same. */
static int detach_session(struct super_block *sb)
{
	int err = __vfs_removexattr(coherency_nop_idmap, sb->s_root, COHERENCY_ATTACH_XATTR);

	if (err)
		pr_debug("detaching failed: %d\n", err);
	return err;
}

static int join_share(struct coherency_share *share, struct super_block *sb)
{
	int err = coherency_sysfs_add(share);

	if (err)
		return err;
	share->root_sb = sb;
	mutex_lock(&shares_mutex);
	list_add(&share->list, &shares);
	mutex_unlock(&shares_mutex);
	coherency_start_heartbeat(share);
	return 0;
}

/*
 * Nothing is believed any more when the session ends. What the daemon keeps waiting it has to answer before virtiofs waits
 * for it; the end of the session has the same effect, should it not have been told.
 */
static void leave_share(struct coherency_share *share)
{
	mutex_lock(&shares_mutex);
	list_del(&share->list);
	mutex_unlock(&shares_mutex);
	coherency_stop_heartbeat(share);
	coherency_held_stop(share);
	kobject_del(&share->kobj);
	coherency_events_hush(share);
	detach_session(share->root_sb);
	coherency_events_stop(share);
}

void coherency_device_leaves(const void *device)
{
	struct coherency_share *share;

	mutex_lock(&shares_mutex);
	list_for_each_entry(share, &shares, list) {
		if (share->events.device == device)
			coherency_events_unplug(share);
	}
	mutex_unlock(&shares_mutex);
}

/*
 * Finds the share that a submount is part of: fuse gives the super blocks of a connection one backing device, and
 * shares it with nobody else. The submount keeps the super block of the share's root alive: virtiofs takes the device
 * from submounts that live longer when the tag is mounted anew.
 */
static struct coherency_share *share_of_submount(struct super_block *sb)
{
	struct coherency_share *share, *found = NULL;

	mutex_lock(&shares_mutex);
	list_for_each_entry(share, &shares, list) {
		if (share->root_sb->s_bdi == sb->s_bdi && atomic_inc_not_zero(&share->root_sb->s_active))
			found = share;
	}
	mutex_unlock(&shares_mutex);
	return found;
}

static int attach(struct super_block *sb, struct coherency_share *share, struct fs_context *fc)
{
	int err = coherency_handshake(share, sb->s_root);

	if (err == -EOPNOTSUPP || err == -ENODATA || err == -ENOSYS)
		return invalf(fc, "coherency: the daemon of <%s> does not offer a coherent session", fc->source);
	if (!err) {
		coherency_events_attach(share, sb->s_root);
		coherency_locks_attach(share, sb->s_root, true);
		err = join_share(share, sb);
	} else if (err == -EBADMSG) {
		errorf(fc, "coherency: the version table of <%s> is not that of its daemon", fc->source);
		err = -EINVAL;
	}
	if (err) {
		/*
		 * The daemon takes the session for coherent and lets everything be cached for ever: no virtiofs. Nor
		 * if it wants no OPEN, which does not end with the session.
		 */
		if (detach_session(sb) || share->no_open)
			context_of(fc)->fallback = false;
		return err;
	}
	pr_info("%s: attached, table of %llu slots on %s, opens are %s\n", share->tag, share->slot_mask + 1,
		share->transport, share->no_open ? "spared" : "asked for");
	return 0;
}

/* ---- detaching ------------------------------------------------------------------------------------------------- */

static void coherency_kill_sb(struct super_block *sb)
{
	struct coherency_share *share;
	struct coherency_sb *csb;
	bool is_root;

	if (!coherency_is_attached(sb)) {
		virtiofs->kill_sb(sb);
		return;
	}
	csb = container_of(sb->s_op, struct coherency_sb, s_op);
	share = csb->share;
	is_root = sb == share->root_sb;
	if (is_root)
		leave_share(share);
	coherency_events_remove(csb);
	virtiofs->kill_sb(sb);
	/* Its dentries and inodes are gone, but a walk under RCU may still look at what it has found before. */
	synchronize_rcu();
	sb->s_op = csb->fuse_s_op;
	sb->s_xattr = csb->fuse_s_xattr;
	kfree(csb);
	if (is_root)
		kobject_put(&share->kobj);
	else
		deactivate_super(share->root_sb);
}

/* ---- mounting -------------------------------------------------------------------------------------------------- */

static int give_up(struct fs_context *fc, int err)
{
	struct super_block *sb = fc->root->d_sb;

	dput(fc->root);
	fc->root = NULL;
	deactivate_locked_super(sb);
	return err;
}

/* Has virtiofs look among the super blocks of its own type, and make one of those. */
static int get_virtiofs_tree(struct fs_context *fc)
{
	int err;

	fc->fs_type = virtiofs;
	err = context_of(fc)->virtiofs_ops->get_tree(fc);
	fc->fs_type = &coherency_type;
	return err;
}

/* From here on it is killed by coherency_kill_sb, and holds this module instead of virtiofs's, which this one holds. */
static void take_over(struct super_block *sb)
{
	__module_get(THIS_MODULE);
	sb->s_type = &mounted_type;
	module_put(virtiofs->owner);
}

/* virtiofs allows one super block for a tag: a second mount of it finds the first one's. */
static int join_existing(struct fs_context *fc)
{
	bool fallback = context_of(fc)->fallback;

	if (coherency_is_attached(fc->root->d_sb) || fallback)
		return 0;
	errorf(fc, "coherency: <%s> is mounted already, without a version table", fc->source);
	return give_up(fc, -EBUSY);
}

static int coherency_get_tree(struct fs_context *fc)
{
	struct coherency_fs_context *context = context_of(fc);
	struct coherency_share *share;
	struct super_block *sb;
	int err;

	if (!fc->source)
		return invalf(fc, "coherency: no tag given");
	share = coherency_find_table(fc->source);
	if (!share && !context->fallback) {
		pr_err("%s: there is no version table for this tag; -o fallback mounts without\n", fc->source);
		return invalf(fc, "coherency: no version table for tag <%s>", fc->source);
	}
	err = get_virtiofs_tree(fc);
	if (err)
		goto put_share;
	sb = fc->root->d_sb;
	if (sb->s_flags & SB_BORN || coherency_is_attached(sb)) {
		err = join_existing(fc);
		goto put_share;
	}
	if (!share) {
		pr_info("%s: no version table, mounted without\n", fc->source);
		return 0;
	}
	err = attach(sb, share, fc);
	if (err) {
		pr_err("%s: cannot attach: %d\n", fc->source, err);
		if (!context->fallback)
			err = give_up(fc, err);
		else
			err = 0;
		goto put_share;
	}
	take_over(sb);
	err = interpose(sb, share);
	if (!err)
		return 0;
	pr_err("%s: this kernel's virtiofs is not one that the module knows: %d\n", fc->source, err);
	if (coherency_is_attached(sb))
		return give_up(fc, err);
	leave_share(share);
	err = give_up(fc, err);
put_share:
	if (share)
		kobject_put(&share->kobj);
	return err;
}

/* A directory of the share that is another file system on the host: fuse mounts it by itself when it is entered. */
static int coherency_get_submount(struct fs_context *fc)
{
	struct coherency_share *share;
	struct super_block *sb;
	bool is_attached;
	int err;

	err = context_of(fc)->virtiofs_ops->get_tree(fc);
	if (err)
		return err;
	sb = fc->root->d_sb;
	share = share_of_submount(sb);
	/* Cannot be: it would not be of this type. */
	if (WARN_ON(!share))
		return give_up(fc, -EIO);
	err = interpose(sb, share);
	if (!err)
		return 0;
	is_attached = coherency_is_attached(sb);
	give_up(fc, err);
	if (!is_attached)
		deactivate_super(share->root_sb);
	return err;
}

static int coherency_parse_param(struct fs_context *fc, struct fs_parameter *param)
{
	struct coherency_fs_context *context = context_of(fc);

	if (!strcmp(param->key, "fallback")) {
		if (param->type != fs_value_is_flag)
			return invalf(fc, "coherency: fallback takes no value");
		context->fallback = true;
		return 0;
	}
	if (!context->virtiofs_ops->parse_param)
		return -ENOPARAM;
	return context->virtiofs_ops->parse_param(fc, param);
}

static void coherency_free_context(struct fs_context *fc)
{
	struct coherency_fs_context *context = context_of(fc);

	fc->ops = context->virtiofs_ops;
	if (fc->ops->free)
		fc->ops->free(fc);
	kfree(context);
}

static int coherency_init_fs_context(struct fs_context *fc)
{
	struct coherency_fs_context *context = kzalloc(sizeof(*context), GFP_KERNEL);
	int err;

	if (!context)
		return -ENOMEM;
	err = virtiofs->init_fs_context(fc);
	if (err) {
		kfree(context);
		return err;
	}
	context->virtiofs_ops = fc->ops;
	context->ops = *fc->ops;
	context->ops.free = coherency_free_context;
	context->ops.parse_param = coherency_parse_param;
	context->ops.get_tree = fc->purpose == FS_CONTEXT_FOR_SUBMOUNT ? coherency_get_submount : coherency_get_tree;
	fc->ops = &context->ops;
	return 0;
}

/* ---- the module ------------------------------------------------------------------------------------------------ */

static int __init coherency_init(void)
{
	int err;

	virtiofs = get_fs_type("virtiofs");
	if (!virtiofs) {
		pr_err("this kernel has no virtiofs\n");
		return -ENODEV;
	}
	coherency_type.fs_flags = virtiofs->fs_flags;
	mounted_type.fs_flags = virtiofs->fs_flags;
	err = coherency_table_init();
	if (err)
		goto put_virtiofs;
	err = coherency_sysfs_init();
	if (err)
		goto exit_table;
	err = register_filesystem(&coherency_type);
	if (err)
		goto exit_sysfs;
	return 0;

exit_sysfs:
	coherency_sysfs_exit();
exit_table:
	coherency_table_exit();
put_virtiofs:
	module_put(virtiofs->owner);
	return err;
}

static void __exit coherency_exit(void)
{
	unregister_filesystem(&coherency_type);
	coherency_sysfs_exit();
	coherency_table_exit();
	module_put(virtiofs->owner);
}

module_init(coherency_init);
module_exit(coherency_exit);

MODULE_AUTHOR("The coherencyd authors");
MODULE_DESCRIPTION("virtiofs that never answers from an outdated cache");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
MODULE_SOFTDEP("pre: virtiofs");
