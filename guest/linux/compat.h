/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels that the module is built for, Linux 6.1 and later. Everything that asks for a
 * kernel version is here.
 */
#ifndef COHERENCY_COMPAT_H
#define COHERENCY_COMPAT_H

#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/version.h>
#include <linux/xattr.h>

#define KERNEL_HAS(major, minor) (LINUX_VERSION_CODE >= KERNEL_VERSION(major, minor, 0))

#if KERNEL_HAS(6, 3)
#include <linux/filelock.h>
#endif

#if KERNEL_HAS(6, 3)
typedef struct mnt_idmap coherency_idmap;
#define coherency_nop_idmap	(&nop_mnt_idmap)
#define coherency_file_idmap	file_mnt_idmap
#else
typedef struct user_namespace coherency_idmap;
#define coherency_nop_idmap	(&init_user_ns)
#define coherency_file_idmap	file_mnt_user_ns
#endif

/* d_revalidate was given the directory and the name in 6.14; before, it had to find out itself. */
#if KERNEL_HAS(6, 14)
#define COHERENCY_REVALIDATE_BY_NAME 1
#endif

/* mkdir returns the dentry that it made in 6.15; before, an error number. */
#if KERNEL_HAS(6, 15)
typedef struct dentry *coherency_mkdir_result;
#define coherency_mkdir_failed(result)		IS_ERR(result)
#define coherency_mkdir_dentry(result, dentry)	((result) ? (result) : (dentry))

static inline coherency_mkdir_result coherency_mkdir_failure(coherency_mkdir_result made, int err)
{
	dput(made);
	return ERR_PTR(err);
}
#else
typedef int coherency_mkdir_result;
#define coherency_mkdir_failed(result)		((result) != 0)
#define coherency_mkdir_dentry(result, dentry)	(dentry)
#define coherency_mkdir_failure(made, err)	(err)
#endif

/* Splices what read_iter reads. Up to 6.4 that is what fuse's splice_read does. */
#if KERNEL_HAS(6, 5)
#define coherency_splice_by_reading	copy_splice_read
#else
#define coherency_splice_by_reading	generic_file_splice_read
#endif

static inline const struct dentry_operations *coherency_default_d_op(struct super_block *sb)
{
#if KERNEL_HAS(6, 17)
	return sb->__s_d_op;
#else
	return sb->s_d_op;
#endif
}

static inline void coherency_set_default_d_op(struct super_block *sb, const struct dentry_operations *ops)
{
#if KERNEL_HAS(6, 17)
	set_default_d_op(sb, ops);
#else
	sb->s_d_op = ops;
#endif
}

/* set_acl is given a name of the inode since 6.2. */
#if KERNEL_HAS(6, 2)
typedef struct dentry coherency_acl_owner;
#define coherency_acl_inode(owner)	d_inode(owner)
#else
typedef struct inode coherency_acl_owner;
#define coherency_acl_inode(owner)	(owner)
#endif

/* What all kinds of locks have in common is in a struct of its own since 6.9. */
#if KERNEL_HAS(6, 9)
#define coherency_lock_field(lock, field)	((lock)->c.flc_##field)
#else
#define coherency_lock_field(lock, field)	((lock)->fl_##field)
#endif

static inline struct timespec64 coherency_mtime(const struct inode *inode)
{
#if KERNEL_HAS(6, 7)
	return inode_get_mtime(inode);
#else
	return inode->i_mtime;
#endif
}

static inline struct timespec64 coherency_ctime(const struct inode *inode)
{
#if KERNEL_HAS(6, 6)
	return inode_get_ctime(inode);
#else
	return inode->i_ctime;
#endif
}

#endif
