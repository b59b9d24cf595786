// SPDX-License-Identifier: GPL-2.0
/*
 * Is this data current? What fuse keeps of a file's pages and a directory's listing is as fresh as the inode's data
 * stamp or fresher: the slot was sampled, then everything that was there was dropped. Own writes and own changes of a
 * directory do not move the slot, and fuse updates what it keeps.
 */
#include "coherency.h"

#include <linux/dax.h>
#include <linux/iversion.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <linux/wait_bit.h>

/* Pages of a mapping that is written to at the same time may become dirty again while they are dropped. */
#define COHERENCY_DROP_TRIES	4

static const struct file_operations *fuse_file_op, *fuse_directory_op;
static struct file_operations coherency_file_op, coherency_directory_op;
static const struct vm_operations_struct *fuse_vm_op;
static struct vm_operations_struct coherency_vm_op;
static DEFINE_MUTEX(wrappers_mutex);

static bool data_is_current(const struct coherency_share *share, const struct coherency_inode *ci)
{
	coherency_stamp stamp = coherency_sample(share, ci->key);

	return stamp && stamp == READ_ONCE(ci->data);
}

static bool inode_is_current(const struct coherency_share *share, const struct coherency_inode *ci)
{
	coherency_stamp stamp = coherency_sample(share, ci->key);

	return stamp && stamp == READ_ONCE(ci->data) && stamp == READ_ONCE(ci->attributes);
}

/* ---- bringing a file up to date -------------------------------------------------------------------------------- */

/*
 * Pages that are being read are locked, and waited for: when this returns, every page comes from a request that was
 * sent after the sample. Modified pages are written first. Pages that the host shares with the guest (DAX) are never
 * old.
 */
static int invalidate_pages(struct inode *inode, struct coherency_share *share)
{
	int tries = COHERENCY_DROP_TRIES;
	int err;

	if (IS_DAX(inode) || mapping_empty(inode->i_mapping))
		return 0;
	coherency_count_add(share, dropped_pages, inode->i_mapping->nrpages);
	do {
		err = invalidate_inode_pages2(inode->i_mapping);
	} while (err && --tries);
	return err;
}

static int drop_pages(struct inode *inode, struct coherency_share *share, struct coherency_inode *ci)
{
	coherency_stamp stamp;
	int err = 0;

	mutex_lock(&ci->dropping);
	stamp = coherency_sample(share, ci->key);
	if (!stamp || stamp != ci->data) {
		WRITE_ONCE(ci->data, COHERENCY_NO_STAMP);
		/* Pairs with own_write_begin. */
		smp_wmb();
		WRITE_ONCE(ci->drops, ci->drops + 1);
		/* Pairs with own_write_end: counted before anything is read in. */
		smp_mb();
		err = invalidate_pages(inode, share);
		if (!err && stamp)
			WRITE_ONCE(ci->data, stamp);
	}
	mutex_unlock(&ci->dropping);
	return err;
}

/*
 * fuse changes the page, sends the write, and counts on the page to stay. If it is dropped meanwhile, it may be read in
 * again from before the write, which does not move the slot when it arrives. So data is not believed after a write
 * during which pages were dropped.
 */
struct own_write {
	unsigned int drops;
	bool believed;
};

static struct own_write own_write_begin(const struct coherency_inode *ci)
{
	struct own_write write = { .drops = READ_ONCE(ci->drops) };

	/* Pairs with drop_pages: whoever sees a drop counted does not see the stamp from before it. */
	smp_rmb();
	write.believed = READ_ONCE(ci->data) != COHERENCY_NO_STAMP;
	return write;
}

static void own_write_end(struct coherency_inode *ci, struct own_write write)
{
	/* Pairs with drop_pages: what is dropped after this is read in after the write. */
	smp_mb();
	if (likely(write.believed && READ_ONCE(ci->drops) == write.drops))
		return;
	/* A drop that is under way stamps before this, not after. */
	mutex_lock(&ci->dropping);
	WRITE_ONCE(ci->data, COHERENCY_NO_STAMP);
	mutex_unlock(&ci->dropping);
}

static int refresh_size(struct file *file)
{
	struct inode *inode = file_inode(file);
	struct coherency_share *share = coherency_share_of(inode->i_sb);
	struct coherency_inode *ci = coherency_inode_of(inode);

	if (likely(coherency_attributes_are_current(share, ci)))
		return 0;
	coherency_count(share, misses);
	return coherency_refresh(inode, file_dentry(file), COHERENCY_NEED_SIZE);
}

