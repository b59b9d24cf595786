// SPDX-License-Identifier: GPL-2.0
/*
 * Is this data current? What fuse keeps of a file's pages is as fresh as the inode's data stamp or fresher: the slot was
 * sampled, then everything that was there was dropped. Own writes do not move the slot, and fuse updates what it keeps.
 */
#include "coherency.h"

#include <linux/dax.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/uio.h>
#include <linux/wait_bit.h>

/* Pages of a mapping that is written to at the same time may become dirty again while they are dropped. */
#define COHERENCY_DROP_TRIES	4

static struct coherency_file_wrapper files;
static DEFINE_MUTEX(wrappers_mutex);

static bool data_is_current(const struct coherency_share *share, const struct coherency_inode *ci)
{
	coherency_stamp stamp = coherency_sample_inode(share, ci);

	return (stamp && stamp == READ_ONCE(ci->data)) || !coherency_rule(DATA);
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
	stamp = coherency_sample_inode(share, ci);
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

/*
 * Size first: fuse drops pages by itself when it learns of another one. Fails with EBUSY if what is cached cannot be
 * used.
 */
int coherency_refresh_file(struct file *file)
{
	int err = refresh_size(file);

	return err ? err : refresh_data(file);
}

/*
 * The pages of a file are of the size that it had when they were found current. A larger one, which another task may
 * learn of meanwhile, would make zeros of what is beyond.
 */
struct read_bound {
	loff_t size;
	size_t cut;
};

/* Acquiring: the size is read before the file is found current. */
static void sample_size(struct file *file, struct read_bound *bound)
{
	bound->size = i_size_read(file_inode(file));
	smp_rmb();
}

static size_t length_within(const struct read_bound *bound, loff_t position, size_t length)
{
	if (!coherency_rule(CLAMP))
		return length;
	return position >= bound->size ? 0 : min_t(loff_t, length, bound->size - position);
}

/*
 * After own writes fuse asks for the attributes before it reads or seeks. They are asked for here, because their reply may
 * bring another size.
 */
static int refresh_known_size(struct file *file)
{
	struct inode *inode = file_inode(file);
	int err = refresh_size(file);

	if (err || coherency_changes_are_known(&coherency_inode_of(inode)->contents))
		return err;
	return coherency_refresh(inode, file_dentry(file), COHERENCY_NEED_SIZE);
}

static bool is_readable(struct file *file)
{
	return coherency_file_is_current(file) &&
	       coherency_changes_are_known(&coherency_inode_of(file_inode(file))->contents);
}

/* Fails with EBUSY if what is cached cannot be used, not even after this. */
static int refresh_for_reading(struct file *file, struct read_bound *bound)
{
	struct inode *inode = file_inode(file);
	struct coherency_inode *ci = coherency_inode_of(inode);
	int err = refresh_known_size(file);

	if (err)
		return err;
	sample_size(file, bound);
	err = refresh_data(file);
	/* The reply to a SETATTR brings a size that may be older than the one that has just been asked for. */
	if (!err && atomic_read(&ci->busy) &&
	    !coherency_attributes_are_current(coherency_share_of(inode->i_sb), ci))
		err = -EBUSY;
	return err;
}

bool coherency_file_is_current(struct file *file)
{
	struct inode *inode = file_inode(file);
	struct coherency_share *share = coherency_share_of(inode->i_sb);
	struct coherency_inode *ci = coherency_inode_of(inode);

	return data_is_current(share, ci) && coherency_attributes_are_current(share, ci);
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
	err = file->f_mode & FMODE_CREATED ? 0 : coherency_refresh_file(file);
	/* What cannot be brought up to date now is asked for by whoever uses it. */
	if (err && err != -EBUSY)
		return err;
	if (share->no_open)
		file->f_flags &= ~O_TRUNC;
	err = files.fuse->open(inode, file);
	if (!err)
		coherency_held_open(inode);
	return err;
}

static ssize_t read_around_cache(struct kiocb *iocb, struct iov_iter *to)
{
	ssize_t result;

	if (iocb->ki_flags & IOCB_DIRECT)
		return files.fuse->read_iter(iocb, to);
	iocb->ki_flags |= IOCB_DIRECT;
	result = files.fuse->read_iter(iocb, to);
	/* Once it is queued, it belongs to whoever completes it. */
	if (result != -EIOCBQUEUED)
		iocb->ki_flags &= ~IOCB_DIRECT;
	return result;
}

/*
 * fuse asks for the attributes here, if somebody has just written. While it may learn of another size, nobody stores to
 * last pages: nor can this task, when it copies to such a page. So it does not fault while it reads.
 */
static ssize_t read_without_faults(struct kiocb *iocb, struct iov_iter *to)
{
	struct coherency_share *share = coherency_share_of(file_inode(iocb->ki_filp)->i_sb);
	ssize_t done = 0, result;

	for (;;) {
		coherency_resize_begin(share);
		pagefault_disable();
		to->nofault = true;
		result = files.fuse->read_iter(iocb, to);
		to->nofault = false;
		pagefault_enable();
		coherency_resize_end(share);
		if (result > 0)
			done += result;
		if (!iov_iter_count(to) || (result <= 0 && result != -EFAULT))
			return done ? done : result;
		/* A fault, or the end. */
		if (fault_in_iov_iter_writeable(to, iov_iter_count(to)) == iov_iter_count(to))
			return done ? done : -EFAULT;
	}
}

static ssize_t read_cached(struct kiocb *iocb, struct iov_iter *to, const struct read_bound *bound)
{
	size_t wanted = iov_iter_count(to);
	bool is_direct = iocb->ki_flags & IOCB_DIRECT;
	size_t length = is_direct ? wanted : length_within(bound, iocb->ki_pos, wanted);
	ssize_t result;

	if (!length && wanted)
		return 0;
	iov_iter_truncate(to, length);
	if (unlikely(!is_direct && coherency_is_stored_to(coherency_inode_of(file_inode(iocb->ki_filp)))))
		result = read_without_faults(iocb, to);
	else
		result = files.fuse->read_iter(iocb, to);
	iov_iter_reexpand(to, iov_iter_count(to) + wanted - length);
	return result;
}

static ssize_t coherency_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;
	struct coherency_inode *ci = coherency_inode_of(file_inode(file));
	struct read_bound bound;
	ssize_t result;
	int err;

	sample_size(file, &bound);
	if (likely(is_readable(file))) {
		coherency_count(coherency_share_of(file_inode(file)->i_sb), hits);
		return read_cached(iocb, to, &bound);
	}
	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	for (;;) {
		err = refresh_for_reading(file, &bound);
		if (!err)
			return read_cached(iocb, to, &bound);
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
	struct inode *inode = file_inode(in);
	struct read_bound bound;
	bool is_resizing;
	ssize_t result;
	int err;

	sample_size(in, &bound);
	err = is_readable(in) ? 0 : refresh_for_reading(in, &bound);
	if (err == -EBUSY)
		return coherency_splice_by_reading(in, position, pipe, length, flags);
	if (err)
		return err;
	length = length_within(&bound, *position, length);
	if (!length)
		return 0;
	is_resizing = coherency_resize_begin_if_stored_to(inode);
	result = files.fuse->splice_read(in, position, pipe, length, flags);
	coherency_resize_end_if(coherency_share_of(inode->i_sb), is_resizing);
	return result;
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
		return files.fuse->write_iter(iocb, from);
	init_sync_kiocb(&waiting, iocb->ki_filp);
	waiting.ki_flags = iocb->ki_flags;
	waiting.ki_pos = iocb->ki_pos;
	result = files.fuse->write_iter(&waiting, from);
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

/*
 * What changes a file's content, of which fuse only notes that the attributes are old. The daemon may drop what privileges
 * the file gives, and does not say so. Replies that are under way may bring another size meanwhile; see sizes.c.
 */
struct content_change {
	struct own_write write;
	bool drops_privileges;
};

/* Where it ends is decided by the size, and what it drops by the mode; own changes of those are known. */
static int refresh_for_change(struct file *file)
{
	int err = refresh_size(file);

	/* What is not known now, the daemon knows. */
	return err == -EBUSY ? 0 : err;
}

static int content_change_begin(struct file *file, struct content_change *change)
{
	struct inode *inode = file_inode(file);
	struct coherency_inode *ci = coherency_inode_of(inode);
	int err;

	coherency_give_way(ci);
	err = refresh_for_change(file);
	if (err)
		return err;
	coherency_resize_begin(coherency_share_of(inode->i_sb));
	change->drops_privileges = is_sxid(inode->i_mode);
	if (change->drops_privileges)
		coherency_change_begin(ci, &ci->owner);
	coherency_change_begin(ci, &ci->contents);
	change->write = own_write_begin(ci);
	return 0;
}

/* After a failure, the cache may have what has never arrived. */
static void content_change_end(struct file *file, struct content_change *change, bool is_done)
{
	struct inode *inode = file_inode(file);
	struct coherency_inode *ci = coherency_inode_of(inode);

	change->write.believed &= is_done;
	own_write_end(ci, change->write);
	coherency_change_end(&ci->contents);
	if (change->drops_privileges)
		coherency_change_end(&ci->owner);
	coherency_resize_end(coherency_share_of(inode->i_sb));
}

/* O_APPEND writes at what the guest takes for the end. */
static ssize_t coherency_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct file *file = iocb->ki_filp;
	struct inode *inode = file_inode(file);
	size_t length = iov_iter_count(from);
	struct content_change change;
	ssize_t result;

	if (iocb->ki_flags & IOCB_NOWAIT &&
	    !coherency_attributes_are_current(coherency_share_of(inode->i_sb), coherency_inode_of(inode)))
		return -EAGAIN;
	result = content_change_begin(file, &change);
	if (result)
		return result;
	spare_question_for_capabilities(inode);
	result = write_and_wait(iocb, from);
	content_change_end(file, &change, result == length);
	return result;
}

/* fuse asks for the attributes here after own writes. */
static loff_t coherency_llseek(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file_inode(file);
	bool is_resizing;
	loff_t result;

	if (whence == SEEK_SET || whence == SEEK_CUR)
		return files.fuse->llseek(file, offset, whence);
	result = refresh_known_size(file);
	if (result)
		return result;
	is_resizing = coherency_resize_begin_if_stored_to(inode);
	result = files.fuse->llseek(file, offset, whence);
	coherency_resize_end_if(coherency_share_of(inode->i_sb), is_resizing);
	return result;
}

static long coherency_fallocate(struct file *file, int mode, loff_t offset, loff_t length)
{
	struct content_change change;
	long err = content_change_begin(file, &change);

	if (err)
		return err;
	err = files.fuse->fallocate(file, mode, offset, length);
	content_change_end(file, &change, !err);
	return err;
}

/* How much there is to copy, the VFS has decided by the source's size. What was stored to its pages fuse writes first. */
static ssize_t coherency_copy_file_range(struct file *in, loff_t in_position, struct file *out, loff_t out_position,
					 size_t length, unsigned int flags)
{
	struct content_change change;
	ssize_t result = content_change_begin(out, &change);

	if (result)
		return result;
	result = files.fuse->copy_file_range(in, in_position, out, out_position, length, flags);
	content_change_end(out, &change, result >= 0);
	return result;
}

/* Nobody in other guests or on the host would break a lease that this kernel grants. */
int coherency_setlease(struct file *file, coherency_lease_kind kind, coherency_lease **lease, void **private)
{
	return coherency_rule(LEASES) ? -EINVAL : generic_setlease(file, kind, lease, private);
}

/* After this, the pages of a mapping are current too: msync(MS_SYNC) comes here. */
static int coherency_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	int err = files.fuse->fsync(file, start, end, datasync);

	if (!err && !coherency_file_is_current(file))
		coherency_refresh_file(file);
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
	struct coherency_share *share = coherency_share_of(inode->i_sb);
	struct coherency_inode *ci = coherency_inode_of(inode);
	bool is_locked = test_bit(COHERENCY_CLOSE_RECORD_LOCKED, &ci->closing);
	int err;

	if (share->no_open && IS_NOCMTIME(inode) && !is_locked && !test_bit(COHERENCY_CLOSE_MAPPED, &ci->closing))
		return 0;
	err = files.fuse->flush(file, id);
	if (is_locked)
		coherency_locks_call(share, ci->key);
	return err;
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

	if (command == F_GETLK)
		return files.fuse->lock(file, command, lock);
	if (coherency_lock_field(lock, type) != F_UNLCK)
		note_for_close(file, is_ofd ? COHERENCY_CLOSE_OFD_LOCKED : COHERENCY_CLOSE_RECORD_LOCKED);
	return coherency_locks_set(file, command, lock, files.fuse->lock);
}

