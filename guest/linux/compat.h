/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels that the module is built for, Linux 6.1 and later. Everything that asks for a
 * kernel version is here.
 */
#ifndef COHERENCY_COMPAT_H
#define COHERENCY_COMPAT_H

#include <linux/version.h>

#define KERNEL_HAS(major, minor) (LINUX_VERSION_CODE >= KERNEL_VERSION(major, minor, 0))

/* The module may compile and be stale all the same: what fuse begins to do by a new operation passes it by. */
#define KERNEL_IS(major, minor) (KERNEL_HAS(major, minor) && !KERNEL_HAS(major, (minor) + 1))

#if !defined(COHERENCY_UNTRIED_KERNEL) && !KERNEL_IS(6, 1) && !KERNEL_IS(6, 12) && !KERNEL_IS(7, 2)
#error "coherency was tried with Linux 6.1, 6.12 and 7.2 only and may be stale on others; COHERENCY_UNTRIED_KERNEL=1 builds it"
#endif

/* Stamps are read and written as one word, and the words of the table are little endian. */
#ifndef CONFIG_64BIT
#error "coherency needs a 64-bit kernel"
#endif
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "coherency needs a little-endian machine"
#endif

#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/fsnotify.h>
#include <linux/xattr.h>

#if KERNEL_HAS(6, 3)
#include <linux/filelock.h>
#endif

/* For bin2hex, which was in linux/kernel.h before. */
#if __has_include(<linux/hex.h>)
#include <linux/hex.h>
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

/* create was told up to 7.2 whether a file that exists is a failure, which the VFS finds out by itself. */
#if KERNEL_HAS(7, 3)
#define COHERENCY_EXCL_PARAMETER
#define COHERENCY_EXCL_ARGUMENT
#else
#define COHERENCY_EXCL_PARAMETER	, bool excl
#define COHERENCY_EXCL_ARGUMENT		, excl
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

/* The array of handlers became constant in 6.7. */
#if KERNEL_HAS(6, 7)
typedef const struct xattr_handler * const coherency_xattr_list;
#else
typedef const struct xattr_handler *coherency_xattr_list;
#endif

/* Leases are structs of their own since 6.9, and asked for by int since 6.6. */
#if KERNEL_HAS(6, 9)
typedef struct file_lease coherency_lease;
typedef int coherency_lease_kind;
#elif KERNEL_HAS(6, 6)
typedef struct file_lock coherency_lease;
typedef int coherency_lease_kind;
#else
typedef struct file_lock coherency_lease;
typedef long coherency_lease_kind;
#endif

/* Properties of a file's operations, which are no operation, got a member of their own in 6.10. */
#if KERNEL_HAS(6, 10)
#define COHERENCY_FOP_FLAGS_MEMBER	MEMBER(fop_flags),
#else
#define COHERENCY_FOP_FLAGS_MEMBER
#endif

/* Access lists are asked for by name and by inode since 6.2. */
#if KERNEL_HAS(6, 2)
#define COHERENCY_ACL_MEMBERS	MEMBER(get_inode_acl), MEMBER(get_acl),
#else
#define COHERENCY_ACL_MEMBERS	MEMBER(get_acl),
#endif

/* A fault gives back the lock of its mapping, or of the memory map where that has none. */
#if KERNEL_HAS(6, 4)
#define coherency_release_fault_lock(vmf)	release_fault_lock(vmf)
#else
#define coherency_release_fault_lock(vmf)	mmap_read_unlock((vmf)->vma->vm_mm)
#endif

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

/* Whether inodes of a file system are watched, or it is itself. */
static inline bool coherency_has_watches(struct super_block *sb)
{
#if KERNEL_HAS(6, 10)
	return fsnotify_sb_has_watchers(sb);
#else
	return atomic_long_read(&sb->s_fsnotify_connectors);
#endif
}

/* With the parent's d_lock held. */
#if KERNEL_HAS(6, 8)
#define coherency_for_each_child(child, parent)	hlist_for_each_entry(child, &(parent)->d_children, d_sib)
#else
#define coherency_for_each_child(child, parent)	list_for_each_entry(child, &(parent)->d_subdirs, d_child)
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