static int refresh_data(struct file *file)
{
	struct inode *inode = file_inode(file);
	struct coherency_share *share = coherency_share_of(inode->i_sb);
	struct coherency_inode *ci = coherency_inode_of(inode);

	if (likely(data_is_current(share, ci)))
		return 0;
	return drop_pages(inode, share, ci);
}

/* Size first: fuse drops pages by itself when it learns of another one. */
static int refresh_file(struct file *file)
{
	int err = refresh_size(file);

	return err ? err : refresh_data(file);
}

/* Fails with EBUSY if what is cached cannot be used, not even after this. */
static int refresh_for_reading(struct file *file)
{
	struct inode *inode = file_inode(file);
	struct coherency_inode *ci = coherency_inode_of(inode);
	int err = refresh_file(file);

	/* The reply to a SETATTR brings a size that may be older than the one that has just been asked for. */
	if (!err && atomic_read(&ci->busy) &&
	    !coherency_attributes_are_current(coherency_share_of(inode->i_sb), ci))
		err = -EBUSY;
	return err;
}

static bool file_is_current(struct file *file)
{
	struct inode *inode = file_inode(file);

	return inode_is_current(coherency_share_of(inode->i_sb), coherency_inode_of(inode));
}

/* ---- files ----------------------------------------------------------------------------------------------------- */

/*
 * Where opens are spared, fuse takes O_TRUNC for done by an OPEN that was never sent. So it is not shown the flag,
 * which the VFS takes from every file after this anyway; the truncation that the VFS asks for next is then carried
 * out as any other. If that fails, nothing has happened.
 */
static int coherency_open(struct inode *inode, struct file *file)
{
	struct coherency_share *share = coherency_share_of(inode->i_sb);
	int err;

	if (READ_ONCE(share->read_only) && (file->f_mode & FMODE_WRITE || file->f_flags & O_TRUNC))
		return -EROFS;
	/* Of a file that has just been made, nothing is cached that could be old. */
	err = file->f_mode & FMODE_CREATED ? 0 : refresh_file(file);
	/* Pages that cannot be dropped now may be by the time that something is read. */
	if (err && err != -EBUSY)
		return err;
	if (share->no_open)
		file->f_flags &= ~O_TRUNC;
	err = fuse_file_op->open(inode, file);
	if (!err)
		coherency_held_open(inode);
	return err;
}

static ssize_t read_around_cache(struct kiocb *iocb, struct iov_iter *to)
{
	ssize_t result;

	if (iocb->ki_flags & IOCB_DIRECT)
		return fuse_file_op->read_iter(iocb, to);
	iocb->ki_flags |= IOCB_DIRECT;
	result = fuse_file_op->read_iter(iocb, to);
	/* Once it is queued, it belongs to whoever completes it. */
	if (result != -EIOCBQUEUED)
		iocb->ki_flags &= ~IOCB_DIRECT;
	return result;
}

static ssize_t coherency_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;
	struct coherency_inode *ci = coherency_inode_of(file_inode(file));
	ssize_t result;
	int err;

	if (likely(file_is_current(file))) {
		coherency_count(coherency_share_of(file_inode(file)->i_sb), hits);
		return fuse_file_op->read_iter(iocb, to);
	}
	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	for (;;) {
		err = refresh_for_reading(file);
		if (!err)
			return fuse_file_op->read_iter(iocb, to);
		if (err != -EBUSY)
			return err;
		result = read_around_cache(iocb, to);
		/* Some versions of fuse do not ask the daemon beyond what they take for the end, which may be an old one. */
		if (result || !iov_iter_count(to) || !atomic_read(&ci->busy))
			return result;
		err = wait_var_event_killable(&ci->busy, !atomic_read(&ci->busy));
		if (err)
			return err;
	}
}

static ssize_t coherency_splice_read(struct file *in, loff_t *position, struct pipe_inode_info *pipe, size_t length,
				     unsigned int flags)
{
	int err = refresh_for_reading(in);

	if (err == -EBUSY)
		return coherency_splice_by_reading(in, position, pipe, length, flags);
	return err ? err : fuse_file_op->splice_read(in, position, pipe, length, flags);
}

/*
 * Carries a direct write out before it returns, also one that its caller would rather be told of later: what is cached
 * may be read in until it has arrived, and fuse does not say when that is.
 */