static int coherency_flock(struct file *file, int command, struct file_lock *lock)
{
	if (coherency_lock_field(lock, type) != F_UNLCK)
		note_for_close(file, COHERENCY_CLOSE_FLOCKED);
	return coherency_locks_set(file, command, lock, files.fuse->flock);
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
		coherency_locks_set(file, F_SETLK, &lock, files.fuse->flock);
	}
	if (test_bit(COHERENCY_CLOSE_OFD_LOCKED, &ci->closing)) {
		init_unlock(&lock, file, FL_POSIX | FL_OFDLCK);
		coherency_locks_set(file, F_SETLK, &lock, files.fuse->lock);
	}
}

static int coherency_release(struct inode *inode, struct file *file)
{
	if (coherency_share_of(inode->i_sb)->no_open)
		unlock_file(file, coherency_inode_of(inode));
	coherency_held_close(inode);
	return files.fuse->release(inode, file);
}

/* ---- mappings ---------------------------------------------------------------------------------------------------- */

static int coherency_mmap(struct file *file, struct vm_area_struct *vma)
{
	int err = coherency_refresh_file(file);

	if (err && err != -EBUSY)
		return err;
	/* Only of files that can be written. */
	if (vma->vm_flags & VM_SHARED)
		note_for_close(file, COHERENCY_CLOSE_MAPPED);
	err = files.fuse->mmap(file, vma);
	return err ? err : coherency_wrap_mapping(vma);
}

