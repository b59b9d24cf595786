// SPDX-License-Identifier: GPL-2.0
/*
 * Is a mapped page current? A page that is in a process's page table is read without asking anyone. But dropping pages
 * takes them out of all mappings, so whoever notices that the file has changed - an open, a read, a fault, a sync - makes
 * the mappings current.
 */
#include "coherency.h"

#include <linux/file.h>
#include <linux/mm.h>
#include <linux/pagemap.h>

static const struct vm_operations_struct *fuse_vm_op;
static struct vm_operations_struct coherency_vm_op;
static DEFINE_MUTEX(wrapper_mutex);

static bool mapping_is_current(struct vm_fault *vmf)
{
	return coherency_file_is_current(vmf->vma->vm_file);
}

/* What a fault that has found an old page, and could not renew it, comes to: nothing is mapped. */
static vm_fault_t fault_of(int err)
{
	if (err == -EBUSY || err == -EINTR)
		return VM_FAULT_NOPAGE;
	return err == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
}

/*
 * The daemon is asked without the lock of the mapping, if the fault may be repeated: others want it meanwhile, to read
 * /proc/PID/maps for one. After that the mapping may be gone; the file is not.
 */
static vm_fault_t refresh_unlocked(struct vm_fault *vmf)
{
	struct file *file = get_file(vmf->vma->vm_file);

	coherency_release_fault_lock(vmf);
	/* An error is told by the repeated fault. */
	coherency_refresh_file(file);
	fput(file);
	return VM_FAULT_RETRY;
}

static vm_fault_t coherency_fault(struct vm_fault *vmf)
{
	int err;

	if (unlikely(!mapping_is_current(vmf))) {
		/* The lock stays held for a caller who does not wait. */
		if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
			return VM_FAULT_RETRY;
		if (fault_flag_allow_retry_first(vmf->flags))
			return refresh_unlocked(vmf);
		err = coherency_refresh_file(vmf->vma->vm_file);
		if (err && coherency_rule(FAULTS))
			return fault_of(err);
	}
	return fuse_vm_op->fault(vmf);
}

/* Maps what is there around a fault, and may not wait: without it, every page is faulted in by itself. */
static vm_fault_t coherency_map_pages(struct vm_fault *vmf, pgoff_t start, pgoff_t end)
{
	return mapping_is_current(vmf) ? fuse_vm_op->map_pages(vmf, start, end) : 0;
}

/*
 * Dirty before the change that the store is counts as ended, and before another size may be learnt. It is locked, and
 * the store that follows makes it dirty anyway.
 */
static bool make_dirty(struct vm_fault *vmf, vm_fault_t made)
{
	if (!(made & VM_FAULT_LOCKED))
		return false;
	folio_mark_dirty(page_folio(vmf->page));
	return true;
}

static vm_fault_t make_tail_writable(struct vm_fault *vmf, struct coherency_share *share, struct inode *inode)
{
	vm_fault_t result;

	/* Who copies a directory's names to such a page would wait for itself. */
	if (!coherency_begin_tail_store(share))
		return coherency_is_listing(inode->i_sb) ? VM_FAULT_SIGBUS : VM_FAULT_NOPAGE;
	/* If nothing can be known, the store is done to what there is. */
	if (coherency_sample_inode(share, coherency_inode_of(inode)) && !mapping_is_current(vmf))
		result = VM_FAULT_NOPAGE;
	else
		result = fuse_vm_op->page_mkwrite(vmf);
	coherency_end_tail_store(share, inode, make_dirty(vmf, result));
	return result;
}

static vm_fault_t make_writable(struct vm_fault *vmf, struct inode *inode)
{
	struct coherency_share *share = coherency_share_of(inode->i_sb);
	vm_fault_t result;

	if (coherency_is_tail(inode, page_folio(vmf->page)) && coherency_rule(TAILS))
		return make_tail_writable(vmf, share, inode);
	result = fuse_vm_op->page_mkwrite(vmf);
	make_dirty(vmf, result);
	return result;
}

/* The first store to a page. On an old page it would, once written, undo what others have changed beside it. */
static vm_fault_t coherency_page_mkwrite(struct vm_fault *vmf)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	struct coherency_inode *ci = coherency_inode_of(inode);
	vm_fault_t result;
	int err;

	/* If nothing can be known, the page would be dropped at every try: the store would never be done. */
	if (coherency_sample_inode(coherency_share_of(inode->i_sb), ci) && !mapping_is_current(vmf)) {
		err = coherency_refresh_file(vmf->vma->vm_file);
		if (err && coherency_rule(FAULTS))
			return fault_of(err);
		if (mapping_is_current(vmf))
			return VM_FAULT_NOPAGE;
	}
	coherency_change_begin(ci, &ci->stores);
	result = make_writable(vmf, inode);
	coherency_change_end(&ci->stores);
	return result;
}

/* What is not mapped from the page cache needs no help: DAX, passthrough, private mappings of files opened for direct I/O. */
static bool is_mapped_from_cache(const struct vm_area_struct *vma)
{
	return vma->vm_ops && vma->vm_ops->fault == filemap_fault && vma->vm_ops->page_mkwrite &&
	       vma->vm_ops->close;
}

#define MEMBER(operation)	(offsetof(struct vm_operations_struct, operation) / sizeof(void *))

static const u16 known_vm_operations[] = { MEMBER(close), MEMBER(fault), MEMBER(map_pages), MEMBER(page_mkwrite) };

#undef MEMBER

static void fill_vm_operations(const struct vm_operations_struct *fuse)
{
	if (!coherency_covers("mappings", fuse, sizeof(*fuse), known_vm_operations, ARRAY_SIZE(known_vm_operations)))
		return;
	coherency_vm_op = *fuse;
	coherency_vm_op.fault = coherency_fault;
	coherency_vm_op.page_mkwrite = coherency_page_mkwrite;
	if (fuse->map_pages)
		coherency_vm_op.map_pages = coherency_map_pages;
	smp_store_release(&fuse_vm_op, fuse);
}

/* After fuse's mmap. Fails if what maps from the page cache is not what the module knows. */
int coherency_wrap_mapping(struct vm_area_struct *vma)
{
	const struct vm_operations_struct *ops = vma->vm_ops;

	if (unlikely(!smp_load_acquire(&fuse_vm_op)) && is_mapped_from_cache(vma)) {
		mutex_lock(&wrapper_mutex);
		if (!fuse_vm_op)
			fill_vm_operations(ops);
		mutex_unlock(&wrapper_mutex);
	}
	if (ops == fuse_vm_op)
		vma->vm_ops = &coherency_vm_op;
	else if (is_mapped_from_cache(vma))
		return -EOPNOTSUPP;
	return 0;
}