static ssize_t write_and_wait(struct kiocb *iocb, struct iov_iter *from)
{
	struct kiocb waiting;
	ssize_t result;

	if (is_sync_kiocb(iocb) || !(iocb->ki_flags & IOCB_DIRECT))
		return fuse_file_op->write_iter(iocb, from);
	init_sync_kiocb(&waiting, iocb->ki_filp);
	waiting.ki_flags = iocb->ki_flags;
	waiting.ki_pos = iocb->ki_pos;
	result = fuse_file_op->write_iter(&waiting, from);
	iocb->ki_pos = waiting.ki_pos;
	return result;
}

/*
 * If the daemon drops what privileges a file gives (SB_NOSEC), whether it has capabilities need not be asked before a
 * write. What it drops from the mode, the guest learns only by asking.
 */
static void spare_question_for_capabilities(struct inode *inode)
{
	if (!IS_NOSEC(inode))
		inode_has_no_xattr(inode);
}

static void forget_dropped_privileges(struct inode *inode, struct coherency_inode *ci)
{
	if (is_sxid(inode->i_mode))
		WRITE_ONCE(ci->attributes, COHERENCY_NO_STAMP);
}

/* O_APPEND writes at what the guest takes for the end, and privileges are dropped by the mode. */
static ssize_t coherency_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct file *file = iocb->ki_filp;
	struct inode *inode = file_inode(file);
	struct coherency_inode *ci = coherency_inode_of(inode);
	struct own_write write;
	ssize_t result;
	int err;

	if (!coherency_attributes_are_current(coherency_share_of(inode->i_sb), ci)) {
		if (iocb->ki_flags & IOCB_NOWAIT)
			return -EAGAIN;
		err = refresh_size(file);
		if (err)
			return err;
	}
	spare_question_for_capabilities(inode);
	write = own_write_begin(ci);
	result = write_and_wait(iocb, from);
	own_write_end(ci, write);
	forget_dropped_privileges(inode, ci);
	return result;
}

static loff_t coherency_llseek(struct file *file, loff_t offset, int whence)
{
	int err = whence == SEEK_SET || whence == SEEK_CUR ? 0 : refresh_size(file);

	return err ? err : fuse_file_op->llseek(file, offset, whence);
}

static long coherency_fallocate(struct file *file, int mode, loff_t offset, loff_t length)
{
	int err = refresh_size(file);

	return err ? err : fuse_file_op->fallocate(file, mode, offset, length);
}

static ssize_t coherency_copy_file_range(struct file *in, loff_t in_position, struct file *out, loff_t out_position,
					 size_t length, unsigned int flags)
{
	int err = refresh_size(out);

	return err ? err : fuse_file_op->copy_file_range(in, in_position, out, out_position, length, flags);
}

/* After this, the pages of a mapping are current too: msync(MS_SYNC) comes here. */
static int coherency_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	int err = fuse_file_op->fsync(file, start, end, datasync);

	if (!err && !file_is_current(file))
		refresh_file(file);
	return err;
}

/* ---- closing --------------------------------------------------------------------------------------------------- */

/*
 * Where opens are spared, closing a file costs nothing either, unless there is something to do: record locks end with
 * FLUSH, and pages that were changed through a mapping are written and waited for. What was written by calls has
 * arrived before, unless guests collect writes: then they keep the times, too.
 */
static int coherency_flush(struct file *file, fl_owner_t id)
{
	struct inode *inode = file_inode(file);
	struct coherency_inode *ci = coherency_inode_of(inode);

	if (coherency_share_of(inode->i_sb)->no_open && IS_NOCMTIME(inode) &&
	    !test_bit(COHERENCY_CLOSE_RECORD_LOCKED, &ci->closing) && !test_bit(COHERENCY_CLOSE_MAPPED, &ci->closing))
		return 0;
	return fuse_file_op->flush(file, id);
}

static void note_for_close(struct file *file, enum coherency_close what)
{
	unsigned long *closing = &coherency_inode_of(file_inode(file))->closing;

	if (!test_bit(what, closing))
		set_bit(what, closing);
}

static int coherency_lock(struct file *file, int command, struct file_lock *lock)
{
	bool is_ofd = coherency_lock_field(lock, flags) & FL_OFDLCK;

	if (command != F_GETLK && coherency_lock_field(lock, type) != F_UNLCK)
		note_for_close(file, is_ofd ? COHERENCY_CLOSE_OFD_LOCKED : COHERENCY_CLOSE_RECORD_LOCKED);
	return fuse_file_op->lock(file, command, lock);
}

static int coherency_flock(struct file *file, int command, struct file_lock *lock)
{
	if (coherency_lock_field(lock, type) != F_UNLCK)
		note_for_close(file, COHERENCY_CLOSE_FLOCKED);
	return fuse_file_op->flock(file, command, lock);
}