/* ---- taking files over ----------------------------------------------------------------------------------------- */

#define MEMBER(operation)	(offsetof(struct file_operations, operation) / sizeof(void *))

/* Replaced, or known to believe nothing that is cached: a member on neither list may be a way around the table. */
static const u16 known_operations[] = {
	MEMBER(owner), MEMBER(llseek), MEMBER(read_iter), MEMBER(write_iter), MEMBER(poll), MEMBER(unlocked_ioctl),
	MEMBER(compat_ioctl), MEMBER(mmap), MEMBER(open), MEMBER(flush), MEMBER(release), MEMBER(fsync), MEMBER(lock),
	MEMBER(get_unmapped_area), MEMBER(flock), MEMBER(splice_write), MEMBER(splice_read), MEMBER(setlease),
	MEMBER(fallocate), MEMBER(copy_file_range), COHERENCY_FOP_FLAGS_MEMBER
};

#undef MEMBER

static void replace_operations(struct file_operations *ours)
{
#define REPLACE(operation) do { if (ours->operation) ours->operation = coherency_##operation; } while (0)
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
	ours->setlease = coherency_setlease;
}

static struct coherency_file_wrapper files = {
	.what		= "files",
	.known		= known_operations,
	.known_count	= ARRAY_SIZE(known_operations),
	.replace	= replace_operations,
};

static void fill_wrapper(struct coherency_file_wrapper *wrapper, const struct file_operations *fuse)
{
	if (!coherency_covers(wrapper->what, fuse, sizeof(*fuse), wrapper->known, wrapper->known_count))
		return;
	wrapper->ours = *fuse;
	wrapper->replace(&wrapper->ours);
	smp_store_release(&wrapper->fuse, fuse);
}

/* Special files are not fuse's once they are open. */
int coherency_wrap_file_operations(struct inode *inode)
{
	struct coherency_file_wrapper *wrapper = S_ISDIR(inode->i_mode) ? &coherency_directories : &files;
	const struct file_operations *ops = READ_ONCE(inode->i_fop);

	if ((!S_ISREG(inode->i_mode) && !S_ISDIR(inode->i_mode)) || ops == &wrapper->ours)
		return 0;
	if (unlikely(!smp_load_acquire(&wrapper->fuse))) {
		mutex_lock(&wrappers_mutex);
		if (!wrapper->fuse)
			fill_wrapper(wrapper, ops);
		mutex_unlock(&wrappers_mutex);
	}
	if (ops != wrapper->fuse) {
		pr_err_once("a file has operations that are not known; it cannot be used\n");
		return -EIO;
	}
	WRITE_ONCE(inode->i_fop, &wrapper->ours);
	return 0;
}

/* For a file that was opened by the request that made its name, without coherency_open. */
void coherency_wrap_open_file(struct file *file)
{
	if (file->f_op == files.fuse && file_inode(file)->i_fop == &files.ours)
		file->f_op = &files.ours;
	if (file->f_op == &files.ours)
		coherency_held_open(file_inode(file));
}