/* Of the whole file, whoever took it through this description of it. */
static void init_unlock(struct file_lock *lock, struct file *file, unsigned int kind)
{
	locks_init_lock(lock);
	coherency_lock_field(lock, type) = F_UNLCK;
	coherency_lock_field(lock, flags) = kind;
	coherency_lock_field(lock, owner) = file;
	coherency_lock_field(lock, pid) = current->tgid;
	coherency_lock_field(lock, file) = file;
	lock->fl_end = OFFSET_MAX;
}

/* These locks belong to the open file. A RELEASE ends them, but where opens are spared there is none. */
static void unlock_file(struct file *file, const struct coherency_inode *ci)
{
	struct file_lock lock;

	if (test_bit(COHERENCY_CLOSE_FLOCKED, &ci->closing)) {
		init_unlock(&lock, file, FL_FLOCK);
		fuse_file_op->flock(file, F_SETLK, &lock);
	}
	if (test_bit(COHERENCY_CLOSE_OFD_LOCKED, &ci->closing)) {
		init_unlock(&lock, file, FL_POSIX | FL_OFDLCK);
		fuse_file_op->lock(file, F_SETLK, &lock);
	}
}

static int coherency_release(struct inode *inode, struct file *file)
{
	if (coherency_share_of(inode->i_sb)->no_open)
		unlock_file(file, coherency_inode_of(inode));
	coherency_held_close(inode);
	return fuse_file_op->release(inode, file);
}

/* ---- mappings -------------------------------------------------------------------------------------------------- */

/*
 * A page that is in a process's page table is read without asking anyone. But dropping pages takes them out of all
 * mappings, so whoever notices that the file has changed - an open, a read, a fault, a sync - makes the mappings
 * current.
 */
static bool mapping_is_current(struct vm_fault *vmf)
{
	return file_is_current(vmf->vma->vm_file);
}

static vm_fault_t coherency_fault(struct vm_fault *vmf)
{
	if (!mapping_is_current(vmf)) {
		/* The lock stays held for a caller who does not wait. */
		if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
			return VM_FAULT_RETRY;
		refresh_file(vmf->vma->vm_file);
	}
	return fuse_vm_op->fault(vmf);
}

/* Maps what is there around a fault, and may not wait: without it, every page is faulted in by itself. */
static vm_fault_t coherency_map_pages(struct vm_fault *vmf, pgoff_t start, pgoff_t end)
{
	return mapping_is_current(vmf) ? fuse_vm_op->map_pages(vmf, start, end) : 0;
}

/* The first store to a page. On an old page it would, once written, undo what others have changed beside it. */
static vm_fault_t coherency_page_mkwrite(struct vm_fault *vmf)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);

	/* If nothing can be known, the page would be dropped at every try: the store would never be done. */
	if (coherency_sample(coherency_share_of(inode->i_sb), coherency_inode_of(inode)->key) &&
	    !mapping_is_current(vmf)) {
		refresh_file(vmf->vma->vm_file);
		if (mapping_is_current(vmf))
			return VM_FAULT_NOPAGE;
	}
	return fuse_vm_op->page_mkwrite(vmf);
}

static void wrap_vm_operations(struct vm_area_struct *vma)
{
	const struct vm_operations_struct *ops = vma->vm_ops;

	/* What is not mapped from the page cache needs no help: DAX, passthrough. */
	if (!ops || ops->fault != filemap_fault || !ops->page_mkwrite)
		return;
	if (unlikely(!smp_load_acquire(&fuse_vm_op))) {
		mutex_lock(&wrappers_mutex);
		if (!fuse_vm_op) {
			coherency_vm_op = *ops;
			coherency_vm_op.fault = coherency_fault;
			coherency_vm_op.page_mkwrite = coherency_page_mkwrite;
			if (ops->map_pages)
				coherency_vm_op.map_pages = coherency_map_pages;
			smp_store_release(&fuse_vm_op, ops);
		}
		mutex_unlock(&wrappers_mutex);
	}
	if (ops == fuse_vm_op)
		vma->vm_ops = &coherency_vm_op;
}

static int coherency_mmap(struct file *file, struct vm_area_struct *vma)
{
	int err = refresh_file(file);

	if (err && err != -EBUSY)
		return err;
	/* Only of files that can be written. */
	if (vma->vm_flags & VM_SHARED)
		note_for_close(file, COHERENCY_CLOSE_MAPPED);
	err = fuse_file_op->mmap(file, vma);
	if (!err)
		wrap_vm_operations(vma);
	return err;
}

/* ---- directories ----------------------------------------------------------------------------------------------- */

/*
 * Stands between fuse and the reader of a directory. fuse passes a name on before it makes the dentry, so each dentry
 * is stamped when the next name comes.
 */
struct listing_context {
	struct dir_context context;
	struct dir_context *reader;
	struct dentry *directory;
	unsigned int length;
	char name[NAME_MAX];
};

static void stamp_previous(struct listing_context *listing)
{
	if (listing->length)
		coherency_stamp_listed(listing->directory, listing->name, listing->length);
	listing->length = 0;
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

static int read_names(struct file *file, struct dir_context *reader)
{
	struct listing_context *listing = kmalloc(sizeof(*listing), GFP_KERNEL);
	int err;

	if (!listing)
		return -ENOMEM;
	listing->context = *reader;
	listing->context.actor = pass_name;
	listing->reader = reader;
	listing->directory = file->f_path.dentry;
	listing->length = 0;
	err = fuse_directory_op->iterate_shared(file, &listing->context);
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
	struct page *first = find_lock_page(mapping, 0);

	if (!first)
		return;
	ClearPageUptodate(first);
	unlock_page(first);
	put_page(first);
}

/* Changes of this guest do not move the slot, but i_version. */
static bool listing_is_current(struct inode *inode, const struct coherency_inode *ci)
{
	return data_is_current(coherency_share_of(inode->i_sb), ci) && inode_peek_iversion(inode) == ci->listed_version;
}

/* Queried, not peeked at: own changes move the version only if somebody has queried it since it moved last. */
static void renew_listing(struct inode *inode, struct coherency_inode *ci)
{
	WRITE_ONCE(ci->data, coherency_sample(coherency_share_of(inode->i_sb), ci->key));
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
	coherency_listing_begin(&listing, inode->i_sb, request.mutations);
	err = read_names(file, context);
	coherency_listing_end(&listing);
	coherency_request_end(&request);
	up_read(&ci->listing);
	return err;
}

/* ---- taking files over ----------------------------------------------------------------------------------------- */

static void fill_file_operations(const struct file_operations *fuse)
{
	coherency_file_op = *fuse;
#define REPLACE(operation) do { if (fuse->operation) coherency_file_op.operation = coherency_##operation; } while (0)
	REPLACE(open);
	REPLACE(flush);
	REPLACE(release);
	REPLACE(lock);
	REPLACE(flock);
	REPLACE(read_iter);
	REPLACE(splice_read);
	REPLACE(write_iter);
	REPLACE(llseek);
	REPLACE(fallocate);
	REPLACE(copy_file_range);
	REPLACE(fsync);
	REPLACE(mmap);
#undef REPLACE
	smp_store_release(&fuse_file_op, fuse);
}

static void fill_directory_operations(const struct file_operations *fuse)
{
	coherency_directory_op = *fuse;
	coherency_directory_op.iterate_shared = coherency_iterate_shared;
	smp_store_release(&fuse_directory_op, fuse);
}

/* Special files are not fuse's once they are open. */
int coherency_wrap_file_operations(struct inode *inode)
{
	const struct file_operations *ops = READ_ONCE(inode->i_fop);
	const struct file_operations *ours = S_ISDIR(inode->i_mode) ? &coherency_directory_op : &coherency_file_op;
	const struct file_operations **fuse = S_ISDIR(inode->i_mode) ? &fuse_directory_op : &fuse_file_op;

	if ((!S_ISREG(inode->i_mode) && !S_ISDIR(inode->i_mode)) || ops == ours)
		return 0;
	if (unlikely(!smp_load_acquire(fuse))) {
		mutex_lock(&wrappers_mutex);
		if (!*fuse && S_ISDIR(inode->i_mode))
			fill_directory_operations(ops);
		else if (!*fuse)
			fill_file_operations(ops);
		mutex_unlock(&wrappers_mutex);
	}
	if (ops != *fuse) {
		pr_err_once("a file has operations that are not known; it cannot be used\n");
		return -EIO;
	}
	WRITE_ONCE(inode->i_fop, ours);
	return 0;
}

/* For a file that was opened by the request that made its name, without coherency_open. */
void coherency_wrap_open_file(struct file *file)
{
	if (file->f_op == fuse_file_op && file_inode(file)->i_fop == &coherency_file_op)
		file->f_op = &coherency_file_op;
	if (file->f_op == &coherency_file_op)
		coherency_held_open(file_inode(file));
}
